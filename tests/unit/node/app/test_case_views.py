"""Cases of ladders as people read them."""

from dataclasses import replace
from datetime import UTC

from node.app.case_views import SHOWN_DAYS, CaseViews, case_words
from node.governance.ladder_case import DAY_S, HOUR_MS, LadderCase
from node.units import AccountId, Monotonic, Now
from node.web.translations import read_catalogues
from tests.fakes.registry_fixture import RegistryFixture, at
from tests.fakes.rule_files import rules_of

LADDER = """
[[ladder]]
id = "big-users"
by = "D-2"
who = "tier:member"
steps = ["tell", "share 50 for 7 days"]
"""
ANA = AccountId("ana")
OPENED_S = 1_795_000_000
CASE = LadderCase(
    1, ANA, "big-users", 2, "share 50 for 7 days", 7, "much", "admin Pere", OPENED_S, at().boot, at().now
)


def later(days: float) -> Now:
    moment = Monotonic(at().now + int(days * 24) * HOUR_MS)
    return Now(moment, at().boot, OPENED_S + int(days * DAY_S), "2026-11-30")


def test_a_step_is_said_in_the_readers_language_and_a_changed_one_as_the_file_said_it():
    catalan = read_catalogues().translations["ca"]
    assert "at most half a share for 7 days" == case_words(CASE, rules_of(LADDER))
    assert case_words(CASE, rules_of(LADDER), catalan) not in ("at most half a share for 7 days", CASE.said)
    for rules in (rules_of(), rules_of(LADDER.replace("50", "40"))):
        assert "share 50 for 7 days" == case_words(CASE, rules, catalan)


def test_the_account_reads_its_case_until_a_month_after_the_end():
    town = RegistryFixture()
    ended = replace(CASE, ending="over", ended_s=CASE.until_s)
    for case, days, count in (
        (CASE, 3, 1),
        (ended, 9, 1),
        (ended, 7 + SHOWN_DAYS, 1),
        (ended, 9 + SHOWN_DAYS, 0),
    ):
        town.registry.ladder_cases.put(case)
        views = CaseViews(town.registry, rules_of(LADDER), later(days), UTC)
        assert count == len(views.shown_to(ANA)), days
        assert () == views.shown_to(AccountId("ben"))


def test_the_admin_who_decided_and_the_times_are_said():
    views = CaseViews(RegistryFixture().registry, rules_of(LADDER), later(3), UTC)
    view = views.view(CASE)
    assert ("admin Pere", "in force", True) == (view.by, view.phase, view.can_object)
    assert (24 * 3_600, 8 * DAY_S) == tuple(
        int((moment - view.opened).total_seconds()) for moment in (view.begins, view.until)
    )
    assert not views.view(replace(CASE, objection=4)).can_object


def test_what_somebody_else_wrote_is_not_shown_with_the_case():
    registry = RegistryFixture().registry
    registry.add_objection(AccountId("ben"), "ladder:big-users:2", "I am ill", at())
    views = CaseViews(registry, rules_of(LADDER), later(3), UTC)
    assert views.view(replace(CASE, objection=1)).objection is None
