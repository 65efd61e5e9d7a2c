"""Counts of observed rules for a page: ready in time, later, or why there are none."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Event

from node.app.observed_counts import ObservedCounts
from node.app.told_classes import ToldClasses
from node.errors import StorageTrouble
from node.governance.members import NO_MEMBERS
from node.governance.replay import Interval
from node.governance.rules import Ruleset
from node.governance.sentences import sentence
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository
from tests.fakes.rule_files import rule
from tests.unit.node.governance.test_replay import HEAD, HOMES, ceiling, hour, ruleset

OBSERVE = '\nobserve = true\nexpires = "2027-03-31"'
PREVIEW = '[preview]\nby = "D-1"\n'
GUESTS = [f"guest-{home}" for home in HOMES]
NIGHT = rule("night", 'ceiling = "none"\nexception_to = "top"\nwhen = "daily 03:00-04:00"' + OBSERVE, who="")
RULES = ruleset(ceiling(1, '"tier:guest"', OBSERVE), NIGHT, head=HEAD + PREVIEW)


class UsageReader:
    """Intervals of a database, how often they were read, and whether reading waits."""

    def __init__(self, accounts: list[str], *, waits: bool = False) -> None:
        self.reads, self.go_on = 0, Event()
        self._accounts = accounts
        if not waits:
            self.go_on.set()

    def read(self, _since: int, _until: int) -> Iterator[Interval]:
        self.reads += 1
        self.go_on.wait(10)
        yield from hour(dict.fromkeys(self._accounts, 2.0))


def counts(usage: UsageReader, clock: FakeClock | None = None, wait_s: float = 10.0) -> ObservedCounts:
    clock = clock or FakeClock()
    told = ToldClasses(FakeArchive(FakeRepository()), clock, usage.read)
    return ObservedCounts(told, clock, "library", wait_s)


async def test_each_observed_rule_has_a_note_by_its_sentence() -> None:
    notes = await counts(UsageReader(GUESTS)).notes(RULES, NO_MEMBERS)
    top, night = (sentence(each, RULES) for each in RULES.observed)
    assert {top, night} == notes.keys()
    assert notes[top].startswith("Would have limited 8 of 8 active accounts")
    assert "Counted together with top." == notes[night]


async def test_rules_observed_on_another_line_are_not_counted_here() -> None:
    mill = '[uplink.mill]\ndown = "20 Mbit/s"\nup = "5 Mbit/s"\n'
    other = ceiling(1, '"tier:guest"', OBSERVE + '\nuplink = "mill"').replace("top", "mill-top")
    whole = ruleset(ceiling(1, '"tier:guest"', OBSERVE), NIGHT, other, head=HEAD + PREVIEW + mill)
    main, there = whole.of_uplink("main"), whole.of_uplink("mill")
    notes = await counts(UsageReader(GUESTS)).notes(main, NO_MEMBERS, whole=whole)
    top, night, elsewhere = (sentence(each, whole) for each in whole.observed)
    assert {top, night, elsewhere} == notes.keys()
    assert notes[top].startswith("Would have limited 8 of 8 active accounts")
    assert "Not counted here: it is for another line." == notes[elsewhere]
    notes = await counts(UsageReader(GUESTS)).notes(there, NO_MEMBERS, whole=whole)
    assert not any(text.startswith("Not counted here") for text in notes.values())


async def test_without_observed_rules_or_a_decision_nothing_is_read() -> None:
    usage = UsageReader(GUESTS)
    assert {} == await counts(usage).notes(ruleset(head=HEAD + PREVIEW), NO_MEMBERS)
    notes = await counts(usage).notes(replace(RULES, preview_by=""), NO_MEMBERS)
    assert {True} == {
        each.startswith("Not counted. Nothing is kept to preview rules with. ") for each in notes.values()
    }
    assert all("add [preview]" in each for each in notes.values())
    assert 0 == usage.reads


async def test_the_same_rules_are_counted_once_an_hour() -> None:
    usage, clock = UsageReader(GUESTS), FakeClock()
    page = counts(usage, clock)
    first = await page.notes(RULES, NO_MEMBERS)
    assert first == await page.notes(RULES, NO_MEMBERS)
    assert 1 == usage.reads
    clock.wall += timedelta(hours=1)
    await page.notes(RULES, NO_MEMBERS)
    assert 2 == usage.reads
    await page.notes(replace(RULES, version=2), NO_MEMBERS)
    assert 3 == usage.reads


async def test_a_page_does_not_wait_long_and_a_count_that_is_ready_is_there_the_next_time() -> None:
    usage = UsageReader(GUESTS, waits=True)
    page = counts(usage, wait_s=0.05)
    for _ in range(2):
        notes = await page.notes(RULES, NO_MEMBERS)
        assert {"This is being counted. Open this page again in a minute."} == set(notes.values())
    assert 1 == usage.reads, "one at a time"
    other: Ruleset = replace(RULES, version=2)
    assert "This is being counted" in str(await page.notes(other, NO_MEMBERS))
    assert 1 == usage.reads, "one at a time"
    usage.go_on.set()
    while "This is being counted" in str(await page.notes(other, NO_MEMBERS)):
        await asyncio.sleep(0.01)
    assert 2 == usage.reads


async def test_a_new_hour_shows_the_last_count_until_there_is_another() -> None:
    usage, clock = UsageReader(GUESTS), FakeClock()
    page = counts(usage, clock, wait_s=5)
    first = await page.notes(RULES, NO_MEMBERS)
    usage.go_on.clear()
    page._wait_s = 0.05
    clock.wall += timedelta(hours=1)
    assert first == await page.notes(RULES, NO_MEMBERS)
    assert 2 == usage.reads
    usage.go_on.set()


async def test_pages_that_are_opened_at_once_share_a_count() -> None:
    usage = UsageReader(GUESTS)
    page = counts(usage)
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(page.notes(RULES, NO_MEMBERS)) for _ in range(5)]
    assert 1 == usage.reads
    assert all("8 of 8" in str(each.result()) for each in found)


async def test_a_trouble_is_said_with_its_fix_and_tried_again() -> None:
    def unreadable(_since: int, _until: int) -> Iterator[Interval]:
        nonlocal reads
        reads += 1
        raise StorageTrouble("the database cannot be read", "run it as root")
        yield

    reads = 0
    told = ToldClasses(FakeArchive(FakeRepository()), FakeClock(), unreadable)
    page = ObservedCounts(told, FakeClock(), "library")
    for _ in range(2):
        notes = await page.notes(RULES, NO_MEMBERS)
        assert {"Not counted. The database cannot be read. Run it as root."} == set(notes.values())
    assert 2 == reads
    few = await counts(UsageReader(GUESTS[:4])).notes(RULES, NO_MEMBERS)
    assert all(each.startswith("Not counted. Fewer than 5 accounts were active") for each in few.values())


async def test_a_bug_in_counting_does_not_close_the_page(caplog) -> None:  # type: ignore[no-untyped-def]
    def broken(_since: int, _until: int) -> Iterator[Interval]:
        raise ZeroDivisionError
        yield

    told = ToldClasses(FakeArchive(FakeRepository()), FakeClock(), broken)
    page = ObservedCounts(told, FakeClock(), "library")
    notes = await page.notes(RULES, NO_MEMBERS)
    assert {"Not counted. Counting failed. Look into the log of the node."} == set(notes.values())
    assert "ZeroDivisionError" in caplog.text
