"""Every command that a message or an installed document names is there after `apt install` of the node's package."""

import re
from pathlib import Path

import pytest

from node.cli.arguments import VERBS
from tests.docs.named_commands import (
    ACME_CLIENTS,
    COMMAND,
    PROGRAMS,
    documents,
    executables,
    messages,
    named,
    provided,
)

VERB_NAMES = {verb.name for verb in VERBS}
FIRST_WORDS = {verb.words[0] for verb in VERBS} | {"VERB"}
OWN = re.compile(
    r"(?:^|['`\"(:|]|\bor |\brun |-e )(?:\s*)procomu ([a-z][a-z-]+)(?: ([a-z-]+))?", re.MULTILINE
)
OF_A_CHECKOUT = re.compile(r"(?<![\w/.-])(?:deploy|tests|\.venv|\.ci)/[\w.]")
UNIT = re.compile(
    r"\b(?:systemctl [a-z-]+(?: --[a-z]+)*|journalctl -u|deb-systemd-invoke [a-z]+) ([\w@][\w.@-]*)"
)


def wrong_verbs(text: str) -> list[str]:
    """Uses of `procomu` with a verb that it does not have."""
    return [
        match[0].strip()
        for match in OWN.finditer(text)
        if match[1] not in FIRST_WORDS
        or (
            match[1] not in VERB_NAMES and match[2] is not None and f"{match[1]} {match[2]}" not in VERB_NAMES
        )
    ]


def test_every_program_that_is_named_is_of_a_package_that_is_installed() -> None:
    found = named(executables())
    unknown = {word: where for word, where in found.items() if word not in PROGRAMS.keys() | ACME_CLIENTS}
    assert {} == unknown, "say in PROGRAMS what package each is of"
    assert set() == {PROGRAMS[word] for word in found.keys() & PROGRAMS.keys()} - provided()


def test_the_search_finds_commands() -> None:
    assert {"nft", "ss", "systemctl", "procomu", "apt-get", "modprobe", "timedatectl"} <= named(
        executables()
    ).keys()
    for text in (
        "apt-get install radvd",
        "try it: dnsmasq --no-daemon",
        "a 'ip link' b",
        "x; df -h",
        "or ss -l",
    ):
        assert COMMAND.search(text), text


@pytest.mark.parametrize(("name", "text"), list(documents()), ids=[name for name, _ in documents()])
def test_a_document_names_verbs_that_exist(name: str, text: str) -> None:
    assert [] == wrong_verbs(text)
    if name.endswith(".service"):
        return  # its comments are for developers too
    assert [] == OF_A_CHECKOUT.findall(text)


def test_messages_name_verbs_that_exist_and_nothing_of_a_checkout() -> None:
    texts = [(name, text) for name, text in messages() if "public key wrapper" not in text]
    assert [] == [(name, wrong) for name, text in texts for wrong in wrong_verbs(text)]
    assert [] == [(name, text) for name, text in texts if OF_A_CHECKOUT.search(text)]


def test_wrong_verbs_are_found() -> None:
    assert ["'procomu stop"] == wrong_verbs("run 'procomu stop' first")
    assert ["`procomu rules apply"] == wrong_verbs("see `procomu rules apply FILE`")
    assert [] == wrong_verbs("'procomu rules check FILE', `procomu why ana`, and the node procomu is well")


def test_units_that_are_named_are_ours() -> None:
    texts = [*messages(), *documents()]
    found = {match[1].removesuffix(".service") for _, text in texts for match in UNIT.finditer(text)}
    assert {"procomu", "procomu-setup"} == found
    assert found <= {path.stem for path in Path("deploy/systemd").resolve().glob("*.service")}
