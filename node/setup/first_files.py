"""The first files of a node: its key, the community's key, settings, rules and an empty members file.

The settings are written last, and each file whole or not at all: after a power cut a node has no settings, or is complete.
"""

import errno
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.config import NodeConfig, example, parse_config
from node.errors import InvalidFile, NodeError
from node.governance.expressions import rate_words
from node.governance.rules import WAYS
from node.identity import key_from_pem, key_to_pem, own_node_id
from node.setup.setup_code import CODE_RANDOM_BYTES, make_setup_code, read_setup_code, shown_code
from node.synced_files import replace_synced
from node.units import parse_rate

SECRET_MODE = 0o600
CODE_FILE = "setup-code"
"""Beside the settings file, until there is one: the set-up code."""
READABLE_MODE = 0o644
PEOPLE_MODE = 0o640
"""Names and devices of people must not be readable by every program of the machine."""
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_MEMBERS = """\
# Members, their tiers, groups and devices. Anyone not listed is a guest.
#
# [[account]]
# id = "ana"
# name = "Ana Mas"
# tier = "member"
# groups = ["school"]
# devices = ["02:11:22:33:44:55"]
"""
_RULES = """\
# The community's rules. There are none yet: everyone shares the line equally.
# 'procomu rules check FILE' checks a draft before it replaces this file.

[ruleset]
community = {community}
version = 1
decision = "D-0001"

# The measured speed of the line. Without it the node cannot share the line.
{line}
{joining}"""
_LINE_UNKNOWN = """\
# [uplink.main]
# down = "40 Mbit/s"
# up = "8 Mbit/s\""""


_DRAFT = re.compile(
    re.escape(_RULES)
    .replace(re.escape("{community}"), r'"(?:[^"\\\n]|\\[^\n])*"')
    .replace(
        re.escape("{line}"),
        rf'(?:{re.escape(_LINE_UNKNOWN)}|\[uplink\.main\]\ndown = "[^"\n]*"\nup = "[^"\n]*"(?:\nrate = "measured")?)',
    )
    .replace(re.escape("{joining}"), r'(?:\n\[joining\]\nways = \[[^\]\n]*\]\nby = "D-0001"\n)?')
)
"""Rules as they are made here, which nobody has changed."""


@dataclass(frozen=True, slots=True)
class FirstFiles:
    """What the files of a new node say. An existing settings file decides instead of `settings`."""

    config: Path
    settings: Mapping[str, str | bool | list[str]]
    """Values by the name of their setting, such as ``lan.interface``."""
    down: str = ""
    up: str = ""
    """Speed of the line; both empty when it is not known."""
    follows_line: bool = False
    """Whether the shared rate follows what the line carries."""
    ways: Sequence[str] = WAYS


@dataclass(slots=True)
class FilesMade:
    """Paths of the files that were made, and of those that were there and stayed."""

    node: str = ""
    """The node's id."""
    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def create_first_files(
    first: FirstFiles, before_settings: Callable[[NodeConfig], None] = lambda _config: None
) -> FilesMade:
    """Creates missing files and keeps existing ones; calls `before_settings` once everything but the settings is there.
    Raises NodeError for values that cannot be used before anything is written, and where a file cannot be written."""
    files = FilesMade()
    settings = _read(first.config) or settings_text(first)
    config, findings = parse_config(settings)
    if config is None:
        raise InvalidFile(str(first.config), findings)
    rules = rules_text(first, config.community.name)
    _put_rules(Path(config.rules.file), rules, files, is_new=not first.config.exists())
    _put(Path(config.members.file), _MEMBERS, PEOPLE_MODE, files)
    _put(Path(config.community.key_file), secrets.token_hex(32) + "\n", SECRET_MODE, files)
    files.node = _own_key(config, files)
    before_settings(config)
    _put(first.config, settings, READABLE_MODE, files)
    return files


def settings_text(first: FirstFiles) -> str:
    """The settings file. Keys, rules and members are beside it."""
    folder = first.config.resolve().parent
    beside: dict[str, str | bool | list[str]] = {
        "community.key_file": str(folder / "community.key"),
        "rules.file": str(folder / "rules.toml"),
        "members.file": str(folder / "members.toml"),
    }
    return example({name: _quoted(value) for name, value in (beside | dict(first.settings)).items()})


def rules_text(first: FirstFiles, community: str) -> str:
    """Rules with the speed of the line and the ways to join. Raises NodeError for half a speed, or one that cannot be
    read."""
    joining = ""
    if tuple(first.ways) != WAYS:
        joining = f'\n[joining]\nways = {json.dumps(list(first.ways))}\nby = "D-0001"\n'
    return _RULES.format(community=_quoted(community), line=_line(first), joining=joining)


def _line(first: FirstFiles) -> str:
    if not first.down and not first.up:
        return _LINE_UNKNOWN
    if not first.down or not first.up:
        raise NodeError("the line has two speeds", "give both --down and --up, or neither")
    try:
        down, up = rate_words(parse_rate(first.down)), rate_words(parse_rate(first.up))
    except ValueError as error:
        raise NodeError(str(error), 'give for example --down "40 Mbit/s" --up "8 Mbit/s"') from error
    measured = '\nrate = "measured"' if first.follows_line else ""
    return f'[uplink.main]\ndown = "{down}"\nup = "{up}"{measured}'


def _own_key(config: NodeConfig, files: FilesMade) -> str:
    path = Path(config.node.key_file)
    if (pem := _read(path)) is None:
        private = Ed25519PrivateKey.generate()
        _put(path, key_to_pem(private).decode(), SECRET_MODE, files)
        return own_node_id(private)
    files.kept.append(str(path))
    try:
        return own_node_id(key_from_pem(pem.encode()))
    except ValueError as error:
        raise NodeError(f"{path} does not contain a node key", str(error)) from error


def known_code(folder: Path) -> str | None:
    """The set-up code that is stored beside the settings; None when there is none, or it cannot be read."""
    try:
        return read_setup_code((folder / CODE_FILE).read_text())
    except (OSError, UnicodeDecodeError):
        return None


def stored_code(folder: Path) -> str:
    """The set-up code; made when there is none. Raises NodeError when it cannot be stored."""
    code = known_code(folder)
    if code is None:
        code = make_setup_code(secrets.token_bytes(CODE_RANDOM_BYTES))
        write_file(folder / CODE_FILE, f"{shown_code(code)}\n", SECRET_MODE)
    return code


def forget_code(folder: Path) -> None:
    """A node that has its settings needs no code. Raises OSError."""
    (folder / CODE_FILE).unlink(missing_ok=True)


def _put_rules(path: Path, rules: str, files: FilesMade, *, is_new: bool) -> None:
    """What an attempt with other answers has left before a power cut is replaced; rules that people wrote stay."""
    left = _read(path) if is_new else None
    if left is not None and left != rules and _DRAFT.fullmatch(left):
        write_file(path, rules, READABLE_MODE)
        files.made.append(str(path))
    else:
        _put(path, rules, READABLE_MODE, files)


def _put(path: Path, text: str, mode: int, files: FilesMade) -> None:
    if path.exists():
        files.kept.append(str(path))
        return
    write_file(path, text, mode)
    files.made.append(str(path))


def write_file(path: Path, text: str, mode: int) -> None:
    """Writes a file whole or not at all, with its mode. Raises NodeError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_synced(path, text.encode(), mode)
    except OSError as error:
        fix = "free some space" if error.errno in _NO_SPACE else "run it as root"
        raise NodeError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}", fix) from error


def _read(path: Path) -> str | None:
    try:
        return path.read_text() if path.exists() else None
    except OSError as error:
        raise NodeError(
            f"{path} cannot be read: {(error.strerror or str(error)).lower()}", "run it as root"
        ) from error


def _quoted(value: str | bool | list[str]) -> str:
    # A JSON string, or a list of them, is also one in TOML, unless it has control characters, which are refused later.
    return json.dumps(value, ensure_ascii=False)
