"""The commands that messages and installed documents name, and the Debian package of each."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from node.cli.manual import manual_page

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("node", "captive_portal", "mesh")
PROGRAMS = {
    "apt": "apt",
    "apt-get": "apt",
    "chmod": "coreutils",
    "cp": "coreutils",
    "df": "coreutils",
    "dnsmasq": "dnsmasq-base",
    "du": "coreutils",
    "find": "findutils",
    "grep": "grep",
    "install": "coreutils",
    "ip": "iproute2",
    "journalctl": "systemd",
    "ls": "coreutils",
    "mkdir": "coreutils",
    "modprobe": "kmod",
    "mount": "mount",
    "mv": "coreutils",
    "nft": "nftables",
    "procomu": "procomu",
    "radvd": "radvd",
    "sort": "coreutils",
    "sha256sum": "coreutils",
    "ss": "iproute2",
    "sysctl": "procps",
    "systemctl": "systemd",
    "tail": "coreutils",
    "timedatectl": "systemd",
}
"""The package of each program that a message or a document tells somebody to run."""
OF_EVERY_DEBIAN = {"apt", "coreutils", "findutils", "grep", "mount", "systemd"}
"""Essential packages, and the service manager that the unit is for."""
NO_PROGRAMS = {
    *("arp", "as", "cut", "free", "groups", "head", "host", "join", "less", "link", "look", "make"),
    *("more", "node", "open", "size", "su", "tc", "time", "timeout", "true", "which", "who", "write"),
}
"""Names of programs that are words in the messages."""
ACME_CLIENTS = {"lego", "certbot", "acme.sh"}
"""Programs of other projects; the document about certificates shows how each is set up."""
DOCUMENTS = tuple(
    f"deploy/{name}.md" for name in ("README", "CERTIFICATES", "COMMANDS", "HANDBOOK", "HARDWARE", "SETTINGS")
)
"""Installed, apart from the rule language."""
EXAMPLES = ("deploy/node.example.toml", "deploy/rules.example.toml")

_AT_ITS_START = r"(?:^|[:'`(|]\s?|; |\b(?:or|and|run|with|by|then|root:)\s)"
COMMAND = re.compile(rf"{_AT_ITS_START}([a-z][a-z0-9.-]+)(?= )", re.MULTILINE)


@cache
def messages() -> tuple[tuple[str, str], ...]:
    """Files of the node and the texts in them that somebody may read: literals, templates and catalogues."""
    return tuple(_messages())


def _messages() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.suffix == ".py":
                yield from ((name, text) for text in _literals(path))
            elif path.suffix in {".html", ".po"}:
                text = path.read_text()
                yield (
                    name,
                    text if path.suffix == ".html" else re.sub(r"^#.*\n", "", text, flags=re.MULTILINE),
                )


def documents() -> Iterator[tuple[str, str]]:
    """Installed documents: name and text."""
    for name in (*DOCUMENTS, *EXAMPLES, "deploy/systemd/procomu.service"):
        yield name, (ROOT / name).read_text()
    yield "procomu(1)", re.sub(r"\\f[BIP]|\\(?=-)", "", manual_page("0", "2026-01-01"))
    for name in ("postinst", "prerm", "postrm", "control"):
        yield f"deploy/debian/{name}", (ROOT / "deploy/debian" / name).read_text()


def shell_lines() -> Iterator[tuple[str, str]]:
    """The first word of each line of the installed documents' shell blocks."""
    for name in DOCUMENTS:
        for block in re.findall(r"```(?:bash|sh)\n(.*?)```", (ROOT / name).read_text(), flags=re.DOTALL):
            yield from ((name, line) for line in block.splitlines() if line and line[0].isalpha())


def named(executables: frozenset[str]) -> dict[str, str]:
    """Each program that is named, and a text that names it; `executables` are the names that can be programs."""
    found: dict[str, str] = {}
    for name, text in messages():
        for match in COMMAND.finditer(text):
            if match[1] in executables:
                found.setdefault(match[1], f"{name}: {text[:100]}")
    for name, line in shell_lines():
        word = line.split()[0]
        if word != "set":  # of the shell itself
            found.setdefault(word, f"{name}: {line}")
    return {word: where for word, where in found.items() if word not in NO_PROGRAMS}


def executables() -> frozenset[str]:
    """The programs of this machine, and those that are known to be named."""
    folders = [path for path in map(Path, ("/usr/bin", "/usr/sbin")) if path.is_dir()]
    return frozenset({path.name for folder in folders for path in folder.iterdir()} | PROGRAMS.keys())


def provided() -> set[str]:
    """Packages that are there after `apt install` of the node's."""
    control = (ROOT / "deploy/debian/control").read_text().partition("\nPackage:")[2]
    listed = re.findall(r"^ ([a-z0-9.+-]+)(?: \(.*\)| \| .*)?,$", control, re.MULTILINE)
    return {*listed, *OF_EVERY_DEBIAN, "procomu"}


def _literals(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(each) for each in node.values}
            yield "".join(str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values)
        elif isinstance(node, ast.Constant) and id(node) not in docstrings | parts:
            yield from [node.value] if isinstance(node.value, str) else []
