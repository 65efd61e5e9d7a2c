"""What a replay found, as people read it."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from node.governance.replay import AccountReplay, Effects, HourUse, Replay
from node.governance.replay_sentences import account_replay_sentences, replay_sentences, rounded
from node.units import BitsPerSecond, Rates
from node.web.translations import read_catalogues

NOTHING = Effects(0, (), ())


def rates(down: int, up: int) -> Rates:
    return Rates(BitsPerSecond(down), BitsPerSecond(up))


FRIDAY = HourUse(
    datetime(2026, 11, 27, 21, tzinfo=UTC), rates(34_567_890, 3_000_000), rates(30_000_000, 900_123)
)
FOUND = Replay(
    date(2026, 11, 15),
    date(2026, 11, 29),
    43,
    Effects(12, (), (303, 250, 10)),
    Effects(43, (511, 400, 399), (231, 200, 100)),
    FRIDAY,
    FRIDAY,
    (3306, 2100),
    (FRIDAY,),
    (),
)


def test_it_says_how_many_are_affected_and_what_they_gain_and_lose_without_names():
    assert (
        "Accounts that were active from 15 November 2026 to 29 November 2026: 43.",
        "Accounts with another speed: 12 if nobody wanted more than they used, 43 if everybody who was active wanted as "
        "much as possible.",
        "Busiest hour: Friday 27 November 2026 21:00, 34.6 Mbit/s download and 3 Mbit/s upload on average.",
        "Busiest hour with these rules: Friday 27 November 2026 21:00, 30 Mbit/s download and 900 kbit/s upload on average, "
        "if nobody wanted more than they used.",
        "Largest losses, in parts of what these accounts used: 30.3 percent · 25.0 percent · 1.0 percent.",
        "Largest losses, in parts of what these accounts could have had: 23.1 percent · 20.0 percent · 10.0 percent.",
        "Largest gains, in parts of what these accounts could have had: 51.1 percent · 40.0 percent · 39.9 percent.",
        "What fewer than 5 accounts gain or lose is not shown.",
        "Even if everybody who was active had wanted as much as possible, everybody would have had at least 2.1 times the "
        "lifeline. With the rules in force: 3.3 times.",
    ) == replay_sentences(FOUND)


def test_nothing_is_said_in_one_sentence():
    said = replay_sentences(replace(FOUND, low=NOTHING, high=NOTHING))
    assert "With these rules nobody would have had another speed in these days." == said[1]
    assert 4 == len(said)


def test_of_few_accounts_the_number_is_not_said():
    few = Effects(None, (), ())
    said = replay_sentences(replace(FOUND, low=few, high=few, busiest_after=None))
    assert "Accounts with another speed: fewer than 5 if" in said[1]
    assert not any("Largest" in each or "with these rules:" in each for each in said)


def test_without_a_stated_speed_it_says_what_is_not_known():
    said = replay_sentences(replace(FOUND, high=None, margins=(None, None), busiest_before=None))
    assert "More is not known, because the rules do not state the speed of the line." in said[1]
    assert not any("lifeline" in each for each in said)


@pytest.mark.parametrize(
    ("rate", "shown"), [(0, 0), (7, 7), (999, 999), (1234, 1230), (34_567_890, 34_600_000), (99_960, 100_000)]
)
def test_rates_have_three_digits(rate: int, shown: int):
    assert shown == rounded(BitsPerSecond(rate))


@pytest.mark.parametrize("language", ["fr", "es", "ca", "ar"])
def test_it_is_said_in_each_language(language: str):
    words = read_catalogues().translations[language]
    assert not set(replay_sentences(FOUND)) & set(replay_sentences(FOUND, words))


def account(active_s: int = 5_400, used_after: int = 900_000, *, is_stated: bool = True) -> AccountReplay:
    could_have = (BitsPerSecond(5_000_000), BitsPerSecond(4_000_000)) if is_stated else None
    return AccountReplay(active_s, BitsPerSecond(1_234_567), BitsPerSecond(used_after), could_have)


def test_an_account_reads_what_it_used_against_what_it_could_have_had():
    assert (
        "In the last days you were active for 90 minutes. Download and upload together, you used 1.23 Mbit/s on average.",
        "With these rules it would have been 900 kbit/s, if nobody wanted more than they used.",
        "If everybody who was active had wanted as much as possible, you could have had 4 Mbit/s with these rules, and 5 "
        "Mbit/s with the rules in force.",
    ) == account_replay_sentences(account())


def test_what_is_the_same_or_not_known_is_not_said_in_numbers():
    said = account_replay_sentences(account(50_100, 1_234_567, is_stated=False))
    assert "active for 13 hours." in said[0]
    assert ("With these rules it would have been the same.",) == said[1:]
