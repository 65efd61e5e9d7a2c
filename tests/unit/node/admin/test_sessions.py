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
    ("role", "name", "field"),
    [("issuer", "", "name"), ("king", "Ana", "role"), ("issuer", "x" * 41, "name"), ("admin", "<b>", "name")],
)
def test_an_invalid_value_is_reported_at_its_field(role, name, field):
    form = TypedForm({"role": role, "name": name})
    assert (None, [field]) == (read_wish(form), list(form.errors))
