"""Vouchers, passphrases and cards issued on the command line, until they are revoked or replaced."""

import pytest

from tests.lab import eventually
from tests.lab.people import Person
from tests.lab.village import Router
from tests.scenarios.conftest import is_captured

pytestmark = pytest.mark.kernel

PORTAL = "http://login.procomu.lan"


def sends(person: Person, way: str, **fields: str) -> int:
    """Status code of the response; 303 is success."""
    return person.do("press", url=f"{PORTAL}/", ends=f"/join/{way}", fields=fields)["status"]


def counts(square: Router) -> tuple[int, int, int]:
    (row,) = square.told("vouchers", "list")["batches"]
    return row["unused"], row["used"], row["revoked"]


def test_a_household_joins_with_a_voucher_until_it_is_revoked(place, comes):
    square = place.square
    square.start()
    order = ["--count", "2", "--group", "day-pass", "--lasts", "2 hours", "--devices", "3"]
    code, _ = square.told("vouchers", "issue", *order)["codes"]
    phone, other = comes("phone"), comes("browser")
    assert 303 == sends(phone, "code", code=code)
    assert 303 == sends(other, "code", code=f" {code.lower().replace('-', ' ')} ")
    rows = [square.device(person.mac) for person in (phone, other)]
    assert rows[0]["account"] == rows[1]["account"]
    assert ["voucher"] * 2 == [row["way"] for row in rows]
    assert all(7_000 < row["seconds_left"] <= 7_200 for row in rows)
    assert (1, 1, 0) == counts(square)

    assert 1 == square.told("vouchers", "revoke", code)["changed"]
    assert eventually(lambda: is_captured(phone) and is_captured(other))
    assert (1, 0, 1) == counts(square)
    assert 303 != sends(phone, "code", code=code)

    square.told("vouchers", "revoke", code, "--back")
    assert 303 == sends(phone, "code", code=code)
    assert square.device(phone.mac)["account"] == rows[0]["account"]


def test_a_members_credential_is_valid_until_a_newer_one_is_issued(place, comes):
    square = place.square
    square.start()
    first = square.told("members", "passphrase", "carme")["passphrase"]
    second = square.told("members", "passphrase", "carme")["passphrase"]
    lost = square.told("members", "card", "carme")["address"]
    square.told("members", "void-cards", "carme")
    found = square.told("members", "card", "carme")["address"]
    phone, other = comes("phone"), comes("browser")
    assert 303 != sends(phone, "passphrase", account="carme", passphrase=str(first))
    assert 303 == sends(phone, "passphrase", account="carme", passphrase=str(second))
    assert 303 != sends(other, "card", card=str(lost))
    assert 303 == sends(other, "card", card=str(found))
    assert ["carme"] * 2 == [square.device(person.mac)["account"] for person in (phone, other)]
    assert ["passphrase", "card"] == [square.device(person.mac)["way"] for person in (phone, other)]


def test_an_unknown_member_gets_no_credential(place):
    place.square.start()
    for words in (["passphrase", "nobody"], ["card", "nobody"], ["void-cards", "nobody"]):
        done = place.square.cli("members", *words)
        assert 1 == done.returncode
        assert "fix: " in done.stderr
