"""Creates a node's first files: its key, the community's key, settings, rules and an empty members file."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.cli.terminal import Terminal
from node.config import NodeConfig, example, parse_config
from node.errors import InvalidFile, NodeError
from node.identity import key_from_pem, key_to_pem, own_node_id
from node.uplink.proc_net import default_routes

SECRET_MODE = 0o600
READABLE_MODE = 0o644
PEOPLE_MODE = 0o640
"""Names and devices of people must not be readable by every program of the machine."""
_ROUTES = (Path("/proc/net/route"), Path("/proc/net/ipv6_route"))
_INTERFACES = Path("/sys/class/net")
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
# [uplink.main]
# down = "40 Mbit/s"
# up = "8 Mbit/s"
"""


@dataclass(frozen=True, slots=True)
class InitOptions:
    """Options as given; None for those left out."""

    name: str | None
    community: str | None
    lan: str | None
    uplink: str | None
    data_dir: Path | None
    config: Path


@dataclass(frozen=True, slots=True)
class InitResult:
    """Files created and files that existed."""

    node: str
    config: str
    made: tuple[str, ...]
    kept: tuple[str, ...]

    def lines(self, terminal: Terminal) -> list[str]:
        return [
            *(f"{terminal.good('made')}  {path}" for path in self.made),
            *(f"{terminal.dim('kept')}  {path}" for path in self.kept),
            "",
            f"This node's id: {terminal.bold(self.node)}",
            "The community's other nodes list it below [community] as one of their nodes.",
            "",
            f"Next: procomu doctor --config {self.config}",
        ]


def create_files(wishes: InitOptions) -> InitResult:
    """Creates missing files and keeps existing ones. Raises NodeError for a bad option before anything is
    written."""
    made: list[str] = []
    kept: list[str] = []
    config_text = _read(wishes.config) or _config_text(wishes)
    config, findings = parse_config(config_text)
    if config is None:
        raise InvalidFile(str(wishes.config), findings)
    _put(wishes.config, config_text, READABLE_MODE, made, kept)
    rules = _RULES.format(community=_quoted(config.community.name))
    _put(Path(config.rules.file), rules, READABLE_MODE, made, kept)
    _put(Path(config.members.file), _MEMBERS, PEOPLE_MODE, made, kept)
    _put(Path(config.community.key_file), secrets.token_hex(32) + "\n", SECRET_MODE, made, kept)
    node = _own_key(config, made, kept)
    return InitResult(node, str(wishes.config), tuple(made), tuple(kept))


def _config_text(wishes: InitOptions) -> str:
    folder = wishes.config.resolve().parent
    lan, uplink = _sides(wishes)
    written = {
        "node.name": _quoted(wishes.name or "node"),
        "community.name": _quoted(wishes.community or "Our community"),
        "community.key_file": _quoted(str(folder / "community.key")),
        "lan.interface": _quoted(lan),
        "uplink.interface": _quoted(uplink),
        "rules.file": _quoted(str(folder / "rules.toml")),
        "members.file": _quoted(str(folder / "members.toml")),
    }
    if wishes.data_dir is not None:
        written["node.data_dir"] = _quoted(str(wishes.data_dir.resolve()))
    return example(written)


def _sides(wishes: InitOptions) -> tuple[str, str]:
    """LAN and uplink interfaces: as given, or detected if there is only one choice. Raises NodeError
    otherwise."""
    there = (
        sorted(path.name for path in _INTERFACES.iterdir() if path.name != "lo")
        if _INTERFACES.is_dir()
        else []
    )
    uplink = wishes.uplink or _default_route()
    if uplink is None:
        raise NodeError(
            "no interface leads to the Internet right now", f"choose one with --uplink: {_named(there)}"
        )
    if wishes.lan is not None:
        return wishes.lan, uplink
    others = [name for name in there if name != uplink]
    if len(others) != 1:
        raise NodeError(
            "it is not clear which interface people are on", f"choose one with --lan: {_named(others)}"
        )
    return others[0], uplink


def _default_route() -> str | None:
    ipv4, ipv6 = (table.read_text() if table.exists() else "" for table in _ROUTES)
    return next((each.interface for each in default_routes(ipv4, ipv6)), None)


def _named(names: list[str]) -> str:
    return f"here are {', '.join(names)}" if names else "'ip link' lists interfaces, and there is none here"


def _own_key(config: NodeConfig, made: list[str], kept: list[str]) -> str:
    path = Path(config.node.key_file)
    if (pem := _read(path)) is None:
        private = Ed25519PrivateKey.generate()
        _put(path, key_to_pem(private).decode(), SECRET_MODE, made, kept)
        return own_node_id(private)
    kept.append(str(path))
    try:
        return own_node_id(key_from_pem(pem.encode()))
    except ValueError as error:
        raise NodeError(f"{path} does not contain a node key", str(error)) from error


def _put(path: Path, text: str, mode: int, made: list[str], kept: list[str]) -> None:
    """Writes a file atomically, synced and with its mode; an existing file is kept."""
    if path.exists():
        kept.append(str(path))
        return
    unfinished = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise NodeError(
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}", "run it with sudo"
        ) from error
    made.append(str(path))


def _read(path: Path) -> str | None:
    try:
        return path.read_text() if path.exists() else None
    except OSError as error:
        raise NodeError(
            f"{path} cannot be read: {(error.strerror or str(error)).lower()}", "run it with sudo"
        ) from error


def _quoted(text: str) -> str:
    # A JSON string is also a TOML basic string, unless it has control characters, which are refused later.
    return json.dumps(text, ensure_ascii=False)
