"""For how long the rules that wait have waited while the node ran. The clock cannot shorten it, and a restart takes a part
of it away and never adds to it."""

from contextlib import suppress

from node.control.ports import Clock, StateArchive
from node.errors import StorageTrouble
from node.governance.rule_history import RuleVersion
from node.units import Milliseconds, Monotonic

STATE = "rules_waited"
"""Name of the node state: number and fingerprint of the version, and milliseconds."""
SAVE_EVERY = Milliseconds(10 * 60_000)
"""A power cut costs at most so much of it, as long as the disk can be written; else it is tried again after as long."""


class WaitedTime:
    """Of one version at a time."""

    def __init__(self, archive: StateArchive, clock: Clock) -> None:
        self._archive, self._clock = archive, clock
        self._key = ""
        self._waited = self._tried = 0
        self._seen: Monotonic | None = None

    def seconds(self, version: RuleVersion) -> int:
        """As far as it was counted by `count`."""
        return self._waited // 1000 if _key(version) == self._key else 0

    async def count(self, version: RuleVersion) -> None:
        """Counts the time since it was called last, and at first what was stored of this version."""
        now = self._clock.monotonic()
        if _key(version) != self._key:
            try:
                stored = await self._archive.state(STATE)
            except StorageTrouble:
                return  # reported by the control loop; read again by the next call
            self._key, self._seen = _key(version), now
            self._waited = self._tried = _milliseconds(stored, self._key)
        assert self._seen is not None, "with the key"
        self._waited += max(0, now - self._seen)
        self._seen = now
        if self._waited - self._tried >= SAVE_EVERY:
            self._tried = self._waited
            with suppress(StorageTrouble):  # as above
                await self._archive.save_state(STATE, f"{self._key} {self._waited}")


def _key(version: RuleVersion) -> str:
    return f"{version.number} {version.fingerprint}"


def _milliseconds(stored: str, key: str) -> int:
    known, _, waited = stored.rpartition(" ")
    is_number = waited.isascii() and waited.isdecimal() and len(waited) <= 15
    return int(waited) if known == key and is_number else 0
