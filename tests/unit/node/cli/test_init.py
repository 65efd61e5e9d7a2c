"""The first files of a node: what is asked, what is proposed, and what is refused before anything is written."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node.cli.init import InitOptions, complete, create_files
from node.config import parse_config
from node.errors import NodeError
from node.governance.parse import parse_ruleset
from node.setup.network_facts import InterfacesSeen

TWO = InterfacesSeen(("br-lan", "eth0"), "eth0")
NOBODY = 65_534
THREE = InterfacesSeen(("br-lan", "eth0", "wlan1"), "eth0")


def options(folder: Path) -> InitOptions:
    return InitOptions(None, None, None, None, folder / "data", folder / "node.toml")


def answers(*lines: str) -> tuple[Callable[[str], str], list[str]]:
    """Answers in turn, and the questions."""
    left, questions = list(lines), []

    def ask(question: str) -> str:
        questions.append(question)
        return left.pop(0)

    return ask, questions


def test_empty_answers_take_what_was_found(tmp_path: Path) -> None:
    ask, questions = answers(*[""] * 5)
    asked = complete(options(tmp_path), TWO, ask)
    assert ("eth0", "br-lan", "Our community") == (asked.uplink, asked.lan, asked.community)
    assert questions[0] == "Interface towards the Internet [eth0]: "
    assert "[not known yet]" in questions[-1]
    create_files(asked, TWO)
    ruleset, _ = parse_ruleset((tmp_path / "rules.toml").read_text())
    assert ruleset is not None
    assert None is ruleset.uplink


def test_answers_are_written(tmp_path: Path) -> None:
    ask, _ = answers("wlan1", "br-lan", "library", "Vall Alta", "40 Mbit/s", "8 Mbit/s")
    create_files(complete(options(tmp_path), THREE, ask), THREE)
    config, findings = parse_config((tmp_path / "node.toml").read_text())
    assert config is not None, findings
    assert ("library", "Vall Alta", "br-lan", "wlan1") == (
        config.node.name,
        config.community.name,
        config.lan.interface,
        config.uplink.interface,
    )
    ruleset, _ = parse_ruleset((tmp_path / "rules.toml").read_text())
    assert ruleset is not None
    assert ruleset.uplink is not None
    assert (40_000_000, 8_000_000) == (ruleset.uplink.down, ruleset.uplink.up)


def test_a_wrong_answer_is_asked_again_with_what_is_possible(tmp_path: Path) -> None:
    ask, questions = answers("eth7", "eth0", "br-lan", "", "", "fast", "40 Mbit/s", "8 Mbit/s")
    asked = complete(options(tmp_path), THREE, ask)
    assert ("eth0", "40 Mbit/s") == (asked.uplink, asked.down)
    assert questions[1].startswith("write one of br-lan, eth0, wlan1\n")
    assert "such as" in questions[6]


def test_a_speed_is_written_as_it_was_measured(tmp_path: Path) -> None:
    ask, _ = answers("", "", "", "", "12.345 Mbit/s", "1234 kbit/s")
    create_files(complete(options(tmp_path), TWO, ask), TWO)
    ruleset, _ = parse_ruleset((tmp_path / "rules.toml").read_text())
    assert ruleset is not None
    assert ruleset.uplink is not None
    assert (12_345_000, 1_234_000) == (ruleset.uplink.down, ruleset.uplink.up)


def test_where_one_speed_is_known_the_other_is_asked_for_until_it_is_given(tmp_path: Path) -> None:
    ask, questions = answers("", "", "", "", "40 Mbit/s", "", "8 Mbit/s")
    asked = complete(options(tmp_path), TWO, ask)
    assert ("40 Mbit/s", "8 Mbit/s") == (asked.down, asked.up)
    assert questions[-1].endswith("up: ")


@pytest.mark.parametrize("ended", [EOFError, KeyboardInterrupt])
def test_no_answer_ends_it_and_nothing_is_written(tmp_path: Path, ended: type[BaseException]) -> None:
    def ask(_question: str) -> str:
        raise ended

    with pytest.raises(NodeError, match="nothing was written"):
        complete(options(tmp_path), TWO, ask)
    assert [] == list(tmp_path.iterdir())


def test_nothing_is_asked_where_nothing_could_be_written() -> None:
    ask, questions = answers()
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        with pytest.raises(NodeError, match="cannot be written"):
            complete(options(Path("/etc/none")), TWO, ask)
    finally:
        if is_root:
            os.seteuid(0)
    assert [] == questions


def test_three_wrong_answers_end_it_and_nothing_is_written(tmp_path: Path) -> None:
    ask, _ = answers(*["eth7"] * 3)
    with pytest.raises(NodeError, match="write one of"):
        complete(options(tmp_path), THREE, ask)
    assert [] == list(tmp_path.iterdir())


def test_what_is_given_is_not_asked_and_neither_is_a_node_that_has_its_settings(tmp_path: Path) -> None:
    given = replace(
        options(tmp_path),
        name="a",
        community="b",
        lan="br-lan",
        uplink="eth0",
        down="1 Mbit/s",
        up="1 Mbit/s",
    )
    ask, questions = answers()
    assert given == complete(given, TWO, ask)
    create_files(given, TWO)
    complete(options(tmp_path), TWO, ask)
    assert [] == questions


def test_of_two_interfaces_one_given_decides(tmp_path: Path) -> None:
    no_route = replace(TWO, default_route=None)
    create_files(replace(options(tmp_path), lan="br-lan"), no_route)
    config, _ = parse_config((tmp_path / "node.toml").read_text())
    assert config is not None
    assert "eth0" == config.uplink.interface


@pytest.mark.parametrize(
    ("given", "seen", "message"),
    [
        ({"lan": "br-lna"}, TWO, "there is no interface br-lna"),
        ({"uplink": "eth9"}, TWO, "there is no interface eth9"),
        ({"lan": "eth0", "uplink": "eth0"}, TWO, "cannot be on one interface"),
        ({}, THREE, "it is not clear which interface people are on"),
        ({}, replace(TWO, default_route=None), "no interface leads to the Internet"),
        ({"down": "40 Mbit/s"}, TWO, "the line has two speeds"),
        ({"down": "fast", "up": "slow"}, TWO, "such as"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, given: dict[str, str], seen: InterfacesSeen, message: str
) -> None:
    with pytest.raises(NodeError, match=message):
        create_files(replace(options(tmp_path), **given), seen)
    assert [] == list(tmp_path.iterdir())
