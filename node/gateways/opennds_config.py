"""The configuration of an openNDS router whose people are authenticated by this node, to paste or to download."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from node.errors import InvalidValue
from node.gateways.gateway import Gateway
from node.translator import gettext_lazy

FasLevel = Literal[0, 1, 2, 3, 4]
CHECK_S, POLL_S = 15, 5
FOLDER = "/usr/lib/opennds"
"""On the router, of the scripts."""
CRON = f"* * * * * {FOLDER}/procomu-report.sh"
"""Starts the script that reports."""
SCRIPTS_PATH = "/scripts/"
"""Under which the node gives out the scripts, without a secret."""
NAME_CHARACTERS_MAX = 60
_HOST = re.compile(r"[0-9a-z]([0-9a-z-]{0,62}[0-9a-z])?(\.[0-9a-z]([0-9a-z-]{0,62}[0-9a-z])?)*")
_NAME = re.compile(r"[^0-9A-Za-z ._-]+")


@dataclass(frozen=True, slots=True)
class FasAddress:
    """Where a router reaches this node."""

    host: str
    """IPv4 address, or the name in this node's certificate."""
    port: int

    @property
    def is_name(self) -> bool:
        try:
            IPv4Address(self.host)
        except ValueError:
            return True
        return False


def parse_fas_address(host: str, port: int) -> FasAddress:
    """Raises InvalidValue: openNDS takes an IPv4 address or a host name."""
    wanted = host.strip().lower()
    if len(wanted) > 253 or not _HOST.fullmatch(wanted):
        raise InvalidValue(
            gettext_lazy("an openNDS router reaches this node by an IPv4 address or a name"),
            wanted="10.1.0.1",
        )
    return FasAddress(wanted, port)


def fas_path(gateway: Gateway, level: FasLevel) -> str:
    """Path of the authentication service for one gateway: its id is no secret, as people see it."""
    return f"/gw/{gateway.id}/fas/{level}/"


def opennds_options(
    gateway: Gateway, address: FasAddress, level: FasLevel, faskey: str
) -> tuple[tuple[str, str], ...]:
    """The options of /etc/config/opennds. Values have no quotation mark and no character that a shell reads."""
    place = "fasremotefqdn" if address.is_name else "fasremoteip"
    name = " ".join(_NAME.sub(" ", gateway.name).split())[:NAME_CHARACTERS_MAX] or gateway.id
    return (
        ("enabled", "1"),
        ("gatewayname", name),
        ("fas_secure_enabled", str(level)),
        ("fasport", str(address.port)),
        (place, address.host),
        ("faspath", fas_path(gateway, level)),
        ("faskey", faskey),
        ("checkinterval", str(CHECK_S)),
        ("nat_traversal_poll_interval", str(POLL_S)),
        # Otherwise a ceiling acts only when the average of half a minute is above it.
        ("download_unrestricted_bursting", "0"),
        ("upload_unrestricted_bursting", "1"),
        # Otherwise it lets people in again after its start without limits, and without asking.
        ("allow_preemptive_authentication", "0"),
    )


def opennds_commands(gateway: Gateway, address: FasAddress, level: FasLevel, faskey: str) -> str:
    """Commands to paste into a shell on an OpenWrt router."""
    options = opennds_options(gateway, address, level, faskey)
    lines = [f"uci set opennds.@opennds[0].{name}='{value}'" for name, value in options]
    return "\n".join([*lines, "uci commit opennds", "/etc/init.d/opennds restart", ""])


def opennds_file(
    gateway: Gateway, address: FasAddress, level: FasLevel, faskey: str, interface: str = "br-lan"
) -> str:
    """/etc/config/opennds, for a router without `uci`."""
    options = (("gatewayinterface", interface), *opennds_options(gateway, address, level, faskey))
    return "".join(["config opennds\n", *(f"\toption {name} '{value}'\n" for name, value in options)])


def opennds_configuration(
    gateway: Gateway,
    host: str,
    faskey: str,
    *,
    port: int,
    https_port: int,
    has_certificate: bool,
    scripts: Mapping[str, str],
) -> str:
    """For an admin: the best level that the node can serve, with what the other levels need. `scripts`: the SHA-256 of each
    script that the node gives out, by which the router knows that it is the right one."""
    secure, plain = FasAddress(host, https_port), FasAddress(host, port)
    text = (
        opennds_file(gateway, secure, 4, faskey)
        if has_certificate
        else opennds_file(gateway, plain, 1, faskey)
    )
    notes = [
        "# /etc/config/opennds. The levels 2 and 3 need php-cli and php-mod-openssl. All levels need custombinauth.sh of",
        "# this node; with procomu-report.sh beside it, and the line of cron in /etc/crontabs/root, a block holds within a",
        "# minute:",
        f"#   cd {FOLDER}",
        *(
            line
            for name, digest in scripts.items()
            for line in (
                # Root runs what has this name, also without permission to execute: it gets it when it has been checked.
                f"#   wget -O new http://{host}:{port}{SCRIPTS_PATH}{name}",
                f"#   echo '{digest}  new' | sha256sum -c && chmod +x new && mv new {name}",
            )
        ),
        f"#   {CRON}",
        "# For another level, change fas_secure_enabled, the digit at the end of faspath, and the port:",
        f"# fasport {port} for the levels 1 and 2, {https_port} for 3 and 4, where the node has a certificate.",
    ]
    return "\n".join([*notes, text])
