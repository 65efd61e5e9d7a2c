"""Renders terminal lines with ANSI colours as an SVG image."""

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 19, 18
_CODE = re.compile(r"\x1b\[(\d+)m")
_STYLES = {
    "1": "font-weight:bold",
    "2": "fill:#7d8590",
    "31": "fill:#ff7b72",
    "32": "fill:#56d364",
    "33": "fill:#e3b341",
    "36": "fill:#79c0ff",
}


def as_svg(lines: Sequence[str]) -> str:
    """An image of `lines` as a terminal shows them."""
    columns = max((len(_CODE.sub("", line)) for line in lines), default=0)
    width, height = columns * CELL_WIDTH + 2 * MARGIN, len(lines) * CELL_HEIGHT + 2 * MARGIN
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + (number + 1) * CELL_HEIGHT - 5}">{_spans(line)}</text>'
        for number, line in enumerate(lines)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}">\n'
        "<style>text{font:14px ui-monospace,'DejaVu Sans Mono',monospace;fill:#e6edf3;white-space:pre}</style>\n"
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def _spans(line: str) -> str:
    styles: list[str] = []
    made = ""
    for place, part in enumerate(_CODE.split(line)):
        if place % 2:
            styles = [] if part == "0" else [*styles, _STYLES.get(part, "")]
        elif part:
            made += f'<tspan style="{";".join(styles)}" xml:space="preserve">{escape(part)}</tspan>'
    return made
