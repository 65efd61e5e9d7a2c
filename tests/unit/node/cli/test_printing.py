"""Printable voucher sheets and cards."""

import re

import pytest

from node.cli.printing import card_picture, check_language, sheet
from node.errors import NodeError

ANSWER = {
    "batch": {
        "number": 3,
        "group": "day-pass",
        "lasts_ms": 7_200_000,
        "devices_max": 2,
        "issued_day": "2027-03-01",
        "issued_by": "admin console",
        "note": "",
    },
    "codes": ["7K3M-9Q2W-4X1Z", "0000-0000-0000"],
    "place": {
        "community": "Vall <Alta>",
        "node": "library",
        "portal_host": "login.vall.example",
        "portal_url": "",
        "zones": ["hills"],
        "languages": [["en", "English"]],
    },
}


def test_a_sheet_has_each_code_as_text_and_as_a_qr_code():
    page = sheet(ANSWER, network="Obert", lang="en").decode()
    assert 2 == page.count("<svg")
    assert all(code in page for code in ANSWER["codes"])
    assert ("Obert" in page, "2 hours" in page, "login.vall.example" in page) == (True, True, True)


def test_names_are_never_rendered_as_markup():
    page = sheet(ANSWER, network="", lang="en").decode()
    assert "Vall &lt;Alta&gt;" in page
    assert "<Alta>" not in page


def test_a_sheet_is_in_the_requested_language():
    assert 'dir="rtl"' in sheet(ANSWER, network="", lang="ar").decode()
    assert 'lang="ca"' in sheet(ANSWER, network="", lang="ca").decode()


def test_the_default_language_is_english():
    assert "en" == check_language("")
    assert "ca" == check_language("ca")


def test_an_unknown_language_is_an_error_that_lists_the_known_ones():
    with pytest.raises(NodeError) as no:
        check_language("xx")
    assert re.search(r"\bca\b.*\bes\b", no.value.fix)


def test_a_cards_picture_is_a_standard_image():
    text = card_picture({"address": "http://login.vall.example/?card=PROCOMU1.x.y"}).decode()
    assert text.startswith("<?xml")
    assert "<path" in text
    assert card_picture({"address": "http://login.vall.example/?card=PROCOMU1.x.z"}).decode() != text
