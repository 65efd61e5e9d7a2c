"""The configuration that an admin pastes into an openNDS router."""

import hashlib
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import InvalidValue
from node.gateways.gateway import Gateway
from node.gateways.opennds_config import (
    CRON,
    FOLDER,
    FasAddress,
    fas_path,
    opennds_commands,
    opennds_configuration,
    opennds_file,
    opennds_options,
    parse_fas_address,
)

KEY = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
NAMES = ("custombinauth.sh", "procomu-report.sh")
ADDRESS = FasAddress("10.1.0.1", 2081)


def gateway(name: str = "the library") -> Gateway:
    return Gateway("0123abcd", "opennds", "accepted", name, "", "")


@pytest.mark.parametrize("level", range(5))
def test_it_names_this_node_and_the_gateway(level):
    options = dict(opennds_options(gateway(), ADDRESS, level, KEY))
    assert options["faspath"] == fas_path(gateway(), level) == f"/gw/0123abcd/fas/{level}/"
    assert (options["fasremoteip"], options["fasport"]) == ("10.1.0.1", "2081")
    assert (options["faskey"], options["fas_secure_enabled"]) == (KEY, str(level))
    assert "fasremotefqdn" not in options


def test_a_name_is_given_as_a_name():
    options = dict(opennds_options(gateway(), parse_fas_address("Node.Example.org", 443), 4, KEY))
    assert options["fasremotefqdn"] == "node.example.org"
    assert "fasremoteip" not in options


@given(name=st.text(max_size=80))
def test_no_name_of_a_gateway_reaches_a_shell(name):
    for line in opennds_commands(gateway(name), ADDRESS, 3, KEY).splitlines():
        words = shlex.split(line)
        assert (words[0], len(words)) in (("uci", 3), ("/etc/init.d/opennds", 2))
    for line in opennds_file(gateway(name), ADDRESS, 3, KEY).splitlines()[1:]:
        assert line.startswith("\toption ")
        assert line.count("'") == 2


@pytest.mark.parametrize(
    "host", ["", "a b", "fd42::1", "x'y", "-x", "x" * 300, "$(id)", "http://x", "x/y", "é.org"]
)
def test_another_address_is_refused(host):
    with pytest.raises(InvalidValue, match="10\\.1\\.0\\.1"):
        parse_fas_address(host, 80)


@pytest.mark.parametrize("has_certificate", [True, False])
def test_an_admin_gets_the_best_level_that_the_node_can_serve(has_certificate):
    text = opennds_configuration(
        gateway(), "10.1.0.1", KEY, port=2080, https_port=2445, has_certificate=has_certificate, scripts={}
    )
    level, port = (4, 2445) if has_certificate else (1, 2080)
    options = dict(
        line.removeprefix("\toption ").split(" ", 1) for line in text.splitlines() if "\toption" in line
    )
    assert options["faspath"] == f"'/gw/0123abcd/fas/{level}/'"
    assert (options["fas_secure_enabled"], options["fasport"]) == (f"'{level}'", f"'{port}'")


@pytest.mark.parametrize("has_certificate", [False, True])
def test_the_configuration_names_both_scripts_and_the_line_of_cron(has_certificate):
    text = opennds_configuration(
        gateway(),
        "vall.example.org",
        KEY,
        port=2080,
        https_port=2445,
        has_certificate=has_certificate,
        scripts={"custombinauth.sh": "a" * 64, "procomu-report.sh": "b" * 64},
    )
    assert "# " + "  wget -O new http://vall.example.org:2080/scripts/procomu-report.sh\n" in text
    assert {"custombinauth.sh", "procomu-report.sh"} <= set(text.replace("/", " ").split())
    assert f"#   {CRON}\n" in text
    scripts = Path(__file__).parents[4] / "node" / "gateways" / "opennds"
    assert CRON in (scripts / "procomu-report.sh").read_text()


@pytest.mark.parametrize("is_changed_on_the_way", [False, True])
def test_the_commands_replace_a_script_only_by_one_that_has_been_checked(tmp_path, is_changed_on_the_way):
    """Root runs the one of before meanwhile: cron starts it, and openNDS includes the other one."""
    programs, folder = tmp_path / "programs", tmp_path / "opennds"
    for each in (programs, folder):
        each.mkdir()
    sent, right = ("changed" if is_changed_on_the_way else "right"), hashlib.sha256(b"right").hexdigest()
    (programs / "wget").write_text(f'#!/bin/sh\n[ "$1" = -O ] && printf %s {sent} > "$2"\n')
    (programs / "wget").chmod(0o755)
    for name in NAMES:
        (folder / name).write_text("before")
        (folder / name).chmod(0o755)
    text = opennds_configuration(
        gateway(),
        "vall.example.org",
        KEY,
        port=2080,
        https_port=2445,
        has_certificate=False,
        scripts=dict.fromkeys(NAMES, right),
    )
    commands = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
    assert (f"cd {FOLDER}", CRON) == (commands[0], commands[-1])
    subprocess.run(
        ["sh", "-c", "\n".join(commands[1:-1])],
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )
    for name in NAMES:
        assert ("before" if is_changed_on_the_way else "right") == (folder / name).read_text()
        assert os.access(folder / name, os.X_OK)
