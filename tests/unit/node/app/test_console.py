"""Vouchers, passphrases and cards from the console, and errors that say what to do."""

from random import Random

import pytest

from node.accounts.codes import read_code
from node.app.admin import SiteInfo
from node.app.admin_members import CardView, MemberEntry
from node.app.admin_vouchers import AdminVouchersService
from node.app.console import ConsoleCommands
from node.errors import Finding, NodeError
from tests.fakes.registry_fixture import PHONE, RegistryFixture, at

ISSUE = {"count": "3", "group": "day-pass", "lasts": "1 day", "devices": "2", "note": "fair"}


class OneMember:
    """Ana, who may get everything; no other member exists."""

    def __init__(self) -> None:
        self.voided: list[str] = []

    async def new_passphrase(self, account: str) -> str | Finding:
        return "abcd-efgh-jkmn" if account == "ana" else _NOBODY

    async def new_card(self, account: str) -> CardView | Finding:
        return CardView(MemberEntry("ana"), "PROCOMU1.x.y", "2028-03-01") if account == "ana" else _NOBODY

    async def void_cards(self, account: str) -> Finding | None:
        if account != "ana":
            return _NOBODY
        self.voided.append(account)
        return None


_NOBODY = Finding("member", 0, "There is no such member.", "look at the list")


@pytest.fixture
def town() -> RegistryFixture:
    return RegistryFixture()


@pytest.fixture
def members() -> OneMember:
    return OneMember()


@pytest.fixture
def disk() -> list[str]:
    """The disk's current error."""
    return []


@pytest.fixture
def commands(town: RegistryFixture, members: OneMember, disk: list[str]) -> ConsoleCommands:
    async def keep(changes) -> None:
        town.keep(tuple(changes))

    async def mint(count):
        return town.registry.vouchers.generate(count)

    vouchers = AdminVouchersService(
        town.registry,
        keep=keep,
        check=lambda: None,
        mint=mint,
        instant=at,
        random=Random(2).randbytes,
        rule_groups=tuple,
        trouble=lambda _changes: "".join(disk),
    )
    return ConsoleCommands(vouchers, members, lambda: SiteInfo("Vall", "plaza", "login.vall.example"))


async def test_the_printed_codes_admit_people(commands, town):
    answer = await commands.issue(ISSUE)
    assert 3 == len(answer["codes"])
    assert ("day-pass", 86_400_000, 2, "fair", "admin console") == tuple(
        getattr(answer["batch"], name) for name in ("group", "lasts_ms", "devices_max", "note", "issued_by")
    )
    assert town.came(town.code(PHONE, answer["codes"][0])).account.startswith("voucher-")
    town.restart(at(5))
    assert town.registry.vouchers.find(read_code(answer["codes"][2])) is not None


async def test_each_order_issues_its_own_vouchers(commands):
    first, second = await commands.issue(ISSUE), await commands.issue(ISSUE)
    assert not set(first["codes"]) & set(second["codes"])


async def test_codes_that_could_not_be_stored_are_shown_when_the_same_order_is_repeated(commands, disk):
    disk.append("the disk is full")
    for _ in range(2):
        with pytest.raises(NodeError, match="the disk is full") as no:
            await commands.issue(ISSUE)
    assert "again" in no.value.mend
    disk.clear()
    assert 3 == len((await commands.issue(ISSUE))["codes"])
    assert [1] == [row["batch"].number for row in commands.batches({})["batches"]]
    assert 2 == (await commands.issue(ISSUE))["batch"].number


async def test_another_order_is_never_answered_with_vouchers_that_wait_to_be_stored(commands, disk):
    disk.append("the disk is full")
    with pytest.raises(NodeError):
        await commands.issue(ISSUE)
    disk.clear()
    answer = await commands.issue(ISSUE | {"count": "1"})
    assert (2, 1) == (answer["batch"].number, len(answer["codes"]))


@pytest.mark.parametrize(
    ("changes", "mend"),
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
async def test_an_invalid_order_is_an_error_with_what_to_do(commands, town, changes, mend):
    with pytest.raises(NodeError) as no:
        await commands.issue(ISSUE | changes)
    assert mend in no.value.mend
    assert {} == town.rows


async def test_all_errors_are_reported_at_once(commands):
    with pytest.raises(NodeError) as no:
        await commands.issue(ISSUE | {"count": "961", "group": "?"})
    assert "961" in no.value.message
    assert "group" in no.value.message


async def test_the_list_counts_each_state(commands, town):
    assert {"batches": []} == commands.batches({})
    town.came(town.code(PHONE, (await commands.issue(ISSUE))["codes"][0]))
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
    assert no.value.mend


async def test_a_member_gets_a_passphrase_and_a_card(commands):
    assert {"account": "ana", "passphrase": "abcd-efgh-jkmn"} == await commands.passphrase({"who": " ana "})
    card = await commands.card({"who": "ana"})
    assert "http://login.vall.example/?card=PROCOMU1.x.y" == card["address"]
    assert "2028-03-01" == card["last_day"]


async def test_the_cards_of_a_member_are_voided(commands, members):
    assert {"account": "ana"} == await commands.void_cards({"who": "ana"})
    assert ["ana"] == members.voided


@pytest.mark.parametrize("question", ["passphrase", "card", "void_cards"])
async def test_an_unknown_member_gets_nothing(commands, question):
    with pytest.raises(NodeError, match="no such member"):
        await getattr(commands, question)({"who": "ben"})


def test_every_query_has_its_answer(commands):
    assert {
        "vouchers-issue",
        "vouchers-list",
        "vouchers-revoke",
        "members-passphrase",
        "members-card",
        "members-void-cards",
    } == set(commands.all())
