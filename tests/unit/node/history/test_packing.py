"""Steps as bytes."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.history.packing import pack, pack_sheet, unpack, unpack_sheet
from node.history.steps import VALUE_MAX, Step, Steps, step_of

NUMBERS = st.integers(-VALUE_MAX, VALUE_MAX)
STEP = st.one_of(st.none(), st.builds(Step, st.integers(1, 9_000), NUMBERS, NUMBERS, NUMBERS))


def steps_of(every: list[Step | None]) -> Steps:
    made = Steps(len(every))
    for at, step in enumerate(every):
        made.put(at, step)
    return made


@given(st.lists(st.lists(STEP, min_size=12, max_size=12), max_size=5))
def test_what_was_packed_is_unpacked_again(every: list[list[Step | None]]) -> None:
    given_steps = [steps_of(each) for each in every]
    assert given_steps == unpack(pack(given_steps), 12, len(given_steps))
    sheet = {f"series_{number}": each for number, each in enumerate(given_steps)}
    assert sheet == unpack_sheet(pack_sheet(sheet), 12)


@given(st.binary(max_size=200))
def test_damaged_bytes_are_no_steps(data: bytes) -> None:
    assert {} == unpack_sheet(b"line_down\0" + data, 12)
    with pytest.raises(ValueError, match="damaged"):
        unpack(data, 12)


def test_bytes_that_inflate_without_end_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(ValueError, match="damaged"):
        unpack(zlib.compress(bytes(50_000_000)), 288)


def test_steps_that_cannot_be_are_refused() -> None:
    broken = Steps(1)
    broken.columns[0][0] = -1
    with pytest.raises(ValueError, match="no steps"):
        unpack(pack([broken]), 1)


def test_a_sheet_with_too_many_or_too_long_names_is_empty() -> None:
    one = Steps(1)
    one.join(0, step_of(1))
    assert {} == unpack_sheet(pack_sheet({"n" * 41: one}), 1)
    assert {} == unpack_sheet(pack_sheet({f"n{number}": one for number in range(201)}), 1)


def test_a_day_of_steps_of_a_busy_line_has_less_than_a_third_of_their_size() -> None:
    day = steps_of(
        [
            Step(300, 300 * (9_000_000 + 7_919 * n % 3_000_000), 1_000_003 * n % 8_000_000, 19_000_000 + n)
            for n in range(288)
        ]
    )
    assert len(pack([day])) < 288 * 32 / 3
