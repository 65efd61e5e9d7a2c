"""The admins' door: requests to questions for the house, answers to pages; no decisions. It has its own listener."""

import asyncio
import base64
import hashlib
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from node.admin import pages
from node.admin.ports import CONFLICT, House, RuleCheck
from node.admin.signin import SESSION_LIFE, TOKEN_CHARS_MAX, form_proof, is_own_form
from node.errors import NodeError

RULE_CHARS_MAX = 256 * 1024
BODY_BYTES_MAX = 1024 * 1024
"""A rule file with up to three bytes for each character, as forms send them."""
FIELDS_MAX = 8
HEAD_BYTES_MAX = 8_190
CONNECTIONS_MAX = 64
BODY_S = 10.0
SILENCE_S = 15.0
"""A connection that has asked nothing for so long is closed."""
COOKIE = "procomu_admin"
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: what it wants, and who sent it."""

    request: web.BaseRequest
    query: Mapping[str, str]
    fields: Mapping[str, str]
    """Of the form that was sent; empty for GET."""
    cookie: str

    @property
    def proof(self) -> str:
        return form_proof(self.cookie)


Answerer = Callable[[Asked], Awaitable[web.Response]]


class AdminDoor:
    """Pages for admins on `address` and `port` (0 takes any), asked for by address, ``localhost`` or one of `hosts`."""

    def __init__(self, house: House, *, address: str, port: int, hosts: frozenset[str] = frozenset()) -> None:
        self.bound: tuple[str, int] | None = None
        """Where it listens, once `ready`."""
        self.ready = asyncio.Event()
        self._house = house
        self._address, self._port, self._hosts = address, port, hosts
        self._renderer = Renderer()
        self._silent: set[asyncio.BaseProtocol] = set()
        self._open: Mapping[tuple[str, str], Answerer] = {
            ("GET", "/sign-in"): self._sign_in,
            ("POST", "/sign-in"): self._redeem,
        }
        self._behind: Mapping[tuple[str, str], Answerer] = {
            ("GET", "/"): self._overview,
            ("GET", "/rules"): self._rules,
            ("POST", "/rules"): self._propose,
            ("POST", "/sign-out"): self._sign_out,
        }

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when the address cannot be had."""
        server = web.Server(
            self._handle,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=SILENCE_S,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
        )
        loop = asyncio.get_running_loop()
        try:
            listener = await loop.create_server(partial(self._accept, server), self._address, self._port)
        except OSError as error:
            raise NodeError(
                f"the admins' pages cannot use {self._address} port {self._port}: {error.strerror or error}",
                "set [admin] address and port in node.toml to an address of this machine and a free port",
            ) from error
        self.bound = listener.sockets[0].getsockname()[:2]
        self.ready.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ready.clear()
            listener.close()
            await server.shutdown(1.0)

    def _accept(self, server: web.Server) -> asyncio.BaseProtocol:
        if len(server.connections) >= CONNECTIONS_MAX:
            return _Refusing()
        protocol = server()
        self._silent.add(protocol)
        asyncio.get_running_loop().call_later(SILENCE_S, self._hang_up, protocol)
        return protocol

    def _hang_up(self, protocol: web.RequestHandler) -> None:
        if protocol in self._silent:
            self._silent.discard(protocol)
            if protocol.transport is not None:
                protocol.transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self._silent.discard(request.protocol)
        try:
            response = await self._answer(request)
        except web.HTTPRequestEntityTooLarge:
            response = self._trouble(
                413, "That was too much", "The rule file is too large.", "Make it shorter."
            )
            response.force_close()
        except TimeoutError:
            response = self._trouble(
                408, "That took too long", "The form did not arrive in time.", "Send it again."
            )
            response.force_close()
        except NodeError as trouble:
            response = self._trouble(503, "That did not work", trouble.message, trouble.mend)
        response.headers.update(self._renderer.headers)
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        if not _is_our_name(request.headers.get("Host", ""), self._hosts):
            mend = "Use the node's address, or localhost."
            return self._trouble(421, "Not here", "These pages are not known under that name.", mend)
        answerer, is_open = self._open.get((request.method, request.path)), True
        if answerer is None:
            answerer, is_open = self._behind.get((request.method, request.path)), False
        cookie = request.cookies.get(COOKIE, "")[: TOKEN_CHARS_MAX + 1]
        signed = self._house.who(cookie)
        is_admin = signed is not None and signed.role == "admin"
        if not is_open and not is_admin:
            return self._page(pages.SignInPage(token="", is_refused=False), 401)
        if answerer is None:
            return self._not_found(request)
        asked = Asked(request, dict(request.query), await _fields(request), cookie)
        if request.method == "POST" and not _is_from_here(asked, needs_proof=not is_open):
            mend = "Open the page again and send its form from there."
            return self._trouble(403, "Not from here", "This form was not made by these pages.", mend)
        return await answerer(asked)

    async def _sign_in(self, asked: Asked) -> web.Response:
        if self._house.who(asked.cookie) is not None:
            return _go("/")
        token = asked.query.get("token", "")[: TOKEN_CHARS_MAX + 1]
        return self._page(pages.SignInPage(token, is_refused=False), 200 if token else 401)

    async def _redeem(self, asked: Asked) -> web.Response:
        cookie = await self._house.redeem(asked.fields.get("token", "")[: TOKEN_CHARS_MAX + 1])
        if cookie is None:
            return self._page(pages.SignInPage(token="", is_refused=True), 403)
        response = _go("/")
        life_s = SESSION_LIFE // 1000
        response.set_cookie(COOKIE, cookie, max_age=life_s, path="/", httponly=True, samesite="Strict")
        return response

    async def _sign_out(self, asked: Asked) -> web.Response:
        await self._house.sign_out(asked.cookie)
        response = _go("/sign-in")
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        return response

    async def _overview(self, asked: Asked) -> web.Response:
        view = self._house.overview()
        return self._page(pages.overview_page(view, asked.proof, is_live="still" not in asked.query))

    async def _rules(self, asked: Asked) -> web.Response:
        number = asked.query.get("version", "")
        if number.isascii() and number.isdecimal() and len(number) <= 9:
            text = self._house.rule_version_text(int(number))
            if text is None:
                mend = "Choose one of the versions that the page of rules lists."
                return self._trouble(404, "No such version", f"There is no version {int(number)}.", mend)
            return await self._draft(asked, text, notice="version", version=int(number))
        return self._rules_page(asked, notice="saved" if "saved" in asked.query else "")

    async def _propose(self, asked: Asked) -> web.Response:
        text = asked.fields.get("text", "").replace("\r\n", "\n").replace("\r", "\n")
        replacing = asked.fields.get("replacing", "")
        if len(text) > RULE_CHARS_MAX:
            raise web.HTTPRequestEntityTooLarge(RULE_CHARS_MAX, len(text))
        if asked.fields.get("do") != "save":
            return await self._draft(asked, text, replacing=replacing)
        findings = await self._house.save_rules(text, replacing)
        if not any(finding.is_error for finding in findings):
            return _go("/rules?saved")
        if any(finding.code == CONFLICT for finding in findings):
            return await self._draft(asked, text, notice="conflict", status=409)
        return await self._draft(asked, text, replacing=replacing, status=422)

    async def _draft(
        self,
        asked: Asked,
        text: str,
        *,
        replacing: str | None = None,
        notice: str = "",
        version: int = 0,
        status: int = 200,
    ) -> web.Response:
        """The editor with a draft and what it would mean. Checking walks whole weeks of rules: not in the loop."""
        check = await asyncio.to_thread(self._house.check_rules, text)
        return self._rules_page(
            asked, draft=text, replacing=replacing, check=check, notice=notice, version=version, status=status
        )

    def _rules_page(
        self,
        asked: Asked,
        *,
        draft: str | None = None,
        replacing: str | None = None,
        check: RuleCheck | None = None,
        notice: str = "",
        version: int = 0,
        status: int = 200,
    ) -> web.Response:
        page = pages.rules_page(
            self._house.overview(),
            self._house.rule_file(),
            self._house.rule_versions(),
            asked.proof,
            draft=draft,
            replacing=replacing,
            check=check,
            notice=notice,
            version=version,
        )
        return self._page(page, status)

    def _not_found(self, request: web.BaseRequest) -> web.Response:
        known = {method for method, path in (*self._open, *self._behind) if path == request.path}
        if not known:
            return self._trouble(404, "Nothing here", "There is no such page.", "Go back to the overview.")
        response = self._trouble(
            405, "Not like this", "This page cannot be asked for so.", "Use its buttons."
        )
        response.headers["Allow"] = ", ".join(sorted(known))
        return response

    def _trouble(self, status: int, title: str, message: str, mend: str) -> web.Response:
        return self._page(pages.TroublePage(title, message, mend), status)

    def _page(self, page: pages.Page, status: int = 200) -> web.Response:
        return web.Response(
            body=self._renderer.render(page), status=status, content_type="text/html", charset="utf-8"
        )


class Renderer:
    """Pages to bytes, through the templates beside this file."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style = " ".join((TEMPLATES / "style.css").read_text().split())
        self._environment.globals["style"] = Markup(style)  # noqa: S704 - our own file
        source = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.headers = {
            "Server": "procomu",
            "Cache-Control": "no-store",
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'sha256-{source}'; img-src data:; form-action 'self'; "
                "frame-ancestors 'none'; base-uri 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            # The link that signs in stands in an address; no other site may ever be told it.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    def render(self, page: pages.Page) -> bytes:
        return self._environment.get_template(page.template).render(page=page).encode("utf-8", "replace")


class _Refusing(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


async def _fields(request: web.BaseRequest) -> Mapping[str, str]:
    """A form's fields. Anything that is not a form of ours has none."""
    if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
        return {}
    async with asyncio.timeout(BODY_S):
        body = await request.read()
    try:
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        return {}


def _is_our_name(host: str, names: frozenset[str]) -> bool:
    """Addresses and names given only: another name may be one that a web site has pointed here to reach us."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost" or name in names:
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_from_here(asked: Asked, *, needs_proof: bool) -> bool:
    headers = asked.request.headers
    origin = headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != headers.get("Host"):
        return False
    return not needs_proof or is_own_form(asked.cookie, asked.fields.get("proof", ""))


def _go(where: str) -> web.Response:
    return web.Response(status=303, headers={"Location": where})
