"""What the set-up pages show of a machine, and how they say what was answered."""

from dataclasses import replace

from node.governance.rules import WAYS
from node.setup.pages import WAY_TEXTS, CodeSheet, measured_text, summary
from node.translator import translate
from node.units import BitsPerSecond
from node.web.translations import read_catalogues
from tests.fakes.setup import ANSWERS, SPEED


def test_each_way_to_join_has_a_name_and_an_explanation() -> None:
    assert set(WAYS) == WAY_TEXTS.keys()


def test_the_summary_says_what_was_answered_in_every_language() -> None:
    for translations in read_catalogues().translations.values():
        text = " ".join(translate(each, translations) for each in summary(ANSWERS, "català"))
        for words in ("Vall Alta", "library", "català", "Maria"):
            assert words in text
        assert ANSWERS.passphrase not in text


def test_an_unknown_speed_is_said_and_a_changing_one_too() -> None:
    unknown = " ".join(summary(replace(ANSWERS, down="", up=""), "English"))
    assert "not known yet" in unknown
    changing = " ".join(summary(ANSWERS, "English"))
    assert "40 Mbit/s" in changing
    assert "follows what the line really carries" in changing


def test_the_sheet_has_the_code_in_its_picture() -> None:
    assert "<svg" in CodeSheet("7K3M-9Q2W", "http://10.77.0.1/").qr_svg


def test_what_was_measured_is_said_with_what_it_is_worth() -> None:
    assert "Measured download: 38.2 Mbit/s. mirror.example sent 44 MB in 12 s." == measured_text(SPEED)
    assert "The line may be faster" in measured_text(replace(SPEED, is_at_least=True))
    varying = replace(SPEED, worst=BitsPerSecond(9_000_000), best=BitsPerSecond(40_500_000))
    assert "between 9 Mbit/s and 40.5 Mbit/s" in measured_text(varying)
    french = translate(measured_text(SPEED), read_catalogues().translations["fr"])
    assert "38,2" in french
