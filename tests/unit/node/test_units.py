"""Quantities are integers with units, and their text is exact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node import units
from node.errors import InvalidValue
from node.units import NO_USAGE, RATE_MAX, VOLUME_MAX, Bytes, Usage


@given(st.integers(0, RATE_MAX))
def test_a_rate_round_trips(rate):
    assert rate == units.parse_rate(units.format_rate(rate))


@given(st.integers(0, VOLUME_MAX))
def test_a_volume_round_trips(volume):
    assert volume == units.parse_volume(units.format_volume(volume))


@pytest.mark.parametrize(
    ("text", "bits"),
    [("5 Mbit/s", 5_000_000), ("0.5 Mbit/s", 500_000), ("256kbit/s", 256_000), ("1.25 kbit/s", 1_250)],
)
def test_rates_are_decimal(text, bits):
    assert bits == units.parse_rate(text)


@pytest.mark.parametrize(
    "text", ["5", "5M", "5 mbit/s", "-1 Mbit/s", "1e3 bit/s", "101 Gbit/s", "0.5 bit/s", "", "٥ Mbit/s/s"]
)
def test_an_inexact_rate_is_refused_with_what_to_write(text):
    with pytest.raises(ValueError, match=r"5 Mbit/s|one bit/s"):
        units.parse_rate(text)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("1 second", 1_000), ("30 minutes", 1_800_000), ("1.5 hours", 5_400_000), ("2 days", 172_800_000)],
)
def test_durations_may_be_one_or_many(text, milliseconds):
    assert milliseconds == units.parse_duration(text)


@pytest.mark.parametrize("text", ["02-11-22-33-44-AA", "02:11:22:33:44:aa", " 02:11:22:33:44:Aa "])
def test_a_hardware_address_has_one_form(text):
    assert "02:11:22:33:44:aa" == units.parse_mac(text)


@pytest.mark.parametrize("text", ["", "02:11:22:33:44", "02:11:22:33:44:gg", "02:11:22:33:44:55:66"])
def test_an_invalid_hardware_address_is_refused(text):
    with pytest.raises(ValueError, match="is not a hardware address"):
        units.parse_mac(text)


@pytest.mark.parametrize(
    ("rate", "shown"),
    [
        (0, "0 bit/s"),
        (999, "999 bit/s"),
        (9_640_000, "9.6 Mbit/s"),
        (128_400_000, "128 Mbit/s"),
        (10**9, "1 Gbit/s"),
    ],
)
def test_displayed_rates_have_one_decimal_at_most(rate, shown):
    assert shown == units.show_rate(rate)


def test_both_directions_are_added():
    used = Usage(Bytes(3), Bytes(1)) + Usage(Bytes(2), Bytes(5))
    assert (Usage(Bytes(5), Bytes(6)), 11, used) == (used, used.total, used + NO_USAGE)


@pytest.mark.parametrize(
    ("text", "read", "most"),
    [
        ("100 Gbit/s", units.parse_rate, 100 * 10**9),
        ("1000 TB", units.parse_volume, 10**15),
        ("10000 days", units.parse_duration, 10_000 * 86_400_000),
    ],
)
def test_the_largest_value_is_accepted_and_one_more_is_refused(text, read, most):
    number, _, unit = text.partition(" ")
    assert most == read(text)
    with pytest.raises(ValueError, match="is too large; write"):
        read(f"{int(number) + 1} {unit}")


@pytest.mark.parametrize("read", [units.parse_rate, units.parse_volume, units.parse_duration])
@pytest.mark.parametrize("text", ["", "much", "5 parsec", "5 Mbit/s 5 GB", "5,5 GB"])
def test_an_invalid_quantity_is_reported(read, text):
    with pytest.raises(ValueError, match=r"write|is not a"):
        read(text)


@pytest.mark.parametrize(
    ("volume", "written", "shown"),
    [
        (0, "0 B", "0 B"),
        (1, "1 B", "1 B"),
        (1_000, "1 kB", "1 kB"),
        (60 * 10**9, "60 GB", "60 GB"),
        (1_500_000, "1500 kB", "1.5 MB"),
        (99_960_000, "99960 kB", "99.9 MB"),
        (100_500_000, "100500 kB", "100 MB"),
        (10**12 + 1, "1000000000001 B", "1 TB"),
    ],
)
def test_volumes_are_written_exactly_and_displayed_shortly(volume, written, shown):
    assert (written, shown) == (units.format_volume(volume), units.show_volume(volume))


def test_rates_are_written_in_the_largest_unit_that_is_exact():
    assert ["0 bit/s", "1 kbit/s", "1001 bit/s", "25 Mbit/s"] == [
        units.format_rate(rate) for rate in (0, 1_000, 1_001, 25_000_000)
    ]


@pytest.mark.parametrize(
    ("text", "two", "one_or_two"),
    [
        ("3 Mbit/s down, 1 Mbit/s up", (3, 1), (3, 1)),
        (" 1 Mbit/s up and 3 Mbit/s down ", (3, 1), (3, 1)),
        ("3 Mbit/s", None, (3, 3)),
    ],
)
def test_rates_of_both_directions_are_two_or_one(text, two, one_or_two):
    found = units.parse_two_rates(text), units.parse_one_or_two_rates(text)
    assert [two, one_or_two] == [each and (each.down // 1_000_000, each.up // 1_000_000) for each in found]


@pytest.mark.parametrize(
    "text", ["3 Mbit/s down, 1 Mbit/s down", "3 Mbit/s down", "3 miles down, 1 Mbit/s up", ""]
)
def test_rates_that_leave_out_a_direction_or_are_none_are_refused(text):
    with pytest.raises(InvalidValue):
        units.parse_one_or_two_rates(text)


@given(st.integers(0, 86_400 * 9_999))
def test_a_duration_in_its_largest_unit_is_read_back_as_the_same(seconds):
    number, unit = units.largest_unit(units.Milliseconds(seconds * 1_000 + 999))
    assert seconds * 1_000 == units.parse_duration(f"{number} {unit}s")


@pytest.mark.parametrize(
    ("text", "largest"),
    [
        ("90 seconds", (90, "second")),
        ("120 seconds", (2, "minute")),
        ("90 minutes", (90, "minute")),
        ("24 hours", (1, "day")),
        ("25 hours", (25, "hour")),
    ],
)
def test_the_largest_unit_is_the_largest_exact_one(text, largest):
    assert largest == units.largest_unit(units.parse_duration(text))
