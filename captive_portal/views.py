"""GET handlers: one for each page. They change nothing."""

import json
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlencode

from captive_portal import account_page, admin_acts, forms, info_pages, next_rules_page, splash
from captive_portal.request_context import (
    Download,
    Outcome,
    PageResponse,
    Redirect,
    RequestContext,
    SplashResponse,
)
from node.app.views import DeviceView, GuestView, LineView
from node.governance.allowance import Allowance, Bound
from node.governance.burst import SECOND_MS, Burst
from node.units import Rates

JSON = "application/json"
View = Callable[[RequestContext], Awaitable[Outcome]]


async def home(context: RequestContext) -> Outcome:
    """Splash page, wait for a sponsor, account page or the reason of a block, by the state of the device."""
    guest = context.guest()
    if guest.state == "removed":
        return PageResponse(
            info_pages.removed(context, guest.removed_because or "", guest.removed_for_s), 403
        )
    begun = splash.begun(context) if context.query else splash.NOTHING
    if begun is not splash.NOTHING and begun != splash.NOTHING:
        return PageResponse(splash.splash(context, typed=begun))
    if guest.state == "admitted":
        return PageResponse(account_page.account_page(context))
    asking = splash.asking(context, guest)
    if asking is not None:
        return PageResponse(asking, refresh_s=0 if asking.is_still else splash.LOOK_AGAIN_S)
    return SplashResponse(splash.word_for(guest))


async def me(context: RequestContext) -> Outcome:
    if context.guest().state != "admitted":
        return Redirect("/")
    return PageResponse(account_page.account_page(context, context.query.get("done", "")))


async def ways(context: RequestContext) -> Outcome:
    """Join methods for a device that is already authorized: more time, or another account."""
    if context.guest().state == "removed":
        return Redirect("/")
    return PageResponse(splash.splash(context))


async def terms(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.terms(context))


async def network(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.our_network(context))


async def notices(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.notices(context))


async def services(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.services(context))


async def next_rules(context: RequestContext) -> Outcome:
    done = context.query.get("done", "")
    number = int(context.query.get("version", "0"))
    return PageResponse(await next_rules_page.next_rules(context, done, number=number))


async def privacy(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.privacy(context))


async def help_page(context: RequestContext) -> Outcome:
    return PageResponse(info_pages.Help(context.place()))


async def my_data(context: RequestContext) -> Outcome:
    return PageResponse(account_page.my_data(context, await context.backend.own_data(context.device)))


async def my_data_file(context: RequestContext) -> Outcome:
    data = await context.backend.own_data(context.device)
    return Download(
        json.dumps(data, ensure_ascii=False, indent=1, default=str).encode(), JSON, "my-data.json"
    )


async def acts(context: RequestContext) -> Outcome:
    return PageResponse(await admin_acts.admin_acts(context))


async def erasing(context: RequestContext) -> Outcome:
    return PageResponse(account_page.erasing(context))


async def state(context: RequestContext) -> Outcome:
    return Download(status_document(context.guest()), JSON)


FOR_ALL: Mapping[str, View] = {
    "/terms": terms,
    "/network": network,
    "/notices": notices,
    "/services": services,
    next_rules_page.PATH: next_rules,
    "/privacy": privacy,
    "/help": help_page,
}
"""Pages for every client, on the LAN or not."""

FOR_DEVICES: Mapping[str, View] = {
    "/": home,
    "/me": me,
    "/ways": ways,
    "/my-data": my_data,
    "/my-data.json": my_data_file,
    admin_acts.PATH: acts,
    "/my-data/erase": erasing,
    "/status.json": state,
}
"""Pages about the requesting device."""


def own_page(back: str) -> str:
    """`back` if it is a page of the portal, with the allowed query fields; otherwise the first page."""
    path, _, query = back.partition("?")
    if path not in FOR_ALL and path not in FOR_DEVICES:
        return "/"
    brought = {name: value for name, value in forms.read_query(query).items() if name in forms.KEPT_FIELDS}
    return f"{path}?{urlencode(brought)}" if brought else path


# --- the account page as a JSON document, for programs: the same data, in bytes and seconds ---

VERSION = 1
"""Increases when a key changes its meaning; new keys do not increase it."""


def status_document(guest: GuestView) -> bytes:
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
        "late_dues": None if guest.late_dues is None else guest.late_dues.isoformat(),
        "devices": len(guest.devices),
        "devices_max": guest.devices_max,
        "device_list": [_device(device) for device in guest.devices],
        "removed_because": guest.removed_because,
        "line": None if guest.line is None else _line(guest.line),
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


def _line(line: LineView) -> dict[str, object]:
    could_have = None if line.could_have is None else _rates(line.could_have)
    return {"now": _rates(line.rates), "known": line.known, "could_have": could_have}


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
            **(_burst(allowance.burst) if kind == "ceiling" else {}),
        }
        for kind, bound in bounds
        if bound is not None
    ]


def _burst(burst: Burst | None) -> dict[str, object]:
    """Only where the ceiling has one."""
    return {} if burst is None else {"burst": {**_rates(burst.rates), "seconds": burst.length // SECOND_MS}}


def _rates(rates: Rates) -> dict[str, int]:
    return {"down_bit_s": rates.down, "up_bit_s": rates.up}


def _quotas(allowance: Allowance | None) -> list[dict[str, object]]:
    return [
        {
            "rule": quota.rule,
            "allowed_bytes": quota.allowed,
            "left_bytes": quota.left,
            "resets": quota.resets.isoformat() if quota.resets else None,
            "limits": not quota.is_alert,
            "days": quota.days,
        }
        for quota in (allowance.quotas if allowance else ())
    ]
