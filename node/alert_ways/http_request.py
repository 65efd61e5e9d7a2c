"""One HTTP request with a limit of time and of what is read; redirects are not followed."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from functools import partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from node.alert_ways.own_thread import in_own_thread
from node.errors import NodeError

REQUEST_S = 10.0
ANSWER_BYTES_MAX = 4_096
"""Read of an answer; the connection is closed after it."""
SHOWN_CHARS_MAX = 200
_FIX = "see whether the address in [alerts] of node.toml is right, and what its server says"


class ThreadResolver(AbstractResolver):
    """Looks names up in a thread of its own."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up = partial(socket.getaddrinfo, host, port, family, socket.SOCK_STREAM)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, proto, _, address in await in_own_thread(look_up, "resolver of alerts")
        ]

    async def close(self) -> None:
        """Nothing is kept open."""


async def send_request(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    limit_s: float = REQUEST_S,
    shows_answer: bool = True,
    context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
) -> None:
    """Returns if the answer is 2xx. Raises NodeError, which has the beginning of the answer if `shows_answer`. `context`
    verifies the server's certificate: that of the HTTP library knows no authorities in a node, which loads them only for
    this."""
    connector = aiohttp.TCPConnector(resolver=ThreadResolver(), limit=1, force_close=True)
    try:
        async with asyncio.timeout(limit_s):
            trust = await in_own_thread(context, "authorities") if url.lower().startswith("https:") else True
        async with (
            asyncio.timeout(limit_s),
            aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
            session.request(
                method, url, data=body, headers=headers, allow_redirects=False, ssl=trust
            ) as response,
        ):
            said = (await response.content.read(ANSWER_BYTES_MAX)).decode("utf-8", "replace")
            if not 200 <= response.status < 300:
                answer = f"{response.status}: {_shown(said)}" if shows_answer else str(response.status)
                raise NodeError(f"the server answered {answer}", _FIX)
    except TimeoutError as error:
        raise NodeError(f"the server did not answer within {limit_s:g} s", _FIX) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NodeError(f"the server cannot be reached: {_shown(_reason(error))}", _FIX) from error


def _reason(error: Exception) -> str:
    """Without the URL: a part of it may be the secret of a webhook, and this is logged and shown."""
    return error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)


def _shown(text: str) -> str:
    """On one line, without control characters."""
    line = "".join(each if each.isprintable() else " " for each in text[:SHOWN_CHARS_MAX])
    return " ".join(line.split()) or "nothing"
