"""A node with a control loop, a database on the disk, the mesh over TLS on the loopback, and shared records."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from mesh.announcement import Address, ConfiguredPeer
from mesh.service import MeshService
from node.accounts import personal_data
from node.accounts.device_names import DeviceNames
from node.app.mesh_usage import MeshUsage
from node.app.shared_erasures import SharedErasures
from node.app.shared_kinds import shared_registry
from node.control.active_ruleset import load_active_ruleset
from node.control.reconciler import Reconciler
from node.enforcement.plan import FirewallConfig
from node.governance.rules import ActiveRuleset
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredPageCache, StoredRepository
from node.units import MacAddress, NodeId
from tests.fakes.kernel import FakeKernel
from tests.fakes.members import COMMUNITY, guest_account, make_registry
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.prober import FakeProber
from tests.fakes.reconciler_fixture import MEMBER_DIRECTORY, RULES, until
from tests.fakes.repository import FakeClock


class SharedNode:
    """One node; `running` may be entered again after it ended."""

    def __init__(self, name: str, folder: Path, *members: str) -> None:
        self.name, self.node, self.folder = name, id_of(name), folder / name
        self.roster = frozenset(map(id_of, (name, *members)))
        self.kernel, self.clock = FakeKernel(), FakeClock()
        self.clock.now = self.kernel.now
        self.peers: tuple[Address, ...] = ()
        self.is_killed = False
        self.seed = 0
        for each in ("data", "run"):
            (self.folder / each).mkdir(parents=True)

    @property
    def database(self) -> Path:
        return self.folder / "data" / "procomu.db"

    @property
    def address(self) -> Address:
        return Address("::1", self.mesh.listening_port)

    def _build(self) -> None:
        assert MEMBER_DIRECTORY is not None
        rules = load_active_ruleset(RULES, MEMBER_DIRECTORY)
        assert isinstance(rules, ActiveRuleset)
        self.seed += 1
        self.store = Store(self.database)
        self.loop = Reconciler(
            prober=FakeProber(),
            kernel=self.kernel,
            repository=StoredRepository(self.store, self.folder / "run" / "bookings"),
            clock=self.clock,
            firewall=FirewallConfig("lan0", "wan0", 2080),
            node=self.node,
            active_ruleset=rules,
            member_directory=MEMBER_DIRECTORY,
            registry=make_registry(lambda: self.loop.member_directory, nodes=self.roster, seed=self.seed),
            guest_account=guest_account,
            session_ms=None,
            on_booked=lambda changed: self.mesh.publish(
                (key.incarnation, key.day, key.account, bucket) for key, bucket in changed.items()
            ),
            keep_pages=self._keep_pages,
            tick_s=0.02,
        )
        self.shared = shared_registry(self.loop, self.clock, bytes(32))
        self.erasures = SharedErasures(self.loop, self.shared, StoredArchive(self.store).devices)
        self.erasures.names = DeviceNames(lambda: (b"names" * 8,))
        self.mesh = MeshService(
            key=key_of(self.name),
            community_id=COMMUNITY,
            name=self.name,
            roster=lambda: self.roster,
            usage_ledger=MeshUsage(self.loop),
            page_cache=StoredPageCache(self.store, self.clock.today),
            shared_records=self.shared,
            port=0,
            configured_peers=tuple(map(ConfiguredPeer, self.peers)),
        )

    async def _keep_pages(self) -> None:
        if not self.is_killed:
            await self.mesh.persist_pages()

    @contextlib.asynccontextmanager
    async def running(self, *peers: "SharedNode") -> AsyncIterator["SharedNode"]:
        """With connections to these, which run."""
        self.peers, self.is_killed = tuple(each.address for each in peers), False
        self._build()
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(each()) for each in (self.loop.run, self.mesh.run, self.shared.run)]
        try:
            await until(lambda: self.mesh.listening_port != 0 and self.loop.ready.is_set())
            yield self
            assert not any(each.done() for each in tasks), [each for each in tasks if each.done()]
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.wait(tasks)
            self.store.close()

    def kill(self) -> None:
        """What is not on the disk now is lost when it ends."""
        self.is_killed = True
        self.loop.persistence.flush = _nothing  # type: ignore[method-assign, assignment]
        self.mesh._replica.persist_pages = _nothing  # type: ignore[method-assign, assignment]

    def copy_data(self) -> Path:
        """The data folder as it is now, while the node does not run."""
        to = self.folder / "copy"
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.folder / "data", to)
        return to

    def put_back(self, copy: Path) -> None:
        """As an operator who restores a backup of the folder."""
        shutil.rmtree(self.folder / "data")
        shutil.copytree(copy, self.folder / "data")

    def lose_data(self) -> None:
        shutil.rmtree(self.folder / "data")
        (self.folder / "data").mkdir()

    async def erase(self, mac: MacAddress) -> None:
        """As the person with the device does it, whose last one it is."""
        account = self.loop.account_of(mac)
        rows = personal_data.erase(self.loop.registry, account, mac, self.loop.persistence.instant())
        self.erasures.tell(account, mac)
        await self.loop.erase(mac, account, is_last=True, changes=rows)

    def knows(self, kind: str, key: str) -> object:
        """The value in effect; None without one."""
        found = self.shared.records.effective(kind, key)
        return found.value if found is not None else None

    def carriers(self, kind: str, key: str) -> tuple[NodeId, ...]:
        return self.shared.records.carriers(kind, key)


async def _nothing(*_given: object, **_how: object) -> bool:
    return False
