"""Printable voucher sheets and cards."""

import re
from dataclasses import astuple

import pytest

from node.cli.printing import card_picture, check_language, sheet, sheet_layout
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


def printed(lang: str = "", network: str = "", per_page: str = "", **place: str) -> bytes:
    answer = {**ANSWER, "place": {**ANSWER["place"], **place}}
    return sheet(answer, sheet_layout(per_page=per_page, network=network, lang=lang))


def test_a_sheet_has_each_code_as_text_and_as_a_qr_code():
    page = printed("en", "Obert").decode()
    assert 2 == page.count('class="square"')
    assert all(code in page for code in ANSWER["codes"])
    assert ("Obert" in page, "2 hours" in page, "login.vall.example" in page) == (True, True, True)


def test_names_are_never_rendered_as_markup():
    page = printed("en", "").decode()
    assert "Vall &lt;Alta&gt;" in page
    assert "<Alta>" not in page


def test_a_sheet_is_in_the_requested_language():
    assert 'dir="rtl"' in printed("ar", "").decode()
    assert 'lang="ca"' in printed("ca", "").decode()


def test_a_sheet_without_choices_is_in_english_with_12_on_a_page():
    assert (12, "", "en") == astuple(sheet_layout(per_page="", network="", lang=""))
    assert (24, "Obert", "ca") == astuple(sheet_layout(per_page="24", network="Obert", lang="ca"))
    assert 'class="slips size-8"' in printed(per_page="8").decode()


def test_a_sheet_has_the_wifi_of_the_community_unless_another_is_given():
    wifi = {"wifi_name": "Vall Oberta", "wifi_passphrase": "8 letters"}
    page = printed(**wifi).decode()
    assert "Vall Oberta" in page
    assert "8 letters" in page
    assert "8 letters" not in printed(network="Obert", **wifi).decode()


def test_the_default_language_is_english():
    assert "en" == check_language("")
    assert "ca" == check_language("ca")


def test_an_unknown_language_is_an_error_that_lists_the_known_ones():
    with pytest.raises(NodeError) as no:
        sheet_layout(per_page="", network="", lang="xx")
    assert re.search(r"\bca\b.*\bes\b", no.value.fix)


def test_an_unknown_size_is_an_error_that_lists_the_known_ones():
    with pytest.raises(NodeError, match="8, 12, 24"):
        sheet_layout(per_page="10", network="", lang="")


def test_a_cards_picture_is_a_standard_image():
    text = card_picture({"address": "http://login.vall.example/?card=PROCOMU1.x.y"}).decode()
    assert text.startswith("<?xml")
    assert "<path" in text
    assert card_picture({"address": "http://login.vall.example/?card=PROCOMU1.x.z"}).decode() != text
