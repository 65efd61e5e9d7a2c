"""``python -m tests.bench.gateway_load PORT AT_ONCE SECONDS``: requests of gateways, each on a connection of its own.

Reads one JSON list [source address, target] a line; writes [code, begun, ended] for each, in order. SECONDS is the time
over which they are spread evenly; 0 for as fast as possible.
"""

import asyncio
import json
import sys
import time

from tests.fakes.wifidog_gateway import code_of_reply

NO_ANSWER = -9


async def ask(port: int, source: str, target: str) -> int:
    """The code of the reply; `NO_ANSWER` without one."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        writer.write(f"GET {target} HTTP/1.0\r\nUser-Agent: WiFiDog 1.3.0\r\nHost: auth\r\n\r\n".encode())
        reply = await reader.read()
        writer.close()
    except OSError:
        return NO_ANSWER
    code = code_of_reply(reply)
    return 1 if b"Pong" in reply else NO_ANSWER if code is None else code


async def main(port: int, at_once: int, seconds: float) -> None:
    asked = [json.loads(line) for line in sys.stdin]
    found: list[tuple[int, float, float]] = [(NO_ANSWER, 0.0, 0.0)] * len(asked)
    began, numbers = time.monotonic(), iter(range(len(asked)))

    async def work() -> None:
        for number in numbers:
            due = began + seconds * number / len(asked)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            # Of a request that had to wait for those before it, the time that it waited counts too.
            begun = due if seconds else time.monotonic()
            found[number] = await ask(port, *asked[number]), begun, time.monotonic()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(at_once):
            tasks.create_task(work())
    for each in found:
        sys.stdout.write(json.dumps(each) + "\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
