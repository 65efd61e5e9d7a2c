"""The account page as a JSON document, for programs: the same data, in bytes and seconds."""

import json

from node.app.views import DeviceView, GuestView
from node.governance.allowance import Allowance, Bound
from node.units import Rates

CONTENT_TYPE = "application/json"
VERSION = 1
"""Increases when a key changes its meaning; new keys do not increase it."""


def document(guest: GuestView) -> bytes:
    """Data about the requesting device and its account; unknown values are null."""
    facts = {
        "version": VERSION,
        "state": guest.state,
        "account": guest.account,
        "used_bytes": {"down": guest.used.down, "up": guest.used.up},
        "bytes_left": guest.bytes_left,
        "seconds_left": guest.seconds_left,
        "way": guest.way,
        "tier": guest.tier,
        "devices": len(guest.devices),
        "devices_max": guest.devices_max,
        "device_list": [_device(device) for device in guest.devices],
        "removed_because": guest.removed_because,
        "limits": _limits(guest.allowance),
        "quotas": _quotas(guest.allowance),
    }
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()


def _device(device: DeviceView) -> dict[str, object]:
    """Without the hardware address, which only the account page shows."""
    return {
        "name": device.name,
        "is_this": device.is_this,
        "is_online": device.is_online,
        "idle_s": device.idle_s,
    }


def _limits(allowance: Allowance | None) -> list[dict[str, object]]:
    if allowance is None:
        return []
    bounds: list[tuple[str, Bound[int] | Bound[Rates] | None]] = [
        ("floor", allowance.own_floor or allowance.floor),
        ("share", allowance.share),
        ("ceiling", allowance.ceiling),
    ]
    return [
        {
            "kind": kind,
            "value": _rates(bound.value) if isinstance(bound.value, Rates) else bound.value,
            "rule": bound.rule,
            "decision": bound.decision,
            "sentence": bound.sentence,
            "until": bound.until.isoformat() if bound.until else None,
        }
        for kind, bound in bounds
        if bound is not None
    ]


def _rates(rates: Rates) -> dict[str, int]:
    return {"down_bit_s": rates.down, "up_bit_s": rates.up}


def _quotas(allowance: Allowance | None) -> list[dict[str, object]]:
    return [
        {
            "rule": quota.rule,
            "allowed_bytes": quota.allowed,
            "left_bytes": quota.left,
            "resets": quota.resets.isoformat() if quota.resets else None,
        }
        for quota in (allowance.quotas if allowance else ())
    ]
