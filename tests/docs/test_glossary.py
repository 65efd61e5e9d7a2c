"""GLOSSARY.md: one line a term, sorted, each with the standard term and its source, and each used in the code."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "GLOSSARY.md").read_text().splitlines()
    if line.startswith("| `")
]
SOURCES = [path for room in ("node", "captive_portal", "mesh") for path in (ROOT / room).rglob("*.py")]


def test_each_term_is_used_in_the_code():
    used = {word for path in SOURCES for word in re.findall(r"\w+", path.read_text())}
    used |= {path.stem for path in SOURCES}
    assert [] == [row[0] for row in ROWS if row[0].strip("`") not in used]


def test_each_line_has_a_term_its_standard_and_a_source():
    assert len(ROWS) > 80
    assert [] == [row for row in ROWS if len(row) != 3 or not all(row)]


def test_each_term_is_listed_once_and_in_order():
    terms = [row[0].strip("`").lower().replace("_", "") for row in ROWS]
    assert sorted(set(terms)) == terms
