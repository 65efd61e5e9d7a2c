"""Plain modern English in comments, docstrings, names, documents, scripts and templates: some words are not used.

String literals in Python are not checked here; texts for people are in the catalogues and have tests of their own.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_ROOTS = ("node", "captive_portal", "mesh", "tests")
TEMPLATES = ("node/admin/templates", "captive_portal/templates")
SCRIPT_ROOTS = (".ci", "deploy", "tests/lab", "tests/vm")

NOT_AN_AMOUNT = "".join(
    rf"(?<!{verb}\s)" for verb in ("costs", "cost", "takes", "take", "needs", "gets", "asks")
)
"""As in 'a long passphrase costs no more'."""
INSTEAD = {
    r"whoever|whomever": "a noun and a relative clause: 'a person who', 'the device that'; or 'anyone who'",
    r"whom": "a sentence without it: 'the person who is asked', 'the device that it belongs to'",
    r"anew": "'again', or the verb: 'restarted', 'recreated', 'rebuilt'",
    r"for\s+ever": "'permanently', 'without limit' or 'endless'",
    rf"(?:{NOT_AN_AMOUNT})no\s+more(?=\s*(?:[.,;:)]|$))|(?:is|are|was|were)\s+no\s+more(?=\s+\w+ed\b)": (
        "'no longer', 'not ... any longer'"
    ),
    r"once\s+more": "'again', or 'one more time'",
}
"""Regular expression of whole words, in any case, and what to write instead."""

HEADLESS = (
    "a subject: 'A device that asks again waits', 'People who joined'; or a question with its question mark"
)
"""For a sentence that begins with 'Who does' and is no question; in a test's name, for `test_who_does`."""

WORDS = tuple((re.compile(rf"\b(?:{words})", re.IGNORECASE), instead) for words, instead in INSTEAD.items())
WORD_END = re.compile(r"\w")
SENTENCE_WITH_WHO = re.compile(r"(?:\A|(?<=[.!?:;]\s)|(?<=\|\s))Who\s+(?!to\b)[^.!?|]*(?P<end>[.!?|]|\Z)")
NAME_WITH_WHO = re.compile(r"\Atest_who_(?!to_)")


@dataclass(frozen=True, slots=True)
class Block:
    """Text that belongs together, such as a docstring or a paragraph, and the number of its first line."""

    line: int
    text: str


def findings(block: Block) -> Iterator[str]:
    """What is wrong in a block: its line, the words found, and what to write instead."""
    for pattern, instead in WORDS:
        for match in pattern.finditer(block.text):
            if not WORD_END.match(block.text, match.end()):
                yield said(block, match.start(), match.group(), instead)
    for match in SENTENCE_WITH_WHO.finditer(block.text):
        if match["end"] != "?":
            yield said(block, match.start(), match.group(), HEADLESS)


def said(block: Block, at: int, words: str, instead: str) -> str:
    line = block.line + block.text.count("\n", 0, at)
    return f"{line}: {' '.join(words.split())[:40]!r}: write {instead}"


def docstrings(tree: ast.AST) -> Iterator[Block]:
    """Docstrings of modules, classes and functions, and strings that document an attribute."""
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield Block(node.lineno, text)


def comments(source: str) -> Iterator[Block]:
    """Comments; those on lines that follow each other are one block."""
    found: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if found and token.start[0] != found[-1][0] + 1:
                yield joined(found)
                found = []
            found.append((token.start[0], token.string.lstrip("# ")))
    if found:
        yield joined(found)


def joined(lines: list[tuple[int, str]]) -> Block:
    return Block(lines[0][0], "\n".join(text for _, text in lines))


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names that the module gives: of functions, classes, arguments, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name):
                yield node.lineno, name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name


def of_name(line: int, name: str) -> Iterator[str]:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).replace("_", " ").strip()
    yield from findings(Block(line, words.lower()))
    if NAME_WITH_WHO.match(name):
        yield f"{line}: {name!r}: write {HEADLESS}"


def of_python(path: Path) -> Iterator[str]:
    source = path.read_text()
    tree = ast.parse(source)
    for block in (*docstrings(tree), *comments(source)):
        yield from findings(block)
    for line, name in ((0, path.stem), *names(tree)):
        yield from of_name(line, name)


def paragraphs(path: Path) -> Iterator[Block]:
    """The text of a document, script or template, divided at empty lines; quotes and comment signs do not count."""
    number = 1
    for paragraph in re.split(r"(\n[ \t]*\n)", path.read_text()):
        yield Block(number, re.sub(r"(?m)^[ \t]*(?:[#>*-]+[ \t]+|\{#-?[ \t]*)", "", paragraph))
        number += paragraph.count("\n")


def of_text(path: Path) -> Iterator[str]:
    for block in paragraphs(path):
        yield from findings(block)


def texts() -> Iterator[Path]:
    """Documents of the whole tree, templates, and scripts, which are known by their first line."""
    for path in sorted(ROOT.rglob("*.md")):
        if not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            yield path
    for folder in TEMPLATES:
        yield from sorted(path for path in (ROOT / folder).iterdir() if path.is_file())
    for folder in SCRIPT_ROOTS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and re.match(rb"#!.*sh\n", path.read_bytes()):
                yield path


PYTHON = [
    path for root in PYTHON_ROOTS for path in sorted((ROOT / root).rglob("*.py")) if path != Path(__file__)
]


def wrong(path: Path) -> list[str]:
    """A line for each finding: file, line, words, and what to write instead."""
    found = of_python(path) if path.suffix == ".py" else of_text(path)
    return [f"{path.relative_to(ROOT)}:{each}" for each in found]


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_python_is_in_plain_words(path: Path) -> None:
    assert [] == wrong(path)


@pytest.mark.parametrize("path", list(texts()), ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_scripts_and_templates_are_in_plain_words(path: Path) -> None:
    assert [] == wrong(path)


@pytest.mark.parametrize(
    "text",
    [
        "Whoever asks waits.",
        "the device for whom it is",
        "is made anew",
        "kept for\never",
        "a name that is no more",
        "rules that are no more used",
        "It is asked once more.",
        "Who asks again waits.",
        "It ends. Who is online reads that.",
    ],
)
def test_each_of_these_is_found(text: str) -> None:
    assert 1 == len(list(findings(Block(1, text))))


@pytest.mark.parametrize(
    "text",
    [
        "no more than ten",
        "asked no more often within the hour",
        "A long one costs no more.",
        "Who is asking?",
        "Who to ask for help",
        "the person who asks",
        "a whomping bandwidth",
        "it lasts forever in valid_lft",
    ],
)
def test_none_of_these_is_found(text: str) -> None:
    assert [] == list(findings(Block(1, text)))


def test_a_finding_has_its_line() -> None:
    (found,) = findings(Block(7, "one\ntwo\nanew"))
    assert found.startswith("9: 'anew': write")


def test_names_are_checked_too() -> None:
    assert 1 == len(list(of_name(1, "made_anew")))
    assert 1 == len(list(of_name(1, "MadeAnew")))
    assert 1 == len(list(of_name(1, "test_who_asks_waits")))
    assert [] == list(of_name(1, "show_members"))
