"""A second DHCP server on the link, such as a home router that is connected by the wrong port."""

from pathlib import Path

from tests.lab.netns import Namespace

MAC = "02:77:00:00:00:66"


def start(place: Namespace, lease_file: Path, pool: str = "192.168.1.100,192.168.1.150") -> None:
    """Leases addresses of `pool` on ``eth0``, until the namespace ends."""
    place.start(
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=",
        "--interface=eth0", "--bind-interfaces", "--no-ping", f"--dhcp-leasefile={lease_file}",
        f"--dhcp-range={pool},1h",
    )  # fmt: skip
