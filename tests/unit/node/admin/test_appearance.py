"""Parsing of the appearance form."""

from dataclasses import replace

import pytest

from node.accounts.appearance import NO_APPEARANCE, Appearance, WelcomeText, logo_in, read_logo
from node.admin.appearance import (
    KEPT_LOGO,
    LOGO_FIELD,
    appearance_values,
    languages_of,
    read_appearance,
    samples_of,
)
from node.admin.fields import FormView, TypedForm
from node.config.model import SiteInfo
from tests.fakes.pictures import png

SITE = SiteInfo("Vall Alta", "library", "login.vall.example", languages=(("ca", "Català"), ("en", "English")))
PICTURE, OTHER = png(), png(32, 32)
URI = read_logo(PICTURE).uri
CHOSEN = Appearance(
    "#b02040",
    "#ff8899",
    (WelcomeText("ca", "Hola, veïnat."), WelcomeText("eu", "Kaixo.")),
    "Vall Alta Oberta",
    "8 letters",
    URI,
)


def read(values: dict[str, str], **files: bytes) -> tuple[Appearance, dict[str, str]]:
    form = TypedForm(values)
    return read_appearance(form, SITE, files), form.errors


@pytest.mark.parametrize("appearance", [CHOSEN, NO_APPEARANCE, replace(CHOSEN, accent="", accent_dark="")])
def test_an_appearance_goes_through_the_form_unchanged(appearance):
    assert (appearance, {}) == read(appearance_values(appearance))


def test_an_empty_form_is_procomus_own_appearance():
    assert (NO_APPEARANCE, {}) == read({})


def test_the_colour_for_dark_mode_is_found_automatically():
    found, _ = read({"accent": "#b02040", "accent_dark": "#6fd6ae", "accent_auto": "yes"})
    assert ("#b02040", "#e46984") == (found.accent, found.accent_dark)
    assert "yes" == appearance_values(found)["accent_auto"]
    assert "" == appearance_values(replace(found, accent_dark="#ffffff"))["accent_auto"]


def test_a_colour_that_nobody_can_read_is_left_to_the_check_unless_the_nearest_is_asked_for():
    values = {"accent": "#FFCC00", "accent_dark": "#000000"}
    assert ("#ffcc00", "#000000") == (read(values)[0].accent, read(values)[0].accent_dark)
    nearest, _ = read({**values, "do": "nearest"})
    assert ("#826800", "#939393") == (nearest.accent, nearest.accent_dark)


def test_the_dark_colour_comes_from_the_chosen_one_and_not_from_its_nearest():
    found, _ = read({"accent": "#ffcc00", "accent_auto": "yes", "do": "nearest"})
    assert ("#826800", "#ffcc00") == (found.accent, found.accent_dark)


def test_a_colour_that_is_none_stays_as_typed():
    assert ("red", "#6fd6ae") == ((found := read({"accent": "Red"})[0]).accent, found.accent_dark)


def test_a_chosen_file_replaces_the_logo():
    found, errors = read({KEPT_LOGO: URI, "logo_gone": "yes"}, logo=OTHER)
    assert {} == errors
    assert OTHER == logo_in(found.logo).data


def test_the_logo_stays_until_it_is_removed():
    assert URI == read({KEPT_LOGO: URI})[0].logo
    assert "" == read({KEPT_LOGO: URI, "logo_gone": "yes"})[0].logo


@pytest.mark.parametrize("kept", ["data:image/svg+xml;base64,eA==", "javascript:alert(1)", URI * 500])
def test_a_logo_that_the_form_brings_is_checked_like_a_file(kept):
    assert "" == read({KEPT_LOGO: kept})[0].logo


def test_a_wrong_file_is_reported_and_the_logo_before_stays_in_the_form():
    form = TypedForm({KEPT_LOGO: URI})
    read_appearance(form, SITE, {LOGO_FIELD: b"<svg/>"})
    assert [LOGO_FIELD] == list(form.errors)
    assert URI == form.values[KEPT_LOGO]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("wifi_name", "x" * 33),
        ("wifi_passphrase", "x" * 65),
        ("welcome-ca", "x" * 161),
        ("welcome-ca", "\u202e"),
    ],
)
def test_an_invalid_text_is_reported_at_its_field(field, text):
    assert field in read({field: text})[1]


def test_a_made_up_field_name_is_no_language():
    assert ["ca", "en", "eu"] == [
        tag for tag, _ in languages_of(SITE, FormView({"welcome-eu": "x", "welcome-<b>": "x"}))
    ]


def test_the_samples_show_valid_colours_only():
    light, dark = samples_of(FormView({"accent": "#b02040", "accent_dark": "url(evil)"}))
    assert ("#b02040", "#6fd6ae") == (light.accent, dark.accent)
