"""The table ``[decisions]`` of the rule file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.governance.minutes_table import PEOPLE_MAX
from node.governance.parse import parse_ruleset
from tests.unit.node.governance.test_minutes import HEAD, HELD, problems


@pytest.mark.parametrize(
    ("good", "bad", "line"),
    [
        ("present = 31", "present = 28", 12),
        ('signers = ["Ana Pons", "Ben Riu"]', 'signers = ["Ana Pons", "Ana Pons"]', 15),
        ('signers = ["Ana Pons", "Ben Riu"]', "", 9),
        ('"Ana Pons", "Ben Riu"', '"Ana Pons", "ana  pons "', 15),
        ('"Ana Pons"', '" "', 15),
        ('"Ana Pons"', f'"{"A" * 81}"', 15),
        ('day = "2026-03-08"', 'day = "2026-02-30"', 10),
        ('day = "2026-03-08"', "", 9),
        ("yes = 27", "yes = -1", 13),
        ("yes = 27", "", 9),
        ('place = "School"', 'place = "Sch\\u200bool"', 11),
        ("no = 2", "no = 2\nabsent = 3", 15),
    ],
)
def test_minutes_with_an_error_name_their_line(good: str, bad: str, line: int) -> None:
    assert ("E01", line) in problems(HELD.replace(good, bad))


def test_a_number_that_cannot_be_read_is_one_error() -> None:
    assert [("E01", 12)] == problems(HELD.replace("present = 31", 'present = "many"'))
    assert [("E01", 12)] == problems(HELD.replace("present = 31\n", "present = inf\n"))


def test_names_and_places_are_on_one_line() -> None:
    ruleset, _ = parse_ruleset(
        HEAD + HELD.replace("Ana Pons", "Ana\\n Pons").replace("School", "School\\nand yard")
    )
    assert ruleset is not None
    (held,) = ruleset.minutes
    assert ("Ana Pons", "School and yard") == (held.signers[0], held.place)


def test_minutes_on_one_line_have_its_number() -> None:
    short = '[decisions]\n"D-1" = {day = "2026-03-08", present = 3, yes = 3, no = 0, signers = ["Ana"]}\n'
    assert [("E01", 6)] == problems(short)


@given(st.integers(0, PEOPLE_MAX), st.integers(0, PEOPLE_MAX), st.integers(0, PEOPLE_MAX), st.integers(0, 5))
def test_numbers_that_cannot_be_are_refused_and_all_others_are_read(
    present: int, yes: int, no: int, signers: int
) -> None:
    names = ", ".join(f'"Person {number}"' for number in range(signers))
    text = f'{HEAD}[decisions."D-1"]\nday = "2026-03-08"\npresent = {present}\nyes = {yes}\nno = {no}\nsigners = [{names}]\n'
    ruleset, findings = parse_ruleset(text)
    assert (ruleset is not None) == (yes + no <= present and signers >= 2), findings
    if ruleset is not None:
        (held,) = ruleset.minutes
        assert (present, yes, no, signers) == (held.present, held.yes, held.no, len(held.signers))
        assert held.is_adopted == (yes > no)
