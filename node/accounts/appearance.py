"""Appearance of the community's pages and sheets: its logo, accent colour, sentence of welcome and Wi-Fi name.

Every value is checked here: an accent colour for its contrast with the backgrounds of both modes (WCAG 2.2, 1.4.3), a logo
by its signature, structure and dimensions. A logo is PNG or WebP, never SVG, which can contain scripts; what else the file
contains (comments, places, thumbnails) is removed.
"""

import base64
import binascii
import colorsys
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from node.accounts.terms import LANGUAGES_MAX, is_language
from node.errors import Finding
from node.translator import gettext_lazy

LOGO_BYTES_MAX = 10_000
"""Of the picture without what is removed from it."""
LOGO_SIDE_MIN, LOGO_SIDE_MAX = 16, 1_024
"""Pixels; a small file can hold a picture that takes gigabytes when it is shown."""
WELCOME_CHARS_MAX = 160
WIFI_NAME_BYTES_MAX = 32
"""IEEE 802.11, SSID."""
WIFI_PASSPHRASE_CHARS_MIN, WIFI_PASSPHRASE_CHARS_MAX = 8, 63
"""IEEE 802.11, passphrase of WPA; 64 hexadecimal digits are a key instead."""
CONTRAST_MIN = 4.5
"""For text (WCAG 2.2, 1.4.3); controls need 3 (1.4.11)."""
TINT = 0.12
"""Share of the accent colour in the background of highlighted parts."""

APPEARANCE_ROW = 1
"""Key of the only row in storage."""

Mode = Literal["light", "dark"]
Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class WelcomeText:
    """The sentence of welcome in one language."""

    language: str
    """Language tag of BCP 47: ``ca``."""
    text: str


@dataclass(frozen=True, slots=True)
class Appearance:
    """What the community chose; each empty value is that of Procomú, or absent."""

    accent: str = ""
    """Colour in light mode: ``#0a6848``."""
    accent_dark: str = ""
    """Colour in dark mode; both colours are set, or neither."""
    welcome: tuple[WelcomeText, ...] = ()
    wifi_name: str = ""
    wifi_passphrase: str = ""
    """Of a Wi-Fi with WPA; empty for an open one."""
    logo: str = ""
    """A ``data:`` URI that `read_logo` returned."""
    by: str = ""


NO_APPEARANCE = Appearance()
"""Everything is that of Procomú."""

# --- colours ------------------------------------------------------------------------------

BACKGROUNDS: Mapping[Mode, tuple[str, ...]] = {
    "light": ("#ffffff", "#f6f4ee", "#fbf0d9"),
    "dark": ("#18201c", "#101613", "#33290f"),
}
"""Of cards, pages and notes, as in the style sheets."""
BUTTON_TEXT: Mapping[Mode, str] = {"light": "#ffffff", "dark": "#101613"}
"""On the accent colour. Each is one of the backgrounds, so that it has their contrast."""
DEFAULT_ACCENTS: Mapping[Mode, str] = {"light": "#0a6848", "dark": "#6fd6ae"}
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_LIGHTNESS_STEPS = 255


def is_colour(text: str) -> bool:
    return _COLOUR.fullmatch(text) is not None


def contrast(colour: str, other: str) -> float:
    """Contrast ratio of two colours (WCAG 2.2): from 1 to 21."""
    dark, bright = sorted((_luminance(colour), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def tint(accent: str, mode: Mode) -> str:
    """The background of highlighted parts: the card with a little of the accent colour."""
    card = _rgb(BACKGROUNDS[mode][0])
    return _hex(tuple(part * TINT + of * (1 - TINT) for part, of in zip(_rgb(accent), card, strict=True)))


def is_readable(accent: str, mode: Mode) -> bool:
    """Whether text in this colour has enough contrast with every background of the mode."""
    grounds = (*BACKGROUNDS[mode], tint(accent, mode))
    return all(contrast(accent, ground) >= CONTRAST_MIN for ground in grounds)


def nearest_readable(colour: str, mode: Mode) -> str:
    """The colour itself if it is readable; otherwise the one of the same hue and saturation that is nearest in lightness."""
    if is_readable(colour, mode):
        return colour
    hue, lightness, saturation = colorsys.rgb_to_hls(*_rgb(colour))
    end = 0.0 if mode == "light" else 1.0
    for step in range(1, _LIGHTNESS_STEPS):
        other = lightness + (end - lightness) * step / _LIGHTNESS_STEPS
        found = _hex(colorsys.hls_to_rgb(hue, other, saturation))
        if is_readable(found, mode):
            return found
    return BUTTON_TEXT["dark" if mode == "light" else "light"]


def accent_style(appearance: Appearance) -> str:
    """A style sheet with the accent colours, which comes after that of the site; empty for Procomú's own. The mark of
    Procomú takes the colour too, if it is shown."""
    light, dark = appearance.accent, appearance.accent_dark
    if not light:
        return ""
    mark = "" if appearance.logo else f"header rect{{fill:{light}}}header path{{stroke:#fff}}"
    return (
        f":root{{--leaf:{light};--tint:{tint(light, 'light')}}}{mark}@media(prefers-color-scheme:dark)"
        f"{{:root{{--leaf:{dark};--tint:{tint(dark, 'dark')};--leaf-ink:{BUTTON_TEXT['dark']}}}}}"
    )


def _rgb(colour: str) -> Rgb:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _hex(rgb: Sequence[float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)


def _luminance(colour: str) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in _rgb(colour)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# --- checks -------------------------------------------------------------------------------


def appearance_findings(appearance: Appearance) -> Mapping[str, Finding]:
    """Everything that is wrong, by form field: ``accent``, ``accent_dark``, ``welcome-TAG``, ``wifi_name`` or
    ``wifi_passphrase``."""
    return {**_colours(appearance), **_welcome(appearance.welcome), **_wifi(appearance)}


def _colours(appearance: Appearance) -> dict[str, Finding]:
    found = {}
    modes: tuple[tuple[str, str, Mode], ...] = (
        ("accent", appearance.accent, "light"),
        ("accent_dark", appearance.accent_dark, "dark"),
    )
    for field, colour, mode in modes if appearance.accent or appearance.accent_dark else ():
        if not is_colour(colour):
            message = gettext_lazy("{text} is not a colour.", text=f"{colour!r:.40}")
            found[field] = _finding(message, gettext_lazy("write it as #0a6848"))
        elif not is_readable(colour, mode):
            found[field] = _finding(
                gettext_lazy("{colour} is too light to be read on light pages.", colour=colour)
                if mode == "light"
                else gettext_lazy("{colour} is too dark to be read on dark pages.", colour=colour),
                gettext_lazy(
                    "the nearest colour that can be read is {nearest}", nearest=nearest_readable(colour, mode)
                ),
            )
    return found


def _welcome(texts: Iterable[WelcomeText]) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    seen: set[str] = set()
    for text in texts:
        field = f"welcome-{text.language:.40}"
        if not is_language(text.language) or text.language in seen or len(seen) >= LANGUAGES_MAX:
            message = gettext_lazy("This language is unknown or there twice, or there are too many.")
            found[field] = _finding(message, gettext_lazy("remove its sentence"))
        elif len(text.text) > WELCOME_CHARS_MAX:
            message = gettext_lazy("This sentence is too long.")
            fix = gettext_lazy("write at most {number} characters", number=WELCOME_CHARS_MAX)
            found[field] = _finding(message, fix)
        seen.add(text.language)
    return found


def _wifi(appearance: Appearance) -> dict[str, Finding]:
    found = {}
    name, passphrase = appearance.wifi_name, appearance.wifi_passphrase
    if len(name.encode("utf-8", "replace")) > WIFI_NAME_BYTES_MAX:
        message = gettext_lazy("A Wi-Fi name has at most {number} bytes.", number=WIFI_NAME_BYTES_MAX)
        fix = gettext_lazy("shorten it; a letter with an accent counts twice, others even more")
        found["wifi_name"] = _finding(message, fix)
    if passphrase and not _is_wifi_passphrase(passphrase):
        message = gettext_lazy("This cannot be the password of a Wi-Fi.")
        fix = gettext_lazy("write 8 to 63 letters, digits and signs without accents, as in the access point")
        found["wifi_passphrase"] = _finding(message, fix)
    return found


def _is_wifi_passphrase(text: str) -> bool:
    is_key = len(text) == WIFI_PASSPHRASE_CHARS_MAX + 1 and re.fullmatch(r"[0-9A-Fa-f]*", text) is not None
    has_length = WIFI_PASSPHRASE_CHARS_MIN <= len(text) <= WIFI_PASSPHRASE_CHARS_MAX
    return is_key or (has_length and text.isascii() and text.isprintable())


def _finding(message: str, fix: str) -> Finding:
    return Finding("appearance", 0, message, fix)


# --- the QR code that joins a Wi-Fi -------------------------------------------------------

_ESCAPED = re.compile(r'([\\;,:"])')


def wifi_qr_text(name: str, passphrase: str = "") -> str:
    """Text of a QR code that phones offer to join as a Wi-Fi, in the format of ZXing."""
    # A name that could also be read as hexadecimal digits is in quotation marks.
    is_hex = re.fullmatch(r"([0-9A-Fa-f]{2})+", name) is not None
    name = f'"{name}"' if is_hex else _ESCAPED.sub(r"\\\1", name)
    if not passphrase:
        return f"WIFI:T:nopass;S:{name};;"
    return f"WIFI:T:WPA;S:{name};P:{_ESCAPED.sub(r'\\\1', passphrase)};;"


# --- logos --------------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"IDAT", b"IEND"})
"""The chunks of a PNG that decide how its (first) picture looks; others are removed."""
_WEBP_CHUNKS = frozenset({b"VP8X", b"ALPH", b"VP8 ", b"VP8L"})
_WEBP_ALPHA, _WEBP_ANIMATED = 0x10, 0x02
_DATA_URI = re.compile(r"data:image/(png|webp);base64,([A-Za-z0-9+/]+={0,2})")


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture without metadata."""

    content_type: str
    data: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """As a ``data:`` URI."""
        return f"data:{self.content_type};base64,{base64.b64encode(self.data).decode()}"


def read_logo(file: bytes) -> Logo | Finding:
    """Checks a picture, and removes what is not needed to show it."""
    logo = _read_png(file) or _read_webp(file)
    if logo is None:
        message = gettext_lazy("This file is not a PNG or WebP picture, or it is damaged or animated.")
        return _finding(message, gettext_lazy("save the logo as PNG and choose that file"))
    if not all(LOGO_SIDE_MIN <= side <= LOGO_SIDE_MAX for side in (logo.width, logo.height)):
        message = gettext_lazy(
            "The logo has {width} × {height} pixels.", width=logo.width, height=logo.height
        )
        fix = gettext_lazy(
            "make each side {least} to {most} pixels long", least=LOGO_SIDE_MIN, most=LOGO_SIDE_MAX
        )
        return _finding(message, fix)
    if len(logo.data) > LOGO_BYTES_MAX:
        message = gettext_lazy("The logo has {number} kB.", number=-(-len(logo.data) // 1_000))
        fix = gettext_lazy(
            "make it at most {number} kB, with fewer pixels or fewer colours", number=LOGO_BYTES_MAX // 1_000
        )
        return _finding(message, fix)
    return logo


def logo_in(uri: str) -> Logo | None:
    """The logo of a ``data:`` URI; None for anything else."""
    match = _DATA_URI.fullmatch(uri)
    if match is None:
        return None
    try:
        logo = read_logo(base64.b64decode(match[2], validate=True))
    except binascii.Error:
        return None
    return logo if isinstance(logo, Logo) else None


def _read_png(file: bytes) -> Logo | None:
    if not file.startswith(_PNG):
        return None
    chunks: list[tuple[bytes, bytes]] = []
    at = len(_PNG)
    while not chunks or chunks[-1][0] != b"IEND":
        kind, end = file[at + 4 : at + 8], at + 12 + int.from_bytes(file[at : at + 4])
        if end > len(file) or zlib.crc32(file[at + 4 : end - 4]) != int.from_bytes(file[end - 4 : end]):
            return None
        if kind not in _PNG_CHUNKS and not kind[0] & 0x20:
            return None  # a chunk without which the picture cannot be decoded
        if kind in _PNG_CHUNKS:
            chunks.append((kind, file[at:end]))
        at = end
    kinds, header = [kind for kind, _ in chunks], chunks[0][1]
    if kinds[0] != b"IHDR" or len(header) != 25 or kinds.count(b"IHDR") > 1 or b"IDAT" not in kinds:
        return None
    width, height = int.from_bytes(header[8:12]), int.from_bytes(header[12:16])
    return Logo("image/png", _PNG + b"".join(chunk for _, chunk in chunks), width, height)


def _read_webp(file: bytes) -> Logo | None:
    if file[:4] != b"RIFF" or file[8:12] != b"WEBP":
        return None
    end = 8 + int.from_bytes(file[4:8], "little")
    chunks: list[bytes] = []
    sizes: list[tuple[int, int]] = []
    at = 12
    while at < end:
        kind, length = file[at : at + 4], int.from_bytes(file[at + 4 : at + 8], "little")
        data = file[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
        flags = int.from_bytes(data[:1]) if kind == b"VP8X" else 0
        if at > len(file) or len(data) < length or flags & _WEBP_ANIMATED:
            return None
        if kind in _WEBP_CHUNKS:
            data = bytes([flags & _WEBP_ALPHA]) + data[1:] if kind == b"VP8X" else data
            chunks.append(kind + length.to_bytes(4, "little") + data + b"\0" * (length % 2))
            sizes += _webp_size(kind, data)
    stated = [each for each in chunks if not each.startswith(b"ALPH")]
    if len(sizes) != len(stated) or not any(each.startswith((b"VP8 ", b"VP8L")) for each in stated):
        return None
    body = b"WEBP" + b"".join(chunks)
    whole = b"RIFF" + len(body).to_bytes(4, "little") + body
    return Logo("image/webp", whole, max(size[0] for size in sizes), max(size[1] for size in sizes))


def _webp_size(kind: bytes, data: bytes) -> list[tuple[int, int]]:
    """Width and height that a chunk states; empty if it is damaged or states none."""
    match kind:
        case b"VP8X" if len(data) == 10:
            return [(int.from_bytes(data[4:7], "little") + 1, int.from_bytes(data[7:10], "little") + 1)]
        case b"VP8L" if len(data) > 5 and data[0] == 0x2F:
            bits = int.from_bytes(data[1:5], "little")
            return [((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)]
        case b"VP8 " if len(data) > 10 and data[3:6] == b"\x9d\x01\x2a":
            width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
            return [(width & 0x3FFF, height & 0x3FFF)]
    return []
