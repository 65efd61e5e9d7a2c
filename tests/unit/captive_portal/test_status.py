"""The account page as JSON: the same data as the page, exact."""

import json
from datetime import datetime

from captive_portal import views
from node.app.views import DeviceView, GuestView, LineView
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.units import NO_USAGE, Rates, Usage

SHARE = Bound(1, "equal-share", "", "Everyone has an equal part.")
FLOOR = Bound(Rates(256_000, 128_000), "lifeline", "", "Everyone keeps 256 kbit/s.")
EVENING = Bound(Rates(10, 2), "evening", "assembly", "At most 10.", datetime(2025, 6, 1, 23, 0))
DEVICE = DeviceView("02:00:00:00:00:0a", "phone", True, True, 3)
MONTH = QuotaLeft("guests-month", 60, 15, datetime(2025, 7, 1))


def test_an_admitted_guest_reads_every_limit_with_its_rule() -> None:
    allowance = Allowance(SHARE, FLOOR, EVENING, (MONTH,))
    guest = GuestView("admitted", "guest-1", Usage(7, 3), allowance, 60, 45, (DEVICE,))
    facts = json.loads(views.status_document(guest))
    assert ("admitted", "guest-1", {"down": 7, "up": 3}, 45, 60, 1) == tuple(
        facts[key] for key in ("state", "account", "used_bytes", "bytes_left", "seconds_left", "devices")
    )
    assert ["lifeline", "equal-share", "evening"] == [limit["rule"] for limit in facts["limits"]]
    assert {
        "kind": "ceiling",
        "value": {"down_bit_s": 10, "up_bit_s": 2},
        "rule": "evening",
        "decision": "assembly",
        "sentence": "At most 10.",
        "until": "2025-06-01T23:00:00",
    } == facts["limits"][2]
    expected = [
        {
            "rule": "guests-month",
            "allowed_bytes": 60,
            "left_bytes": 45,
            "resets": "2025-07-01T00:00:00",
            "limits": True,
            "days": None,
        }
    ]
    assert expected == facts["quotas"]


def test_the_line_is_shown_with_what_the_account_could_have_of_it():
    line = LineView(Rates(9_000_000, 2_000_000), "known", Rates(3_000_000, 500_000))
    facts = json.loads(
        views.status_document(GuestView("admitted", "a", NO_USAGE, None, None, None, line=line))
    )
    assert {
        "now": {"down_bit_s": 9_000_000, "up_bit_s": 2_000_000},
        "known": "known",
        "could_have": {"down_bit_s": 3_000_000, "up_bit_s": 500_000},
    } == facts["line"]


def test_a_captive_device_reads_that_it_is_not_admitted() -> None:
    facts = json.loads(views.status_document(GuestView("waiting", None, NO_USAGE, None, None, None)))
    assert ("waiting", None, [], []) == (facts["state"], facts["account"], facts["limits"], facts["quotas"])
    assert facts["line"] is None


def test_no_device_reads_another_ones_hardware_address() -> None:
    """The page says how many devices share the account; hardware addresses stay on the node."""
    guest = GuestView("admitted", "a", NO_USAGE, None, None, None, (DEVICE, DEVICE))
    document = views.status_document(guest)
    assert b"02:00" not in document
    expected = {"name": "phone", "is_this": True, "is_online": True, "idle_s": 3}
    assert [expected, expected] == json.loads(document)["device_list"]
