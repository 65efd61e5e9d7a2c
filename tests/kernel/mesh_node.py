"""The mesh service of one node as a program, for tests in namespaces: prints one JSON line for each event.

    python -m tests.kernel.mesh_node NAME INTERFACE[,INTERFACE...] MEMBER...

Books 1,000 bytes for the account "ana" once a neighbour is trusted.
"""

import asyncio
import json
import signal
import sys
import time

from mesh.service import MeshService
from node.units import Bytes, Usage
from tests.fakes.neighbours import FakePageCache, FakeUsageLedger, id_of, key_of

LOOK_S = 0.01
BOOKED = 1_000


def say(what: str, **more: object) -> None:
    print(json.dumps({"what": what, "at": time.monotonic(), **more}), flush=True)


async def live(name: str, interfaces: tuple[str, ...], members: frozenset[str]) -> None:
    roster = frozenset(map(id_of, members))
    usage_ledger = FakeUsageLedger(id_of(name))
    mesh = MeshService(
        key=key_of(name),
        community_id="the-village",
        name=name,
        roster=lambda: roster,
        usage_ledger=usage_ledger,
        page_cache=FakePageCache(),
        interfaces=interfaces,
    )
    running = asyncio.ensure_future(mesh.run())  # noqa: TID251
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    say("started")
    watching = asyncio.ensure_future(watch(mesh, usage_ledger))  # noqa: TID251
    await asyncio.wait([running])
    watching.cancel()
    say("stopped", error=None if running.cancelled() else repr(running.exception()))


async def watch(mesh: MeshService, usage_ledger: FakeUsageLedger) -> None:
    said: dict[str, object] = {}
    merged = 0
    while True:
        peers = {peer.name or peer.node[:8]: peer.state for peer in mesh.peers()}
        addresses = {peer.name: peer.addresses for peer in mesh.peers()}
        now: dict[str, object] = {"peers": peers, "warnings": mesh.warnings(), "addresses": addresses}
        if now != said:
            said = now
            say("peers", **now)
        if "trusted" in peers.values() and not usage_ledger.used_by_own("ana"):
            usage_ledger.book("ana", Usage(Bytes(BOOKED), Bytes(0)))
            mesh.publish()
            say("booked")
        others = usage_ledger.used("ana") - usage_ledger.used_by_own("ana")
        if others != merged:
            merged = others
            say("merged", bytes=merged)
        await asyncio.sleep(LOOK_S)


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], tuple(sys.argv[2].split(",")), frozenset(sys.argv[1:2] + sys.argv[3:])))
