"""A card is verified offline by any node, and counts only for its member, community and validity."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.cards import (
    CARD_CHARS_MAX,
    TYPED_CHARS_MAX,
    Card,
    make_card,
    next_serial,
    next_void,
    read_card,
)
from node.identity import key_from_raw, own_node_id, sign

KEY, OTHER = key_from_raw(b"a" * 32), key_from_raw(b"b" * 32)
NODES = frozenset({own_node_id(KEY)})
ANA = Card("ana", 739_000, "2027-12-31")
TODAY = "2027-03-01"
TEXT = make_card(KEY, "Vall", ANA)


def read(text: str, today: str = TODAY, community: str = "Vall"):
    return read_card(text, community, NODES, today)


def test_every_node_of_the_community_reads_the_card():
    assert ANA == read(TEXT)


def test_a_card_fits_a_small_qr_code():
    longest = make_card(KEY, "Vall" * 50, Card("x" * 40, 2**32 - 1, "9999-12-31"))
    assert len(longest) <= CARD_CHARS_MAX
    assert read_card(longest, "Vall" * 50, NODES, TODAY).account == "x" * 40


@pytest.mark.parametrize(
    "typed",
    [
        f"http://login.vall.example/?card={TEXT}",
        f"https://login.vall.example/?lang=ca&card={TEXT}#top",
        f"https://login.vall.example/?card={TEXT.replace('.', '%2E')}",
        f"  {TEXT[:50]}\n{TEXT[50:]} ",
    ],
)
def test_a_card_is_read_from_its_address_and_from_broken_lines(typed):
    assert ANA == read(typed)


def test_the_last_day_is_included():
    assert ANA == read(TEXT, "2027-12-31")
    assert "card-ended" == read(TEXT, "2028-01-01")


def test_without_a_clock_the_card_counts():
    assert ANA == read(TEXT, "")


def test_the_card_of_another_community_is_foreign():
    assert "card-foreign" == read(TEXT, community="Serra")


def test_a_card_signed_by_a_node_that_is_no_member_is_foreign():
    assert "card-foreign" == read(make_card(OTHER, "Vall", ANA))


def test_data_that_a_node_signed_for_another_purpose_is_no_card():
    head, payload, _ = TEXT.split(".")
    raw = urlsafe_b64decode(payload + "==")
    signature = urlsafe_b64encode(sign(KEY, b"page", raw)).decode().rstrip("=")
    assert "card-foreign" == read(f"{head}.{payload}.{signature}")


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("AZaz09-_."))
def test_a_modified_card_is_never_another_valid_card(place, letter):
    changed = TEXT[:place] + letter + TEXT[place + 1 :]
    assert read(changed) in (ANA, "card-foreign", "card-unreadable")


@given(st.text(max_size=700))
def test_any_text_gets_a_result(text):
    assert "card-unreadable" == read(text)


@pytest.mark.parametrize("account", ["", "Ana", "ana\n", "é"])
def test_a_signed_payload_with_an_invalid_name_is_unreadable(account):
    head, payload, _ = TEXT.split(".")
    raw = urlsafe_b64decode(payload + "==")[:-3] + account.encode()
    signature = urlsafe_b64encode(sign(KEY, b"membership card", raw)).decode().rstrip("=")
    text = f"{head}.{urlsafe_b64encode(raw).decode().rstrip('=')}.{signature}"
    assert "card-unreadable" == read(text)


@pytest.mark.parametrize(
    ("day", "says"),
    [(0, "card-unreadable"), (1, "card-ended"), (3_652_059, ANA.account), (3_652_060, "card-unreadable")],
)
def test_a_signed_date_that_does_not_exist_is_unreadable(day, says):
    head, payload, _ = TEXT.split(".")
    raw = urlsafe_b64decode(payload + "==")
    raw = raw[:20] + day.to_bytes(4, "big") + raw[24:]
    signature = urlsafe_b64encode(sign(KEY, b"membership card", raw)).decode().rstrip("=")
    card = read(f"{head}.{urlsafe_b64encode(raw).decode().rstrip('=')}.{signature}")
    assert says == (card.account if isinstance(card, Card) else card)


def test_an_address_may_be_long_but_is_limited():
    assert ANA == read(f"{'x' * (TYPED_CHARS_MAX - len(TEXT) - 6)}?card={TEXT}")
    assert "card-unreadable" == read(f"{'x' * (TYPED_CHARS_MAX - len(TEXT) - 5)}?card={TEXT}")


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=20))
def test_voiding_voids_all_cards_issued_until_then_and_none_after(events):
    """On any days, several times a day."""
    day, void, issued = date(2027, 3, 1).toordinal(), 0, []
    for later, is_void in events:
        day += later
        today = date.fromordinal(day).isoformat()
        if is_void:
            void = next_void(today, void)
            assert all(serial < void for serial in issued)
        else:
            issued.append(next_serial(today, void))
            assert issued[-1] >= void
    assert all(first <= second for first, second in pairwise(issued))


@pytest.mark.parametrize("length", range(1, 171))
def test_a_payload_of_any_length_is_no_card_and_no_error(length):
    assert "card-unreadable" == read(f"PROCOMU1.{'A' * length}.{'A' * 86}")


def test_text_too_long_for_a_card_is_not_parsed():
    assert ANA == read(TEXT + " " * (TYPED_CHARS_MAX - len(TEXT)))
    assert "card-unreadable" == read(TEXT + " " * (TYPED_CHARS_MAX - len(TEXT) + 1))


def test_voiding_voids_the_cards_of_today_and_no_later_ones():
    serial = next_serial(TODAY, 0)
    bound = next_void(TODAY, 0)
    assert (serial < bound, bound) == (True, serial + 1)
    assert bound == next_serial(TODAY, bound)
    assert next_serial("2027-03-02", bound) == bound
