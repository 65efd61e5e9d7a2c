"""One plot as SVG: what the three kinds have in common, its frame, its style, and the whole picture for an address.

The width is that of the page: places along it are in percent, places below each other in pixels, and what is drawn of the
values is in an inner picture that is stretched. So texts keep their size on every screen.
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from node.plots.time_axis import TimeMark
from node.plots.value_axis import ValueAxis

HEAD, HEIGHT, FOOT = 20, 180, 24
"""Pixels for the uppermost number, for the values, and for the texts of the time axis."""
LEVELS = 2 * HEIGHT
"""Height of the inner picture, in units of its own."""
WIDTH_MIN, WIDTH, WIDTH_MAX = 320, 640, 1200
"""Pixels of a picture for an address."""
NUMBERS, NAMES = 40, 88
"""Pixels at the side where lines begin, for the numbers of the axis, or for names of days."""
_MARGIN, _TITLES = 12, 52
"""Around such a picture, and room for its two titles."""
_CHARACTER = 8
"""Pixels of an average character of a title, and a little more."""

STYLE = (
    ".plot{display:block;box-sizing:border-box;width:100%;padding-inline-start:40px;overflow:visible}"
    ".plot text{font:13px system-ui,-apple-system,Roboto,Noto Sans,sans-serif}"
    ".names{padding-inline-start:88px}"
    ".plot text{fill:var(--soft);paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}"
    ".plot .grid{stroke:var(--line)}"
    ".plot .zero,.plot .none{stroke:var(--soft)}"
    ".plot .gap{fill:var(--soft);opacity:.14}"
    ".plot .band,.plot .bar,.plot .box{fill:var(--leaf)}"
    ".plot .band{opacity:.28}"
    ".plot .mean{fill:none;stroke:var(--leaf);stroke-width:1.5;stroke-linejoin:round;vector-effect:non-scaling-stroke}"
    ".plot .part{opacity:.45}"
    ".plot .a{opacity:.1}.plot .b{opacity:.3}.plot .c{opacity:.5}.plot .d{opacity:.75}"
    ".plot .w{display:none}"
    "@media(min-width:44em){.plot .w{display:inline}}"
)
"""Of a plot, on pages whose style has the colours."""
ALONE_STYLE = STYLE + (
    "svg{color-scheme:light dark;--card:#fff;--ink:#18241f;--soft:#4d5b54;--line:#dcd8cc;--leaf:#0a6848}"
    "@media(prefers-color-scheme:dark){svg{--card:#18201c;--ink:#e9f0eb;--soft:#a9b8b0;--line:#303c36;--leaf:#6fd6ae}}"
    "@media print{svg{--card:#fff;--ink:#000;--soft:#333;--line:#bbb;--leaf:#0a6848}}"
    ".alone{padding:0}.paper{fill:var(--card)}"
    ".plot .title{fill:var(--ink);font-weight:650;font-size:15px}"
)
"""Of a picture for an address: the same, with the colours."""


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn, for a place of any width."""

    body: str
    """SVG in which names are escaped."""
    height: int
    """Pixels."""
    title: str
    description: str
    """Sentences that say the same."""
    is_rtl: bool = False
    has_names: bool = False
    """Whether names of days are at its side, which need more room than numbers."""

    def part(self, key: str) -> str:
        """For a page, with the style `STYLE` and the colours of the page. `key`: of ids, once in each page."""
        kind = "plot names" if self.has_names else "plot"
        return (
            f'<svg class="{kind}" height="{self.height}" {_said(key)}{_direction(self.is_rtl)}>'
            f"{self._words(key)}{self.body}</svg>"
        )

    def alone(self, below: str, tag: str, width: int = WIDTH) -> str:
        """A whole picture with its titles and colours. `below`: the second title; `tag`: the language."""
        width = max(WIDTH_MIN, min(WIDTH_MAX, width))
        height = self.height + _TITLES + _MARGIN
        start = width - _MARGIN if self.is_rtl else _MARGIN
        side = NAMES if self.has_names else NUMBERS
        left, room = _MARGIN + (0 if self.is_rtl else side), width - 2 * _MARGIN
        characters = room // _CHARACTER
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="plot alone" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" xml:lang="{escaped(tag)}" {_said("plot")}{_direction(self.is_rtl)}>'
            f"{self._words('plot')}<style>{ALONE_STYLE}</style>"
            f'<rect class="paper" width="{width}" height="{height}"/>'
            f'<text class="title" x="{start}" y="22">{escaped(_short(self.title, characters))}</text>'
            f'<text x="{start}" y="42">{escaped(_short(below, characters))}</text>'
            f'<svg x="{left}" y="{_TITLES}" width="{room - side}" height="{self.height}" overflow="visible">'
            f"{self.body}</svg></svg>"
        )

    def _words(self, key: str) -> str:
        return (
            f'<title id="{key}-title">{escaped(self.title)}</title>'
            f'<desc id="{key}-text">{escaped(self.description)}</desc>'
        )


def escaped(text: str) -> str:
    """A text for XML, in an element or in an attribute; without the characters that XML cannot have."""
    return html.escape("".join(each for each in text if each.isprintable() or each in _KEPT))


_KEPT = frozenset("\t\n \xa0\u202f\u200c\u200d\u200e\u200f\u2066\u2067\u2068\u2069")
"""Not printable for Python: spaces, and marks of writing directions and of joined letters."""


def text(
    share: float, y: int, said: str, *, is_rtl: bool, anchor: str = "start", kind: str = "", dx: int = 0
) -> str:
    """A text at a part of the width, or `dx` pixels after it."""
    more = (f' class="{kind}"' if kind else "") + (f' text-anchor="{anchor}"' if anchor != "start" else "")
    moved = f' dx="{-dx if is_rtl else dx}"' if dx else ""
    return f'<text x="{percent(share, is_rtl=is_rtl)}"{moved} y="{y}"{more}>{escaped(said)}</text>'


def beside(y: int, said: str, *, is_rtl: bool) -> str:
    """A text at the side where lines begin, close to the plot."""
    return text(0, y, said, is_rtl=is_rtl, anchor="end", dx=-6)


def percent(share: float, *, is_rtl: bool) -> str:
    """A part of the width; from right to left where a language is written so."""
    within = min(1.0, max(0.0, share))
    return f"{round(100 * (1 - within if is_rtl else within), 2):g}%"


def framed(
    inner: str, width: int, axis: ValueAxis, said: Sequence[str], marks: Sequence[TimeMark], *, is_rtl: bool
) -> str:
    """The body of a plot with two axes. `inner` is drawn `width` wide and `LEVELS` high; `said`: the numbers of the axis,
    of which the last one has the unit and is above the plot."""
    levels = [(tick, HEAD + axis.level(tick, HEIGHT)) for tick in axis.ticks]
    lines = "".join(
        f'<line class="{"grid" if tick else "zero"}" x2="100%" y1="{y}" y2="{y}"/>' for tick, y in levels
    )
    numbers = "".join(
        beside(y + 4, each, is_rtl=is_rtl) for (_, y), each in zip(levels[:-1], said[:-1], strict=True)
    )
    highest = text(0, HEAD - 6, said[-1], is_rtl=is_rtl, dx=-NUMBERS)
    drawn = stretched(inner, width, is_rtl=is_rtl)
    return f"{lines}{drawn}{numbers}{highest}{_time_axis(marks, is_rtl=is_rtl)}"


def stretched(inner: str, width: int, *, is_rtl: bool) -> str:
    """An inner picture as wide as the plot, which begins at the side where lines of text begin."""
    return (
        f'<svg y="{HEAD}" width="100%" height="{HEIGHT}" viewBox="0 0 {width} {LEVELS}" preserveAspectRatio="none">'
        f"{mirrored(inner, width, is_rtl=is_rtl)}</svg>"
    )


def mirrored(inner: str, width: int, *, is_rtl: bool) -> str:
    """The same from right to left, where a language is written so."""
    return f'<g transform="matrix(-1 0 0 1 {width} 0)">{inner}</g>' if is_rtl else inner


def path(kind: str, parts: Iterable[str]) -> str:
    """One path of many parts; nothing without any."""
    drawn = "".join(parts)
    return f'<path class="{kind}" d="{drawn}"/>' if drawn else ""


def _time_axis(marks: Sequence[TimeMark], *, is_rtl: bool) -> str:
    below = HEAD + HEIGHT
    drawn = []
    for each in marks:
        x = percent(each.share, is_rtl=is_rtl)
        kind = "w" if each.is_wide else ""
        drawn.append(
            f'<line class="zero{" w" if kind else ""}" x1="{x}" x2="{x}" y1="{below}" y2="{below + 5}"/>'
        )
        drawn.append(text(each.share, below + 19, each.text, is_rtl=is_rtl, anchor=each.anchor, kind=kind))
    return "".join(drawn)


def _said(key: str) -> str:
    return f'role="img" aria-labelledby="{key}-title" aria-describedby="{key}-text"'


def _direction(is_rtl: bool) -> str:
    return ' direction="rtl"' if is_rtl else ""


def _short(title: str, characters: int) -> str:
    return title if len(title) <= characters else f"{title[: characters - 1]}…"
