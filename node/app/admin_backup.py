"""Application service of the admin pages for backups and their recovery key."""

import asyncio
from collections.abc import Callable

from node.app.admin_sessions import CONSOLE, Signed
from node.app.event_recorder import ActRecorder
from node.app.idempotency import RANDOM_BYTES, IdempotencyKeys
from node.backup.ports import BackupFile, BackupPort, BackupState
from node.control.ports import Clock
from node.errors import Finding
from node.translator import gettext_lazy

KEY_BYTES = 32
_THERE = Finding(
    "backup-key",
    0,
    gettext_lazy("There is a recovery key already."),
    gettext_lazy("tick the box if it is to be replaced"),
)
_SHOWN_BEFORE = Finding(
    "backup-key",
    0,
    gettext_lazy("This key was shown before, and nobody can see it again."),
    gettext_lazy("make another one if you did not print it"),
)


class AdminBackupService:
    """`random` returns so many random bytes."""

    def __init__(
        self,
        backups: BackupPort,
        clock: Clock,
        random: Callable[[int], bytes],
        *,
        recorded: ActRecorder,
    ) -> None:
        """`recorded` records the event of an act."""
        self._recorded = recorded
        self._backups, self._clock, self._random = backups, clock, random
        self._keys = IdempotencyKeys[bytes](random(KEY_BYTES))
        self._busy = asyncio.Lock()

    def idempotency_key(self, cookie: str) -> str:
        return self._keys.idempotency_key(cookie, self._random(RANDOM_BYTES), self._clock.monotonic())

    async def state(self) -> BackupState:
        return await self._backups.state()

    def today(self) -> str:
        """The civil day; empty while the clock is unknown."""
        return "" if self._clock.state() == "unknown" else self._clock.today()

    async def is_overdue(self) -> bool:
        return (await self.state()).is_overdue(self._clock.civil())

    async def make_key(
        self, cookie: str, idempotency_key: str, *, is_replacing: bool, by: Signed = CONSOLE
    ) -> bytes | Finding:
        """The secret of a new recovery key, which is shown now and for 15 minutes to the same form, and never stored."""
        async with self._busy:
            now = self._clock.monotonic()
            if self._keys.state(cookie, idempotency_key, now) != "fresh":
                return self._keys.shown(cookie, idempotency_key, now) or _SHOWN_BEFORE
            state = await self._backups.state()
            if (state.recipients or state.trouble) and not is_replacing:
                return _THERE
            secret = self._random(KEY_BYTES)
            async with self._recorded(by, "recovery-key-made"):
                await self._backups.replace_key(secret)
            self._keys.keep(cookie, idempotency_key, secret, now)
            return secret

    async def create(self, *, by: Signed = CONSOLE) -> BackupFile:
        """One backup at a time is made."""
        async with self._busy, self._recorded(by, "backup-made"):
            return await self._backups.create()
