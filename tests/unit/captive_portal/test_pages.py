"""What a page may say: whole facts, cut texts, and links only where they are surely harmless."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captive_portal import pages
from captive_portal.pages import Duration, Limit, Quota
from captive_portal.place import Text, contact_link, paragraphs
from captive_portal.ports import GuestView
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.units import GIGA, MEGA, NO_USAGE, Rates, Usage
from tests.fakes.house import COMMUNITY

SHARE = Bound(1, "equal-share", "", "Everyone has an equal part.")
FLOOR = Bound(Rates(256_000, 256_000), "lifeline", "", "Everyone keeps 256 kbit/s.")
EVENING = Bound(
    Rates(10 * MEGA, 2 * MEGA),
    "evening",
    "assembly of 3 May",
    "Guests get at most 10 Mbit/s.",
    datetime(2025, 6, 1, 23, 0),
)
MONTH = QuotaLeft("guests-month", 60 * GIGA, 15 * GIGA, datetime(2025, 7, 1))
DEVICES = ("02:00:00:00:00:0a", "02:00:00:00:00:0b")


def my_page(allowance: Allowance | None, **changes) -> pages.MyPage:
    view = GuestView("admitted", "guest-1", Usage(2 * GIGA, 500 * MEGA), allowance, 3_700, 45 * GIGA, DEVICES)
    return pages.my_page(COMMUNITY, replace(view, **changes), "token")


def test_my_page_says_what_i_used_what_is_left_and_until_when() -> None:
    page = my_page(Allowance(SHARE, FLOOR, None, (MONTH,)))
    assert ("2.5 GB", "2 GB", "500 MB", "45 GB") == (page.used, page.used_down, page.used_up, page.left)
    assert (Duration(0, 1, 2), 2, "256 kbit/s") == (page.time_left, page.devices, page.floor)
    assert (Quota("guests-month", "60 GB", "45 GB", 25, "2025-07-01"),) == page.quotas


def test_every_limit_names_its_rule_and_its_decision() -> None:
    page = my_page(Allowance(SHARE, FLOOR, EVENING))
    evening = Limit(
        "ceiling",
        "10 Mbit/s ↓ 2 Mbit/s ↑",
        "Guests get at most 10 Mbit/s.",
        "evening",
        "assembly of 3 May",
        "2025-06-01 23:00",
        False,
    )
    share = Limit("share", "1", "Everyone has an equal part.", "equal-share", "", "", True)
    assert (evening, share) == page.limits


def test_rules_that_do_not_bind_and_pools_are_named_too() -> None:
    page = my_page(Allowance(SHARE, FLOOR, None, pool="guests", not_binding=("At night nobody is limited.",)))
    assert ("guests", ("At night nobody is limited.",)) == (page.pool, page.not_binding)


def test_without_limits_nothing_is_made_up() -> None:
    page = my_page(None, seconds_left=None, bytes_left=None, account=None, devices=(), used=NO_USAGE)
    assert (None, "", "", (), (), "0 B", 1) == (
        page.time_left,
        page.left,
        page.floor,
        page.limits,
        page.quotas,
        page.used,
        page.devices,
    )


def test_a_quota_of_nothing_is_used_up_not_a_crash() -> None:
    page = my_page(Allowance(SHARE, FLOOR, None, (QuotaLeft("none", 0, 5, None),)))
    assert (Quota("none", "0 B", "0 B", 100, ""),) == page.quotas


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, Duration(0, 0, 0)),
        (1, Duration(0, 0, 1)),
        (60, Duration(0, 0, 1)),
        (3_601, Duration(0, 1, 1)),
        (90_000, Duration(1, 1, 0)),
        (-5, Duration(0, 0, 0)),
    ],
)
def test_time_left_is_rounded_in_the_guests_favour(seconds: int, expected: Duration) -> None:
    assert expected == pages.duration(seconds)


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ("hello@vall.example", "mailto:hello@vall.example"),
        ("https://vall.example/help", "https://vall.example/help"),
        ("the library desk", ""),
        ("http://vall.example", ""),
        ("javascript:alert(1)", ""),
        ("https://vall.example/\"onclick='x'", ""),
        ("a@b.example?bcc=all@x.example", ""),
        ("a@b.example\r\nx", ""),
        ("@b.example", ""),
        ("", ""),
    ],
)
def test_only_a_sure_address_becomes_a_link(contact: str, expected: str) -> None:
    assert expected == contact_link(contact)


def test_long_terms_are_cut_between_words_and_say_so() -> None:
    text = paragraphs("Be kind.\n\n" + "word " * 1_000, 100)
    assert text.cut
    assert "Be kind." == text.paragraphs[0]
    assert text.paragraphs[1].endswith("word …")
    assert sum(map(len, text.paragraphs)) <= 102


def test_terms_that_fit_are_shown_whole() -> None:
    assert Text(("Be kind.", "Do not resell.")) == paragraphs(
        " Be\nkind.\n\n\n\nDo not resell.\n", 100
    )


@given(st.text(max_size=400), st.integers(1, 100))
def test_no_text_grows_past_its_cut(text: str, most: int) -> None:
    assert sum(map(len, paragraphs(text, most).paragraphs)) <= most + 2


def test_no_setting_makes_a_page_without_end() -> None:
    endless = replace(
        COMMUNITY,
        community="x" * 9_999,
        node="y" * 9_999,
        contact="z" * 9_999,
        sentences=("s" * 9_999,) * 999,
    )
    network = pages.our_network(endless)
    assert (80, 80, 200) == tuple(
        map(len, (network.place.community, network.place.node, network.place.contact))
    )
    assert (200, 400) == (len(network.sentences), len(network.sentences[0]))
    assert 400 == len(pages.refused(endless, "r" * 9_999, None).reason)


def test_who_was_removed_reads_why() -> None:
    guest = GuestView("removed", None, NO_USAGE, None, None, None, removed_because="shared a stolen key")
    page = pages.removed(COMMUNITY, guest)
    assert (True, "shared a stolen key", "") == (page.removed, page.reason, page.rule)
