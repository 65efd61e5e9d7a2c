"""Creates a node's first files: its key, the community's key, settings, rules and an empty members file."""

import json
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.cli.terminal import Terminal
from node.config import NodeConfig, example, parse_config
from node.errors import InvalidFile, NodeError
from node.governance.sentences import rate_words
from node.identity import key_from_pem, key_to_pem, own_node_id
from node.units import parse_rate
from node.uplink.proc_net import default_routes

SECRET_MODE = 0o600
READABLE_MODE = 0o644
PEOPLE_MODE = 0o640
"""Names and devices of people must not be readable by every program of the machine."""
_ROUTES = (Path("/proc/net/route"), Path("/proc/net/ipv6_route"))
INTERFACES = Path("/sys/class/net")
_IFF_UP = 0x1
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
"""
_LINE_UNKNOWN = """\
# [uplink.main]
# down = "40 Mbit/s"
# up = "8 Mbit/s\""""
_COMMUNITY, _SPEED = "Our community", "Measured speed of the line"
TRIES = 3
"""For each question."""


@dataclass(frozen=True, slots=True)
class InitOptions:
    """Options as given; None for those left out."""

    name: str | None
    community: str | None
    lan: str | None
    uplink: str | None
    data_dir: Path | None
    config: Path
    down: str | None = None
    up: str | None = None


@dataclass(frozen=True, slots=True)
class InterfacesSeen:
    """This machine's interfaces, without the loopback interface and the ports of bridges."""

    names: tuple[str, ...]
    default_route: str | None
    """The interface that leads to the Internet now."""

    def other_than(self, name: str | None) -> str | None:
        """The only one beside `name`; None if there are several."""
        others = [each for each in self.names if each != name]
        return others[0] if len(others) == 1 else None


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


def complete(wishes: InitOptions, seen: InterfacesSeen, ask: Callable[[str], str]) -> InitOptions:
    """Asks for what is not given, each with a proposal that an empty answer takes. `ask` shows a question and returns a
    line. Nothing is asked when the settings exist. Raises NodeError for an answer that cannot be used three times, for
    no answer, and before the first question where the settings could not be written."""
    if wishes.config.exists():
        return wishes
    _check_writable(wishes.config)
    uplink = seen.default_route or (seen.other_than(wishes.lan) if wishes.lan else None)
    uplink = wishes.uplink or _answer(ask, "Interface towards the Internet", uplink, _one_of(seen.names))
    others = tuple(name for name in seen.names if name != uplink)
    lan = wishes.lan or _answer(ask, "Interface where people are", seen.other_than(uplink), _one_of(others))
    name = wishes.name or _answer(ask, "Name of this node", _host_name(), _name)
    community = wishes.community or _answer(ask, "Name of the community", _COMMUNITY, _name)
    # Where one direction is known, the other is needed too.
    down = wishes.down or _answer(ask, f"{_SPEED}, down", None if wishes.up else "", _speed)
    up = wishes.up or (_answer(ask, f"{_SPEED}, up", None, _speed) if down else "")
    return replace(wishes, uplink=uplink, lan=lan, name=name, community=community, down=down, up=up)


def _answer(
    ask: Callable[[str], str], question: str, proposal: str | None, check: Callable[[str], str]
) -> str:
    shown = f" [{proposal}]" if proposal else (" [not known yet]" if proposal == "" else "")
    wrong = ""
    for _ in range(TRIES):
        try:
            text = ask(f"{wrong}{question}{shown}: ").strip()
        except (EOFError, KeyboardInterrupt) as ended:
            raise NodeError("nothing was written", "start again; with --yes nothing is asked") from ended
        if not text and proposal is not None:
            return proposal
        try:
            return check(text)
        except ValueError as error:
            wrong = f"{error}\n"
    raise NodeError(wrong.strip(), "see 'procomu init --help' for the options")


def _check_writable(path: Path) -> None:
    there = next(each for each in path.absolute().parents if each.exists())
    if not os.access(there, os.W_OK, effective_ids=True):
        raise NodeError(f"{path} cannot be written", "run it as root")


def _one_of(names: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in names:
            raise ValueError(
                f"write one of {', '.join(names) or 'none: this machine has no other interface'}"
            )
        return text

    return check


def _name(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("write a name")
    return text


def _speed(text: str) -> str:
    return rate_words(parse_rate(text))


def create_files(wishes: InitOptions, seen: InterfacesSeen) -> InitResult:
    """Creates missing files and keeps existing ones. Raises NodeError for a bad option before anything is
    written."""
    made: list[str] = []
    kept: list[str] = []
    config_text = _read(wishes.config) or _config_text(wishes, seen)
    line = _line(wishes)
    config, findings = parse_config(config_text)
    if config is None:
        raise InvalidFile(str(wishes.config), findings)
    _put(wishes.config, config_text, READABLE_MODE, made, kept)
    rules = _RULES.format(community=_quoted(config.community.name), line=line)
    _put(Path(config.rules.file), rules, READABLE_MODE, made, kept)
    _put(Path(config.members.file), _MEMBERS, PEOPLE_MODE, made, kept)
    _put(Path(config.community.key_file), secrets.token_hex(32) + "\n", SECRET_MODE, made, kept)
    node = _own_key(config, made, kept)
    return InitResult(node, str(wishes.config), tuple(made), tuple(kept))


def _line(wishes: InitOptions) -> str:
    if not wishes.down and not wishes.up:
        return _LINE_UNKNOWN
    if not wishes.down or not wishes.up:
        raise NodeError("the line has two speeds", "give both --down and --up, or neither")
    try:
        down, up = _speed(wishes.down), _speed(wishes.up)
    except ValueError as error:
        raise NodeError(str(error), 'give for example --down "40 Mbit/s" --up "8 Mbit/s"') from error
    return f'[uplink.main]\ndown = "{down}"\nup = "{up}"'


def _config_text(wishes: InitOptions, seen: InterfacesSeen) -> str:
    folder = wishes.config.resolve().parent
    lan, uplink = _sides(wishes, seen)
    written = {
        "node.name": _quoted(wishes.name or "node"),
        "community.name": _quoted(wishes.community or _COMMUNITY),
        "community.key_file": _quoted(str(folder / "community.key")),
        "lan.interface": _quoted(lan),
        "uplink.interface": _quoted(uplink),
        "rules.file": _quoted(str(folder / "rules.toml")),
        "members.file": _quoted(str(folder / "members.toml")),
    }
    if wishes.data_dir is not None:
        written["node.data_dir"] = _quoted(str(wishes.data_dir.resolve()))
    return example(written)


def _sides(wishes: InitOptions, seen: InterfacesSeen) -> tuple[str, str]:
    """LAN and uplink interfaces: as given, or detected if there is only one choice. Raises NodeError
    otherwise."""
    for option, name in (("--lan", wishes.lan), ("--uplink", wishes.uplink)):
        if name is not None and name not in seen.names:
            raise NodeError(
                f"there is no interface {name} of its own", f"choose one with {option}: {_named(seen.names)}"
            )
    uplink = wishes.uplink or seen.default_route or (seen.other_than(wishes.lan) if wishes.lan else None)
    if uplink is None:
        raise NodeError(
            "no interface leads to the Internet right now", f"choose one with --uplink: {_named(seen.names)}"
        )
    lan = wishes.lan or seen.other_than(uplink)
    if lan is None:
        others = tuple(name for name in seen.names if name != uplink)
        raise NodeError(
            "it is not clear which interface people are on", f"choose one with --lan: {_named(others)}"
        )
    if lan == uplink:
        raise NodeError(
            "people and the Internet cannot be on one interface", "give two with --lan and --uplink"
        )
    return lan, uplink


def look_at_interfaces() -> InterfacesSeen:
    names = sorted(path.name for path in INTERFACES.glob("*") if _may_be_a_side(path))
    ipv4, ipv6 = (table.read_text() if table.exists() else "" for table in _ROUTES)
    route = next((each.interface for each in default_routes(ipv4, ipv6) if each.interface in names), None)
    return InterfacesSeen(tuple(names), route)


def _may_be_a_side(path: Path) -> bool:
    """Hardware, a bridge, or what is up; of a bridge its ports are no side of their own."""
    if path.name == "lo" or (path / "brport").exists():
        return False
    try:
        is_up = bool(int((path / "flags").read_text(), 16) & _IFF_UP)
    except (OSError, ValueError):
        is_up = False  # it is gone already
    return is_up or (path / "device").exists() or (path / "bridge").exists()


def _host_name() -> str:
    return socket.gethostname().partition(".")[0] or "node"


def _named(names: tuple[str, ...]) -> str:
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
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}", "run it as root"
        ) from error
    made.append(str(path))


def _read(path: Path) -> str | None:
    try:
        return path.read_text() if path.exists() else None
    except OSError as error:
        raise NodeError(
            f"{path} cannot be read: {(error.strerror or str(error)).lower()}", "run it as root"
        ) from error


def _quoted(text: str) -> str:
    # A JSON string is also a TOML basic string, unless it has control characters, which are refused later.
    return json.dumps(text, ensure_ascii=False)
