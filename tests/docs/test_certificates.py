"""The documentation of certificates agrees with the code."""

import re
from datetime import timedelta
from pathlib import Path

from node.config import parse_config
from node.web.certificate_files import CHECK_AGAIN
from node.web.certificates import RENEW_BEFORE
from node.web.https import (
    HANDSHAKE_S,
    HANDSHAKES_AT_ONCE,
    HANDSHAKES_MAX,
    HANDSHAKES_PER_DEVICE,
    HANDSHAKES_PER_S,
    LIMITS,
    LOOK_EVERY_S,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "deploy" / "CERTIFICATES.md").read_text()
PORTAL = (ROOT / "captive_portal" / "README.md").read_text()
LEAST = (
    '[node]\nname = "a"\n[community]\nname = "b"\n[lan]\ninterface = "br-lan"\n[uplink]\ninterface = "eth0"\n'
)


def test_the_settings_in_the_example_are_valid() -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    config, findings = parse_config(LEAST + shown)
    assert config is not None, findings
    assert ("login.vall.example", "/etc/procomu/portal.crt", "/etc/procomu/portal.key") == (
        config.portal.host,
        config.portal.certificate,
        config.portal.certificate_key,
    )


def test_times_are_those_of_the_code() -> None:
    assert LOOK_EVERY_S == 5
    assert "the node sees new files within five seconds" in PAGE
    assert timedelta(minutes=1) == CHECK_AGAIN
    assert "stops telling devices within a minute" in PAGE
    assert timedelta(days=10) == RENEW_BEFORE
    assert "less than ten days" in PAGE


def test_limits_of_https_are_in_the_portals_readme() -> None:
    section = PORTAL.partition("## By https")[2].partition("\n## ")[0]
    rows = dict(re.findall(r"^\| ([a-z ]+)[^|]* \| ([\d.]+) \|$", section, re.MULTILINE))
    assert {
        "connections": str(LIMITS.connections),
        "connections of one device": str(LIMITS.connections_per_device),
        "handshakes under way": str(HANDSHAKES_MAX),
        "handshakes of one device under way": str(HANDSHAKES_PER_DEVICE),
        "handshakes of one device at once": str(HANDSHAKES_AT_ONCE),
        "of them in each second after that": str(HANDSHAKES_PER_S),
        "seconds for a handshake": str(HANDSHAKE_S),
    } == rows
