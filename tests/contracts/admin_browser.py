"""HTTP client for the admin pages: keeps cookies and fills in forms as the page gave them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientResponse, ClientSession, CookieJar

from node.admin.routes import Route
from node.admin.server import LIMITS, AdminServer
from node.web.connections import Limits
from tests.fakes.admin_pages import LINK, admin_app, open_admin_server, populate
from tests.fakes.use_cases import UseCases


@dataclass
class AdminBrowser:
    """Keeps cookies; does not follow redirects by itself."""

    session: ClientSession
    app: UseCases
    server: AdminServer

    @property
    def port(self) -> int:
        assert self.server.bound is not None
        return self.server.bound[1]

    @property
    def routes(self) -> tuple[Route, ...]:
        return self.server.routes

    async def get(self, path: str, **headers: str) -> tuple[ClientResponse, str]:
        return await self.ask("GET", path, headers=headers)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> tuple[ClientResponse, str]:
        return await self.ask("POST", path, data=fields, headers=headers)

    async def ask(self, method: str, path: str, **more) -> tuple[ClientResponse, str]:
        address = f"http://127.0.0.1:{self.port}{path}"
        async with self.session.request(method, address, allow_redirects=False, **more) as response:
            return response, await response.text()

    async def sign_in(self, link: str = LINK) -> None:
        response, _ = await self.post("/sign-in", {"token": link})
        assert 303 == response.status

    async def send(self, path: str, **fields: str) -> tuple[ClientResponse, str]:
        """Submit a form of the admin pages."""
        return await self.post(path, {"csrf_token": await self.csrf_token(), **fields})

    async def submit(self, path: str, **fields: str) -> str:
        """Submit a form, which succeeds; the page that follows it, empty after a redirect."""
        response, page = await self.send(path, **fields)
        assert response.status in {200, 303}, page
        return page

    async def shown(self, path: str, number: int) -> dict[str, str]:
        """`shown_in` the page at this path."""
        return shown_in((await self.get(path))[1], number)

    async def csrf_token(self) -> str:
        _, page = await self.get("/vouchers")
        return proof_in(page)


def proof_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


def field_in(page: str, name: str) -> str:
    """Value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def shown_in(page: str, number: int) -> dict[str, str]:
    """Fields of a notice's or objection's form that say which one it is, with its content as the page shows it."""
    found = re.search(
        rf'name="number" value="{number}">\s*<input type="hidden" name="replacing" value="([^"]*)"', page
    )
    assert found is not None, number
    return {"number": str(number), "replacing": found[1]}


@asynccontextmanager
async def admin_browser(
    folder: Path, *, is_populated: bool = True, limits: Limits = LIMITS, **changes: str
) -> AsyncIterator[AdminBrowser]:
    async with admin_app(folder, **changes) as app:
        if is_populated:
            await populate(app)
        async with (
            open_admin_server(app.admin, limits, app.metrics) as server,
            ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
        ):
            yield AdminBrowser(session, app, server)
