"""HTTP server of the set-up pages: only on the given interfaces, only for people who have the code; every other
name leads to them, so that phones open them by themselves."""

import asyncio
import ipaddress
import socket
import time
from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import web

from captive_portal.probes import before_admission
from mesh.invite import TEXT_CHARS_MAX as INVITE_CHARS_MAX
from node.admin.fields import FormView
from node.admin.routes import FILTERS, LanguageSwitch
from node.app.admin_sessions import csrf_token_for, is_csrf_token
from node.client_network import client_network
from node.errors import NodeError
from node.setup.answers import with_invite
from node.setup.pages import (
    ChangingPage,
    CodePage,
    ConfirmPage,
    DonePage,
    MeasuringPage,
    PlanPage,
    SetupTrouble,
    answers_page,
    summary,
    trouble_of,
)
from node.setup.service import SetupService
from node.setup.setup_code import CodeAttempt
from node.translator import as_sentence, gettext_lazy
from node.web.application import application, cookie_of, is_same_origin, normal_host, serving
from node.web.connections import Caller, ConnectionLimiter, Limits
from node.web.form_site import (
    choose_language,
    form_fields,
    html,
    page_language,
    refusal_bytes,
    see_other,
    set_cookie,
    site_headers,
)
from node.web.language_choice import LanguageChooser, PageLanguage
from node.web.rendering import Renderer, SitePage
from node.web.translations import SOURCE, read_catalogues

PORT = 80
LIMITS = Limits(
    connections=256,
    connections_per_device=32,
    body_bytes=32_768,
    request_s=15.0,
    answer_s=60.0,
    idle_s=5.0,
    # The next request may have to come by another interface.
    requests=1,
)
COOKIE = "procomu_setup"
COOKIE_CHARS_MAX = 64
SETUP_S = 12 * 3_600
"""Seconds that a browser keeps the cookie."""
FIRST_LOOK_S, LOOK_S, DONE_S, MEASURING_S = 8, 5, 12, 2
"""After so many seconds the page is loaded again: when the change begins, while it goes on, when the node starts, and
while the line is measured."""
ANYONE = Caller(None)
_SO_BINDTODEVICE = 25
_INTERFACE_BYTES = 16


def setup_renderer() -> Renderer:
    """With the layout and the parts of the admin pages."""
    return Renderer("node.setup", read_catalogues().translations, FILTERS, shared=("node.admin",))


class SetupServer:
    """Serves the pages of one `SetupService` on `port` of the interfaces that `listen_on` names."""

    def __init__(
        self,
        service: SetupService,
        *,
        lan_address: str,
        admin_port: int,
        port: int = PORT,
        renderer: Renderer | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        """`lan_address` is the node's address on the new network, and `admin_port` the port of its admin pages there."""
        self.listeners: dict[str, tuple[int, asyncio.Server]] = {}
        """Number of the interface and its listener, by the interface's name."""
        self.ready = asyncio.Event()
        self._service, self._lan_address, self._port = service, lan_address, port
        self._admin_address = f"https://{lan_address}:{admin_port}/"
        self._limits = limits
        self._renderer = renderer or setup_renderer()
        self._languages = LanguageChooser(each.language for each in self._renderer.translations.values())
        self._limiter: ConnectionLimiter | None = None
        self._headers = site_headers(self._renderer.content_security_policy())

    async def run(self) -> None:
        """Serves until cancelled."""
        async with serving(self.application()) as server:
            limiter = ConnectionLimiter(
                server,
                lambda _ends: ANYONE,
                clock=time.monotonic,
                limits=self._limits,
                refusal=self._refusal,
                is_fair=True,
            )
            self._limiter = limiter
            self.ready.set()
            try:
                await limiter.sweep()
            finally:
                self.ready.clear()
                self._limiter = None
                await self.listen_on({})
                limiter.close()

    async def listen_on(self, interfaces: Mapping[str, int]) -> None:
        """Listens on these and on no others; each has its number, which changes when it is made again. Raises NodeError
        when the port is taken."""
        for name, (number, listener) in list(self.listeners.items()):
            if interfaces.get(name) != number:
                listener.close()
                del self.listeners[name]
        if self._limiter is None:
            return
        for name, number in interfaces.items():
            if name not in self.listeners:
                self.listeners[name] = number, await self._listen(name, self._limiter)

    async def _listen(self, interface: str, limiter: ConnectionLimiter) -> asyncio.Server:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Not by address: with any address of this machine the page could be reached from the uplink, too.
            bound.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode())
            bound.bind(("", self._port))
            return await asyncio.get_running_loop().create_server(limiter, sock=bound)
        except OSError as error:
            bound.close()
            raise NodeError(
                f"the set-up page cannot use port {self._port} of {interface}: {error.strerror or error}",
                "stop the server that has it: 'ss -ltnp' names it",
            ) from error

    def application(self) -> web.Application:
        routes = [
            web.get("/", self._first_page, allow_head=False),
            web.post("/claim", self._claim),
            web.post("/answers", self._answer),
            web.post("/measure", self._measure),
            web.post("/measure/cancel", self._cancel_measurement),
            web.post("/change", self._change),
            web.post("/begin", self._begin),
            web.post("/confirm", self._confirm),
            web.post("/language", self._choose_language),
        ]
        return application(self, routes, self._headers)

    # --- routes ---

    async def _first_page(self, request: web.Request) -> web.Response:
        """The page of the phase that the set-up is in."""
        if not self._is_holder(request):
            page = CodePage(
                request.query.get("code", "")[:COOKIE_CHARS_MAX],
                is_taken=self._service.is_taken,
                invite=request.query.get("invite", "")[:INVITE_CHARS_MAX],
            )
            return self._page(request, page, 401)
        match self._service.phase:
            case "planned":
                return self._page(request, self._plan_page())
            case "changing" | "trying" | "confirmed":
                return self._trial(request)
            case "done":
                return self._done(request)
        if self._service.line.is_running:
            return self._refreshed(self._page(request, MeasuringPage()), MEASURING_S)
        return await self._questions(request)

    async def _claim(self, request: web.Request) -> web.Response:
        fields = await form_fields(request)
        typed, invite = fields.get("code", ""), fields.get("invite", "")[:INVITE_CHARS_MAX]
        attempt, token = self._service.claim(typed, client_network(request.remote or "::"))
        if not token:
            shown = typed[:COOKIE_CHARS_MAX]
            status = 429 if attempt.result == "wait" else 403
            page = CodePage(shown, _refused(attempt), self._service.is_taken, invite)
            return self._page(request, page, status)
        response = see_other(f"/?invite={quote(invite)}" if invite else "/")
        set_cookie(request, response, COOKIE, token, SETUP_S)
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        fields = await form_fields(request)
        refusal = self._not_from_holder(request, fields)
        if refusal is not None:
            return refusal
        tags = tuple(self._renderer.translations)
        view = await self._service.answer(fields, tags, interface_of(request))
        if view.errors or self._service.trouble:
            return await self._questions(request, view, 422)
        return see_other("/")

    async def _measure(self, request: web.Request) -> web.Response:
        fields = await form_fields(request)
        refusal = self._not_from_holder(request, fields)
        if refusal is not None:
            return refusal
        await self._service.measure_line(fields)
        return see_other("/")

    async def _cancel_measurement(self, request: web.Request) -> web.Response:
        refusal = self._not_from_holder(request, await form_fields(request))
        if refusal is not None:
            return refusal
        await self._service.line.cancel()
        return see_other("/")

    async def _change(self, request: web.Request) -> web.Response:
        refusal = self._not_from_holder(request, await form_fields(request))
        if refusal is not None:
            return refusal
        self._service.reconsider()
        return see_other("/")

    async def _begin(self, request: web.Request) -> web.Response:
        refusal = self._not_from_holder(request, await form_fields(request))
        if refusal is not None:
            return refusal
        await self._service.begin()
        if self._service.phase != "changing":
            return see_other("/")
        # Not a redirect: the next request may find no network.
        return self._refreshed(self._page(request, self._changing_page()), FIRST_LOOK_S)

    async def _confirm(self, request: web.Request) -> web.Response:
        refusal = self._not_from_holder(request, await form_fields(request))
        if refusal is not None:
            return refusal
        await self._service.confirm(interface_of(request))
        return self._done(request) if self._service.phase == "done" else see_other("/")

    async def _choose_language(self, request: web.Request) -> web.Response:
        fields = await form_fields(request)
        if self._is_holder(request) and not is_csrf_token(_cookie(request), fields.get("csrf_token", "")):
            return self.other_origin(request)
        response = see_other("/")
        choose_language(request, response, fields.get("lang", ""), self._language(request), SETUP_S)
        return response

    def _not_from_holder(self, request: web.Request, fields: Mapping[str, str]) -> web.Response | None:
        """The response to a form that does not come from the browser that holds the set-up."""
        if not self._is_holder(request):
            return self._page(request, CodePage(is_taken=self._service.is_taken), 403)
        if not is_csrf_token(_cookie(request), fields.get("csrf_token", "")):
            return self.other_origin(request)
        return None

    # --- pages ---

    async def _questions(
        self, request: web.Request, form: FormView | None = None, status: int = 200
    ) -> web.Response:
        facts = await self._service.facts()
        language = self._language(request)
        tags = tuple(self._renderer.translations)
        choices = self._service.choices(facts, tags)
        form = form or self._service.shown_form(choices, language.language.tag)
        if (invite := request.query.get("invite", "")) and not form.value("invite"):
            form = with_invite(form, invite)
        trouble = self._service.trouble
        page = answers_page(
            form,
            facts,
            choices,
            language.offered,
            line=self._service.line,
            trouble=trouble_of(trouble) if trouble else None,
        )
        return self._page(request, page, status)

    def _plan_page(self) -> PlanPage:
        plan, answers, trouble = self._service.plan, self._service.answers, self._service.trouble
        assert plan is not None
        assert answers is not None
        name = self._renderer.translations_for(answers.language).language.name
        return PlanPage(
            (*plan.sentences, *summary(answers, name)),
            plan.cuts,
            tuple(each.path for each in plan.files),
            trouble_of(trouble) if trouble else None,
        )

    def _trial(self, request: web.Request) -> web.Response:
        service = self._service
        if service.phase != "changing" and service.is_new_network(interface_of(request)):
            trouble = trouble_of(service.trouble) if service.trouble else None
            return self._page(request, ConfirmPage(service.left_s, trouble))
        if service.phase == "confirmed":  # without a change of the network, from wherever it was asked
            trouble = trouble_of(service.trouble) if service.trouble else None
            return self._page(request, ConfirmPage(0, trouble))
        return self._refreshed(self._page(request, self._changing_page()), LOOK_S)

    def _changing_page(self) -> ChangingPage:
        plan = self._service.plan
        assert plan is not None
        return ChangingPage(plan.cuts, f"http://{self._lan_address}/", self._service.left_s)

    def _done(self, request: web.Request) -> web.Response:
        answers = self._service.answers
        assert answers is not None
        page = DonePage(
            f"http://{self._lan_address}/", self._admin_address, self._service.fingerprint, answers.wifi_name
        )
        response = self._page(request, page)
        response.headers["Refresh"] = f"{DONE_S}; url={page.address}"
        return response

    # --- what the application leaves to the site ---

    def is_own_host(self, request: web.Request) -> bool:
        """Only the address that the connection came to: every name can be that of a connectivity check."""
        return normal_host(request.headers.get("Host", "")) == _own_address(request)

    def other_host(self, request: web.Request) -> web.Response:
        sent = before_admission(f"http://{_authority(request)}/")
        return web.Response(body=sent.body, status=sent.status, headers=dict(sent.headers))

    def is_own_origin(self, request: web.Request) -> bool:
        return is_same_origin(request.headers.get("Host", ""), request.headers)

    def other_origin(self, request: web.Request) -> web.Response:
        fix = gettext_lazy("Open the page again and send the form from there.")
        message = gettext_lazy("This form does not come from these pages.")
        return self._page(request, SetupTrouble(message, fix, gettext_lazy("Not accepted")), 403)

    def no_page(self, _request: web.Request, _methods: str) -> web.Response:
        """Everything else leads to the one page; a form that came too late, too."""
        return see_other("/")

    def unavailable(self, request: web.Request, error: NodeError) -> web.Response:
        title = gettext_lazy("That did not work")
        return self._page(
            request, SetupTrouble(as_sentence(error.message), as_sentence(error.fix), title), 503
        )

    def _refusal(self, status: int) -> bytes:
        """A complete HTTP response to data that is not a valid request."""
        page = SetupTrouble(
            gettext_lazy("This request does not come from a browser."),
            gettext_lazy("Open the page again."),
            gettext_lazy("Not understood"),
        )
        return refusal_bytes(status, self._headers, self._renderer.render_cached(page, SOURCE))

    # --- responses ---

    def _is_holder(self, request: web.Request) -> bool:
        return self._service.is_holder(_cookie(request))

    def _language(self, request: web.Request) -> PageLanguage:
        return page_language(request, self._languages, SOURCE)

    def _page(self, request: web.Request, page: SitePage, status: int = 200) -> web.Response:
        chosen, cookie = self._language(request), _cookie(request)
        switch = LanguageSwitch(chosen.offered, "/", csrf_token_for(cookie) if cookie else "")
        tag = chosen.language.tag
        return html(self._renderer.render(page, tag, switch=switch), tag, status)

    def _refreshed(self, response: web.Response, seconds: int) -> web.Response:
        """Loaded again without JavaScript: the person waits for something that happens by itself."""
        response.headers["Refresh"] = f"{seconds}; url=/"
        return response


def interface_of(request: web.Request) -> str:
    """The interface that the connection came in by; empty where that is not known."""
    connection = None if request.transport is None else request.transport.get_extra_info("socket")
    if connection is None:
        return ""
    name: bytes = connection.getsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, _INTERFACE_BYTES)
    return name.partition(b"\0")[0].decode()


def _own_address(request: web.Request) -> str | None:
    if request.transport is None:
        return None
    return str(ipaddress.ip_address(request.transport.get_extra_info("sockname")[0]))


def _authority(request: web.Request) -> str:
    assert request.transport is not None
    address, port = request.transport.get_extra_info("sockname")[:2]
    return address if port == PORT else f"{address}:{port}"


def _refused(attempt: CodeAttempt) -> str:
    if attempt.result == "mistyped":
        return gettext_lazy("That code isn’t right. Check each letter and number.")
    if attempt.result == "wait":
        return gettext_lazy("Too many tries. Wait {seconds} s, then try again.", seconds=attempt.wait_s)
    return gettext_lazy("This is not the code of this node.")


def _cookie(request: web.Request) -> str:
    return cookie_of(request, COOKIE)[:COOKIE_CHARS_MAX]
