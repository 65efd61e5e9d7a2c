"""What an erasure keeps out, while its month lasts and after it."""

from node.accounting.erasures import ErasureNote
from node.accounting.periods import DAY_UNKNOWN
from node.units import AccountId

DAYS = ("2026-11-30", "2026-12-01", "2026-12-31", "2027-01-01", DAY_UNKNOWN)


def barred(note: ErasureNote) -> set[str]:
    return {day for day in DAYS if note.bars(day)}


def test_the_days_of_the_month_stay_until_it_is_over():
    assert {"2026-11-30"} == barred(ErasureNote(AccountId("ana"), "2026-12-31"))


def test_when_it_is_over_everything_up_to_the_erasure_is_kept_out_and_the_next_day_is_not():
    note = ErasureNote(AccountId("ana"), "2026-12-31", is_over=True)
    assert "2027-01-01" == note.kept_since
    assert {"2026-11-30", "2026-12-01", "2026-12-31"} == barred(note)


def test_what_comes_late_on_no_day_that_is_known_is_kept_out_before_and_after():
    for is_over in (False, True):
        note = ErasureNote(AccountId("ana"), "2026-12-31", is_over=is_over)
        assert note.bars_late(DAY_UNKNOWN)
        assert barred(note) == {day for day in DAYS if note.bars_late(day)} - {DAY_UNKNOWN}
