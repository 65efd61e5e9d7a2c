"""Previews of rules by the real service on a real database: what two of them differ by is never one household's."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from sqlite3 import connect

import pytest

from node.accounting.intervals import INTERVAL_S, KEEP_INTERVALS_DAYS, IntervalUsage
from node.accounting.ledger import Booking
from node.app.rule_preview import RulePreview
from node.errors import StorageTrouble
from node.governance.members import parse_members
from node.governance.parse import parse_ruleset
from node.governance.replay import replay
from node.storage.database import Store
from node.storage.repository import IntervalArchive, StoredArchive, StoredRepository
from node.units import AccountId, Bytes, Usage
from tests.fakes.use_cases import AppFixture, UseCases

MB = 1_000_000
HOMES = [AccountId(f"home-{number:02}") for number in range(18)]
ANA = HOMES[7]
SMALL = HOMES[:6]
RULES = """
[ruleset]
community = "vall"
version = 1
decision = "D-1"
[uplink.main]
down = "400 Mbit/s"
up = "400 Mbit/s"
[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
[preview]
by = "D-1"
[[rule]]
id = "equal-share"
share = 100
who = "tier:member"
by = "D-1"
[[rule]]
id = "guest-share"
share = 200
who = "tier:guest"
together = true
by = "D-1"
"""
TOP = '[[rule]]\nid = "top"\nceiling = "2 Mbit/s down, 2 Mbit/s up"\nwho = "group:mill"\nby = "D-2"\n'
DRAFT = RULES + TOP
USED = {home: Bytes((100 + 3 * place) * MB) for place, home in enumerate(HOMES)}
"""In each five minutes."""


def members(mill: list[AccountId]) -> str:
    return "".join(
        f'[[account]]\nid = "{home}"\ngroups = {["mill"] if home in mill else []}\n'.replace("'", '"')
        for home in HOMES
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "data" / "procomu.db")
    yield opened
    opened.close()


@asynccontextmanager
async def village(store: Store, folder: Path, mill: list[AccountId]) -> AsyncIterator[UseCases]:
    """A run of the node."""
    fixture = AppFixture(
        lambda: StoredRepository(store), folder, rules_text=RULES, members=members(mill), tick_s=60
    )
    fixture.archive = StoredArchive(store)  # type: ignore[assignment]
    fixture.read_intervals = IntervalArchive(store.path).read_local  # type: ignore[method-assign, assignment]
    begun = int(fixture.clock.wall.timestamp()) - 3600
    hour = {
        begun + number * INTERVAL_S: {
            home: IntervalUsage(Usage(used, Bytes(0)), is_busy=False) for home, used in USED.items()
        }
        for number in range(12)
    }
    await StoredRepository(store).book(Booking((), None, {}, intervals=hour))
    async with fixture.life() as app:
        yield app


async def regroup(app: UseCases, mill: list[AccountId]) -> None:
    directory, findings = parse_members(members(mill))
    assert directory is not None, findings
    await app.loop.adopt(app.loop.active_ruleset, directory)


async def preview(app: UseCases, draft: str = DRAFT) -> RulePreview:
    check = await app.admin.preview_rules(draft)
    assert check.preview is not None, check.findings
    return check.preview


def after(found: RulePreview) -> int:
    assert found.replay is not None, found
    assert found.replay.busiest_after is not None
    assert found.replay.busiest_after.after is not None
    return found.replay.busiest_after.after.down


def after_alone(store: Store, app: UseCases) -> int:
    """The same by a replay that remembers nothing."""
    draft, findings = parse_ruleset(DRAFT)
    assert draft is not None, findings
    now = int(app.node.clock.wall.timestamp())
    intervals = IntervalArchive(store.path).read_local(now - 86_400, now)
    found = replay(intervals, app.loop.active_ruleset.own, draft, app.loop.member_directory.unit_on)
    assert found.busiest_after is not None
    assert found.busiest_after.after is not None
    return found.busiest_after.after.down


def rows(store: Store) -> dict[str, dict[str, int]]:
    with closing(connect(store.path)) as db:
        found: dict[str, dict[str, int]] = {}
        for day, account, number in db.execute("SELECT day, account, class FROM preview_classes"):
            found.setdefault(day, {})[account] = number
        return found


async def test_a_group_with_one_household_more_is_previewed_as_without_it(
    store: Store, tmp_path: Path
) -> None:
    async with village(store, tmp_path, SMALL) as app:
        alone, first = after_alone(store, app), await preview(app)
        assert alone == after(first)
        assert not any("apart from all others" in each for each in first.sentences)
        await regroup(app, [*SMALL, ANA])
        over = USED[ANA] * 8 // INTERVAL_S - 2 * MB
        assert over == alone - after_alone(store, app), "without memory, it would be told"
        second = await preview(app)
        assert first.replay == second.replay
        assert any("treat fewer than 5 accounts apart from all others" in each for each in second.sentences)
        await regroup(app, [home for home in [*SMALL, ANA] if home != HOMES[0]])
        assert first.replay == (await preview(app)).replay


async def test_it_is_remembered_over_a_restart_and_by_all_services(store: Store, tmp_path: Path) -> None:
    async with village(store, tmp_path, SMALL) as app:
        first = await preview(app)
    assert [{*HOMES}] == [each.keys() for each in rows(store).values()]
    async with village(store, tmp_path, [*SMALL, ANA]) as app:
        assert first.replay == (await preview(app)).replay
        assert 1 == len(rows(store))


async def test_observed_rules_are_counted_after_what_previews_told(store: Store, tmp_path: Path) -> None:
    observed = TOP.replace('by = "D-2"', 'by = "D-2"\nobserve = true\nexpires = "2099-12-31"')
    async with village(store, tmp_path, SMALL) as app:
        await preview(app)
        await regroup(app, [*SMALL, ANA])
        await app.write_rules(RULES + observed)
        (note,) = (await app.admin.observed_notes()).values()
        assert "limited 6 of 18 active accounts" in note
        assert {6, 12} == {
            list(each.values()).count(number)
            for each in rows(store).values()
            for number in set(each.values())
        }


async def test_an_account_that_is_erased_is_in_no_class(store: Store, tmp_path: Path) -> None:
    async with village(store, tmp_path, SMALL) as app:
        await preview(app)
        repository, today = StoredRepository(store), app.node.clock.today()
        await repository.erase(None, ANA, today)
        assert ANA not in rows(store)[today]
        await app.node.archive.save_preview_classes(today, dict.fromkeys(HOMES, 0))
        assert {*HOMES} - {ANA} == rows(store)[today].keys(), "by a preview that had begun before"


async def test_classes_are_kept_as_long_as_what_they_counted(store: Store, tmp_path: Path) -> None:
    async with village(store, tmp_path, SMALL) as app:
        archive, repository, clock = app.node.archive, StoredRepository(store), app.node.clock
        days = {ago: (clock.wall - timedelta(days=ago)).date().isoformat() for ago in (0, 1, 15, 16, -1, -2)}
        for day in days.values():
            await archive.save_preview_classes(day, {ANA: 0})
        now = int(clock.wall.timestamp())
        kept = now - KEEP_INTERVALS_DAYS * 86_400, now
        for intervals, left in ((kept, (0, 1, 15, -1)), (None, ())):
            await repository.forget(
                ended_before="2026-01-01", used_before="2025-01-01", today=days[0], intervals=intervals
            )
            assert {days[each] for each in left} == rows(store).keys()


async def test_nothing_is_told_that_cannot_be_remembered(store: Store, tmp_path: Path) -> None:
    async with village(store, tmp_path, SMALL) as app:

        async def full(day: str, classes: object) -> None:
            raise StorageTrouble("the data folder is full", "make room")

        app.node.archive.save_preview_classes = full  # type: ignore[method-assign]
        found = await preview(app)
        assert (None, "The data folder is full.", "Make room.") == (found.replay, found.reason, found.fix)
        assert {} == rows(store)


async def test_an_hour_that_goes_on_is_not_counted(store: Store, tmp_path: Path) -> None:
    async with village(store, tmp_path, SMALL) as app:
        first, now = await preview(app), int(app.node.clock.wall.timestamp())
        used = IntervalUsage(Usage(Bytes(900 * MB), Bytes(0)), is_busy=False)
        more = {now: dict.fromkeys(HOMES, used)}
        await StoredRepository(store).book(Booking((), None, {}, intervals=more))
        app.node.clock.wall += timedelta(minutes=59)
        assert first.replay == (await preview(app)).replay
        app.node.clock.wall += timedelta(minutes=1)
        assert first.replay != (await preview(app)).replay
