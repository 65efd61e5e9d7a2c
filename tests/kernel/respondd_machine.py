"""A node that answers respondd collectors, as a program for tests in namespaces.

python -m tests.kernel.respondd_machine LAN MESH...
"""

import asyncio
import sys

from node.app.respondd_documents import respondd_answers
from node.lan.respondd_server import RespondedServer, sides
from node.machine import machine_figures
from tests.fakes.node_graphs import a_node_graph
from tests.fakes.repository import FakeClock


async def serve(lan: str, *mesh: str) -> None:
    server = RespondedServer(
        sides(mesh, lan), respondd_answers(a_node_graph, machine_figures, FakeClock()).answer
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run())
        said = None
        while True:
            if (now := server.warnings()) != said:
                said = now
                print(f"warnings {list(now)}", flush=True)
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
