"""What messages say."""

from datetime import UTC
from typing import get_args

import pytest

from node.alerts.alert_list import ALERTS, AlertName
from node.alerts.message import (
    TEXT_CHARS_MAX,
    AlertMessage,
    MessageOrigin,
    change_message,
    digest_message,
    document_of,
    trial_message,
)
from node.alerts.states import AlertChange, AlertState
from node.translator import ENGLISH
from node.web.translations import read_catalogues

ORIGIN = MessageOrigin("Vall", "library", ENGLISH, UTC)
AT_S = 1_796_062_800
"""30 November 2026, 18:20, in UTC."""


def change(name: AlertName, *, is_raised: bool = True, node: str = "") -> AlertChange:
    return AlertChange(name, node, node and "school", is_raised, AT_S + 600, AT_S)


def test_one_says_what_since_when_and_what_to_do() -> None:
    message = change_message(change("line_dead"), ORIGIN, "id1")
    assert "[Vall, library] The line to the Internet is dead" == message.subject
    assert "Since: " in message.text
    assert "Look at the modem" in message.text
    assert message.is_urgent


def test_the_end_says_both_times_and_has_another_id() -> None:
    message = change_message(change("node_silent", is_raised=False, node="abc"), ORIGIN, "id2")
    assert "[Vall, library] Over: A node of the community is silent: school" == message.subject
    assert ["Since: ", "Until: "] == [line[:7] for line in message.text.splitlines()[1:]]
    assert ("cleared", "abc") == (message.kind, message.node)


def test_a_digest_says_what_changed_and_what_is_still_so() -> None:
    states = {("backup_old", ""): AlertState(is_raised=True), ("line_dead", ""): AlertState()}
    message = digest_message([change("backup_old")], states, ORIGIN, id_="id3", now_s=AT_S)
    assert 2 == message.text.count("No backup has been made for 30 days")
    assert "dead" not in message.text
    quiet = digest_message([change("backup_old", is_raised=False)], {}, ORIGIN, id_="id4", now_s=AT_S)
    assert "Nothing needs attention now." in quiet.text


def test_a_digest_of_a_bad_month_has_an_end() -> None:
    states = {("node_silent", f"n{n}"): AlertState(True, subject_name="x" * 64) for n in range(300)}
    message = digest_message([change("node_silent", node="a")] * 100, states, ORIGIN, id_="id5", now_s=AT_S)
    assert len(message.text) <= TEXT_CHARS_MAX


def test_a_name_with_line_breaks_stays_in_its_line() -> None:
    odd = AlertChange("node_silent", "a", "school\r\nBcc: all@vall.example", True, None, None)
    assert "\n" not in change_message(odd, ORIGIN, "id").subject
    assert "\r" not in change_message(odd, ORIGIN, "id").subject


def test_programs_get_what_people_get_and_times_with_their_zone() -> None:
    document = document_of(change_message(change("disk_low"), ORIGIN, "id1"), ORIGIN)
    assert ("id1", "raised", "disk_low", True) == tuple(
        document[key] for key in ("id", "kind", "alert", "urgent")
    )
    assert str(document["since"]).endswith("+00:00")
    assert document_of(trial_message(ORIGIN, "id", None), ORIGIN)["at"] is None


@pytest.mark.parametrize("language", ["ca", "es", "fr", "ar"])
def test_every_alert_is_told_in_every_language(language: str) -> None:
    origin = MessageOrigin("Vall", "library", read_catalogues().translations[language], UTC)
    told: list[AlertMessage] = []
    for name in get_args(AlertName):
        told += [change_message(change(name, is_raised=raised), origin, "id") for raised in (True, False)]
        english = change_message(change(name), ORIGIN, "id")
        assert english.text.splitlines()[0] != told[-2].text.splitlines()[0]
        assert english.text.splitlines()[-1] != told[-2].text.splitlines()[-1]
    assert 2 * len(ALERTS) == len({each.text for each in told})
