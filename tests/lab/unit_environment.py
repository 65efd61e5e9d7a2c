"""The environment variables of the systemd unit, so that tests and benches start the node with the same ones."""

import shlex

from tests.lab.internet import ROOT

UNIT = ROOT / "deploy" / "systemd" / "procomu.service"


def unit_environment() -> dict[str, str]:
    """Variables of the unit's ``Environment=`` lines (systemd.exec(5))."""
    lines = UNIT.read_text().splitlines()
    words = (line.removeprefix("Environment=") for line in lines if line.startswith("Environment="))
    return dict(pair.split("=", 1) for line in words for pair in shlex.split(line))
