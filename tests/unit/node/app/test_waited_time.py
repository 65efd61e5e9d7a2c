"""Time that rules have waited: it is operating time, and neither a clock nor a restart adds to it."""

from hypothesis import example, given
from hypothesis import strategies as st

from node.app.waited_time import SAVE_EVERY, STATE, WaitedTime
from node.governance.rule_history import RuleVersion
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository

VERSION = RuleVersion(4, "2026-11-24T12:00", "admin Ana", "f4", "waiting", waits_s=72 * 3600)
steps = st.lists(
    st.tuples(
        st.sampled_from(["run", "run", "restart", "set clock", "full", "other"]), st.integers(0, 7_200_000)
    ),
    max_size=30,
)


@given(steps)
@example([("run", 600_000), ("full", 0), ("restart", 0), ("full", 0), ("restart", 0)])
async def test_it_is_never_longer_than_the_node_ran_and_no_clock_changes_it(story) -> None:
    repository, clock = FakeRepository(), FakeClock()
    archive = FakeArchive(repository)
    made, ran, most = WaitedTime(archive, clock), 0, 0
    await made.count(VERSION)
    for what, amount in story:
        if what == "run":
            clock.pass_time(amount)
            ran += amount
            await made.count(VERSION)
        elif what == "restart":
            # Of what was counted, not of what is known: on a disk that cannot be read nothing is, until it can.
            most = max(most, made.seconds(VERSION))
            made = WaitedTime(archive, clock)
            await made.count(VERSION)
            assert made.seconds(VERSION) <= most
        elif what == "set clock":
            clock.wall = clock.wall.replace(year=1970 + amount % 130)
        elif what == "full":
            repository.full = not repository.full
        assert made.seconds(VERSION) * 1000 <= ran


async def test_a_restart_loses_at_most_what_was_not_saved() -> None:
    archive, clock = FakeArchive(FakeRepository()), FakeClock()
    made = WaitedTime(archive, clock)
    await made.count(VERSION)
    for _ in range(100):
        clock.pass_time(60_000)
        await made.count(VERSION)
    assert 6_000 == made.seconds(VERSION)
    clock.pass_time(86_400_000)
    again = WaitedTime(archive, clock)
    await again.count(VERSION)
    assert 6_000 - SAVE_EVERY // 1000 <= again.seconds(VERSION) <= 6_000, (
        "the time that it was off does not count"
    )


async def test_a_full_disk_is_not_tried_at_each_look() -> None:
    repository, clock, tries = FakeRepository(), FakeClock(), []
    archive = FakeArchive(repository)
    save = archive.save_state

    async def counted(name: str, value: str) -> None:
        tries.append(value)
        await save(name, value)

    archive.save_state = counted  # type: ignore[method-assign]
    made = WaitedTime(archive, clock)
    await made.count(VERSION)
    repository.full = True
    for _ in range(60):
        clock.pass_time(60_000)
        await made.count(VERSION)
    assert 6 == len(tries)
    repository.full = False
    for _ in range(10):
        clock.pass_time(60_000)
        await made.count(VERSION)
    again = WaitedTime(archive, clock)
    await again.count(VERSION)
    assert again.seconds(VERSION) >= made.seconds(VERSION) - SAVE_EVERY // 1000


async def test_another_version_starts_at_nothing_and_nonsense_is_nothing() -> None:
    archive, clock = FakeArchive(FakeRepository()), FakeClock()
    for stored in ("4 f4 99999", "4 f4 -5", "4 f4 9" + "9" * 40, "x", "4 f5 5000000"):
        await archive.save_state(STATE, stored)
        made = WaitedTime(archive, clock)
        await made.count(VERSION)
        assert (99 if stored == "4 f4 99999" else 0) == made.seconds(VERSION)
        other = RuleVersion(5, "", "", "f4", "waiting", waits_s=60)
        assert 0 == made.seconds(other)
