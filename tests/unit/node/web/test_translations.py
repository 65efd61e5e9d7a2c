"""Numbers, amounts, days and times in each language."""

from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType

import pytest
from babel.dates import format_date
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from node.units import BitsPerSecond, Bytes, Rates
from node.web.translations import Translations, is_sound, read_catalogues

ENGLISH = Translations("en")
ALL = MappingProxyType(read_catalogues().translations)
# CLDR data for each; English as it is written in most of the world.
LOCALES = {"en": "en_GB", "ca": "ca", "es": "es", "fr": "fr", "ar": "ar_MA"}
# Where month names of the Maghreb differ from those that are understood everywhere.
MONTHS_OF_THE_EAST = {"ar": "ar"}


@pytest.mark.parametrize("tag", LOCALES)
def test_every_day_of_the_year_is_written_as_in_cldr(tag: str) -> None:
    locale = MONTHS_OF_THE_EAST.get(tag, LOCALES[tag])
    for offset in range(0, 366, 7):
        day = date(2028, 1, 1) + timedelta(offset)
        assert format_date(day, "long", locale=locale) == ALL[tag].day(day)


@pytest.mark.parametrize("tag", LOCALES)
@given(st.integers(0, 9_999), st.integers(1, 9))
def test_decimals_are_separated_as_in_cldr(tag: str, whole: int, tenths: int) -> None:
    number = f"{whole}.{tenths}"
    expected = format_decimal(float(number), locale=LOCALES[tag], group_separator=False)
    if tag == "ar":  # speeds and volumes keep the point, as node names and addresses beside them do
        expected = expected.replace(",", ".")
    assert expected == ALL[tag].number(number)


def test_english_follows_its_grammar() -> None:
    assert "1.4 GB" == ENGLISH.volume(Bytes(1_400_000_000))
    assert "9.6 Mbit/s" == ENGLISH.rate(BitsPerSecond(9_600_000))
    assert "1 April 2026" == ENGLISH.day("2026-04-01")
    assert "1 April 2026, 23:05" == ENGLISH.moment(datetime(2026, 4, 1, 23, 5, tzinfo=UTC))
    assert "" == ENGLISH.day("") == ENGLISH.moment("") == ENGLISH.moment_in_zone("")


def test_equal_speeds_are_given_once() -> None:
    one, two = BitsPerSecond(1_000_000), BitsPerSecond(2_000_000)
    assert "1 Mbit/s" == ENGLISH.rates(Rates(one, one))
    assert "2 Mbit/s download and 1 Mbit/s upload" == ENGLISH.rates(Rates(two, one))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 min"),
        (1, "1 min"),
        (61, "2 min"),
        (3_600, "1 h"),
        (4 * 3_600 + 60, "4 h 1 min"),
        (86_400, "1 day"),
        (2 * 86_400 + 4 * 3_600 + 1_800, "2 days 4 h"),
    ],
)
def test_remaining_time_is_rounded_up_and_never_zero(seconds: int, said: str) -> None:
    assert said == ENGLISH.duration(seconds)


@pytest.mark.parametrize("tag", LOCALES)
@given(st.integers(0, 10**8))
def test_any_time_can_be_written_in_any_language(tag: str, seconds: int) -> None:
    said = ALL[tag].duration(seconds)
    assert said
    assert "%" not in said


def test_a_dual_form_needs_no_number() -> None:
    arabic = ALL["ar"]
    assert "rtl" == arabic.language.direction
    assert ["يوم واحد", "يومان", "3 أيام", "11 يومًا", "100 يوم"] == [
        arabic.duration(days * 86_400).replace("\u00a0", " ") for days in (1, 2, 3, 11, 100)
    ]


@pytest.mark.parametrize("tag", ["ca", "es", "fr", "ar"])
def test_a_number_is_not_separated_from_its_unit_at_the_end_of_a_line(tag: str) -> None:
    words = ALL[tag]
    assert " " not in words.volume(Bytes(1_400_000_000)) + words.rate(BitsPerSecond(9_600_000))


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_valid_translation_can_be_formatted_like_its_source(before: str, after: str) -> None:
    source, translation = "Open %(host)s now", f"{before}%(host)s{after}"
    if is_sound((source,), translation):
        assert "example" in translation % {"host": "example"}


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_valid_translation_of_a_rule_can_be_formatted_too(before: str, after: str) -> None:
    source, translation = "{who} pay", f"{before}{{who}}{after}"
    if is_sound((source,), translation):
        assert "Ana" in translation.format(who="Ana")


@pytest.mark.parametrize(
    ("at", "offset"),
    [
        ("2026-04-01T23:05:00+02:00", "UTC+2"),
        ("2026-04-01T23:05:00+05:45", "UTC+5:45"),
        ("2026-04-01T23:05:00-03:30", "UTC-3:30"),
        ("2026-04-01T23:05:00-00:15", "UTC-0:15"),
        ("2026-04-01T23:05:00+00:00", "UTC"),
    ],
)
def test_a_time_for_readers_elsewhere_says_how_far_it_is_from_utc(at: str, offset: str) -> None:
    assert f"1 April 2026, 23:05 (\u2068{offset}\u2069)" == ENGLISH.moment_in_zone(at)
    assert "1 April 2026, 23:05" == ENGLISH.moment_in_zone(at[:19]), "what was stored without an offset"
