"""What documents, docstrings and comments name exists: files, modules, names of the code, commands and settings."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.cli.arguments import VERBS
from node.config.settings import SECTIONS, SETTINGS
from tests.architecture.test_prose import comments, docstrings
from tests.architecture.test_structure import name_of
from tests.architecture.tree_files import tree_files
from tests.docs.test_glossary import defined

ROOT = Path(__file__).parents[2]
FILES = {str(file) for file in tree_files()}
FILE_NAMES = {Path(name).name for name in FILES}
PYTHON = sorted(name for name in FILES if name.endswith(".py"))
DOCUMENTS = sorted(name for name in FILES if name.endswith(".md"))
PACKAGES = ("node", "captive_portal", "mesh", "tests")
FOREIGN = {
    "insert_all",
    "upsert",
    "print_r",
    "get_image",
    "locktime",
    "KEY_reason",
    "KEY_failed",
    "test_who_does",
}
"""Names of other programs and libraries, and two patterns of names."""
MADE_LATER = {
    "sheet.html",
    "FILE.html",
    "portal.crt",
    "portal.key",
    "node.toml",
    "recovery.html",
    "rules.toml",
    "members.toml",
    "community.key",
    "community.secrets",
    "node.key",
    "backup.pub",
    "adopted.rules.toml",
    "adopted.members.toml",
    "admin-certificate.pem",
    "procomu.db",
    "backup.json",
    "unfinished.json",
    "recovery.txt",
    "library.backup",
    "node/web/languages/TAG.po",
    "node/release",
}
"""Files that people or a command in a document write."""
NO_COMMANDS = {"procomu public key wrapper v1", "procomu community secret"}

TICKED = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"(?<![\w./$-])[\w-][\w./-]*\.(?:py|md|html|css|webp)(?![\w.])")
PATH = re.compile(rf"(?:{'|'.join((*PACKAGES, 'deploy'))})/[\w./-]*")
LINK = re.compile(r"\]\(([^)#:]+)\)")
DOTTED = re.compile(rf"(?:{'|'.join((*PACKAGES, *SECTIONS))})(?:\.\w+)+")
NAME = re.compile(r"[A-Za-z]+(?:_[A-Za-z0-9]+)+|(?:[A-Z][a-z0-9]+){2,}")
"""With an underscore or several capital letters: a name of the code rather than a word of the language."""


def names_in(name: str) -> Iterator[str]:
    """Names and words of a file that are neither in a comment nor in a docstring."""
    text = (ROOT / name).read_text(errors="replace")
    if not name.endswith(".py"):
        yield from re.findall(r"\w+", text)
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.string
        elif token.type in {tokenize.STRING, tokenize.FSTRING_MIDDLE} and '"""' not in token.string:
            yield from re.findall(r"\w+", token.string)


MODULES = {name_of(ROOT / name).removesuffix(".__init__"): set(defined(ROOT / name)) for name in PYTHON}
FOLDERS = {str(parent).replace("/", ".") for name in PYTHON for parent in Path(name).parents}
CODE = (".py", ".html", ".css", ".toml", ".service", "/setup", "/check", "/demo", "/bench", "/lab")
NAMES = {Path(name).stem for name in PYTHON} | {
    word
    for name in FILES - {str(Path(__file__).relative_to(ROOT))}
    if name.endswith(CODE)
    for word in names_in(name)
}
SETTING_NAMES = {f"{setting.section}.{setting.key}" for setting in SETTINGS}
OPTIONS = {verb.name: {argument.name.split()[0] for argument in verb.arguments} for verb in VERBS}


def is_file(path: str, document: str) -> bool:
    """Below the tree, the folder of the document, or `tests`; a name without a folder can be anywhere."""
    starts = ("", f"{Path(document).parent}/".removeprefix("./"), "tests/")
    return any(start + path in FILES for start in starts) or path in FILE_NAMES | MADE_LATER


def is_dotted(name: str) -> bool:
    """A module, something that a module defines, or a setting."""
    before, _, last = name.rpartition(".")
    above, _, owner = before.rpartition(".")
    return (
        name in MODULES.keys() | FOLDERS | SETTING_NAMES
        or last in MODULES.get(before, ())
        or {owner, last} <= MODULES.get(above, set())
    )


def is_command(text: str) -> bool:
    """Begins with an existing verb of `procomu`, and has no option that the verb does not know."""
    words = text.split()[1:]
    verbs = [name for name in OPTIONS if words[: len(name.split())] == name.split()]
    if not verbs:
        return len(words) == 1 and words[0] in {name.split()[0] for name in OPTIONS}
    known = OPTIONS[max(verbs, key=len)] | {"--config", "--help"}
    return {word for word in words if word.startswith("--")} <= known


def wrong(text: str, where: str) -> list[str]:
    """What `text` names between backticks, or as a file, and does not exist."""
    found = [path for path in FILE.findall(text) if not is_file(path, where)]
    for said in TICKED.findall(text):
        if said in FILE_NAMES | MADE_LATER | NO_COMMANDS or FILE.fullmatch(said):
            continue
        if PATH.fullmatch(said):
            found += [] if (ROOT / said).exists() else [said]
        elif DOTTED.fullmatch(said):
            found += [] if is_dotted(said) else [said]
        elif re.match("procomu [a-z]", said):
            found += [] if is_command(said) else [said]
        else:
            found += [
                each for each in said.split(".") if NAME.fullmatch(each) and each not in NAMES | FOREIGN
            ]
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_names_exists(name: str) -> None:
    text = (ROOT / name).read_text()
    if name == "GLOSSARY.md":  # the other columns name other projects; the first has a test of its own
        text = "\n".join(line for line in text.splitlines() if not line.startswith("| "))
    assert [] == wrong(text, name)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_a_document_links_to_exists(name: str) -> None:
    folder = (ROOT / name).parent
    links = LINK.findall((ROOT / name).read_text())
    assert [] == [link for link in links if not (folder / link).exists()]


@pytest.mark.parametrize("name", [name for name in PYTHON if ROOT / name != Path(__file__)])
def test_what_docstrings_and_comments_name_exists(name: str) -> None:
    source = (ROOT / name).read_text()
    blocks = (*docstrings(ast.parse(source)), *comments(source))
    assert [] == [found for block in blocks for found in wrong(block.text, name)]


@pytest.mark.parametrize(
    "text",
    [
        "see node/web/no_such_file.py",
        "`no_such_file.py`",
        "`node/no-such-folder`",
        "`node.web.no_such_module`",
        "`node.web.connections.NoSuchClass`",
        "`NoSuchClass`",
        "`SessionTable.no_such_method`",
        "`no_such_function`",
        "`portal.no_such_setting`",
        "`procomu no-such-verb`",
        "`procomu status --no-such-option`",
    ],
)
def test_a_name_of_nothing_is_found(text: str) -> None:
    assert 1 == len(wrong(text, "README.md"))


@pytest.mark.parametrize(
    "text",
    [
        "`node/web/connections.py`",
        "`tests/lab`",
        "`connections.py`",
        "`node.web.connections.Limits.idle_s`",
        "`SessionTable.handle`",
        "`portal.host`",
        "`procomu rules check --json`",
        "`procomu admin`",
        "`node.toml`",
    ],
)
def test_an_existing_name_is_accepted(text: str) -> None:
    assert [] == wrong(text, "README.md")
