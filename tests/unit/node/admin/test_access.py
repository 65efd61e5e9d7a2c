"""Whom a link is for, as the form says it."""

import pytest

from node.admin.access import read_wish
from node.admin.fields import TypedForm
from node.admin.grants import Grant
from node.admin.signin import Signed


@pytest.mark.parametrize(
    ("role", "name", "signed"),
    [
        ("issuer", " library ", Signed("issuer", "library", Grant())),
        ("admin", "Ana", Signed("admin", "Ana")),
        ("admin", "", Signed("admin")),
    ],
)
def test_a_link_is_for_whom_the_form_says(role, name, signed):
    form = TypedForm({"role": role, "name": name})
    assert (signed, {}) == (read_wish(form), form.errors)


@pytest.mark.parametrize(
    ("role", "name", "field"),
    [("issuer", "", "name"), ("king", "Ana", "role"), ("issuer", "x" * 41, "name"), ("admin", "<b>", "name")],
)
def test_what_cannot_be_is_said_at_its_field(role, name, field):
    form = TypedForm({"role": role, "name": name})
    assert (None, [field]) == (read_wish(form), list(form.errors))
