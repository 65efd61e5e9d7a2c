"""Which device an IPv4 address was leased to, from dnsmasq's file of leases."""

from collections.abc import Mapping
from pathlib import Path

from node.units import MacAddress

FILE_BYTES_MAX = 4_000_000
"""Some 40,000 leases; of a longer file nothing is read."""


def read_leases(text: str) -> dict[str, MacAddress]:
    """By IPv4 address, from lines of ``expiry hardware-address address name client-id`` (dnsmasq(8)). Lines of DHCPv6 and
    of clients without an Ethernet address are passed over."""
    found: dict[str, MacAddress] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and len(words[1]) == 17 and words[1].count(":") == 5 and "." in words[2]:
            found[words[2]] = MacAddress(words[1].lower())
    return found


class LeaseFile:
    """The leases as they were written last. Without a file there are none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (0, 0)
        self.holders: Mapping[str, MacAddress] = {}

    def look(self) -> None:
        """Reads the file when it changed; may take some milliseconds, so not on the event loop."""
        try:
            found = self._path.stat()
            stamp = found.st_mtime_ns, found.st_size
            if stamp == self._stamp:
                return
            self._stamp = stamp
            text = self._path.read_text("ascii", "replace") if found.st_size <= FILE_BYTES_MAX else ""
        except OSError:
            self._stamp, text = (0, 0), ""
        self.holders = read_leases(text)
