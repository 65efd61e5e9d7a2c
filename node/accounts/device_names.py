"""Keyed hashes by which nodes of a community name a device to each other, so that no hardware address leaves a node."""

import hmac
from collections.abc import Callable, Sequence

from node.units import MacAddress

NAME_BYTES = 16
KEYS_MAX = 8
"""Of the newest keys; each costs a hash for every device that is looked up, and those of floods are many."""


class DeviceNames:
    """Names are written under the newest key, and looked up under each of the last ones."""

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        """`keys`: of the community, for this purpose only, the newest first."""
        self._keys = keys

    def newest(self, mac: MacAddress) -> str:
        """32 hexadecimal digits, the same on every node that has the key."""
        return _name(self._keys()[0], mac)

    def every(self, mac: MacAddress) -> tuple[str, ...]:
        """The device's names under the last keys, the newest first."""
        return tuple(_name(key, mac) for key in self._keys()[:KEYS_MAX])


def _name(key: bytes, mac: MacAddress) -> str:
    return hmac.digest(key, mac.encode(), "sha256")[:NAME_BYTES].hex()
