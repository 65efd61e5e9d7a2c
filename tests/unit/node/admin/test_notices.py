"""Parsing of the notice form."""

from dataclasses import replace

import pytest

from node.accounts.notices import Notice, NoticeText
from node.admin.fields import FormView, TypedForm
from node.admin.notices import languages_of, notice_values, places_of, read_notice
from node.config.model import SiteInfo

SITE = SiteInfo(
    "Vall Alta",
    "library",
    "login.vall.example",
    zones=("valley",),
    languages=(("ca", "Català"), ("en", "English")),
)
NOTICE = Notice(
    7,
    "zone:valley",
    "group:school",
    "2027-03-01",
    "2027-03-31",
    True,
    (NoticeText("ca", "Assemblea", "Divendres."), NoticeText("eu", "Batzarra", "")),
    "admin",
)


def read(**other: str) -> tuple[Notice, list[str]]:
    form = TypedForm(
        {**notice_values(NOTICE, SITE), **{name.replace("_ca", "-ca"): text for name, text in other.items()}}
    )
    return read_notice(form, SITE, 7, "admin"), list(form.errors)


def test_a_notice_goes_through_the_form_unchanged():
    assert (NOTICE, []) == read()


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"audience": "group", "group": "The School"}, "group"),
        ({"audience": "kings"}, "audience"),
        ({"first_day": "soon"}, "first_day"),
        ({"last_day": "2027-02-28"}, "last_day"),
        ({"title_ca": ""}, "title-ca"),
        ({"where": ""}, "where"),
    ],
)
def test_an_invalid_value_is_reported_at_its_field(other, field):
    assert field in read(**other)[1]


def test_a_notice_needs_text_in_at_least_one_language():
    form = TypedForm({"where": "network", "audience": "everyone"})
    read_notice(form, SITE, 0, "admin")
    assert ["title-ca"] == list(form.errors)


def test_a_made_up_field_name_is_no_language():
    known = languages_of(SITE, FormView({"title-eu": "x", "title-<b>": "x", "title-": "x", "other-fr": "x"}))
    assert ["ca", "en", "eu"] == [tag for tag, _ in known]


def test_the_place_of_another_nodes_notice_is_unchanged():
    places = dict(places_of(SITE, "node:hills"))
    assert {"here", "network", "zone:valley", "node:hills"} == set(places)


def test_this_node_by_its_name_is_this_node():
    form = TypedForm(notice_values(replace(NOTICE, where="node:library"), SITE))
    assert "here" == read_notice(form, SITE, 7, "admin").where
    assert "node:library" not in dict(places_of(SITE, "node:library"))
