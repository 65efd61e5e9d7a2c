"""Watches the node, keeps its alerts, and sends what they say by every way that is set.

A way that hangs or fails is tried again with growing pauses; it delays neither another way nor anything else in the node.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from node.alerts.alert_list import BY_NAME, Alert
from node.alerts.clock_jump import ClockReading, jump_s
from node.alerts.digest import DigestState, is_due
from node.alerts.message import (
    AlertMessage,
    MessageOrigin,
    change_message,
    digest_message,
    title_of,
    trial_message,
)
from node.alerts.outbox import WayName, pause_s, ways_for
from node.alerts.readings import AlertReadings, verdicts
from node.alerts.states import AlertChange, step
from node.alerts.stored import StoredAlerts, from_text, to_text
from node.alerts.way import SEND_S, AlertWay
from node.app.outage_note import OutageNotes
from node.control.ports import Clock, StateArchive
from node.errors import NodeError, StorageTrouble
from node.translator import LazyText
from node.units import Milliseconds, Monotonic

log = logging.getLogger(__name__)

STATE = "alerts"
"""Name in the node state."""
LOOK_EVERY_S = 15.0
RECALL_S = 300
"""So long a node waits for what it stored, before it goes on without: a disk that fails is to be told too."""
ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """One alert, as admins see it."""

    alert: Alert
    title: LazyText
    node: str
    """Id of the node that it is about; empty for this one."""
    since: datetime | None


@dataclass(slots=True)
class WayHealth:
    """How sending goes."""

    failures: int = 0
    """In a row."""
    trouble: str = ""
    """Of the last one; empty after a success."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class AlertService:
    """`run` may be called again."""

    def __init__(
        self,
        archive: StateArchive,
        clock: Clock,
        *,
        read: Callable[[], Awaitable[AlertReadings]],
        ways: Mapping[WayName, AlertWay],
        outages: OutageNotes,
        origin: Callable[[], MessageOrigin],
        digest_minute: int | None,
        random: Callable[[int], bytes],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        """`digest_minute` of the day, None for no digest. `random` returns so many random bytes."""
        self._archive, self._clock, self._read, self._origin = archive, clock, read, origin
        self._ways, self._digest_minute, self._random = ways, digest_minute, random
        self._look_every_s, self.outages = look_every_s, outages
        self._health: dict[WayName, WayHealth] = {way: WayHealth() for way in ways}
        self._kept = StoredAlerts()
        self._is_recalled, self._is_unsaved = False, False
        self._recall_ends = Monotonic(clock.monotonic() + RECALL_S * 1_000)
        self._looked: Monotonic | None = None
        self._clocks: ClockReading | None = None
        self._saving = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            for way in self._ways:
                tasks.create_task(self._send_all(way))

    # --- what admins see ---

    def raised(self) -> tuple[RaisedAlert, ...]:
        """In the order of the list, urgent ones first."""
        zone = self._origin().zone
        found = [
            RaisedAlert(
                BY_NAME[name], title_of(BY_NAME[name], state.subject_name), node, _at(state.since_s, zone)
            )
            for (name, node), state in self._kept.states.items()
            if state.is_raised
        ]
        order = list(BY_NAME)
        return tuple(
            sorted(
                found, key=lambda each: (not each.alert.is_urgent, order.index(each.alert.name), each.title)
            )
        )

    def waiting(self) -> Mapping[WayName, tuple[int, int, str]]:
        """For each way that is set: messages that wait, messages that were left out, and why the last attempt failed."""
        outbox = self._kept.outbox
        return {
            way: (len(outbox.waiting.get(way, ())), outbox.left_out.get(way, 0), health.trouble)
            for way, health in self._health.items()
        }

    def warnings(self) -> tuple[str, ...]:
        """Ways that fail."""
        return tuple(
            f"Alerts cannot be sent by {way}: {health.trouble} They are kept and tried again."
            for way, health in self._health.items()
            if health.failures > 1
        )

    async def test(self, way: str) -> None:
        """Sends a test message now. Raises NodeError when it did not arrive, or the way is not set."""
        found = next((sends for name, sends in self._ways.items() if name == way), None)
        if found is None:
            there = ", ".join(self._ways) or "none is"
            raise NodeError(
                f"alerts are not sent by {way!r:.40}", f"set it in [alerts] of node.toml; set: {there}"
            )
        try:
            async with asyncio.timeout(SEND_S):
                await found.send(trial_message(self._origin(), self._new_id(), self._now_s()))
        except TimeoutError as error:
            raise NodeError(
                f"{way} did not answer within {SEND_S:g} s", "see whether its server is there"
            ) from error

    # --- watching ---

    async def _watch(self) -> None:
        try:
            while True:
                with suppress(StorageTrouble):
                    await self.outages.look()
                if await self._recall():
                    await self.look()
                await asyncio.sleep(self._look_every_s)
        finally:
            if self._is_recalled:
                await self._save()

    async def look(self) -> None:
        """One look at the node: what has changed is stored, and then sent."""
        now, before = self._clock.monotonic(), self._looked
        self._looked = now
        readings = await self._read()
        readings = replace(readings, has_jumped=self._has_jumped(now))
        kept, names = self._kept, {str(node): name for node, name in readings.names.items()}
        open_keys = [key for key, state in kept.states.items() if state.is_raised]
        watched = Milliseconds(0 if before is None else now - before)
        states, changes = step(kept.states, verdicts(readings, open_keys), watched, self._now_s(), names)
        # Sending may have changed the outbox meanwhile, so that only what is computed here is replaced.
        self._kept = replace(self._kept, states=states)
        self._tell(changes)
        is_told = self._digest()
        if changes or is_told or self._is_unsaved:
            await self._save()
            self._wake()

    def _tell(self, changes: tuple[AlertChange, ...]) -> None:
        for change in changes:
            log.warning("alert %s %s", change.name, "is raised" if change.is_raised else "is over")
            self._put(change_message(change, self._origin(), self._new_id()))
        if changes and self._digest_minute is not None:
            self._kept = replace(self._kept, digest=self._kept.digest.with_changes(changes))

    def _digest(self) -> bool:
        """Whether a digest was made."""
        digest, now_s = self._kept.digest, self._now_s()
        local = None if now_s is None else self._clock.civil()
        if now_s is None or local is None or not is_due(digest, local, self._digest_minute):
            return False
        if digest.changes:
            origin, states = self._origin(), self._kept.states
            self._put(digest_message(digest.changes, states, origin, id_=self._new_id(), now_s=now_s))
        self._kept = replace(self._kept, digest=DigestState(local.date().isoformat()))
        return bool(digest.changes)

    def _put(self, message: AlertMessage) -> None:
        outbox = self._kept.outbox.put(message, ways_for(message, self._ways))
        self._kept = replace(self._kept, outbox=outbox)

    def _has_jumped(self, now: Monotonic) -> bool:
        state, before = self._clock.state(), self._clocks
        self._clocks = ClockReading(int(self._clock.civil().timestamp()), now, state == "synced")
        return jump_s(before, self._clocks) != 0

    # --- storing ---

    async def _recall(self) -> bool:
        """False while what was stored cannot be read, and may still be."""
        if self._is_recalled:
            return True
        try:
            kept = from_text(await self._archive.state(STATE))
        except StorageTrouble:
            if self._clock.monotonic() < self._recall_ends:
                return False
            log.warning("the alerts of before cannot be read: some may be told twice")
        else:
            self._kept = replace(kept, outbox=kept.outbox.only(self._ways))
        self._is_recalled = True
        self._wake()
        return True

    async def _save(self) -> None:
        """What could not be stored is stored at the next look."""
        async with self._saving:
            self._is_unsaved = True
            try:
                await self._archive.save_state(STATE, to_text(self._kept))
            except StorageTrouble:
                return  # the control loop reports it, and an alert about the disk is sent all the same
            self._is_unsaved = False

    # --- sending ---

    def _wake(self) -> None:
        for way, health in self._health.items():
            if self._kept.outbox.first(way) is not None:
                health.wake.set()

    async def _send_all(self, way: WayName) -> None:
        health = self._health[way]
        while True:
            # A message is stored before it is sent, so that it has the same id after a crash.
            async with self._saving:
                message = self._kept.outbox.first(way)
            if message is None:
                health.wake.clear()
                await health.wake.wait()
                continue
            if await self._send(way, message):
                self._kept = replace(self._kept, outbox=self._kept.outbox.sent(way, message.id))
                await self._save()
            else:
                await asyncio.sleep(pause_s(health.failures))

    async def _send(self, way: WayName, message: AlertMessage) -> bool:
        health = self._health[way]
        try:
            async with asyncio.timeout(SEND_S):
                await self._ways[way].send(message)
        except Exception as error:
            health.failures += 1
            health.trouble = _trouble(error)
            if health.failures == 1:
                is_bug = not isinstance(error, NodeError | TimeoutError)
                log.warning(
                    "an alert could not be sent by %s, and is tried again: %s",
                    way,
                    health.trouble,
                    exc_info=is_bug,
                )
            return False
        health.failures, health.trouble = 0, ""
        return True

    def _new_id(self) -> str:
        return self._random(ID_BYTES).hex()

    def _now_s(self) -> int | None:
        return None if self._clock.state() == "unknown" else int(self._clock.civil().timestamp())


def _trouble(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time."
    return f"{error}." if isinstance(error, NodeError) else f"{type(error).__name__}: {error}."


def _at(since_s: int | None, zone: tzinfo) -> datetime | None:
    return None if since_s is None else datetime.fromtimestamp(since_s, zone)
