"""A device belongs to one account; names are plain; memory is bounded."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts import device_bindings
from node.accounts.device_bindings import (
    DEVICE_NAME_CHARS_MAX,
    DEVICES_BOUND_MAX,
    Binding,
    Bindings,
    Unbound,
    clean_name,
)


def mac(number: int) -> str:
    return f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"


def bound(number: int, account: str = "ana", host: str | None = None) -> Binding:
    return Binding(mac(number), account, "voucher", "2027-03-01", "", host)


def test_a_device_changes_its_account_completely():
    many = Bindings()
    many.bind(bound(1, "ana"))
    assert (bound(1, "pere"),) == many.bind(bound(1, "pere"))
    assert () == many.of("ana")
    assert (bound(1, "pere"),) == many.of("pere")


def test_an_unchanged_binding_is_not_stored_again():
    many = Bindings()
    many.bind(bound(1))
    assert () == many.bind(bound(1))


def test_unbinding_leaves_nothing():
    many = Bindings()
    many.bind(bound(1, "guest-a", host="ana"))
    assert (bound(1, "guest-a", host="ana"),) == many.introduced_by("ana")
    assert (Unbound(mac(1)),) == many.unbind(mac(1))
    assert () == many.unbind(mac(1)) == many.of("guest-a") == many.introduced_by("ana")
    assert many.get(mac(1)) is None
    assert 0 == len(many)


def test_a_name_stays_with_its_device_and_account():
    many = Bindings()
    many.take([bound(1), bound(2)])
    named = replace(bound(1), name="kitchen")
    assert (named,) == many.amend(named)
    assert "kitchen" == many.name_of(mac(1))
    assert "" == many.name_of(mac(2)) == many.name_of(mac(3))
    assert (named, bound(2)) == many.of("ana")


def test_the_device_bound_first_is_dropped_in_its_own_account_only():
    many = Bindings()
    many.bind(bound(999, "pere"))
    many.take(bound(number) for number in range(DEVICES_BOUND_MAX))
    new = bound(500)
    assert (new, Unbound(mac(0))) == many.bind(new)
    assert DEVICES_BOUND_MAX == len(many.of("ana"))
    assert 1 == len(many.of("pere"))


def test_the_number_of_known_devices_is_limited(monkeypatch):
    monkeypatch.setattr(device_bindings, "BINDINGS_MAX", 3)
    many = Bindings()
    many.take(bound(number, f"account-{number}") for number in range(3))
    assert (bound(7, "new"), Unbound(mac(0))) == many.bind(bound(7, "new"))
    assert 3 == len(many)


def test_guests_with_ever_new_addresses_evict_only_each_other(monkeypatch):
    monkeypatch.setattr(device_bindings, "BINDINGS_MAX", 4)
    many = Bindings()
    many.take([bound(0, "ana"), bound(1, "voucher-abc"), bound(2, "guest-2"), bound(3, "guest-3")])
    for number in range(4, 40):
        many.bind(bound(number, f"guest-{number}"))
    assert ["ana", "voucher-abc", "guest-38", "guest-39"] == [each.account for each in many.all()]
    many.unbind(mac(38))
    many.bind(bound(50, "pere"))
    assert Unbound(mac(39)) in many.bind(bound(51, "carme"))
    assert Unbound(mac(0)) in many.bind(bound(52, "mar"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["bind", "unbind"]),
            st.integers(0, 5),
            st.sampled_from("abc"),
            st.sampled_from([None, "ana", "pere"]),
        )
    )
)
def test_a_device_is_in_exactly_one_account_and_the_rows_agree(events):
    many, kept = Bindings(), {}
    for kind, number, account, host in events:
        rows = many.bind(bound(number, account, host)) if kind == "bind" else many.unbind(mac(number))
        for row in rows:
            if isinstance(row, Unbound):
                del kept[row.mac]
            else:
                kept[row.mac] = row
    assert kept == {each.mac: each for account in "abc" for each in many.of(account)}
    assert len(kept) == len(many) == sum(len(many.of(account)) for account in "abc")
    for host in ("ana", "pere"):
        assert {m for m, each in kept.items() if each.introduced_by == host} == {
            each.mac for each in many.introduced_by(host)
        }


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("  Ana's   phone ", "Ana's phone"),
        ("mòbil de l'Ana", "mòbil de l'Ana"),
        ("two\nlines\tand a bell\x07", "two lines and a bell"),
        ("left\u202eright", "left right"),
        ("ana\u200b", "ana"),
        ("👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"),
        ("", ""),
        ("x" * DEVICE_NAME_CHARS_MAX, "x" * DEVICE_NAME_CHARS_MAX),
        ("x" * (DEVICE_NAME_CHARS_MAX + 1), None),
        (" " * 4 * DEVICE_NAME_CHARS_MAX, ""),
        (" " * (4 * DEVICE_NAME_CHARS_MAX + 1), None),
    ],
)
def test_a_name_is_one_line_of_visible_characters(typed, name):
    assert name == clean_name(typed)


@given(st.text(max_size=200))
def test_cleaning_a_clean_name_changes_nothing(typed):
    name = clean_name(typed)
    assert name is None or (name == clean_name(name) and len(name) <= DEVICE_NAME_CHARS_MAX)


def test_accounts_that_came_and_went_use_no_memory():
    bindings = Bindings()
    for number in range(1_000):
        bindings.bind(bound(number, f"guest-{number}", host="ana"))
        bindings.unbind(mac(number))
    assert (0, 0, 0) == (len(bindings._by_mac), len(bindings._by_account), len(bindings._by_host))
