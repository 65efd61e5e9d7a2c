"""Which usage an erasure keeps out, during its month and after it."""

from node.accounting.ledger import ErasureNote
from node.accounting.periods import DAY_UNKNOWN
from node.units import AccountId

DAYS = ("2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01", DAY_UNKNOWN)


def barred(note: ErasureNote) -> set[str]:
    return {day for day in DAYS if note.bars(day)}


def test_days_of_the_month_stay_until_it_is_over():
    assert {"2026-11-30"} == barred(ErasureNote(AccountId("ana"), "2026-12-31"))


def test_after_the_month_everything_up_to_the_erasure_is_kept_out_and_the_next_day_is_not():
    note = ErasureNote(AccountId("ana"), "2026-12-31", is_over=True)
    assert "2027-01-01" == note.kept_since
    assert {"2026-11-30", "2026-12-01", "2026-12-31"} == barred(note)


def test_late_usage_without_a_known_day_is_kept_out_before_and_after():
    for is_over in (False, True):
        note = ErasureNote(AccountId("ana"), "2026-12-31", is_over=is_over)
        assert note.bars_late(DAY_UNKNOWN)
        assert barred(note) == {day for day in DAYS if note.bars_late(day)} - {DAY_UNKNOWN}
