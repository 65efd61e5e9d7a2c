"""Parsing of the form that creates a sign-in link for a role."""

import pytest

from node.admin.fields import TypedForm
from node.admin.sessions import read_wish
from node.app.admin_sessions import Signed
from node.app.issuer_grants import Grant


@pytest.mark.parametrize(
    ("role", "name", "signed"),
    [
        ("issuer", " library ", Signed("issuer", "library", Grant())),
        ("admin", "Ana", Signed("admin", "Ana")),
        ("admin", "", Signed("admin")),
    ],
)
def test_a_link_has_the_role_of_the_form(role, name, signed):
    form = TypedForm({"role": role, "name": name})
    assert (signed, {}) == (read_wish(form), form.errors)


@pytest.mark.parametrize(
    ("lasts", "unit", "milliseconds"),
    [
        ("2", "days", 172_800_000),
        ("12", "hours", 43_200_000),
        ("90", "minutes", 5_400_000),
        ("", "hours", Grant().lasts_max),
    ],
)
def test_the_longest_time_of_a_voucher_is_a_number_and_a_unit(lasts, unit, milliseconds):
    signed = read_wish(TypedForm({"role": "issuer", "name": "library", "lasts": lasts, "unit": unit}))
    assert signed is not None
    assert Grant(lasts_max=milliseconds) == signed.grant


@pytest.mark.parametrize(
    ("lasts", "unit", "field"),
    [
        ("2 days", "days", "lasts"),
        ("9", "minutes", "lasts"),
        ("401", "days", "lasts"),
        ("2", "weeks", "unit"),
    ],
)
def test_another_time_is_reported_at_its_field_and_what_was_typed_is_kept(lasts, unit, field):
    form = TypedForm({"role": "issuer", "name": "library", "lasts": lasts, "unit": unit})
    assert (None, [field]) == (read_wish(form), list(form.errors))
    assert (lasts, unit) == (form.values["lasts"], form.values["unit"])


@pytest.mark.parametrize(
    ("role", "name", "field"),
    [("issuer", "", "name"), ("king", "Ana", "role"), ("issuer", "x" * 41, "name"), ("admin", "<b>", "name")],
)
def test_an_invalid_value_is_reported_at_its_field(role, name, field):
    form = TypedForm({"role": role, "name": name})
    assert (None, [field]) == (read_wish(form), list(form.errors))
