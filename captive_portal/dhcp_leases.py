"""IPv4 address to device, from dnsmasq's lease file."""

from collections.abc import Mapping
from pathlib import Path

from node.units import MacAddress

FILE_BYTES_MAX = 4_000_000
"""About 40,000 leases; a larger file is not read."""


def read_leases(text: str) -> dict[str, MacAddress]:
    """By IPv4 address, from lines of ``expiry hardware-address address name client-id`` (dnsmasq(8)). DHCPv6
    lines and clients without an Ethernet address are skipped."""
    found: dict[str, MacAddress] = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 4 and len(words[1]) == 17 and words[1].count(":") == 5 and "." in words[2]:
            found[words[2]] = MacAddress(words[1].lower())
    return found


class LeaseFile:
    """The current lease file. A missing file means no leases."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = (0, 0)
        self.holders: Mapping[str, MacAddress] = {}

    def look(self) -> None:
        """Reads the file if it changed; can take some milliseconds, so not on the event loop."""
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
