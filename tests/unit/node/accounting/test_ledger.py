"""The ledger: cells only grow, the order of news does not matter, and totals are sums over all nodes."""

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.ledger import NO_CELL, Cell, CellKey, Ledger
from node.accounting.periods import DAY_UNKNOWN
from node.units import AccountId, Bytes, NodeId, Usage

ANA = AccountId("ana")
NUMBERS = st.integers(0, 1000)
CELLS = st.builds(Cell, st.builds(Usage, NUMBERS, NUMBERS), st.builds(Usage, NUMBERS, NUMBERS))
KEYS = st.builds(
    CellKey, st.sampled_from(["square", "hills"]), st.sampled_from(["1", "2"]), st.just(ANA),
    st.sampled_from(["2026-11-30", "2026-12-01", DAY_UNKNOWN]),
)  # fmt: skip
NEWS = st.lists(st.tuples(KEYS, CELLS), max_size=5)


def key(node: str = "square", day: str = "2026-11-24") -> CellKey:
    return CellKey(NodeId(node), "1", ANA, day)


def used(down: int, up: int = 0) -> Usage:
    return Usage(Bytes(down), Bytes(up))


@given(NEWS)
def test_news_in_any_order_and_twice_over_gives_the_same_books(news: list[tuple[CellKey, Cell]]) -> None:
    totals = set()
    for order in list(permutations(news))[:24]:
        ledger = Ledger([*order, *order[:2]])
        totals.add(
            tuple(ledger.total(ANA, period) for period in ("2026-11", "2026-12", "2026-W49", "2026-12-01"))
        )
    assert 1 == len(totals)


@given(NEWS)
def test_a_total_is_the_sum_of_its_cells(news: list[tuple[CellKey, Cell]]) -> None:
    ledger = Ledger(news)
    own = [cell for node in ("square", "hills") for k, cell in ledger.cells_of(NodeId(node))
           if k.day.startswith("2026-11")]  # fmt: skip
    assert sum(cell.uplink.total for cell in own) == ledger.total(ANA, "2026-11").uplink.total


def test_what_was_used_at_two_nodes_counts_once_each() -> None:
    ledger = Ledger()
    ledger.add(key("square"), used(700), busy=False)
    ledger.merge(key("hills"), Cell(used(300), used(0)))
    assert 1000 == ledger.total(ANA, "2026-11").uplink.total


def test_bytes_of_a_busy_hour_are_counted_apart() -> None:
    ledger = Ledger()
    ledger.add(key(), used(700), busy=False)
    ledger.add(key(), used(50, 5), busy=True)
    assert 55 == ledger.total(ANA, "2026-11-24").busy.total
    assert 755 == ledger.total(ANA, "2026-11-24").uplink.total


def test_bytes_counted_without_a_date_are_kept_and_count_against_nobody() -> None:
    ledger = Ledger()
    ledger.add(key(day=DAY_UNKNOWN), used(700), busy=False)
    assert NO_CELL == ledger.total(ANA, "2026-11")
    assert 1 == len(list(ledger.cells_of(NodeId("square"))))


WEEK_48 = ("2026-11-24", "2026-11-25")


def test_a_day_that_is_forgotten_leaves_what_the_rest_of_its_week_and_month_used() -> None:
    ledger = Ledger([(key(day=day), Cell(used(700, 7), used(70))) for day in (*WEEK_48, "2026-11-02")])
    ledger.forget_before("2026-11-25")
    assert NO_CELL == ledger.total(ANA, "2026-11-24")
    left = Cell(used(700, 7), used(70))
    assert [left, left, left] == [
        ledger.total(ANA, period) for period in ("2026-11-25", "2026-W48", "2026-11")
    ]
    assert NO_CELL == ledger.total(ANA, "2026-W45")


def test_days_before_the_retention_go_and_the_day_itself_and_unknown_days_stay() -> None:
    days = ("2026-11-23", *WEEK_48, DAY_UNKNOWN)
    ledger = Ledger([(key(day=day), Cell(used(1), used(0))) for day in days])
    ledger.forget_before("2026-11-24")
    assert {*WEEK_48, DAY_UNKNOWN} == {each.day for each, _ in ledger.cells()}


def test_an_erasure_takes_the_accounts_earlier_and_unknown_days_and_nobody_elses() -> None:
    ben = CellKey(NodeId("square"), "1", AccountId("ben"), "2026-10-31")
    days = ("2026-10-31", "2026-11-01", DAY_UNKNOWN)
    ledger = Ledger([(ben, Cell(used(9), used(0))), *((key(day=d), Cell(used(4), used(0))) for d in days)])
    ledger.erase(ANA, "2026-11-01")
    assert {(ANA, "2026-11-01"), ("ben", "2026-10-31")} == {(k.account, k.day) for k, _ in ledger.cells()}
    assert (0, 4) == (
        ledger.total(ANA, "2026-10").uplink.total,
        ledger.total(ANA, "2026-11").uplink.total,
    )
    assert 9 == ledger.total(AccountId("ben"), "2026-10").uplink.total
