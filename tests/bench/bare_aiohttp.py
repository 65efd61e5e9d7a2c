"""Upper bound for a page: the same bytes from a bare aiohttp handler without any lookups.

``python -m tests.bench.bare_aiohttp PORT FILE`` serves one response until it is stopped; FILE is JSON with `headers`
and `body`.
"""

import asyncio
import json
import sys
from pathlib import Path

from aiohttp import web


async def serve(port: int, answer: dict[str, object]) -> None:
    headers, body = answer["headers"], answer["body"]
    assert isinstance(headers, dict)
    assert isinstance(body, str)
    content = body.encode()

    async def handle(_request: web.BaseRequest) -> web.Response:
        return web.Response(body=content, headers=headers)

    server = web.Server(handle, access_log=None)
    await asyncio.get_running_loop().create_server(server, None, port, backlog=1024, reuse_address=True)
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())))
