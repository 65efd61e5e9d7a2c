"""The environment that the systemd unit gives the node, so that tests and benches start it in the same one."""

import shlex

from tests.lab.internet import ROOT

UNIT = ROOT / "deploy" / "systemd" / "procomu.service"


def unit_environment() -> dict[str, str]:
    """Variables of the unit's ``Environment=`` lines (systemd.exec(5))."""
    lines = UNIT.read_text().splitlines()
    words = (line.removeprefix("Environment=") for line in lines if line.startswith("Environment="))
    return dict(pair.split("=", 1) for line in words for pair in shlex.split(line))
