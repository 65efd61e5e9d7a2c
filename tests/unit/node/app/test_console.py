"""Vouchers, passphrases and cards from the console, and errors that say what to do."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.accounts.codes import read_code
from node.app.console import ConsoleCommands, ConsoleService, RuleCommands
from node.app.overspending import SPREAD_S
from node.app.views import CardShown, CodeTyped, LineView, PassphraseTyped
from node.errors import NodeError
from node.governance.canonical_form import meaning_fingerprint
from node.memory_budget import Allowed, budget
from node.task_supervision import Parts
from node.units import Bytes, Rates
from tests.fakes.admin_pages import PHONE, RULES, TABLET, admin_app
from tests.fakes.use_cases import UseCases, ruleset_of

ISSUE = {"count": "3", "group": "day-pass", "lasts": "1 day", "devices": "2", "note": "fair"}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[UseCases]:
    async with admin_app(tmp_path) as opened:
        yield opened


@pytest.fixture
def commands(app: UseCases) -> ConsoleCommands:
    return ConsoleCommands(app.admin.vouchers, app.admin.members, app.admin.site)


@pytest.fixture
def answers(app: UseCases) -> ConsoleService:
    async def no_link(_signed: object) -> tuple[str, int]:
        return "", 0

    return ConsoleService(
        reconciler=app.loop,
        status_snapshot=app.admin.status_snapshot,
        adoption=app.adoption,
        parts=Parts(),
        guest=app.guest,
        admin_link=no_link,
        fingerprint=str,
        rules_file="rules.toml",
        budget=budget(Allowed(Bytes(100_000_000), "a test")),
        started=datetime(2026, 11, 24, tzinfo=UTC),
        version="1",
    )


async def test_why_says_what_other_nodes_may_let_pass_of_an_allowance_that_is_used_up(
    app, answers, monkeypatch
):
    quota = (
        '[[rule]]\nid = "month"\nquota = "9 GB per month"\ncounts = "uplink"\nwho = "everyone"\nby = "D-1"\n'
        'then = "ceiling 1 Mbit/s down, 1 Mbit/s up until reset"\n'
    )
    await app.loop.adopt(ruleset_of(RULES + quota, app.node.members_text), app.loop.member_directory)
    assert answers.why({"who": "ana"})["overspending"] is None, "there is no other node"
    monkeypatch.setattr(app.admin.status_snapshot, "_roster", lambda: frozenset({"other", app.loop.node}))
    answer = answers.why({"who": "ana"})
    assert SPREAD_S == answer["overspending"].seconds
    assert answer["overspending"].sentence in answer["explain"]


async def test_why_says_the_speed_of_the_line_and_what_the_account_could_have(app, answers):
    await app.join_by_card(PHONE)
    await app.join_by_card(TABLET, "school")
    await app.transfer({TABLET: (4_000_000, 800_000)})
    answer = answers.why({"who": "ana"})
    line = answer["line"]
    assert isinstance(line, LineView)
    assert "stated" == line.known
    assert line.rates == Rates(34_000_000, 7_600_000)
    assert (11_333_333, 2_533_333) == (line.could_have.down, line.could_have.up), "the school has two shares"
    assert (
        " the line now: 34 Mbit/s download and 7.6 Mbit/s upload. This is the stated speed. It is not measured."
        == answer["explain"][1]
    )
    assert answer["explain"][2].startswith(
        " you could have now: 11.3 Mbit/s download and 2.5 Mbit/s upload, beside"
    )


async def test_why_says_nothing_of_now_for_another_moment_or_somebody_who_is_not_online(app, answers):
    await app.join_by_card(PHONE)
    at_night = answers.why({"who": "ana", "at": "fri 03:00"})
    assert at_night["line"] is None
    assert not any("now:" in line for line in at_night["explain"])
    offline = answers.why({"who": "school"})
    assert offline["line"].could_have is None
    assert not any("you could have" in line for line in offline["explain"])


async def test_why_can_be_asked_of_a_moment_at_which_everyone_is_busy(app, answers):
    await app.write_rules(
        RULES + '[[rule]]\nid = "evening"\nceiling = "3 Mbit/s down, 1 Mbit/s up"\nwhile = "busy"\n'
        'who = "tier:member"\nby = "D-1"\n'
    )
    await app.join_by_card(PHONE)
    for load, rule in (("", None), (", alone", None), (", everyone busy", "evening")):
        allowance = answers.why({"who": "ana", "at": f"fri 21:00{load}"})["allowance"]
        assert rule == (allowance.ceiling and allowance.ceiling.rule)
    with pytest.raises(NodeError, match="neither everyone busy nor alone"):
        answers.why({"who": "ana", "at": "fri 21:00, quiet"})


async def test_why_names_rules_that_are_only_observed_to_the_people_they_are_for(app, answers):
    await app.join_by_card(PHONE)
    before = answers.why({"who": "ana"})
    top = 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nobserve = true\nexpires = "2099-03-31"\nby = "D-1"\n'
    await app.write_rules(
        f'{RULES}[[rule]]\nid = "a"\nwho = "tier:member"\n{top}[[rule]]\nid = "b"\nwho = "tier:guest"\n{top}'
    )
    after = answers.why({"who": "ana"})
    assert before["allowance"] == after["allowance"]
    (observed,) = set(after["explain"]) - set(before["explain"])
    assert observed.startswith(
        " Observed only; nobody has more or less by it: Until the end of 31 March 2099, members"
    )
    assert after["explain"][-1] == before["explain"][-1], "how to object comes last"


async def test_the_status_says_what_each_could_have(app, answers):
    await app.join_by_card(PHONE)
    overview = answers.status({})["overview"]
    assert ("stated", Rates(34_000_000, 7_600_000)) == (overview.uplink_known, overview.uplink)
    assert [Rates(34_000_000, 7_600_000)] == [row.could_have for row in overview.online]


async def test_the_printed_codes_admit_people(app, commands):
    answer = await commands.issue(ISSUE)
    assert 3 == len(answer["codes"])
    assert ("day-pass", 86_400_000, 2, "fair", "admin console") == tuple(
        getattr(answer["batch"], name) for name in ("group", "lasts_ms", "devices_max", "note", "issued_by")
    )
    assert (await app.join(PHONE, CodeTyped(answer["codes"][0]))).startswith("voucher-")
    async with app.node.life() as again:
        assert again.loop.registry.vouchers.find(read_code(answer["codes"][2])) is not None


async def test_each_order_issues_its_own_vouchers(commands):
    first, second = await commands.issue(ISSUE), await commands.issue(ISSUE)
    assert not set(first["codes"]) & set(second["codes"])


async def test_codes_that_could_not_be_stored_are_shown_when_the_same_order_is_repeated(app, commands):
    app.node.repository.full = True
    for _ in range(2):
        with pytest.raises(NodeError, match="the data folder is full") as no:
            await commands.issue(ISSUE)
    assert "again" in no.value.fix
    app.node.repository.full = False
    assert 3 == len((await commands.issue(ISSUE))["codes"])
    assert [1] == [row["batch"].number for row in commands.batches({})["batches"]]
    assert 2 == (await commands.issue(ISSUE))["batch"].number


async def test_another_order_is_never_answered_with_vouchers_that_wait_to_be_stored(app, commands):
    app.node.repository.full = True
    with pytest.raises(NodeError):
        await commands.issue(ISSUE)
    app.node.repository.full = False
    answer = await commands.issue(ISSUE | {"count": "1"})
    assert (2, 1) == (answer["batch"].number, len(answer["codes"]))


@pytest.mark.parametrize(
    ("changes", "fix"),
    [
        ({"lasts": "a while"}, "1 day"),
        ({"lasts": ""}, "1 day"),
        ({"count": "many"}, "--count"),
        ({"count": "-1"}, "--count"),
        ({"count": "0"}, "1 to 960"),
        ({"count": "9" * 100}, "--count"),
        ({"group": "No Group"}, "day-pass"),
        ({"devices": "1.5"}, "--devices"),
        ({"note": "x" * 300}, "200"),
    ],
)
async def test_an_invalid_order_is_an_error_with_what_to_do(app, commands, changes, fix):
    with pytest.raises(NodeError) as no:
        await commands.issue(ISSUE | changes)
    assert fix in no.value.fix
    assert () == app.node.repository.registry.kept.batches


async def test_all_errors_are_reported_at_once(commands):
    with pytest.raises(NodeError) as no:
        await commands.issue(ISSUE | {"count": "961", "group": "?"})
    assert "961" in no.value.message
    assert "group" in no.value.message


async def test_the_list_counts_each_state(app, commands):
    assert {"batches": []} == commands.batches({})
    await app.join(PHONE, CodeTyped((await commands.issue(ISSUE))["codes"][0]))
    (row,) = commands.batches({})["batches"]
    assert (1, 2, 1, 0, 0) == (row["batch"].number, *(row[s] for s in ("unused", "used", "ended", "revoked")))


async def test_a_batch_is_revoked_and_restored(commands):
    await commands.issue(ISSUE)
    assert {"changed": 3, "back": False} == await commands.revoke({"which": "1"})
    assert {"changed": 0, "back": False} == await commands.revoke({"which": "1"})
    assert {"changed": 3, "back": True} == await commands.revoke({"which": "1", "back": True})


async def test_one_voucher_is_revoked_by_its_code(commands):
    codes = (await commands.issue(ISSUE))["codes"]
    assert {"changed": 1, "back": False} == await commands.revoke({"which": codes[0].lower()})
    assert 1 == commands.batches({})["batches"][0]["revoked"]


@pytest.mark.parametrize("which", ["7", "", "7K3M", "1234567", "ana"])
async def test_an_unknown_batch_or_voucher_is_an_error(commands, which):
    with pytest.raises(NodeError) as no:
        await commands.revoke({"which": which})
    assert no.value.fix


async def test_a_member_gets_a_passphrase_and_a_card(app, commands):
    answer = await commands.passphrase({"who": " ana "})
    assert "ana" == answer["account"]
    assert "ana" == await app.join(PHONE, PassphraseTyped("ana", answer["passphrase"]))
    card = await commands.card({"who": "ana"})
    assert card["address"].startswith("http://login.vall.example/?card=")
    assert "2027-12-29" == card["last_day"]
    assert "ana" == await app.join(TABLET, CardShown(card["address"]))


async def test_the_cards_of_a_member_are_voided(app, commands):
    card = await commands.card({"who": "ana"})
    assert {"account": "ana"} == await commands.void_cards({"who": "ana"})
    assert "card-revoked" == await app.refusal(PHONE, CardShown(card["card"]))


@pytest.mark.parametrize("question", ["passphrase", "card", "void_cards"])
async def test_an_unknown_member_gets_nothing(commands, question):
    with pytest.raises(NodeError, match="No member has this account"):
        await getattr(commands, question)({"who": "ben"})


async def test_every_query_has_its_answer(commands):
    assert {
        "vouchers-issue",
        "vouchers-list",
        "vouchers-revoke",
        "members-passphrase",
        "members-card",
        "members-void-cards",
    } == set(commands.all())


# --- adoption of rules ---


async def test_rules_are_adopted_confirmed_and_listed(app):
    await app.adoption.record(app.loop.active_ruleset, "the node's start")
    commands = RuleCommands(app.adoption)
    text = app.loop.active_ruleset.text.replace("version = 3", "version = 4")
    said = await commands.adopt({"text": text})
    assert ("trial", 2, 600) == (said["outcome"], said["number"], said["trial"].seconds_left)
    assert ("confirmed", None) == ((said := await commands.confirm({}))["outcome"], said["trial"])
    assert "same" == (await commands.confirm({}))["outcome"]
    assert [("in force", "admin console"), ("", "the node's start")] == [
        (each["became"], each["by"]) for each in (await commands.history({}))["versions"]
    ]
    assert "trial" == (await commands.roll_back({"version": "1"}))["outcome"]
    assert "ended" == (await commands.roll_back({}))["outcome"]
    assert "confirmed" == (await commands.adopt({"text": text + "# more\n", "no_trial": True}))["outcome"]


async def test_a_text_that_says_the_same_is_confirmed_without_a_trial_and_listed_with_the_same_meaning(app):
    await app.adoption.record(app.loop.active_ruleset, "the node's start")
    commands, before = RuleCommands(app.adoption), app.loop.active_ruleset
    said = await commands.adopt({"text": before.text + "# a comment\n"})
    assert ("confirmed", 2, None, True) == (
        said["outcome"], said["number"], said["trial"], said["says_the_same"]
    )  # fmt: skip
    text = before.text.replace("version = 3", "version = 4")
    said = await commands.adopt({"text": text})
    assert ("trial", False) == (said["outcome"], said["says_the_same"])
    assert "trial" == (await commands.adopt({"text": text + "# a comment\n"}))["outcome"], (
        "nobody confirmed that yet"
    )
    other, second, first = [each["meaning"] for each in (await commands.history({}))["versions"]][1:]
    assert first == second == meaning_fingerprint(before.ruleset)
    assert other == meaning_fingerprint(app.loop.active_ruleset.ruleset) != first


async def test_another_version_than_the_one_on_trial_is_not_confirmed(app):
    await app.adoption.record(app.loop.active_ruleset, "the node's start")
    commands = RuleCommands(app.adoption)
    text = app.loop.active_ruleset.text.replace("version = 3", "version = 4")
    number = (await commands.adopt({"text": text}))["number"]
    said = await commands.confirm({"version": "1"})
    assert ("same", number) == (said["outcome"], said["trial"].number)
    with pytest.raises(NodeError, match="no rules are on trial"):
        await commands.confirm({"version": "9"})
    assert "confirmed" == (await commands.confirm({"version": str(number)}))["outcome"]


@pytest.mark.parametrize("text", ["0", "-1", "two", "1" * 10, "\N{ARABIC-INDIC DIGIT TWO}"])
async def test_what_is_no_version_is_refused(app, text):
    commands = RuleCommands(app.adoption)
    for command in (commands.confirm, commands.roll_back):
        with pytest.raises(NodeError, match="not the number of a version"):
            await command({"version": text})


@pytest.mark.parametrize(
    ("question", "said"),
    [({"text": "x", "at": "soon"}, "not a day and a time"), ({"text": "x", "at": 7}, "not a day and a time")],
)
async def test_what_cannot_be_a_time_is_refused_with_a_fix(app, question, said):
    with pytest.raises(NodeError, match=said) as caught:
        await RuleCommands(app.adoption).adopt(question)
    assert "2026-12-01 06:00" in caught.value.fix


async def test_rules_with_errors_are_refused_with_all_of_them(app):
    said = await RuleCommands(app.adoption).adopt({"text": "nonsense"})
    assert ("refused", ["E01"]) == (said["outcome"], [each.code for each in said["findings"]])
