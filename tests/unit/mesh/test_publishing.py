"""When usage is published: at once if it may change what somebody may use elsewhere."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.publishing import ACCOUNTS_MAX, LOOK_AGAIN_S, OpenAllowance, PublishSchedule
from node.accounting.ledger import UsageBucket
from node.units import AccountId
from tests.fakes.neighbours import TODAY, bucket

ANA, BEN = AccountId("ana"), AccountId("ben")
GB = 10**9


def of(
    down: int, account: AccountId = ANA, day: str = TODAY
) -> list[tuple[str, str, AccountId, UsageBucket]]:
    return [("life-1", day, account, bucket(down))]


def schedule(step: int = 20, left: int = 1_000) -> PublishSchedule:
    return PublishSchedule(lambda account: OpenAllowance(step, left) if account == ANA else None)


def test_it_is_urgent_when_a_step_is_reached_since_the_last_time() -> None:
    found = schedule()
    assert [False, True] == [found.book(of(19), 0.0), found.book(of(20), 1.0)]
    found.published()
    assert [False, False, True] == [found.book(of(n), 2.0) for n in (21, 39, 40)]


def test_it_is_urgent_when_an_allowance_is_used_up_before_the_step() -> None:
    found = schedule(step=GB, left=5)
    assert [False, True] == [found.book(of(4), 0.0), found.book(of(5), 1.0)]


def test_an_account_without_an_allowance_waits() -> None:
    assert not schedule().book(of(10 * GB, BEN), 0.0)


def test_steps_over_midnight_and_of_small_amounts_add_up() -> None:
    found = schedule()
    assert not found.book(of(10, day="2026-11-23"), 0.0)
    assert not found.book(of(9, day="2026-11-24"), 1.0)
    assert found.book(of(11, day="2026-11-24"), 2.0)


def test_allowances_are_looked_up_again_each_minute_and_not_more_often() -> None:
    asked: list[AccountId] = []

    def allowance_of(account: AccountId) -> OpenAllowance:
        asked.append(account)
        return OpenAllowance(GB, 10)

    found = PublishSchedule(allowance_of)
    assert not any(found.book(of(1), second) for second in range(int(LOOK_AGAIN_S)))
    assert 1 == len(asked)
    assert not found.book(of(9), LOOK_AGAIN_S + 1)
    assert 2 == len(asked)
    assert found.book(of(11), LOOK_AGAIN_S + 2)


def test_many_guests_take_little_memory() -> None:
    found = schedule()
    for number in range(3 * ACCOUNTS_MAX):
        found.book(of(1, AccountId(f"guest-{number}")), 0.0)
        if number % 1_000 == 0:
            found.published()
    assert len(found._totals) <= ACCOUNTS_MAX + 1_001


@given(st.lists(st.integers(0, 50), max_size=60))
def test_less_than_a_step_is_ever_unpublished(amounts: list[int]) -> None:
    found, total, published = schedule(step=20, left=10**6), 0, 0
    for second, amount in enumerate(amounts):
        total += amount
        if found.book(of(total), float(second)):
            found.published()
            published = total
        assert total - published < 20


def test_what_used_up_an_allowance_is_urgent_though_none_is_open_when_it_is_looked_up() -> None:
    """The allowance is looked up after the usage was booked."""
    open_ones: list[OpenAllowance | None] = [OpenAllowance(100, 1_000), None, None]
    schedule = PublishSchedule(lambda _who: open_ones.pop(0))
    assert schedule.book([("life", "2026-11-24", AccountId("ana"), bucket(100))], 0.0)
    schedule.published()
    assert schedule.book([("life", "2026-11-24", AccountId("ana"), bucket(1_100))], 1.0)
    schedule.published()
    assert not schedule.book([("life", "2026-11-24", AccountId("ana"), bucket(1_200))], 2.0)
