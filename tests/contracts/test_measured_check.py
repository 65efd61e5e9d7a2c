"""Admins read that rules promise more than the line carried: of the rules in force, and of drafts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.app.measured_check import MeasuredCheck
from node.control.active_ruleset import reload_active_ruleset
from node.errors import Finding
from node.units import AccountId, BitsPerSecond
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import ANA, RULES, AppFixture, UseCases

SLOW = BitsPerSecond(1_000_000)
MORE = RULES.replace("256 kbit/s down", "1 Mbit/s down").replace("version = 1", "version = 2")
"""Two members' and the guests' lifelines are 3 Mbit/s; with `RULES` they are 1.512 Mbit/s."""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with AppFixture(FakeRepository, tmp_path).life() as opened:
        yield opened


def measured(app: UseCases, down: int) -> None:
    app.loop.uplink_rate_control.slowest = {"down": BitsPerSecond(down)}


def said(app: UseCases) -> list[str]:
    return [each for each in app.admin.overview().warnings if "W21" in each or "slowest tenth" in each]


MILL = '[uplink.mill]\ndown = "20 Mbit/s"\nup = "5 Mbit/s"\n'


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [each.code for each in findings]


async def test_the_rules_in_force_are_checked_against_what_the_line_carried(app: UseCases) -> None:
    await app.measured_check.look()
    assert [] == said(app), "nothing was measured"
    measured(app, SLOW)
    assert [] == said(app)
    await app.measured_check.look()
    (warning,) = said(app)
    assert warning.startswith(
        "The rule file, W21: Download: lifelines and floors of two households and the guests "
    )
    assert {"down": SLOW} == app.admin.overview().uplink_slowest
    measured(app, 20_000_000)
    assert [] == said(app), "it is another line now"
    await app.measured_check.look()
    assert [] == said(app)


async def test_a_finding_is_not_said_of_other_rules_or_members(app: UseCases) -> None:
    measured(app, 2_000_000)
    await app.measured_check.look()
    assert [] == said(app)
    await app.write_rules(MORE)
    assert app.loop.active_ruleset.ruleset.version == 2, "weather refuses no rules"
    assert [] == said(app)
    await app.measured_check.look()
    assert 1 == len(said(app))
    await app.adopt()
    assert [] == said(app)


async def test_the_same_is_checked_only_once(app: UseCases, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr("node.app.measured_check.measured_findings", lambda *args: seen.append(args) or ())
    check = MeasuredCheck(app.loop)
    for _ in range(3):
        measured(app, SLOW)
        await check.look()
    assert 1 == len(seen)
    await app.write_rules(MORE)
    await check.look()
    assert 2 == len(seen)


async def test_a_draft_is_checked_and_can_be_adopted(app: UseCases) -> None:
    await app.join(ANA)
    assert AccountId("ana") in app.loop.member_directory.by_account
    measured(app, 2_000_000)
    assert "W21" not in codes((await app.admin.check_rules(RULES)).findings)
    check = await app.admin.check_rules(MORE)
    assert "W21" in codes(check.findings)
    assert check.sentences, "it is no error"
    assert "W21" in codes((await app.admin.preview_rules(MORE)).findings)
    outcome = await app.adoption.adopt(MORE, "admin")
    assert "W21" in codes(outcome.findings)
    assert 2 == app.loop.active_ruleset.ruleset.version


async def test_what_this_node_measured_is_about_its_line(app: UseCases) -> None:
    await app.join(ANA)
    measured(app, 2_000_000)
    found = (await app.admin.check_rules(MORE + MILL)).findings
    assert {True} == {each.message.startswith("On the line main: ") for each in found if each.code == "W21"}
    assert "W21" in codes(found)
    outcome = await app.adoption.adopt(MORE + MILL, "admin")
    assert outcome.findings
    assert "main" == app.loop.active_ruleset.own.uplink_name
    await app.measured_check.look()
    assert said(app)


async def test_a_node_whose_line_the_rules_do_not_have_says_so_on_every_page(app: UseCases) -> None:
    lost = reload_active_ruleset(RULES + MILL, app.loop.member_directory, "river")
    assert lost is not None
    await app.loop.adopt(lost, app.loop.member_directory)
    said_now = app.admin.overview().warnings
    assert any(
        text.startswith(
            "The rules are in force, but do not fit this node: E13: This node is the gateway of the line river"
        )
        for text in said_now
    )
    assert not any("no longer fit the members" in text for text in said_now)
    check = await app.admin.check_rules(RULES + MILL.replace("mill", "river"))
    assert not any(each.is_error for each in check.findings), "what would put it right can be adopted"
    assert "E13" in codes((await app.admin.check_rules(RULES)).findings)


async def test_a_draft_with_an_error_says_that_alone(app: UseCases) -> None:
    measured(app, 1)
    check = await app.admin.check_rules(MORE.replace("1 Mbit/s down", "30 Mbit/s down"))
    assert "E04" in codes(check.findings)
    assert "W21" not in codes(check.findings)
