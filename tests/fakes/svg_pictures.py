"""Reads SVG as a browser would, as far as plots use it: whether all of it is within its picture."""

import re
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
_PARTS = re.compile(r"([MhvlVHz])([^MhvlVHz]*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
SIDE = 88
"""Pixels beside a plot that texts of its axis may use."""


def read_svg(text: str) -> ET.Element:
    """Raises ParseError unless it is well-formed."""
    return ET.fromstring(text)


def inline(part: str) -> str:
    """The part of a page as a document of its own."""
    return part.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)


def places_of(path: str) -> list[tuple[float, float]]:
    """All points that a path goes through."""
    x = y = start_x = start_y = 0.0
    found = []
    for letter, rest in _PARTS.findall(path):
        numbers = [float(each) for each in _NUMBER.findall(rest)]
        match letter:
            case "M":
                x, y = start_x, start_y = numbers
            case "h":
                x += numbers[0]
            case "v":
                y += numbers[0]
            case "V":
                y = numbers[0]
            case "l":
                x, y = x + numbers[0], y + numbers[1]
            case "z":
                x, y = start_x, start_y
        found.append((x, y))
    return found


def outside(root: ET.Element) -> list[str]:
    """What is not within the picture: of paths in the inner picture, of everything else in percent and pixels."""
    found = []
    width, height = (
        float(each) for each in root.attrib.get("viewBox", f"0 0 0 {root.attrib['height']}").split()[2:]
    )
    for element in root.iter():
        if element.tag == f"{SVG}svg" and element.get("preserveAspectRatio") == "none":
            *_, inner_width, inner_height = (float(each) for each in element.attrib["viewBox"].split())
            for path in element.iter(f"{SVG}path"):
                found += [
                    f"path {x} {y}"
                    for x, y in places_of(path.attrib["d"])
                    if not (0 <= x <= inner_width and 0 <= y <= inner_height)
                ]
        if element.tag in {f"{SVG}text", f"{SVG}line", f"{SVG}rect"}:
            found += [
                f"{name} {value}"
                for name, value in element.attrib.items()
                if name in {"x", "x1", "x2", "y", "y1", "y2"} and not _is_within(name, value, width, height)
            ]
            found += [f"dx {dx}" for dx in (element.get("dx", "0"),) if abs(int(dx)) > SIDE]
    return found


def _is_within(name: str, value: str, width: float, height: float) -> bool:
    if value.endswith("%"):
        return 0 <= float(value[:-1]) <= 100
    return 0 <= float(value) <= (width if name.startswith("x") else height)
