"""Numbers that people are promised, against what the node does: read from the documents, in their units."""

import re
from pathlib import Path

import pytest

from node.admin.grants import Grant
from node.admin.once import SHOWN_MS
from node.admin.signin import LINK_LIFE, SESSION_LIFE
from node.membership import introductions, queue_order
from node.membership.card_bearers import SHOWN_FOR
from node.membership.guesses import (
    CODE_PATIENCE,
    DEVICE_PATIENCE,
    PASSPHRASE_PATIENCE,
    SLIP_PATIENCE,
    STRANGERS_PATIENCE,
    WAIT_LONGEST,
    WINDOW,
)
from node.reconcile.keeper import FORGET_EVERY_MS
from node.reconcile.room import IDLE_MIN
from node.reconcile.superseded import IDLE_OF_ACCOUNT, IDLE_OF_GUEST

ROOT = Path(__file__).parents[2]
NUMBERS = {
    "a": 1,
    "one": 1,
    "two": 2,
    "five": 5,
    "six": 6,
    "ten": 10,
    "twelve": 12,
    "twenty": 20,
    "thirty": 30,
}
UNITS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
GUESSES = "node/membership/guesses.py"


def promised(document: str, words: str) -> list[int]:
    """The numbers in what stands there: `words` with `#` for a number and `@` for a time, in milliseconds."""
    pattern = re.escape(words).replace(r"\#", r"([\w]+)").replace("@", r"([\w]+) (second|minute|hour|day)s?")
    text = " ".join((ROOT / document).read_text().split())
    found = re.search(pattern.replace(r"\ ", " "), text)
    assert found is not None, f"{document} says nothing such as {words!r}"
    parts, numbers = list(found.groups()), list[int]()
    for part in parts:
        if part in UNITS:
            numbers[-1] *= UNITS[part]
        else:
            numbers.append(NUMBERS[part] if part in NUMBERS else int(part))
    return numbers


@pytest.mark.parametrize(
    ("document", "words", "kept"),
    [
        ("node/admin/README.md", "signs in once, within @, for @.", [LINK_LIFE, SESSION_LIFE]),
        ("node/admin/README.md", "for @ whenever the same form is sent again", [SHOWN_MS]),
        (
            "node/admin/README.md",
            "for @ and # devices at most, # a day",
            [Grant().lasts_max, Grant().devices_max, Grant().per_day],
        ),
        ("DECISIONS.md", "A device makes room when it was silent for @", [IDLE_MIN]),
        ("DECISIONS.md", "retention needs a synced clock that ran steadily for @", [FORGET_EVERY_MS]),
        ("DECISIONS.md", "a card that was shown within @ on", [SHOWN_FOR]),
        ("DECISIONS.md", "had fewest turns in @;", [queue_order.REMEMBERED]),
        ("DECISIONS.md", "each question stays @,", [introductions.TURN]),
        ("DECISIONS.md", "Members mute a device or everybody for @;", [introductions.MUTED]),
        ("captive_portal/README.md", "when it was silent for @ and another device", [IDLE_OF_ACCOUNT]),
        ("captive_portal/README.md", "when a guest was silent for @;", [IDLE_OF_GUEST]),
        (
            GUESSES,
            "each device alone: # in @, then the device waits @,",
            [CODE_PATIENCE.mistakes, WINDOW, CODE_PATIENCE.first_wait],
        ),
        (GUESSES, "# in @ make the device wait, too", [SLIP_PATIENCE.mistakes, WINDOW]),
        (
            GUESSES,
            "over all strangers: # in @, then devices that do not belong to the account wait @,",
            [STRANGERS_PATIENCE.mistakes, WINDOW, STRANGERS_PATIENCE.first_wait],
        ),
        (
            GUESSES,
            "after # mistakes in @, @ at first",
            [DEVICE_PATIENCE.mistakes, WINDOW, DEVICE_PATIENCE.first_wait],
        ),
    ],
)
def test_what_people_are_promised_is_what_is_kept(document: str, words: str, kept: list[int]) -> None:
    assert promised(document, words) == kept


def test_waits_and_passphrases_are_as_the_module_says() -> None:
    assert 3_600_000 == WAIT_LONGEST
    assert CODE_PATIENCE == PASSPHRASE_PATIENCE
    assert "up to an hour" in (ROOT / GUESSES).read_text()
