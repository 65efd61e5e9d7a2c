"""What the mesh publishes of this node's usage, and what becomes of the usage that other nodes report."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mesh.page_versions import DAYS_MAX
from mesh.publishing import OpenAllowance
from node.accounting.ledger import Booking, UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.app.mesh_usage import MeshUsage
from node.control import write_buffer
from node.control.reconciler import BOOK_EVERY_MS
from node.governance.allowance import QuotaLeft
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage
from tests.fakes.use_cases import AppFixture

ANA, HILL = AccountId("ana"), NodeId("h" * 52)


def used(down: int) -> UsageBucket:
    return UsageBucket(Usage(Bytes(down), Bytes(0)), NO_USAGE)


def today(fixture: AppFixture, days_ago: int = 0) -> str:
    return (date.fromisoformat(fixture.clock.today()) - timedelta(days=days_ago)).isoformat()


async def test_only_its_own_usage_of_days_that_others_keep_is_published() -> None:
    fixture = AppFixture()
    own = fixture.use_cases().loop.node
    last, too_old = today(fixture, DAYS_MAX), today(fixture, DAYS_MAX + 1)
    for node, day in ((own, last), (own, too_old), (own, DAY_UNKNOWN), (HILL, last)):
        fixture.repository.rows[UsageKey(node, "1-a", ANA, day)] = used(5)
    async with fixture.life() as use_cases:
        published = {(*place, bucket) for *place, bucket in await MeshUsage(use_cases.loop).own_buckets()}
    assert {("1-a", last, ANA, used(5)), ("1-a", DAY_UNKNOWN, ANA, used(5))} == published


async def test_without_a_date_all_stored_usage_is_published() -> None:
    fixture = AppFixture()
    fixture.repository.rows[UsageKey(fixture.use_cases().loop.node, "1-a", ANA, "2020-01-01")] = used(5)
    fixture.clock.trust = "unknown"
    async with fixture.life() as use_cases:
        published = [day for _, day, _, _ in await MeshUsage(use_cases.loop).own_buckets()]
    assert ["2020-01-01"] == published


async def test_usage_of_others_is_stored_when_kept_returns_and_a_recount_replaces_the_day() -> None:
    fixture = AppFixture()
    day = today(fixture)
    key, gone = UsageKey(HILL, "1-a", ANA, day), UsageKey(HILL, "1-a", AccountId("cem"), day)
    async with fixture.life() as use_cases:
        usage = MeshUsage(use_cases.loop)
        usage.merge_page(HILL, day, [("1-a", ANA, used(70)), ("1-a", AccountId("cem"), used(9))])
        usage.merge_page(HILL, day, [("1-a", ANA, used(60))])
        fixture.clock.pass_time(BOOK_EVERY_MS)
        await usage.kept()
        assert {key: used(70), gone: used(9)} == fixture.repository.rows
        usage.recount(HILL, day, [("1-a", ANA, used(50))])
        fixture.clock.pass_time(BOOK_EVERY_MS)
        await usage.kept()
        assert {key: used(50)} == fixture.repository.rows


async def test_much_usage_of_others_is_stored_before_its_time_and_then_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(write_buffer, "FULL_BUCKETS", 3)
    fixture, had_room = AppFixture(), list[bool]()
    async with fixture.life() as use_cases:
        usage = MeshUsage(use_cases.loop)
        assert usage.has_room
        book = fixture.repository.book

        async def booked(booking: Booking) -> None:
            had_room.append(usage.has_room)
            await book(booking)

        monkeypatch.setattr(fixture.repository, "book", booked)
        names = [AccountId(f"household-{number}") for number in range(3)]
        usage.merge_page(HILL, today(fixture), [("1-a", name, used(7)) for name in names])
        await usage.kept()  # no time passes
        assert set(names) == {key.account for key in fixture.repository.rows}
        assert usage.has_room
    assert False in had_room, "not while they are being stored"


async def test_a_later_incarnation_elsewhere_starts_a_new_one_above_it() -> None:
    async with AppFixture().life() as use_cases:
        usage = MeshUsage(use_cases.loop)
        usage.outlive("7-z")
        assert usage.incarnation.startswith("8-")


async def test_a_step_is_a_fiftieth_of_the_smallest_allowance_that_is_not_used_up() -> None:
    fixture = AppFixture()
    async with fixture.life() as use_cases:
        usage, loop = MeshUsage(use_cases.loop), use_cases.loop
        end = fixture.clock.wall
        allowance = loop.allowance(ANA)

        def with_quotas(*quotas: tuple[int, int]) -> None:
            left = tuple(QuotaLeft("r", Bytes(allowed), Bytes(used), end) for allowed, used in quotas)
            loop.allowance = lambda _who: replace(allowance, quotas=left)  # type: ignore[method-assign]

        with_quotas((10_000, 2_000), (5_000, 4_990), (100, 100))
        assert OpenAllowance(5_000 // 50, 10) == usage.open_allowance(ANA)
        with_quotas((100, 100))
        assert usage.open_allowance(ANA) is None
        with_quotas()
        assert usage.open_allowance(ANA) is None
