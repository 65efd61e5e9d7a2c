"""A node is killed between each two writes of what it shares: what it told people or nodes is on its disk.

A kill takes what is in memory and leaves what was given to the kernel. So a copy of the files before each statement of
SQLite that writes, and before and after each sync of the journal beside it, is what a kill there would leave. What had been
told by then, to a neighbour or to the person who waits, must be there when a node starts from the copy, without a neighbour
that could tell it again.
"""

import hashlib
import os
import shutil
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pytest

from mesh import registry_pages
from mesh.messages import decode
from mesh.notice_kind import NoticeContent
from mesh.page_format import Page
from mesh.page_kinds import page_content
from mesh.registry_kind import RegistryContent
from mesh.tls_transport import Link
from node.accounts.auth_result import Accepted, Rejected
from node.accounts.codes import Code, shown
from node.accounts.device_names import DeviceNames
from node.accounts.erasure_records import DEVICE_KIND
from node.accounts.member_passphrases import hash_passphrase
from node.accounts.notices import Notice, NoticeText
from node.accounts.told_notices import is_told, notice_value
from node.accounts.voucher_store import IssueResult
from node.accounts.vouchers import Batch
from node.app.roaming_records import BINDING, BLOCKED, SESSION
from node.app.roaming_service import RoamingService
from node.governance.rules import WAYS
from node.storage.database import Store
from node.units import AccountId, MacAddress, Milliseconds
from tests.fakes.reconciler_fixture import until
from tests.fakes.shared_node import SharedNode

ANA = AccountId("ana")
PHONE, TABLET = MacAddress("02:00:00:00:00:77"), MacAddress("02:00:00:00:00:78")
HASHES = [hash_passphrase(word, word.encode()[:1] * 16) for word in ("corn-and-oil", "salt-and-bread")]
NOTICE = Notice(0, "network", "everyone", "", "", is_urgent=False, texts=(NoticeText("en", "Hello", ""),))

WRITING = frozenset({"BEGIN ", "COMMIT", "INSERT", "UPDATE", "DELETE", "SAVEPO", "RELEAS"})
"""Beginnings of statements. Usage is booked beside them, each moment, and has tests of its own."""

type Holds = Callable[["RoamingSharedNode"], bool]


class RoamingSharedNode(SharedNode):
    """A real node that tells of its devices too."""

    def _build(self) -> None:
        super()._build()
        self.names = DeviceNames(lambda: (b"names" * 8,))
        self.roaming = RoamingService(
            self.loop, self.shared, self.names, self.clock, own=self.node, terms_version=lambda: "1"
        )
        self.shared.beside.append(self.roaming.run)

    def version(self, kind: str, mac: MacAddress) -> int:
        found = self.shared.records.effective(kind, self.names.newest(mac))
        return 0 if found is None else found.version


@dataclass(frozen=True)
class KillMoment:
    """What a kill would leave, and what had been told by then."""

    where: str
    folder: Path
    frames: int
    done: int


@dataclass
class WriteObserver:
    """Copies the files of one node at each write."""

    node: SharedNode
    to: Path
    moments: list[KillMoment] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    done: list[Holds] = field(default_factory=list)
    _seen: set[tuple[str, int, int]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    statements: int = 0
    is_watching: bool = False

    def look(self, where: str) -> None:
        """Before or after a write, in the thread that writes."""
        if not self.is_watching:
            return
        with self._lock:
            self.statements += 1
            told = (
                len(self.sent),
                len(self.done),
            )  # first: what is told from here on is not asked of this copy
            state = self._digest(), *told
            if state not in self._seen:
                self._seen.add(state)
                folder = self.to / str(len(self.moments))
                for each in ("data", "run"):
                    shutil.copytree(self.node.folder / each, folder / each)
                self.moments.append(KillMoment(where, folder, *told))

    def _digest(self) -> str:
        files = sorted((self.node.folder / "data").rglob("*"))
        content = hashlib.sha256()
        for path in files:
            content.update(path.name.encode() + (path.read_bytes() if path.is_file() else b""))
        return content.hexdigest()


def watch(observer: WriteObserver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sees each statement of the node's database, each sync of a file of its own, and each frame that it sends."""
    opened, send = Store._opened, Link.send
    folder = str(observer.node.folder)

    def opened_and_seen(store: Store, *args: Any, **how: Any) -> Connection:
        db = opened(store, *args, **how)
        if str(store.path).startswith(folder):
            db.set_trace_callback(lambda sql: observer.look(sql[:40]) if sql[:6] in WRITING else None)
        return db

    async def send_and_note(link: Link, frame: bytes) -> bool:
        if link.node != observer.node.node:
            observer.sent.append(frame)
        return await send(link, frame)

    def synced(name: str) -> Callable[[int], None]:
        sync = getattr(os, name)

        def around(handle: int) -> None:
            path = os.readlink(f"/proc/self/fd/{handle}")
            is_own = path.startswith(folder) and "bookings" not in path
            if is_own:
                observer.look(f"before {name}")
            sync(handle)
            if is_own:
                observer.look(f"after {name}")

        return around

    monkeypatch.setattr(Store, "_opened", opened_and_seen)
    monkeypatch.setattr(Link, "send", send_and_note)
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, synced(name))


async def set_passphrase(node: RoamingSharedNode, number: int) -> Holds:
    rows = node.loop.registry.set_passphrase(ANA, HASHES[number])
    assert not isinstance(rows, Rejected)
    await node.loop.remember(rows)
    # One that is set later takes its place.
    return lambda again: again.loop.registry._passphrases.get(ANA) in HASHES[number:]


async def revoke_cards(node: RoamingSharedNode) -> Holds:
    await node.loop.remember(node.loop.registry.void_cards(ANA, "2026-11-24"))
    below = node.loop.registry._void[ANA]
    return lambda again: again.loop.registry._void.get(ANA, 0) >= below


async def issue(node: RoamingSharedNode, issued: list[Code]) -> Holds:
    wish = Batch(0, "day-pass", Milliseconds(86_400_000), 2, "", "issuer, Pere", "for the fair")
    made = node.loop.registry.vouchers.issue(wish, 3, "2026-11-24")
    assert isinstance(made, IssueResult)
    await node.loop.remember(made.changes)
    issued += made.codes
    return lambda again: all(again.loop.registry.vouchers.find(code) is not None for code in made.codes)


async def join(node: RoamingSharedNode, mac: MacAddress, code: Code) -> Holds:
    entered = node.loop.registry.enter_by_code(mac, shown(code), WAYS, node.loop.persistence.instant())
    assert isinstance(entered, Accepted)
    assert await node.loop.admit(mac, "1", changes=entered.changes) is None

    def holds(again: RoamingSharedNode) -> bool:
        """Until it is erased, which is done after its session ended."""
        is_bound = again.loop.account_of(mac) == entered.account and again.version(BINDING, mac) >= 1
        is_erased = again.loop.registry.bindings.get(mac) is None and again.version(SESSION, mac) >= 2
        return again.version(SESSION, mac) >= 1 and (is_bound or is_erased)

    return holds


async def object_to(node: RoamingSharedNode) -> Holds:
    filed = node.loop.registry.add_objection(ANA, "evening", "Why?", node.loop.persistence.instant())
    assert not isinstance(filed, Rejected)
    await node.loop.remember(filed)
    return lambda again: len(again.loop.registry.objections) >= 1


async def block(node: RoamingSharedNode, mac: MacAddress) -> Holds:
    await node.loop.block(mac, "noise at night")
    return lambda again: again.version(BLOCKED, mac) >= 1 and not again.loop.session_table.is_admitted(mac)


async def put_up(node: RoamingSharedNode) -> Holds:
    notice = node.loop.registry.notices.put_up(NOTICE)
    assert isinstance(notice, Notice)
    await node.loop.remember((notice,))
    node.loop.registry.notices.stored()
    return lambda again: again.loop.registry.notices.get(notice.number) is not None


async def leave(node: RoamingSharedNode, mac: MacAddress) -> Holds:
    await node.loop.leave(mac)
    return lambda again: not again.loop.session_table.is_admitted(mac) and again.version(SESSION, mac) >= 2


async def erase(node: RoamingSharedNode, mac: MacAddress) -> Holds:
    await node.erase(mac)
    return lambda again: (
        again.version(DEVICE_KIND, mac) == 1 and again.loop.registry.bindings.get(mac) is None
    )


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.replicator.LOOK_AT_REGISTRY_S", 0.05)
    monkeypatch.setattr("mesh.replicator.PUBLISH_EVERY_S", 0.02)
    monkeypatch.setattr(registry_pages, "REST_EVERY_S", 0.2)


async def live(observer: WriteObserver, hill: RoamingSharedNode, valley: RoamingSharedNode) -> None:
    """What people do at hill and valley, while hill's files are watched."""

    async def does(act: Awaitable[Holds], at: RoamingSharedNode = hill) -> None:
        holds = await act
        if at is observer.node:
            observer.done.append(holds)

    await until(lambda: bool(valley.mesh._links))
    observer.is_watching = True
    await does(set_passphrase(hill, 0))
    issued: list[Code] = []
    await does(issue(hill, issued))
    await does(join(hill, PHONE, issued[0]))
    await until(lambda: valley.version(SESSION, PHONE) == 1)
    valley.roaming.seen(PHONE)
    await until(lambda: valley.loop.session_table.is_admitted(PHONE))
    await does(revoke_cards(hill))
    await does(object_to(hill))
    await does(put_up(hill))
    await until(lambda: len(valley.loop.registry.heard_notices) == 1)
    # What comes from the other node is written here too, and said again by this one only when it is stored.
    await does(set_passphrase(valley, 1), valley)
    await until(lambda: hill.loop.registry._passphrases.get(ANA) == HASHES[1])
    await does(join(hill, TABLET, issued[0]))
    await does(leave(hill, TABLET))
    await does(block(hill, PHONE))
    await until(lambda: valley.version(BLOCKED, PHONE) == 1)
    await until(lambda: valley.version(SESSION, TABLET) >= 2)
    await does(erase(hill, TABLET))
    await until(lambda: valley.version(DEVICE_KIND, TABLET) == 1)
    await does(put_up(valley), valley)
    await until(lambda: len(hill.loop.registry.heard_notices) == 1)
    observer.is_watching = False


def told_by(own: str, frames: list[bytes]) -> list[Page]:
    pages = [decode(frame) for frame in frames]
    return [page for page in pages if isinstance(page, Page) and page.author == own]


def untrue(node: RoamingSharedNode, frames: list[bytes]) -> list[str]:
    """What this node told and does not know: a record of an earlier version, or another at the same one."""
    found = []
    for page in told_by(node.node, frames):
        match page_content(page):
            case RegistryContent(records):
                for told in records:
                    here = node.shared.records.effective(told.kind, told.key)
                    if here is None or here.version < told.version:
                        found.append(f"{told.kind} {told.key[:8]} version {told.version}")
            case NoticeContent(_, Notice() as notice):
                own = [each for each in node.loop.registry.notices.all() if is_told(each)]
                if notice_value(notice) not in map(notice_value, own):
                    found.append("a notice")
            case _:
                pass
    return found


@pytest.mark.parametrize("killed", [pytest.param("hill", marks=pytest.mark.thorough), "valley"])
async def test_what_was_told_is_on_the_disk_whenever_a_node_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    other = {"hill": "valley", "valley": "hill"}[killed]
    hill = RoamingSharedNode("hill", tmp_path, "valley")
    valley = RoamingSharedNode("valley", tmp_path, "hill")
    node = hill if killed == "hill" else valley
    observer = WriteObserver(node, tmp_path / "moments")
    with monkeypatch.context() as patched:
        watch(observer, patched)
        async with valley.running(), hill.running(valley):
            await live(observer, hill, valley)
    assert len(observer.moments) > 10, observer.statements
    assert told_by(node.node, observer.sent)
    problems: list[str] = []
    for number, moment in enumerate(observer.moments):
        again = RoamingSharedNode(killed, tmp_path / f"again-{number}", other)
        for each in ("data", "run"):
            shutil.rmtree(again.folder / each)
            shutil.copytree(moment.folder / each, again.folder / each)
        async with again.running():
            await until(lambda again=again: again.loop.persistence.recalled)
            lost = [index for index, holds in enumerate(observer.done[: moment.done]) if not holds(again)]
            missing = untrue(again, observer.sent[: moment.frames])
            if lost or missing:
                problems.append(f"{number} {moment.where}: lost {lost}, told {missing}")
    print(f"{len(observer.moments)} states of the files at {observer.statements} writes")
    assert [] == problems
