"""GLOSSARY.md: one line a term, sorted, each with the standard term and its source, and each defined in the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "GLOSSARY.md").read_text().splitlines()
    if line.startswith("| `")
]
SOURCES = [path for package in ("node", "captive_portal", "mesh") for path in (ROOT / package).rglob("*.py")]


def defined(path: Path) -> Iterator[str]:
    """Names of a file's package, its module, and the classes, functions and fields that it defines."""
    yield from (path.parent.name, path.stem)
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def test_each_term_is_defined_in_the_code():
    """A word that only a comment or a text contains is no term of the code."""
    names = {name for path in SOURCES for name in defined(path)}
    assert [] == [row[0] for row in ROWS if row[0].strip("`") not in names]


def test_each_line_has_a_term_its_standard_and_a_source():
    assert len(ROWS) > 80
    assert [] == [row for row in ROWS if len(row) != 3 or not all(row)]


def test_each_term_is_listed_once_and_in_order():
    terms = [row[0].strip("`").lower().replace("_", "") for row in ROWS]
    assert sorted(set(terms)) == terms
