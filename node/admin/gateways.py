"""Gateways: routers that ask, those that were accepted, and the configuration of each."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import unquote

from node.admin.fields import FormView, ListPage, TypedForm, long_ago, paginate
from node.admin.routes import (
    AdminDownload,
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    Answer,
    PageLayout,
    Route,
    not_there,
    number_in,
    page_layout,
)
from node.admin.vouchers import qr_svg
from node.app.admin import AdminService
from node.app.admin_gateways import GatewayRow, ToldGatewayRow
from node.errors import InvalidValue
from node.gateways.gateway import NAME_CHARACTERS_MAX, Gateway, GatewayKind, parse_sources
from node.identity import human_form
from node.translator import gettext_lazy
from node.units import NodeId
from node.web.router_scripts import ROUTER_SCRIPTS, router_script

SOURCES_CHARACTERS_MAX = 500
KINDS: Mapping[GatewayKind, str] = {
    "wifidog": "WiFiDog",
    "apfree": "apfree-wifidog",
    "opennds": "openNDS",
}
OFFERED: tuple[tuple[GatewayKind, str], ...] = tuple(KINDS.items())
TROUBLES: Mapping[str, str] = {
    "": gettext_lazy("up"),
    "never": gettext_lazy("has not spoken yet"),
    "silent": gettext_lazy("silent"),
    "other-router": gettext_lazy("another router uses its secret"),
    "other-source": gettext_lazy("its secret is used from another address"),
}
ABILITIES: Mapping[str, str] = {
    "yes": gettext_lazy("yes"),
    "late": gettext_lazy("at its next check"),
    "leaving": gettext_lazy("when the person leaves"),
    "hour": gettext_lazy("within an hour"),
    "hours": gettext_lazy("within six hours"),
    "no": gettext_lazy("no"),
}
FEATURES: Mapping[str, str] = {
    "count": gettext_lazy("Count data"),
    "end": gettext_lazy("End a session"),
    "block": gettext_lazy("Block a device"),
    "quota": gettext_lazy("End or slow when an allowance is used up"),
    "ceiling": gettext_lazy("Top speed of a person"),
    "share": gettext_lazy("Shares"),
    "floor": gettext_lazy("Promised speeds"),
    "ipv6": "IPv6",
    "name": gettext_lazy("Names of devices"),
}


@dataclass(frozen=True, slots=True)
class GatewayLine:
    """One accepted gateway in the list."""

    row: GatewayRow
    kind: str
    trouble: str
    heard: str
    """How long ago it spoke; empty if it has not since the node started."""

    @property
    def is_odd(self) -> bool:
        return bool(self.row.status.trouble)


@dataclass(frozen=True, slots=True)
class ToldGatewayLine:
    """A gateway of another node in the list."""

    row: ToldGatewayRow
    kind: str
    node: str
    """Its name, or the start of its id."""


@dataclass(frozen=True, slots=True)
class SecondNodeView:
    """The node that serves these gateways too, or how to set one up."""

    name: str
    """Empty while none serves them."""
    for_other: str
    """For the settings of the other node."""
    is_place_set: bool
    candidates: tuple[tuple[str, str, str], ...]
    """Name, id to compare, and what to write here, of each node that says that it is the second one."""


@dataclass(frozen=True, slots=True)
class GatewaysPage:
    """Those that ask, and those that were accepted or refused."""

    template = "gateways.html"
    frame: PageLayout
    is_on: bool
    asking: tuple[GatewayLine, ...]
    accepted: ListPage[GatewayLine]
    refused: tuple[GatewayLine, ...]
    form: FormView
    told: tuple[ToldGatewayLine, ...] = ()
    """Of other nodes, which this one serves too."""
    more_asked: int = 0
    """Routers that asked and are not shown."""
    kinds: tuple[tuple[GatewayKind, str], ...] = OFFERED
    second: SecondNodeView | None = None
    """None where routers do not reach this node."""


@dataclass(frozen=True, slots=True)
class GatewayPage:
    """One gateway: its configuration, its limits, and what it can do."""

    template = "gatewayown.html"
    frame: PageLayout
    line: GatewayLine
    configuration: str
    has_host: bool
    form: FormView
    abilities: tuple[tuple[str, str], ...]
    second: str = ""
    """Name of the node that serves it too; empty for none."""
    lacks_second: bool = False
    """The settings name a second node that does not serve it."""

    @property
    def reported(self) -> str:
        """How long ago the script on an openNDS router reported; empty if it has not."""
        ago = self.line.row.status.reported_s
        return "" if ago is None else long_ago(ago)

    @property
    def routers(self) -> tuple[tuple[str, str], ...]:
        """The same of each router, where several have its configuration."""
        return tuple((unquote(name), long_ago(ago)) for name, ago in self.line.row.status.routers)

    @property
    def scripts(self) -> tuple[str, ...]:
        """To download for the router."""
        return ROUTER_SCRIPTS if self.line.row.gateway.kind == "opennds" else ()

    @property
    def qr_svg(self) -> str:
        return qr_svg(self.configuration, error="l")


class GatewaysViews:
    """Views for gateways."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._gateways = backend, backend.gateways
        self._registry = backend.gateways.registry

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/gateways", self._show),
            Route("POST", "/gateways", self._add),
            Route("POST", "/gateways/accept", self._accept),
            Route("POST", "/gateways/refuse", self._refuse),
            Route("GET", "/gateways/gateway", self._one),
            Route("POST", "/gateways/gateway", self._limit),
            Route("POST", "/gateways/secret", self._replace_secret),
            Route("POST", "/gateways/remove", self._remove),
            Route("GET", "/gateways/wifidog.conf", self._download),
            *(Route("GET", f"/gateways/{name}", partial(_script, name)) for name in ROUTER_SCRIPTS),
        )

    async def _show(self, request: AdminRequest) -> Answer:
        return self._list(request)

    async def _add(self, request: AdminRequest) -> Answer:
        form = TypedForm(request.fields)
        name = form.line(
            "name", NAME_CHARACTERS_MAX, wanted=gettext_lazy("Write what people call the place.")
        )
        chosen = form.choice("kind", tuple(KINDS), "wifidog")
        if not form.errors:
            try:
                made = await self._registry.add(next(each for each in KINDS if each == chosen), name)
            except InvalidValue as invalid:
                form.refuse("name", invalid.message)
            else:
                return _to(made)
        return self._list(request, form.view())

    async def _accept(self, request: AdminRequest) -> Answer:
        gateway = self._known(request)
        if gateway is None:
            return _gone()
        form = TypedForm(request.fields)
        name = form.line(
            "name", NAME_CHARACTERS_MAX, wanted=gettext_lazy("Write what people call the place.")
        )
        if not form.errors:
            try:
                return _to(await self._registry.accept(gateway.id, name))
            except InvalidValue as invalid:
                form.refuse("name", invalid.message)
        return self._list(request, form.view())

    async def _refuse(self, request: AdminRequest) -> Answer:
        gateway = self._known(request)
        if gateway is None:
            return _gone()
        await self._registry.refuse(gateway.id)
        return AdminRedirect("/gateways")

    async def _one(self, request: AdminRequest) -> Answer:
        return self._page(request, self._gateways.row(request.query.get("id", "")))

    async def _limit(self, request: AdminRequest) -> Answer:
        gateway = self._known(request)
        if gateway is None:
            return _gone()
        form = TypedForm(request.fields)
        text = form.text("sources", SOURCES_CHARACTERS_MAX)
        if not form.errors:
            try:
                return _to(await self._registry.limit(gateway.id, parse_sources(text)))
            except InvalidValue as invalid:
                form.refuse("sources", invalid.message)
        return self._page(request, self._gateways.row(gateway.id), form.view())

    async def _replace_secret(self, request: AdminRequest) -> Answer:
        gateway = self._known(request)
        return _gone() if gateway is None else _to(await self._registry.replace_secret(gateway.id))

    async def _remove(self, request: AdminRequest) -> Answer:
        gateway = self._known(request)
        if gateway is None:
            return _gone()
        await self._registry.drop(gateway.id)
        return AdminRedirect("/gateways")

    async def _download(self, request: AdminRequest) -> Answer:
        gateway = self._registry.get(request.query.get("id", ""))
        if gateway is None or gateway.phase != "accepted":
            return _gone()
        name = "opennds" if gateway.kind == "opennds" else "wifidog.conf"
        return AdminDownload(name, io.BytesIO(self._gateways.configuration(gateway).encode()), "text/plain")

    def _known(self, request: AdminRequest) -> Gateway | None:
        return self._registry.get(request.fields.get("id", ""))

    def _list(self, request: AdminRequest, form: FormView | None = None) -> AdminResponse:
        lines = tuple(map(gateway_line, self._gateways.rows()))
        of = {
            phase: tuple(each for each in lines if each.row.gateway.phase == phase)
            for phase in ("asked", "accepted", "refused")
        }
        page = GatewaysPage(
            page_layout(request, self._backend.site(), "/nodes"),
            self._gateways.is_on,
            of["asked"],
            paginate(of["accepted"], number_in(request.query, "page"), "/gateways"),
            of["refused"],
            form or FormView(),
            tuple(
                ToldGatewayLine(each, KINDS[each.told.gateway.kind], self._name_of(each.told.node))
                for each in self._gateways.told_rows()
            ),
            self._registry.more_asked,
            second=self._second(),
        )
        return AdminResponse(page, 422 if form is not None else 200)

    def _second(self) -> SecondNodeView | None:
        for_other, other = self._gateways.settings_for_second(), self._gateways.other_node()
        if not for_other:
            return None
        return SecondNodeView(
            self._name_of(other) if other is not None else "",
            for_other,
            bool(self._gateways.second),
            tuple(
                (self._name_of(each), human_form(each), self._gateways.settings_for(each))
                for each in self._gateways.candidates
            ),
        )

    def _name_of(self, node: NodeId) -> str:
        found = (each.name for each in self._backend.graph().nodes if each.node == node)
        return next(found, "") or human_form(node)

    def _page(
        self, request: AdminRequest, row: GatewayRow | None, form: FormView | None = None
    ) -> AdminResponse:
        if row is None or row.gateway.phase != "accepted":
            return _gone()
        other = self._gateways.other_node()
        page = GatewayPage(
            page_layout(request, self._backend.site(), "/nodes"),
            gateway_line(row),
            self._gateways.configuration(row.gateway),
            self._gateways.has_host,
            form or FormView({"sources": "\n".join(row.gateway.sources)}),
            tuple((FEATURES[f], ABILITIES[a]) for f, a in self._gateways.abilities(row.gateway)),
            self._name_of(other) if other is not None and row.gateway.kind != "opennds" else "",
            bool(self._gateways.second) and other is None,
        )
        return AdminResponse(page, 422 if form is not None else 200)


async def _script(name: str, _request: AdminRequest) -> Answer:
    """For an openNDS router; it holds no secret."""
    return AdminDownload(name, io.BytesIO(router_script(name)), "text/plain")


def gateway_line(row: GatewayRow) -> GatewayLine:
    heard = row.status.heard_s
    return GatewayLine(
        row,
        KINDS[row.gateway.kind],
        TROUBLES[row.status.trouble],
        "" if heard is None else long_ago(heard),
    )


def _to(gateway: Gateway) -> AdminRedirect:
    return AdminRedirect(f"/gateways/gateway?id={gateway.id}")


def _gone() -> AdminResponse:
    return not_there(
        gettext_lazy("There is no such gateway."), gettext_lazy("Choose one from the list of gateways.")
    )
