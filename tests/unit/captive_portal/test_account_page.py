"""The account page names each limit and the decision behind it; personal data is shown as readable tables."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import account_page
from captive_portal.account_page import DataTable, Limit, QuotaLine
from node.app.daily_usage import DayUse
from node.app.views import LineView, Refused
from node.control.active_ruleset import strained
from node.governance.rules import without_reserve
from node.units import GIGA, MEGA, NO_USAGE, AccountId, Bytes, MacAddress, Rates, Usage
from tests.fakes.portal_server import SECRET, context, portal_node, rendered
from tests.fakes.use_cases import ANA, BEN, CAI, MEMBERS, RULES, UseCases, directory_of

RATES = Rates(10 * MEGA, 2 * MEGA)
MONTH_ENDS = datetime(2026, 12, 1, tzinfo=UTC)
GUESTS_FLOOR = Rates(MEGA, 256_000)
LIFELINE = Rates(256_000, 96_000)
EVENING_RULES = """
[[rule]]
id = "evening"
ceiling = "10 Mbit/s down, 2 Mbit/s up"
when = "daily 10:00-20:00"
who = "tier:guest"
by = "D-2026-003"
[[rule]]
id = "guest-top"
ceiling = "20 Mbit/s down, 5 Mbit/s up"
who = "tier:guest"
by = "D-2026-004"
"""
CHOIR_RULES = """
[[rule]]
id = "choir-share"
share = 100
who = "group:choir"
together = true
by = "D-1"
[[rule]]
id = "choir-floor"
floor = "2 Mbit/s down, 1 Mbit/s up"
who = "group:choir"
together = true
by = "D-1"
"""
CHOIR = MEMBERS + 'groups = ["choir"]\n'
"""Carme sings."""


def my_page(app: UseCases, mac: str = ANA) -> account_page.AccountPage:
    return account_page.account_page(context(app, mac=mac))


async def test_the_account_page_says_usage_remainder_and_end(app: UseCases) -> None:
    await app.join(ANA)
    await app.use(ANA, down=14 * GIGA, up=GIGA)
    page = my_page(app)
    assert (Usage(14 * GIGA, GIGA), 45 * GIGA, 14_400) == (page.used, page.bytes_left, page.seconds_left)
    assert ([ANA], GUESTS_FLOOR) == ([device.mac for device in page.devices], page.floor)
    assert (
        QuotaLine("guests-month", 60 * GIGA, 45 * GIGA, 25, MONTH_ENDS, Rates(2 * MEGA, MEGA)),
    ) == page.quotas


async def test_a_quota_that_is_used_up_is_not_negative_and_lowers_the_ceiling(app: UseCases) -> None:
    await app.join(ANA)
    await app.use(ANA, down=70 * GIGA)
    page = my_page(app)
    assert (QuotaLine("guests-month", 60 * GIGA, 0, 100, MONTH_ENDS, Rates(2 * MEGA, MEGA)),) == page.quotas
    assert ("guests-month", Rates(2 * MEGA, MEGA), MONTH_ENDS) == (
        page.limits[0].rule,
        page.limits[0].rates,
        page.limits[0].until,
    )


async def page_of_a_member(rule: str, used_gb: int) -> tuple[account_page.AccountPage, str]:
    """The page, and as HTML, of a member who has used so much under this rule."""
    async with portal_node(rules=rule).life() as app:
        await app.join_by_card(ANA)
        await app.use(ANA, down=used_gb * GIGA)
        page = my_page(app)
        return page, rendered(page).decode().replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("then", "used_gb", "shown", "about_it"),
    [
        ("share 50", 1, "then slower when the line is busy", "others go first while the line is busy"),
        ("share 50", 70, "slower when the line is busy", "others go first while the line is busy"),
        ("ceiling 2 Mbit/s down, 1 Mbit/s up", 1, "then slower", "with at most 2 Mbit/s"),
        ("ceiling 2 Mbit/s down, 1 Mbit/s up", 70, "slower now", "with at most 2 Mbit/s"),
    ],
)
async def test_a_quota_says_what_happens_when_it_is_used_up(
    then: str, used_gb: int, shown: str, about_it: str
) -> None:
    rule = (
        f'[[rule]]\nid = "month"\nquota = "60 GB per month"\ncounts = "uplink"\nthen = "{then} until reset"\n'
    )
    _, body = await page_of_a_member(f'{rule}who = "tier:member"\nby = "D-1"\n', used_gb)
    assert f"<small>{shown}</small>" in body
    assert about_it in body


@pytest.mark.parametrize("used_gb", [59, 70])
async def test_a_quota_that_limits_nothing_asks_the_person_to_use_less(used_gb: int) -> None:
    rule = (
        '[[rule]]\nid = "word"\nquota = "60 GB per month"\ncounts = "uplink"\nthen = "tell"\n'
        'why = "Saturday is film night at the school"\nwho = "tier:member"\nby = "D-1"\n'
    )
    page, body = await page_of_a_member(rule, used_gb)
    assert page.bytes_left is None
    assert "When it is used up, nothing is limited, and you are asked to use less." in body
    is_over = used_gb > 60
    assert is_over == ("Your community asks you to use less" in body)
    assert is_over == ("You have used more than 60 GB. Nothing is limited. The count starts again on" in body)
    assert is_over == ("Why: Saturday is film night at the school." in body)
    assert [None] == [limit.rates for limit in page.limits]


@pytest.mark.parametrize(("used_gb", "is_over"), [(1, False), (70, True)])
async def test_a_quota_of_the_last_days_says_when_enough_is_free_again(used_gb: int, is_over: bool) -> None:
    rule = (
        '[[rule]]\nid = "week"\nquota = "60 GB per 7 days"\ncounts = "uplink"\nthen = "share 50 until reset"\n'
        'who = "tier:member"\nby = "D-1"\n'
    )
    page, body = await page_of_a_member(rule, used_gb)
    assert "The last 7 days count." in body
    assert is_over == ("Enough is free again on 1 December 2026 if you use nothing more until then." in body)
    assert is_over == (page.limits[0].until == datetime(2026, 12, 1, tzinfo=UTC))
    assert "Starts again" not in body


async def test_every_limit_names_its_rule_and_its_decision() -> None:
    async with portal_node(rules=EVENING_RULES).life() as app:
        await app.join(ANA)
        page = my_page(app)
    sentence = (
        "Every day from 10:00 to 20:00 guests never have more than 10 Mbit/s download and 2 Mbit/s upload. "
        "Decided in D-2026-003."
    )
    until = datetime(2026, 11, 24, 20, tzinfo=UTC)
    evening = Limit("ceiling", RATES, sentence, "evening", "D-2026-003", until, False)
    together = "All guests together count as one household."
    share = Limit("share", None, together, "equal-share", "built in", None, True)
    assert (evening, share) == page.limits


async def test_a_rule_with_the_name_of_a_default_is_still_a_decision() -> None:
    rule = '[[rule]]\nid = "equal-share"\nshare = 100\nwho = "tier:member"\nby = "D-7"\n'
    async with portal_node(rules=rule).life() as app:
        await app.join_by_card(ANA)
        (share,) = my_page(app).limits
    assert ("equal-share", "D-7", False) == (share.rule, share.decision, share.own_right)


async def test_rules_that_do_not_bind_and_pools_are_named_too() -> None:
    async with portal_node(rules=EVENING_RULES).life() as app:
        await app.join(ANA)
        page = my_page(app)
    top = "Guests never have more than 20 Mbit/s download and 5 Mbit/s upload. Decided in D-2026-004."
    assert ("guests", (top,)) == (page.pool, page.not_binding)


async def test_a_household_in_a_pool_reads_its_own_guarantee_and_guests_their_common_one() -> None:
    async with portal_node(rules=CHOIR_RULES, members=CHOIR).life() as app:
        await app.join_by_card(BEN, "carme")
        await app.join_by_card(CAI, "ana")
        await app.join(ANA)
        household, alone, guest = (my_page(app, mac) for mac in (BEN, CAI, ANA))
    assert (LIFELINE, False, "choir-share") == (household.floor, household.floor_is_of_all, household.pool)
    assert (GUESTS_FLOOR, True, "guests") == (guest.floor, guest.floor_is_of_all, guest.pool)
    assert (LIFELINE, False, 100, "") == (alone.floor, alone.floor_is_of_all, alone.floor_percent, alone.pool)


async def test_where_the_uplink_has_no_room_for_a_guarantee_the_page_says_how_much_is_left() -> None:
    """The rules were adopted for one member, and now there are two."""
    narrow, one = RULES.replace("8 Mbit/s", "500 kbit/s"), '[[account]]\nid = "ana"\n'
    async with portal_node(rules_text=narrow, rules="", members=one).life() as app:
        two = directory_of(MEMBERS)
        await app.loop.adopt(strained(app.loop.active_ruleset, two), two)
        await app.join_by_card(BEN, "ana")
        assert 100 == my_page(app, BEN).floor_percent
        await app.join_by_card(CAI, "carme")
        await app.join(ANA)
        assert 98 == my_page(app, BEN).floor_percent


MEASURED = RULES.replace(
    "[charter]", 'rate = "measured"\nleast = "500 kbit/s down, 250 kbit/s up"\n[charter]'
)
SCHOOL_HOURS = (
    '[[rule]]\nid = "school"\nfloor = "10 Mbit/s down, 1 Mbit/s up"\nwho = "group:school"\nby = "D-1"\n'
)
SCHOOL = MEMBERS + 'groups = ["school"]\n'
"""Carme is the school."""


def text_of(page: account_page.AccountPage) -> str:
    return " ".join(rendered(page).decode().replace("\u00a0", " ").split())


def guaranteed(app: UseCases) -> Rates:
    present = app.loop.effective_policy.present
    assert present is not None
    return without_reserve(present)


async def test_where_the_line_carries_less_extra_floors_shrink_first_and_lifelines_last() -> None:
    """On the page of each, by what was measured."""
    async with portal_node(rules_text=MEASURED, rules=SCHOOL_HOURS, members=SCHOOL).life() as app:
        await app.join_by_card(BEN, "carme")
        await app.join_by_card(CAI, "ana")
        await app.join(ANA)
        assert (
            "You keep at least <b>10 Mbit/s download and 1 Mbit/s upload</b> while the line carries it"
            in (text_of(my_page(app, BEN)))
        )
        await app.slow_down(Rates(4 * MEGA, 4 * MEGA))
        school, household, guest = (my_page(app, mac) for mac in (BEN, CAI, ANA))
        line = guaranteed(app)
        assert 3 * MEGA < line.down < 4 * MEGA
        due, extra = 2 * LIFELINE.down + GUESTS_FLOOR.down, 10 * MEGA - LIFELINE.down
        left = (line.down - due) * 1000 // extra
        assert school.floor.down == LIFELINE.down + extra * left // 1000
        assert 20 < school.floor_percent < 30
        assert (LIFELINE, 100) == (household.floor, household.floor_percent)
        assert (GUESTS_FLOOR, 100) == (guest.floor, guest.floor_percent)
        assert f"You get {school.floor_percent} % of what was promised to you" in text_of(school)
        assert "You always keep" not in text_of(school)
        assert "shrink first" not in text_of(household)

        await app.slow_down(Rates(MEGA, MEGA))
        school, household, guest = (my_page(app, mac) for mac in (BEN, CAI, ANA))
        line = guaranteed(app)
        assert line.down < due
        permille = line.down * 1000 // due
        assert school.floor.down == household.floor.down == LIFELINE.down * permille // 1000
        assert guest.floor.down == GUESTS_FLOOR.down * permille // 1000
        assert permille // 10 == household.floor_percent == guest.floor_percent
        assert "Right now all guests together keep at least" in text_of(guest)


async def test_the_page_says_the_speed_of_the_line_and_what_one_could_have_of_it() -> None:
    async with portal_node(rules_text=MEASURED).life() as app:
        await app.join_by_card(BEN, "ana")
        await app.join(ANA)
        page = my_page(app, BEN)
        assert page.line == LineView(Rates(34 * MEGA, 7_600_000), "guess", Rates(34 * MEGA, 7_600_000))
        assert "The whole line: 34 Mbit/s download and 7.6 Mbit/s upload. This is the best guess." in (
            text_of(page)
        )
        await app.transfer({ANA: (1_200_000, 240_000)})
        page, guest = my_page(app, BEN), my_page(app, ANA)
        assert page.line == LineView(Rates(34 * MEGA, 7_600_000), "guess", Rates(24 * MEGA, 5_600_000))
        assert guest.line == LineView(Rates(34 * MEGA, 7_600_000), "guess", Rates(10 * MEGA, 2 * MEGA))
        assert "<dt>Download</dt><dd>24 Mbit/s</dd>" in text_of(page)
        await app.slow_down(Rates(4 * MEGA, 4 * MEGA))
        page = my_page(app, BEN)
        assert page.line is not None
        assert "known" == page.line.known
        assert page.line.rates == app.loop.effective_policy.present
        assert "Measured: this is what the line carries now." in text_of(page)


async def test_an_account_that_was_idle_for_long_reads_what_it_could_have_too() -> None:
    async with portal_node().life() as app:
        await app.join_by_card(BEN)
        await app.join(ANA)
        await app.use(BEN, down=1)
        await app.use(ANA, down=1)
        await app.pass_time(12 * 60_000)
        assert {AccountId("ana"), AccountId("guest-0a")} == app.loop.session_table.idle
        for mac in (ANA, BEN):
            line = my_page(app, mac).line
            assert line is not None
            assert line.could_have is not None
        await app.transfer({ANA: (3_000_000, 600_000)})
        assert my_page(app, BEN).line == LineView(
            Rates(34 * MEGA, 7_600_000), "stated", Rates(24 * MEGA, 5_600_000)
        )


async def test_with_a_stated_rate_promises_hold_always_and_without_one_no_speed_is_shown() -> None:
    async with portal_node().life() as app:
        await app.join_by_card(BEN)
        page = my_page(app, BEN)
        assert page.line is not None
        assert "stated" == page.line.known
        assert "You always keep at least" in text_of(page)
    unstated = RULES.replace('[uplink.main]\ndown = "40 Mbit/s"\nup = "8 Mbit/s"\n', "")
    async with portal_node(rules_text=unstated).life() as app:
        await app.join_by_card(BEN)
        page = my_page(app, BEN)
        assert page.line is None
        assert "Your speed right now" not in text_of(page)


async def test_a_member_without_limits_reads_of_none() -> None:
    async with portal_node(session_ms=None).life() as app:
        await app.join_by_card(ANA)
        page = my_page(app)
    assert (None, None, (), NO_USAGE, False) == (
        page.seconds_left,
        page.bytes_left,
        page.quotas,
        page.used,
        page.can_extend,
    )
    assert ["share"] == [limit.kind for limit in page.limits]


@pytest.mark.parametrize(
    ("join", "expected"),
    [(UseCases.join, True), (UseCases.join_by_voucher, False), (UseCases.join_by_card, False)],
)
async def test_one_tap_extension_is_offered_to_sessions_that_began_with_one(
    app: UseCases, join: Callable[[UseCases, MacAddress], Awaitable[AccountId]], expected: bool
) -> None:
    await join(app, ANA)
    assert expected is my_page(app).can_extend


async def test_each_form_on_the_account_page_has_its_own_token(app: UseCases) -> None:
    await app.join_by_card(ANA)
    page = my_page(app)
    tokens = [
        getattr(page.proofs, name)
        for name in ("join", "leave", "answer", "devices", "passphrase", "objection")
    ]
    assert len(tokens) == len(set(tokens))
    assert page.proofs.leave == context(app).token("leave") != SECRET.hex()


@pytest.mark.parametrize(("deed", "said"), [("named", "named"), ("<script>", ""), ("", "")])
async def test_only_results_that_are_possible_are_shown(app: UseCases, deed: str, said: str) -> None:
    await app.join(ANA)
    assert said == account_page.account_page(context(app), deed).deed


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


LATE_RULES = """
[[rule]]
id = "late"
ceiling = "2 Mbit/s down, 1 Mbit/s up"
who = "dues:late"
by = "D-1"
"""


@pytest.mark.parametrize(
    ("rules", "paid_until", "is_late"),
    [(LATE_RULES, "2026-11-09", True), (LATE_RULES, "2026-11-10", False), ("", "2026-11-09", False)],
)
async def test_people_read_that_their_dues_are_late_only_where_a_rule_uses_it(
    rules: str, paid_until: str, is_late: bool
) -> None:
    """The clock says 24 November, and the grace is 14 days."""
    members = MEMBERS.replace('id = "ana"\n', f'id = "ana"\npaid_until = "{paid_until}"\n')
    assert members != MEMBERS
    async with portal_node(rules=rules, members=members).life() as app:
        await app.join_by_card(ANA, "ana")
        page = my_page(app)
        data = await app.portal.own_data(ANA)
        app.node.clock.trust = "unknown"
        assert my_page(app).late_dues is None
    assert (date(2026, 11, 9) if is_late else None) == page.late_dues
    assert is_late == ("Your dues are paid until 9 November 2026" in text_of(page))
    assert is_late == ("ceiling" in [limit.kind for limit in page.limits])
    assert LIFELINE == page.floor
    assert paid_until == data["paid_until"]


def test_bars_of_days_are_relative_to_the_day_with_most_and_absent_without_use():
    def use(day: str, down: int) -> DayUse:
        return DayUse(day, Usage(Bytes(down), Bytes(0)))

    bars = account_page.day_bars((use("2026-11-24", 50), use("2026-11-23", 200), use("2026-11-22", 0)))
    assert [("2026-11-24", 50, 25), ("2026-11-23", 200, 100), ("2026-11-22", 0, 0)] == [
        (each.day, each.used, each.percent) for each in bars
    ]
    nothing = (use("2026-11-24", 0), use("2026-11-23", 0))
    for days in ((), (use("2026-11-24", 50),), nothing):
        assert () == account_page.day_bars(days)


async def test_the_page_shows_the_own_use_of_each_day_and_nobody_elses(app: UseCases) -> None:
    await app.join(ANA)
    await app.join(BEN)
    await app.use(ANA, down=3 * GIGA)
    await app.use(BEN, down=9 * GIGA)
    page = my_page(app)
    assert [(3 * GIGA, 100), (0, 0)] == [(each.used, each.percent) for each in page.days[:2]]
    assert '<rect width="100%"' in rendered(page).decode()
    assert '<a href="/my-data">Earlier days' in rendered(page).decode()


TOP = Limit("ceiling", RATES, "", "top", "D-1", None, False)
SHARED_HALF = LineView(RATES, "stated", Rates(5 * MEGA, MEGA))


@pytest.mark.parametrize(
    ("change", "is_slow"),
    [
        ({}, False),
        ({"line": SHARED_HALF}, False),
        ({"line": LineView(RATES, "stated", Rates(5 * MEGA - 1, MEGA))}, True),
        ({"line": LineView(RATES, "stated", Rates(10 * MEGA, MEGA - 1))}, True),
        ({"line": LineView(RATES, "stated")}, False),
        ({"floor_percent": 99}, True),
        ({"quotas": (QuotaLine("month", GIGA, 0, 100, None, None),)}, True),
        ({"quotas": (QuotaLine("month", GIGA, 0, 100, None, None, is_alert=True),)}, False),
        ({"quotas": (QuotaLine("month", GIGA, 1, 99, None, None),)}, False),
        ({"limits": (TOP,)}, False),
        ({"limits": (TOP,), "is_at_ceiling": True}, True),
        ({"limits": (replace(TOP, until=datetime(2026, 11, 24, 22, tzinfo=UTC)),)}, True),
        ({"is_at_ceiling": True}, False),
    ],
)
async def test_it_says_why_it_is_slow_only_while_something_makes_it_so(
    app: UseCases, change: dict[str, Any], is_slow: bool
) -> None:
    await app.join(ANA)
    page = my_page(app)
    share_only = page.limits[1:]
    page = replace(page, **{"line": None, "quotas": (), "limits": share_only, **change})
    body = rendered(page).decode()
    assert (is_slow, not is_slow) == ("Why is it slow?" in body, "What limits you" in body)


async def test_the_bar_of_an_allowance_says_in_words_what_is_used_and_what_is_left(app: UseCases) -> None:
    await app.join(ANA)
    await app.use(ANA, down=14 * GIGA, up=GIGA)
    body = rendered(my_page(app)).decode().replace("\u00a0", " ")
    assert "<small>15 GB used</small> <small>45 GB left</small>" in body
