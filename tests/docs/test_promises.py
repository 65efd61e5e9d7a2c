"""Numbers in the documents, in their units, against the constants of the code."""

import re
from pathlib import Path

import pytest

from node.accounts import fair_queue, sponsorship
from node.accounts.cards import SHOWN_FOR
from node.accounts.login_throttle import (
    CODE_THROTTLE,
    DEVICE_THROTTLE,
    MISTYPED_THROTTLE,
    PASSPHRASE_THROTTLE,
    STRANGERS_THROTTLE,
    WAIT_LONGEST,
    WINDOW,
)
from node.app.admin_sessions import LINK_LIFE, SESSION_LIFE
from node.app.idempotency import SHOWN_MS
from node.app.issuer_grants import Grant
from node.control.persistence import FORGET_EVERY_MS
from node.sessions.device_limit import IDLE_MIN
from node.sessions.table import IDLE_OF_ACCOUNT, IDLE_OF_GUEST

ROOT = Path(__file__).parents[2]
NUMBERS = {
    "a": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "twenty": 20,
    "thirty": 30,
}
UNITS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
THROTTLE = "node/accounts/login_throttle.py"


def promised(document: str, words: str) -> list[int]:
    """The numbers at the places of `words`, where `#` stands for a number and `@` for a time in milliseconds."""
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
        ("DECISIONS.md", "had fewest turns in @;", [fair_queue.REMEMBERED]),
        ("DECISIONS.md", "each question stays @,", [sponsorship.TURN]),
        ("DECISIONS.md", "Members mute a device or everybody for @;", [sponsorship.MUTED]),
        ("captive_portal/README.md", "when it was silent for @ and another device", [IDLE_OF_ACCOUNT]),
        ("captive_portal/README.md", "when a guest was silent for @;", [IDLE_OF_GUEST]),
        (
            THROTTLE,
            "each device alone: # in @, then the device waits @,",
            [CODE_THROTTLE.mistakes, WINDOW, CODE_THROTTLE.first_wait],
        ),
        (THROTTLE, "# in @ make the device wait, too", [MISTYPED_THROTTLE.mistakes, WINDOW]),
        (
            THROTTLE,
            "over all strangers: # in @, then devices that do not belong to the account wait @,",
            [STRANGERS_THROTTLE.mistakes, WINDOW, STRANGERS_THROTTLE.first_wait],
        ),
        (
            THROTTLE,
            "after # mistakes in @, @ at first",
            [DEVICE_THROTTLE.mistakes, WINDOW, DEVICE_THROTTLE.first_wait],
        ),
    ],
)
def test_documented_numbers_are_those_of_the_code(document: str, words: str, kept: list[int]) -> None:
    assert promised(document, words) == kept


def test_throttle_times_and_odds_are_as_the_module_documents() -> None:
    assert 3_600_000 == WAIT_LONGEST
    assert CODE_THROTTLE == PASSPHRASE_THROTTLE
    assert "up to an hour" in (ROOT / THROTTLE).read_text()
