"""What previews of rules told until now: the accounts that all of them treated alike.

It is remembered for all admins together, also over a restart, so that neither one admin nor several learn from two previews
what one of them would not tell.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Protocol

from node.accounting.intervals import KEEP_INTERVALS_DAYS
from node.app.rule_preview import ReadIntervals
from node.control.ports import Clock
from node.governance.account_classes import AccountClasses, combined
from node.governance.rule_effects import ReadAgain


class PreviewArchive(Protocol):
    """The classes of accounts, by day. Both methods raise StorageTrouble while the data folder cannot be used."""

    async def preview_classes(self) -> Mapping[str, AccountClasses]: ...

    async def save_preview_classes(self, day: str, classes: AccountClasses) -> None:
        """Replaces those of the day. They are on the disk when it returns."""


@dataclass(frozen=True, slots=True)
class PreviousClasses:
    """Those of all previews until some time."""

    classes: AccountClasses
    number: int
    """Another one after something else was told."""


class ToldClasses:
    """Use from one event loop."""

    def __init__(self, archive: PreviewArchive, clock: Clock, read_intervals: ReadIntervals) -> None:
        self._archive, self._clock, self._read_intervals = archive, clock, read_intervals
        self._telling, self._remembering, self._number = asyncio.Lock(), asyncio.Lock(), 0

    async def until_now(self) -> PreviousClasses:
        """Raises StorageTrouble."""
        number = self._number
        by_day = await self._archive.preview_classes()
        return PreviousClasses(await asyncio.to_thread(_all, tuple(by_day.values())), number)

    async def remember(self, classes: AccountClasses, before: PreviousClasses) -> bool:
        """Before something is told that treats these accounts alike, and that was found after what was told `before`. False
        if something else was told since: then it must not be told. Raises StorageTrouble."""
        async with self._remembering:
            if before.number != self._number:
                return False
            today = self._clock.today()
            of_day = (await self._archive.preview_classes()).get(today, {})
            joint = await asyncio.to_thread(combined, of_day, classes)
            if joint != of_day:
                await self._archive.save_preview_classes(today, joint)
                self._number += 1
            return True

    async def tell[T](self, find: Callable[[ReadAgain, AccountClasses], tuple[T, AccountClasses]]) -> T:
        """What `find`, which runs in a thread, finds after what was told until now. It also returns the accounts that it
        treats alike. One at a time, since each takes some seconds of the processor. Raises StorageTrouble."""
        async with self._telling:
            while True:
                told = await self.until_now()
                found, classes = await asyncio.to_thread(find, self.reader(), told.classes)
                if not classes or await self.remember(classes, told):
                    return found

    def reader(self) -> ReadAgain:
        """Reads the whole hours of the last days: of an hour that goes on, or whose first intervals are deleted, two
        previews would count different parts."""
        until = self._clock.civil().replace(minute=0, second=0, microsecond=0)
        since = until - timedelta(days=KEEP_INTERVALS_DAYS) + timedelta(hours=1)
        return partial(self._read_intervals, int(since.timestamp()), int(until.timestamp()))


def _all(by_day: Iterable[AccountClasses]) -> AccountClasses:
    told: AccountClasses = {}
    for classes in by_day:
        told = combined(told, classes)
    return told
