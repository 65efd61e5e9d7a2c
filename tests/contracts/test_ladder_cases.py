"""Cases of ladders in a running node, with a fake and a real database: from an admin’s decision to the kernel’s classes."""

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from node.accounts.changes import Change
from node.app.admin_content import fingerprint
from node.app.ladder_cases import LadderCaseService
from node.errors import Finding
from node.governance.ladder_case import LadderCase
from node.storage.database import Store
from node.storage.repository import StoredRepository
from node.translator import ENGLISH
from node.units import AccountId
from tests.fakes.use_cases import ANA, BEN, CARD, HOUR_MS, AppFixture, CardShown, UseCases

GB = 10**9
LADDERS = """
[[ladder]]
id = "big-users"
who = "tier:member"
except = "group:clinic"
trigger = "5 GB per month"
steps = ["tell", "share 50 for 7 days", "ceiling 1 Mbit/s for 14 days"]
decay = "30 days"
by = "D-7"

[[ladder]]
id = "noise"
who = "everyone"
steps = ["tell", "ceiling 2 Mbit/s for 3 days"]
by = "D-8"
"""
PERE = "admin Pere"


class LadderTown:
    """A node that can be killed and started again."""

    def __init__(self, fixture: AppFixture) -> None:
        self.fixture, self._lives = fixture, AsyncExitStack()
        self.app: UseCases
        self.service: LadderCaseService

    async def start(self, *, killed: bool = True) -> None:
        """`killed`: nothing is written when it ends."""
        self.app = await self._lives.enter_async_context(self.fixture.life(killed=killed))
        self.service = LadderCaseService(self.app.loop, self.fixture.clock)

    async def kill(self) -> None:
        await self._lives.aclose()
        self._lives = AsyncExitStack()

    async def hours(self, hours: float) -> None:
        """They pass; what is due is done."""
        await self.app.pass_time(int(hours * HOUR_MS))
        await self.service.check()
        await self.app.settle()

    async def open(self, ladder: str = "noise", reason: str = "loud", account: str = "ana") -> LadderCase:
        opened = await self.service.open(PERE, account, ladder, reason)
        assert isinstance(opened, LadderCase), opened
        return opened

    def limits(self, account: str = "ana") -> tuple[int, int | None]:
        """Share, and ceiling in kbit/s downwards."""
        allowance = self.app.loop.effective_policy.policy_for(AccountId(account))
        return (
            allowance.share.value,
            None if allowance.ceiling is None else allowance.ceiling.value.down // 1000,
        )

    async def kernel_ceiling(self) -> int:
        """Of Ana's class while she uses the line, in bit/s; 0 for none."""
        await self.app.use(ANA, down=1_000)
        await self.app.settle()
        minor = self.app.loop.session_table.minors[AccountId("ana")]
        assert self.fixture.kernel.plan is not None
        ceiling = self.fixture.kernel.plan.classes[minor].ceiling
        return 0 if ceiling is None or ceiling.down > 40_000_000 else ceiling.down


@pytest.fixture(params=["fake", "stored"])
async def town(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LadderTown]:
    stores = [Store(tmp_path / "data" / "procomu.db")] if request.param == "stored" else []
    (tmp_path / "data").mkdir()
    memories = (lambda: StoredRepository(stores[0], tmp_path / "bookings")) if stores else None
    made = LadderTown(AppFixture(memories, tmp_path, rules=LADDERS, session_ms=None))
    await made.start()
    await made.app.join(ANA, CardShown(CARD))
    yield made
    await made.kill()
    for store in stores:
        store.close()


def message(done: LadderCase | Finding) -> str:
    assert isinstance(done, Finding), done
    return done.message


async def test_a_case_is_told_at_once_holds_a_day_later_and_ends_by_itself(town: LadderTown) -> None:
    await town.open()
    await town.hours(24)  # the word is over
    case = await town.open()
    assert 2 == case.step
    (shown, _) = town.app.portal.ladder_cases(ANA, ENGLISH)
    assert ("notice", "loud", "admin Pere") == (shown.phase, shown.reason, shown.by)
    assert "at most 2 Mbit/s download and 2 Mbit/s upload for 3 days" == shown.what
    await town.hours(23)
    assert (100, None) == town.limits()
    await town.hours(1)
    assert ((100, 2000), 2_000_000) == (town.limits(), await town.kernel_ceiling())
    await town.hours(71)
    assert (100, 2000) == town.limits()
    await town.hours(1)
    assert (100, None) == town.limits()
    assert ["over", "over"] == [each.ending for each in town.service.cases()]
    assert 0 == await town.kernel_ceiling()


async def test_an_account_over_the_trigger_is_listed_and_needs_no_other_reason(town: LadderTown) -> None:
    assert "Say why" in message(await town.service.open(PERE, "ana", "big-users", " "))
    assert () == town.service.ladders()[0].over
    await town.app.use(ANA, down=6 * GB)
    (over,) = town.service.ladders()[0].over
    assert ("ana", 6 * GB, False) == (over.account, over.used, over.has_case)
    case = await town.open("big-users", "")
    assert ("tell", 1, "") == (case.said, case.step, case.reason)
    assert town.service.ladders()[0].over[0].has_case


@pytest.mark.parametrize(
    ("account", "ladder", "reason", "said"),
    [
        ("ana", "loud", "x", "no ladder of this name"),
        ("nobody", "noise", "x", "Nobody here has this account"),
        ("pool:guests", "noise", "x", "Nobody here has this account"),
        ("ana", "noise", "", "Say why"),
        ("ana", "noise", "x" * 501, "longer than 500"),
        ("ana", "noise", "a\u202eb", "invisible"),
        ("", "", "", "no ladder of this name"),
    ],
)
async def test_what_cannot_be_a_case_is_refused_with_the_reason(
    town: LadderTown, account: str, ladder: str, reason: str, said: str
) -> None:
    assert said in message(await town.service.open(PERE, account, ladder, reason))
    assert () == town.service.cases()


async def test_a_ladder_for_members_is_not_for_guests(town: LadderTown) -> None:
    guest = await town.app.join(BEN)
    assert "not for this account" in message(await town.service.open(PERE, guest, "big-users", "x"))
    await town.open(account=guest)


async def test_an_account_has_one_open_case_and_the_same_form_twice_opens_one(town: LadderTown) -> None:
    first = await town.open()
    assert first == await town.open()
    assert "open case" in message(await town.service.open("admin Ana", "ana", "noise", "loud"))
    assert "open case" in message(await town.service.open(PERE, "ana", "big-users", "x"))
    assert 1 == len(town.service.cases())


async def test_a_form_that_showed_another_step_changes_nothing(town: LadderTown) -> None:
    refused = await town.service.open(PERE, "ana", "noise", "x", step=2)
    assert "Another step" in message(refused)


async def test_an_objection_suspends_the_step_and_the_answer_ends_that(town: LadderTown) -> None:
    await town.open()
    await town.hours(24)
    case = await town.open()
    await town.hours(25)
    assert await town.app.portal.add_objection(ANA, case.group, "It was the choir") is None
    await town.app.settle()
    assert ((100, None), 0) == (town.limits(), await town.kernel_ceiling())
    (shown, _) = town.service.cases()
    assert ("suspended", "It was the choir") == (shown.phase, shown.objection and shown.objection.text)
    assert "Say why" in message(await town.service.answer(PERE, case.number, " "))
    answered = await town.service.answer(PERE, case.number, "It stays")
    assert isinstance(answered, LadderCase)
    await town.app.settle()
    assert ((100, 2000), 2_000_000) == (town.limits(), await town.kernel_ceiling())
    assert ["It stays"] == [each.answer for each in town.app.guest(ANA).objections]
    assert "No objection" in message(await town.service.answer(PERE, case.number, "again"))
    await town.hours(71)
    assert (100, None) == town.limits(), "its end did not move"


async def test_the_answer_on_the_page_of_objections_is_the_same(town: LadderTown) -> None:
    case = await town.open()
    await town.app.portal.add_objection(ANA, case.group, "no")
    content = town.app.admin.content
    (objection,) = content.objections()
    assert await content.answer_objection(objection.number, "yes", fingerprint(objection)) is None
    assert "notice" == town.service.cases()[0].phase


async def test_silence_lifts_the_case_and_the_same_step_comes_next(town: LadderTown) -> None:
    case = await town.open()
    await town.app.portal.add_objection(ANA, case.group, "no")
    await town.hours(24 * 7 - 1)
    assert "suspended" == town.service.cases()[0].phase
    await town.hours(1)
    assert "silence" == town.service.cases()[0].ending
    assert 1 == (await town.open()).step


async def test_an_admin_lifts_a_case_in_one_action(town: LadderTown) -> None:
    await town.open()
    await town.hours(24)
    case = await town.open()
    await town.hours(30)
    assert (100, 2000) == town.limits()
    for _ in range(2):
        lifted = await town.service.lift("admin Ana", case.number)
        assert isinstance(lifted, LadderCase)
        assert ("lifted", "admin Ana") == (lifted.ending, lifted.ended_by)
    assert (100, None) == town.limits()
    assert "no case" in message(await town.service.lift(PERE, 99))
    (shown, *_) = town.app.portal.ladder_cases(ANA, ENGLISH)
    assert ("ended", "admin Ana") == (shown.phase, shown.ended_by)


@pytest.mark.parametrize("changed", ["", LADDERS.replace("2 Mbit/s for 3 days", "1 Mbit/s for 3 days")])
async def test_a_step_that_new_rules_change_or_remove_no_longer_holds_and_the_person_reads_it(
    town: LadderTown, changed: str
) -> None:
    await town.open()
    await town.hours(24)
    await town.open()
    await town.hours(30)
    assert (100, 2000) == town.limits()
    await town.app.adopt(changed)
    assert (100, None) == town.limits(), "at once"
    await town.service.check()
    (shown, *_) = town.app.portal.ladder_cases(ANA, ENGLISH)
    assert "removed" == shown.ending


async def test_a_case_that_is_lifted_while_others_are_stored_is_not_ended_otherwise(town: LadderTown) -> None:
    """What ends by itself counts for the next step; what an admin lifted does not."""
    guest = await town.app.join(BEN)
    await town.open()
    second = await town.open(account=guest)
    await town.app.pass_time(24 * HOUR_MS)
    remember, endings = town.app.loop.remember, list[str]()

    async def slow_disk(changes: Iterable[Change]) -> None:
        town.app.loop.remember = remember  # type: ignore[method-assign]
        lifted = await town.service.lift(PERE, second.number)
        endings.append(message(lifted) if isinstance(lifted, Finding) else lifted.ending)
        await remember(changes)

    town.app.loop.remember = slow_disk  # type: ignore[method-assign]
    await town.service.check()
    assert ["This case has ended already."] == endings
    assert ["over", "over"] == [each.ending for each in town.service.cases()]


async def test_cases_outlive_kill_9_with_the_time_that_they_ran(town: LadderTown) -> None:
    await town.open()
    await town.hours(24)
    case = await town.open()
    await town.hours(30)
    await town.kill()
    await town.start(killed=False)
    assert (100, 2000) == town.limits()
    await town.kill()
    town.fixture.clock.reboot(off_ms=HOUR_MS)
    town.fixture.clock.trust = "unknown"
    await town.start()
    assert (100, None) == town.limits(), "while the time is not known no step holds"
    town.fixture.clock.trust = "synced"
    assert (100, 2000) == town.limits()
    town.fixture.clock.wall = datetime(1970, 1, 2, tzinfo=UTC)
    await town.hours(4 * 24)
    assert "over" == town.service.cases()[0].ending, "a clock set to 1970 does not prolong it"
    assert case.number == town.service.cases()[0].number


async def test_without_the_time_no_case_is_opened(town: LadderTown) -> None:
    town.fixture.clock.trust = "unknown"
    assert "does not know the time" in message(await town.service.open(PERE, "ana", "noise", "x"))


async def test_cases_are_exported_and_erased_with_the_person(town: LadderTown) -> None:
    guest = await town.app.join(BEN)
    await town.open(account=guest)
    (row,) = (await town.app.portal.own_data(BEN))["ladder_cases"]  # type: ignore[misc]
    assert ("loud", "admin Pere", "tell") == (row["reason"], row["by"], row["said"])
    await town.app.portal.erase(BEN)
    assert () == town.service.cases()
    await town.kill()
    await town.start()
    assert () == town.service.cases()


async def test_each_case_is_in_the_log_with_the_admin_and_without_the_person(
    town: LadderTown, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    case = await town.open()
    await town.app.portal.add_objection(ANA, case.group, "no")
    await town.service.answer("admin Cai", case.number, "yes")
    await town.service.lift("admin Ana", case.number)
    said = [record.getMessage() for record in caplog.records if record.name == "node.app.ladder_cases"]
    assert [
        "case 1: step 1 of the ladder noise, opened by admin Pere",
        "case 1: the objection is answered by admin Cai",
        "case 1: ended (lifted) by admin Ana",
    ] == said


async def test_on_a_full_disk_nothing_is_decided_and_the_reason_is_told(tmp_path: Path) -> None:
    fixture = AppFixture(folder=tmp_path, rules=LADDERS)
    async with fixture.life() as app:
        await app.join(ANA, CardShown(CARD))
        service = LadderCaseService(app.loop, fixture.clock)
        opened = await service.open(PERE, "ana", "noise", "loud")
        assert isinstance(opened, LadderCase)
        fixture.repository.full = True
        for refused in (
            await service.open(PERE, "ana", "noise", "other"),
            await service.lift(PERE, opened.number),
            await service.answer(PERE, opened.number, "x"),
        ):
            assert "cannot save anything right now" in message(refused)
        fixture.repository.full = False
        assert ["notice"] == [each.phase for each in service.cases()]
