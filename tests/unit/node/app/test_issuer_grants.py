"""The vouchers that an issuer may issue."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.app.issuer_grants import Grant, beyond, from_list, read_grant, to_list
from node.units import Milliseconds

DAY = 86_400_000
GRANT = Grant(("day-pass", "guests"), Milliseconds(2 * DAY), 3, 40)


def test_defaults_apply_where_nothing_was_set() -> None:
    assert Grant() == read_grant("", "", " ", "")
    assert GRANT == read_grant("Day-Pass, guests", "2 days", "3", "40")


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        (("Día!", "", "", ""), "names such as day-pass"),
        ((",".join(f"g{n}" for n in range(11)), "", "", ""), "up to 10"),
        (("", "soon", "", ""), "one from 10 minutes to 400 days"),
        (("", "401 days", "", ""), "400 days"),
        (("", "", "0", ""), "from 1 to 50"),
        (("", "", "", "many"), "from 1 to"),
        (("", "", "", "99999999999"), "from 1 to"),
    ],
)
def test_an_invalid_limit_is_refused_with_what_to_write(
    typed: tuple[str, str, str, str], wanted: str
) -> None:
    with pytest.raises(ValueError, match=wanted):
        read_grant(*typed)


@pytest.mark.parametrize(
    ("wish", "codes"),
    [
        ({}, []),
        ({"group": "members"}, ["group"]),
        ({"lasts": Milliseconds(2 * DAY + 1)}, ["lasts"]),
        ({"devices": 4}, ["devices"]),
        ({"devices": 0}, ["devices"]),  # the number of devices may also be left to the rules
        ({"count": 31}, ["count"]),
        ({"issued_today": 40, "count": 1}, ["count"]),
        ({"issued_today": 500, "count": 1, "group": "members"}, ["group", "count"]),
    ],
)
def test_each_limit_is_enforced_by_itself(wish: dict[str, object], codes: list[str]) -> None:
    usual = {"group": "guests", "lasts": Milliseconds(DAY), "devices": 3, "count": 30, "issued_today": 10}
    assert codes == [finding.code for finding in beyond(GRANT, **{**usual, **wish})]  # type: ignore[arg-type]


def test_the_text_agrees_with_the_enforced_limits() -> None:
    assert (
        "At most 40 vouchers a day. Groups: day-pass, guests. Each lasts at most 2 days. "
        "Each is for at most 3 devices at once." == GRANT.sentence
    )


@given(st.integers(1, 1_000), st.integers(1, 50), st.integers(10, 400 * 24 * 60))
def test_stored_grants_are_read_back(per_day: int, devices: int, minutes: int) -> None:
    grant = Grant(("a", "b-2"), Milliseconds(minutes * 60_000), devices, per_day)
    assert grant == from_list(to_list(grant))


@pytest.mark.parametrize(
    "stored", [None, [], "x", [[], "x", 1, 1], [["A B!"], 86_400_000, 1, 1], [["a"], -1, 1, 1]]
)
def test_a_damaged_grant_is_none(stored: object) -> None:
    assert from_list(stored) is None
