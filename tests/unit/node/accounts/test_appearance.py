"""Accent colours are readable in both modes, logos are small pictures and nothing else, and a QR code joins the Wi-Fi."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import segno.helpers
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.appearance import (
    BACKGROUNDS,
    BUTTON_TEXT,
    CONTRAST_MIN,
    DEFAULT_ACCENTS,
    LOGO_BYTES_MAX,
    LOGO_SIDE_MAX,
    NO_APPEARANCE,
    WELCOME_CHARS_MAX,
    Appearance,
    Logo,
    WelcomeText,
    accent_style,
    appearance_findings,
    contrast,
    is_readable,
    logo_in,
    nearest_readable,
    read_logo,
    tint,
    wifi_qr_text,
)
from node.accounts.terms import LANGUAGES_MAX
from node.errors import Finding
from tests.fakes.pictures import SIGNATURE, picture, png, png_chunk

ROOT = Path(__file__).parents[4]
MODES = ("light", "dark")
colours = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)


def webp(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def lossy(width: int, height: int) -> bytes:
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return webp_chunk(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + size + b"data")


def lossless(width: int, height: int) -> bytes:
    return webp_chunk(b"VP8L", b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + b"data")


def extended(width: int, height: int, flags: int = 0) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp_chunk(b"VP8X", bytes([flags, 0, 0, 0]) + size)


# --- colours ---


def test_contrast_is_that_of_wcag():
    assert 21 == round(contrast("#000000", "#ffffff"), 3)
    assert 1 == contrast("#0a6848", "#0a6848")
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@given(colours, st.sampled_from(MODES))
def test_every_colour_has_a_readable_neighbour_on_every_background(colour, mode):
    found = nearest_readable(colour, mode)
    for ground in (*BACKGROUNDS[mode], tint(found, mode)):
        assert contrast(found, ground) >= CONTRAST_MIN
    assert contrast(found, BUTTON_TEXT[mode]) >= CONTRAST_MIN
    assert found == nearest_readable(found, mode)
    assert (found == colour) == is_readable(colour, mode)


@pytest.mark.parametrize(
    ("colour", "mode", "nearest"),
    [
        ("#ffcc00", "light", "#826800"),
        ("#ffcc00", "dark", "#ffcc00"),
        ("#ff0000", "light", "#d10000"),
        ("#ff0000", "dark", "#ff5353"),
        ("#0a6848", "light", "#0a6848"),
    ],
)
def test_the_nearest_colour_has_the_same_hue(colour, mode, nearest):
    assert nearest == nearest_readable(colour, mode)


@pytest.mark.parametrize("site", ["captive_portal", "node/admin"])
@pytest.mark.parametrize("mode", MODES)
def test_the_backgrounds_are_those_of_the_style_sheets(site, mode):
    style = (ROOT / site / "templates/style.css").read_text()
    block = re.findall(r":root\{[^}]*--paper[^}]*\}", style)[MODES.index(mode)]
    colours = dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", block))
    known = {name: colour if len(colour) == 7 else colour + colour[1:] for name, colour in colours.items()}
    assert BACKGROUNDS[mode] == (known["card"], known["paper"], known["warn"])
    assert DEFAULT_ACCENTS[mode] == known["leaf"]
    assert mode == "dark" or BUTTON_TEXT[mode] == known["leaf-ink"]


def test_the_style_sheet_has_the_colours_of_both_modes_and_is_empty_without_any():
    style = accent_style(Appearance("#b02040", "#ff8899"))
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    assert "--leaf:#b02040;--tint:#f6e4e8" in light
    assert "--leaf:#ff8899;--tint:#342c2b;--leaf-ink:#101613" in dark
    assert "" == accent_style(NO_APPEARANCE)


# --- checks ---


def findings(**values) -> dict[str, Finding]:
    return dict(appearance_findings(replace(NO_APPEARANCE, **values)))


def test_nothing_is_wrong_with_nothing_and_with_good_values():
    assert {} == findings()
    texts = (WelcomeText("ca", "x" * WELCOME_CHARS_MAX), WelcomeText("ar", "مرحبا"))
    assert {} == findings(
        accent="#b02040",
        accent_dark="#ff8899",
        welcome=texts,
        wifi_name="é" * 16,
        wifi_passphrase="8 letters",
    )


@pytest.mark.parametrize(
    ("values", "field", "says"),
    [
        ({"accent": "#ffcc00", "accent_dark": "#ffcc00"}, "accent", "#826800"),
        ({"accent": "#0a6848", "accent_dark": "#0a6848"}, "accent_dark", "#10a673"),
        ({"accent": "red", "accent_dark": "#ffcc00"}, "accent", "#0a6848"),
        ({"accent": "#0A6848", "accent_dark": "#ffcc00"}, "accent", "#0a6848"),
        ({"accent": "", "accent_dark": "#ffcc00"}, "accent", "#0a6848"),
        ({"welcome": (WelcomeText("ca", "x" * (WELCOME_CHARS_MAX + 1)),)}, "welcome-ca", "160"),
        ({"welcome": (WelcomeText("<b>", "x"),)}, "welcome-<b>", "remove"),
        ({"welcome": (WelcomeText("ca", "x"), WelcomeText("ca", "y"))}, "welcome-ca", "remove"),
        ({"wifi_name": "é" * 17}, "wifi_name", "shorten"),
        ({"wifi_passphrase": "7 chars"}, "wifi_passphrase", "8 to 63"),
        ({"wifi_passphrase": "x" * 64}, "wifi_passphrase", "8 to 63"),
        ({"wifi_passphrase": "contraseña"}, "wifi_passphrase", "8 to 63"),
    ],
)
def test_each_mistake_is_found_at_its_field_with_what_to_write_instead(values, field, says):
    assert says in findings(**values)[field].fix


def test_there_are_not_more_sentences_than_languages_of_the_terms():
    texts = tuple(WelcomeText(f"a{chr(97 + number)}", "x") for number in range(LANGUAGES_MAX + 1))
    assert 1 == len(findings(welcome=texts))


def test_a_key_of_64_hexadecimal_digits_is_a_passphrase():
    assert {} == findings(wifi_passphrase="0f" * 32)


# --- the QR code that joins ---


@pytest.mark.parametrize(
    ("name", "passphrase", "text"),
    [
        ("Vall Alta", "", "WIFI:T:nopass;S:Vall Alta;;"),
        ('a;b,c:d"e\\f', "", 'WIFI:T:nopass;S:a\\;b\\,c\\:d\\"e\\\\f;;'),
        ("Vall Alta", "p;w 12345", "WIFI:T:WPA;S:Vall Alta;P:p\\;w 12345;;"),
        ("cafe", "", 'WIFI:T:nopass;S:"cafe";;'),
        ("café", "", "WIFI:T:nopass;S:café;;"),
    ],
)
def test_the_qr_code_has_the_format_that_phones_read(name, passphrase, text):
    assert text == wifi_qr_text(name, passphrase)


WRITTEN_ALIKE = st.text(min_size=1).filter(
    lambda name: "," not in name and re.fullmatch("([0-9A-Fa-f]{2})+", name) is None
)
"""segno does not escape commas and puts no name in quotation marks."""


@given(WRITTEN_ALIKE, WRITTEN_ALIKE | st.just(""))
def test_another_library_writes_the_same_text(name, passphrase):
    theirs = segno.helpers.make_wifi_data(name, passphrase or None, "WPA" if passphrase else "nopass")
    assert theirs == wifi_qr_text(name, passphrase)


# --- logos ---


def test_a_png_is_a_logo():
    file = picture(64, 32)
    assert Logo("image/png", file, 64, 32) == read_logo(file)


@pytest.mark.parametrize("picture", [lossy(64, 32), lossless(64, 32)])
def test_a_webp_is_a_logo(picture):
    file = webp(picture)
    assert Logo("image/webp", file, 64, 32) == read_logo(file)


def test_what_is_not_the_picture_is_removed_from_a_png():
    file = png(
        64, 32, png_chunk(b"tEXt", b"Author\0Ana"), png_chunk(b"eXIf", b"where"), png_chunk(b"acTL", b"8")
    )
    assert png() == read_logo(file + b"<script>alert(1)</script>").data


def test_what_is_not_the_picture_is_removed_from_a_webp():
    picture = lossy(64, 32)
    file = webp(extended(64, 32, 0x3C), webp_chunk(b"ICCP", b"x"), picture, webp_chunk(b"EXIF", b"where"))
    assert webp(extended(64, 32, 0x10), picture) == read_logo(file + b"<script>").data


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"GIF89a" + b"x" * 50,
        b"\xff\xd8\xff\xe0" + b"x" * 50,
        png()[:-5],
        png().replace(b"IDAT", b"IDAX"),
        png(64, 32, png_chunk(b"NEED", b"x")),
        SIGNATURE + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND"),
        SIGNATURE + png_chunk(b"IHDR", b"short") + png_chunk(b"IDAT", b"x") + png_chunk(b"IEND"),
        webp(),
        webp(lossy(64, 32))[:-3],
        webp(extended(64, 32, 0x02), lossy(64, 32)),
        webp(extended(64, 32)),
        webp(webp_chunk(b"VP8X", b""), lossy(64, 32)),
        webp(webp_chunk(b"VP8 ", b"short")),
        webp(webp_chunk(b"VP8L", b"\0" * 20)),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_choose(file):
    assert "PNG" in read_logo(file).fix


@given(st.binary(max_size=60), st.sampled_from([png(), webp(extended(64, 32), lossy(64, 32))]), st.data())
def test_a_damaged_file_is_refused_and_never_an_error(noise, file, data):
    at = data.draw(st.integers(0, len(file)))
    for damaged in (noise, file[:at] + noise, file[:at] + noise + file[at:]):
        assert isinstance(read_logo(damaged), Logo | Finding)


@pytest.mark.parametrize(
    "file",
    [
        png(15, 64),
        png(64, LOGO_SIDE_MAX + 1),
        png(2**31 - 1, 2**31 - 1),
        webp(extended(64, 32), lossless(64, 5_000)),
    ],
)
def test_a_logo_has_sides_within_limits(file):
    assert "16 to 1024 pixels" in read_logo(file).fix


def test_a_logo_is_small_without_what_is_removed():
    room = LOGO_BYTES_MAX - len(png(data=b""))
    comment = png_chunk(b"tEXt", b"x" * 5_000)
    assert LOGO_BYTES_MAX == len(read_logo(png(64, 32, comment, data=b"x" * room)).data)
    assert "at most 10 kB" in read_logo(png(data=b"x" * (room + 1))).fix


def test_a_stored_logo_is_checked_when_it_is_read():
    logo = read_logo(png())
    assert logo == logo_in(logo.uri)
    for uri in (
        "",
        "data:image/svg+xml;base64,eA==",
        "data:image/png;base64,eA==",
        "data:image/png;base64,A",
    ):
        assert logo_in(uri) is None
