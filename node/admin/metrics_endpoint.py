"""`/metrics` for programs: no session and no page, but a token of its own."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from node.app.metrics_token import MetricsToken, TokenCheck, bearer_token
from node.export.exposition import CONTENT_TYPES, Exposition, exposition_for
from node.web.application import connection_of

PATH = "/metrics"


class MetricsEndpoint:
    """`read` returns the metrics in a format; it is called for the right token only."""

    def __init__(self, token: MetricsToken, read: Callable[[Exposition], Awaitable[str]]) -> None:
        self._token, self._read = token, read

    async def answer(self, request: web.Request) -> web.Response:
        connection = connection_of(request)
        token = bearer_token(request.headers.get("Authorization", ""))
        check = self._token.check(token, connection.party if connection is not None else "")
        if check.verdict != "right":
            return _refused(check)
        written = exposition_for(request.headers.get("Accept", ""))
        body = (await self._read(written)).encode()
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPES[written]})


def _refused(check: TokenCheck) -> web.Response:
    """In English, as all that programs read."""
    if check.verdict == "off":
        text = "There is no token for metrics. An admin makes one: on the page Access, or with 'procomu metrics token'.\n"
        return web.Response(status=404, text=text)
    if check.verdict == "wait":
        text = f"Too many wrong tokens. Try again in {check.wait_s} s.\n"
        return web.Response(status=429, text=text, headers={"Retry-After": str(check.wait_s)})
    text = "This needs the token for metrics, as Authorization: Bearer TOKEN.\n"
    return web.Response(status=401, text=text, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
