"""The command ``init``: its options, what it asks for, and what it proposes."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from node.cli.terminal import Terminal
from node.errors import NodeError
from node.governance.expressions import rate_words
from node.setup.first_files import FirstFiles, create_first_files
from node.setup.network_facts import InterfacesSeen
from node.units import parse_rate

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
    files = create_first_files(
        FirstFiles(
            wishes.config,
            {} if wishes.config.exists() else _settings(wishes, seen),
            down=wishes.down or "",
            up=wishes.up or "",
        )
    )
    return InitResult(files.node, str(wishes.config), tuple(files.made), tuple(files.kept))


def _settings(wishes: InitOptions, seen: InterfacesSeen) -> dict[str, str]:
    lan, uplink = _sides(wishes, seen)
    written = {
        "node.name": wishes.name or "node",
        "community.name": wishes.community or _COMMUNITY,
        "lan.interface": lan,
        "uplink.interface": uplink,
    }
    if wishes.data_dir is not None:
        written["node.data_dir"] = str(wishes.data_dir.resolve())
    return written


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


def _host_name() -> str:
    return socket.gethostname().partition(".")[0] or "node"


def _named(names: tuple[str, ...]) -> str:
    return f"here are {', '.join(names)}" if names else "'ip link' lists interfaces, and there is none here"
