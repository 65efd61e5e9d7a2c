"""One honest node of a fuzzed mesh as a process: the real mesh service over real TLS, with its data in memory.

Answers lines of JSON on the standard input; the first line on the standard output says where it listens.
"""

import asyncio
import ctypes
import gc
import json
import logging
import sys
import traceback
from collections.abc import Iterable
from typing import Any

from mesh import service
from mesh.announcement import Address, ConfiguredPeer
from mesh.community_service import CommunityService
from mesh.messages import decode
from mesh.page_format import Page
from mesh.service import MeshService
from mesh.signed_statement import as_json
from node.accounts.registry_record import value_text
from node.app.shared_registry import SharedRegistry
from node.memory_tuning import tune_interpreter
from node.units import Bytes, Usage
from tests.bench.fuzz_community import SECRET, VILLAGE, SaidRecord, fuzzed_community
from tests.bench.namespaces import rss_kb
from tests.fakes.hostile_records import node_with_every_record
from tests.fakes.neighbours import FakeNetworkTime, FakePageCache, FakeUsageLedger, id_of, key_of
from tests.fakes.secret_store import FakeSecretStore

TROUBLES_MAX = 50
LINE_BYTES_MAX = 256 * 1024 * 1024


class StatementsInMemory:
    """Implements `mesh.ports.StatementStore`."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def load(self) -> Iterable[bytes]:
        return list(self.rows.values())

    async def save(self, rows: Iterable[tuple[str, bytes]], gone: Iterable[str]) -> None:
        for name in gone:
            self.rows.pop(name, None)
        self.rows.update(rows)


class UnhandledErrors(logging.Handler):
    """Every exception that nobody handled: in a task of the service, in a callback, in an answer to a request."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0
        self.found: list[str] = []

    def note(self, error: BaseException | None, where: str) -> None:
        self.count += 1
        if len(self.found) < TROUBLES_MAX:
            lines = traceback.format_exception(error)[-12:] if error is not None else []
            self.found.append(f"{where}: {''.join(lines)}")

    def emit(self, record: logging.LogRecord) -> None:
        self.note(record.exc_info[1] if record.exc_info else None, record.getMessage())

    def from_loop(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.note(context.get("exception"), str(context.get("message")))


def records_of(shared: SharedRegistry) -> list[SaidRecord]:
    return [
        (each.kind, each.key, each.version, value_text(each.value))
        for kind in shared.kinds
        for each in shared.records.all(kind)
    ]


class FuzzedNode:
    """The services of one node, and the answers to what is asked about them."""

    def __init__(self, name: str, peers: tuple[Address, ...]) -> None:
        self.troubles, self.ledger, self.pages = (
            UnhandledErrors(),
            FakeUsageLedger(id_of(name)),
            FakePageCache(),
        )
        self.community = CommunityService(
            own=id_of(name),
            listed=(),
            store=StatementsInMemory(),
            secret=SECRET,
            secret_store=FakeSecretStore(),
        )
        self.people = node_with_every_record(name)
        self.mesh = MeshService(
            key=key_of(name),
            community_id=VILLAGE,
            name=name,
            roster=self.community.roster,
            usage_ledger=self.ledger,
            page_cache=self.pages,
            shared_records=self.people.shared,
            network_time=FakeNetworkTime(1_795_000_000 if name == "square" else None),
            community=self.community,
            port=0,
            configured_peers=tuple(map(ConfiguredPeer, peers)),
        )

    async def run(self) -> None:
        """Until the standard input ends."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self.troubles.from_loop)
        logging.getLogger().addHandler(self.troubles)
        made = fuzzed_community()
        await self.community.follow(made.id, made.statements)
        await self.people.start()
        parts = (self.mesh, self.community, self.people.shared)
        tasks = [loop.create_task(self._keep(each)) for each in parts]
        while not self.mesh.listening_port:
            await asyncio.sleep(0.01)
        _say({"port": self.mesh.listening_port})
        reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            _say(await self._answer(json.loads(line)))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _keep(self, part: MeshService | CommunityService | SharedRegistry) -> None:
        """As the daemon does it: a part that ends is started again, and counts as a crash."""
        while True:
            try:
                await part.run()
                self.troubles.note(None, f"{type(part).__name__} ended")
            except Exception as error:  # noqa: BLE001 (each is a finding)
                self.troubles.note(error, f"{type(part).__name__} ended")
            await asyncio.sleep(0.2)

    async def _answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        match asked["ask"]:
            case "book":
                self.ledger.book(asked["account"], Usage(Bytes(asked["down"]), Bytes(0)))
                self.mesh.publish()
                return {}
            case "used":
                return {"down": self.ledger.used(asked["account"])}
            case "rss":
                gc.collect()
                ctypes.CDLL(None).malloc_trim(0)
                return {"kb": rss_kb("self"), "links": len(self.mesh._links)}
            case "troubles":
                return {"count": self.troubles.count, "found": self.troubles.found}
            case _:
                return await self._store()

    async def _store(self) -> dict[str, Any]:
        replica, nodes = self.mesh._replica, self.community.roster()
        authors = {page.author for page in map(decode, self.pages.records.values()) if isinstance(page, Page)}
        held = [
            raw
            for author in nodes | authors
            for raw in (*await replica.held_of(author), *replica.exchange.others_of(author))
        ]
        state = self.community.state
        assert state is not None
        return {
            "nodes": sorted(nodes),
            "records": records_of(self.people.shared),
            "pages": [raw.hex() for raw in held],
            "statements": [as_json(each) for each in state.every_name().values()],
            "buckets": [
                [
                    *(key.node, key.incarnation, key.account, key.day),
                    *(found.uplink.down, found.uplink.up, found.busy.down, found.busy.up),
                ]
                for key, found in self.ledger.ledger.buckets()
            ],
        }


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    name, *peers = sys.argv[1:]
    tune_interpreter()
    service.CONFIGURED_AGAIN_S = (0.2, 1.0)  # hostile nodes at configured addresses are called often
    addresses = (each.rpartition(":") for each in peers)
    node = FuzzedNode(name, tuple(Address(host, int(port)) for host, _, port in addresses))
    asyncio.run(node.run())


if __name__ == "__main__":
    main()
