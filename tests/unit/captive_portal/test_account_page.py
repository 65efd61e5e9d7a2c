"""The account page names each limit and the decision behind it; personal data is shown as readable tables."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import account_page
from captive_portal.account_page import DataTable, Limit, QuotaLine
from node.app.views import DeviceView, GuestView, Refused
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.units import GIGA, MEGA, NO_USAGE, Rates, Usage
from tests.fakes.portal_backend import FakePortalBackend
from tests.fakes.portal_server import ANA, BEN, SECRET
from tests.fakes.requests import context, context_of, inside

SHARE = Bound(1, "equal-share", "", "Everyone has an equal part.")
FLOOR = Bound(Rates(256_000, 256_000), "lifeline", "", "Everyone keeps 256 kbit/s.")
UNTIL = datetime(2025, 6, 1, 23, 0)
RATES = Rates(10 * MEGA, 2 * MEGA)
EVENING = Bound(RATES, "evening", "assembly of 3 May", "Guests get at most 10 Mbit/s.", UNTIL)
MONTH = QuotaLeft("guests-month", 60 * GIGA, 15 * GIGA, datetime(2025, 7, 1))
DEVICES = (DeviceView(ANA, "", True, True, 0), DeviceView(BEN, "tablet", False, True, 900))


def my_page(allowance: Allowance | None, **changes: object) -> account_page.AccountPage:
    guest = GuestView(
        "admitted", "guest-1", Usage(2 * GIGA, 500 * MEGA), allowance, 3_700, 45 * GIGA, DEVICES
    )
    return account_page.account_page(context_of(guest, **changes))


def test_the_account_page_says_usage_remainder_and_end() -> None:
    page = my_page(Allowance(SHARE, FLOOR, None, (MONTH,)))
    assert (Usage(2 * GIGA, 500 * MEGA), 45 * GIGA, 3_700) == (page.used, page.bytes_left, page.seconds_left)
    assert (DEVICES, FLOOR.value) == (page.devices, page.floor)
    assert (QuotaLine("guests-month", 60 * GIGA, 45 * GIGA, 25, datetime(2025, 7, 1)),) == page.quotas


def test_every_limit_names_its_rule_and_its_decision() -> None:
    evening = Limit(
        "ceiling", RATES, "Guests get at most 10 Mbit/s.", "evening", "assembly of 3 May", UNTIL, False
    )
    share = Limit("share", None, "Everyone has an equal part.", "equal-share", "", None, True)
    assert (evening, share) == my_page(Allowance(SHARE, FLOOR, EVENING)).limits


def test_rules_that_do_not_bind_and_pools_are_named_too() -> None:
    page = my_page(Allowance(SHARE, FLOOR, None, pool="guests", not_binding=("At night nobody is limited.",)))
    assert ("guests", ("At night nobody is limited.",)) == (page.pool, page.not_binding)


def test_a_household_in_a_pool_reads_its_own_guarantee_and_guests_their_common_one() -> None:
    pool = Bound(Rates(2 * MEGA, MEGA), "choir-floor", "D-1", "The choir has at least 2 Mbit/s.")
    household = my_page(Allowance(SHARE, pool, None, pool="choir", own_floor=FLOOR))
    assert (FLOOR.value, False) == (household.floor, household.floor_is_of_all)
    guests = my_page(Allowance(SHARE, FLOOR, None, pool="guests"))
    assert (FLOOR.value, True) == (guests.floor, guests.floor_is_of_all)
    alone = my_page(Allowance(SHARE, FLOOR, None))
    assert (FLOOR.value, False, 100) == (alone.floor, alone.floor_is_of_all, alone.floor_percent)


def test_where_the_uplink_has_no_room_for_a_guarantee_the_page_says_how_much_is_left() -> None:
    assert 93 == my_page(Allowance(SHARE, FLOOR, None, kept_permille=937)).floor_percent


def test_without_limits_none_is_shown() -> None:
    page = my_page(None, seconds_left=None, bytes_left=None, account=None, devices=(), used=NO_USAGE)
    assert (None, None, None, (), (), NO_USAGE, False) == (
        page.seconds_left,
        page.bytes_left,
        page.floor,
        page.limits,
        page.quotas,
        page.used,
        page.can_extend,
    )


def test_a_quota_of_zero_is_used_up_and_no_crash() -> None:
    page = my_page(Allowance(SHARE, FLOOR, None, (QuotaLeft("none", 0, 5, None),)))
    assert (QuotaLine("none", 0, 0, 100, None),) == page.quotas


@pytest.mark.parametrize(("way", "expected"), [("terms", True), (None, True), ("voucher", False)])
def test_one_tap_extension_is_offered_to_sessions_that_began_with_one(
    way: str | None, expected: bool
) -> None:
    assert expected is my_page(None, way=way).can_extend


def test_each_form_on_the_account_page_has_its_own_token() -> None:
    page = account_page.account_page(context(inside(FakePortalBackend())))
    tokens = [
        getattr(page.proofs, name)
        for name in ("join", "leave", "answer", "devices", "passphrase", "objection")
    ]
    assert len(tokens) == len(set(tokens))
    assert page.proofs.leave == context().token("leave") != SECRET.hex()


@pytest.mark.parametrize(("deed", "said"), [("named", "named"), ("<script>", ""), ("", "")])
def test_only_results_that_are_possible_are_shown(deed: str, said: str) -> None:
    assert said == account_page.account_page(context(inside(FakePortalBackend())), deed).deed


def test_typed_text_is_kept_when_it_could_not_be_sent() -> None:
    kept = account_page.trouble("contest", Refused("too-many-open"), "It is slow.")
    assert ("too-many-open", "It is slow.") == (kept.reason, kept.text)


def test_personal_data_is_shown_as_tables() -> None:
    data = {
        "account": "ana",
        "devices": [{"mac": "02:00", "name": "phone"}, {"mac": "02:01", "online": True}],
        "days": ["2026-04-01"],
        "usage": {"2026-04": {"down": 1}},
        "nothing": None,
    }
    assert (
        DataTable("", (), (("Account", "ana"), ("nothing", "")), False),
        DataTable(
            "Devices",
            ("Hardware address", "Name", "online"),
            (("02:00", "phone", ""), ("02:01", "", "true")),
            False,
        ),
        DataTable("days", (), (("1", "2026-04-01"),), False),
        DataTable("usage", (), (("2026-04", '{"down": 1}'),), False),
    ) == account_page.tables(data)


def test_very_long_data_is_cut_on_the_page_with_a_note() -> None:
    (table,) = account_page.tables({"days": list(range(9_999))})
    assert (account_page.ROWS_MAX, True) == (len(table.rows), table.is_cut)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_every_stored_field_can_be_shown(data: dict[str, object]) -> None:
    for table in account_page.tables(data):
        width = len(table.columns) or 2
        assert all(len(row) == width or len(row) == 1 for row in table.rows)
        assert all(isinstance(value, str) for row in table.rows for value in row)
