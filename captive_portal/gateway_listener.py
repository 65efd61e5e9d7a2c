"""The listener for gateways, with all protocols that this node speaks."""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from captive_portal.callers import ELSEWHERE
from node.app.account import AccountService
from node.app.admin_gateways import AdminGatewaysService
from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import Coming, GatewayService
from node.app.shared_gateways import SharedGatewaysService
from node.app.shared_registry import SharedRegistry
from node.config import GatewaysSection
from node.control.ports import StatesArchive
from node.control.reconciler import Reconciler
from node.units import MacAddress
from node.web.connections import Limits
from node.web.https import HttpsListener, TlsCertificate
from node.web.rendering import Renderer
from node.web.router_scripts import router_script_hashes

if TYPE_CHECKING:
    from captive_portal.gateway_server import GatewayServer

FORGET_EVERY_S = 3_600.0
HTTPS_LIMITS = Limits(connections=256, connections_per_device=64, at_work_per_device=16, idle_s=5.0)
"""Many people come from one address, that of their router; a TLS connection takes about 80 kB."""


class NodeKey(Protocol):
    """The key file of the node."""

    def own_key_for(self, purpose: str) -> bytes: ...


class Gateways:
    """The gateways of a node: what admins see of them, and the listener, if the settings name an address."""

    def __init__(
        self,
        settings: GatewaysSection,
        keys: NodeKey,
        reconciler: Reconciler,
        backend: AccountService,
        archive: StatesArchive,
        *,
        certificate: TlsCertificate | None = None,
    ) -> None:
        """`certificate` is the portal's."""
        key, clock = keys.own_key_for("gateways"), reconciler.clock
        self.settings = settings
        self.registry = GatewayRegistry(
            archive, clock, key=key, random=secrets.token_bytes, one_change=asyncio.Lock()
        )
        self.service = GatewayService(
            reconciler,
            backend.admission,
            self.registry,
            archive,
            clock,
            key=key,
            random=secrets.token_bytes,
        )
        self._node = reconciler.node
        self._shared: SharedGatewaysService | None = None
        self.admin = AdminGatewaysService(
            self.service,
            settings,
            lambda: certificate is not None,
            other_node=lambda: self._shared.other if self._shared is not None else None,
            candidates=lambda: self._shared.candidates() if self._shared is not None else (),
            own=reconciler.node,
            scripts=router_script_hashes,
        )
        self._key, self._certificate = key, certificate
        self._backend, self._clock = backend, clock
        self._form_key = keys.own_key_for("forms at gateways")

    def share(
        self,
        shared: SharedRegistry,
        secrets: Callable[[], Sequence[bytes]],
        comes: Callable[[MacAddress], Coming],
    ) -> None:
        """With the other nodes of the community, once. `secrets`: of the community, the newest first; `comes`: whether they
        told of a device."""
        self._shared = shared.gateways = SharedGatewaysService(self._node, self.settings, secrets)
        self._shared.connect(self.service)
        self.service.comes = comes

    async def run(self, renderer: Renderer) -> None:
        """Until cancelled. Where the settings name no address, it only deletes what is kept too long."""
        await self.service.recall()
        server = self.server(renderer)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._forget_gone())
            if server is not None:
                tasks.create_task(server.run())
            if server is not None and self._certificate is not None:
                tasks.create_task(self._https(self._certificate, server).run())

    async def _forget_gone(self) -> None:
        while True:
            await asyncio.sleep(FORGET_EVERY_S)
            self.service.forget_gone()

    def _https(self, certificate: TlsCertificate, server: "GatewayServer") -> HttpsListener:
        """For openNDS routers of the levels 3 and 4, and for the people behind them."""
        return HttpsListener(
            certificate,
            server.application,
            lambda _ends: ELSEWHERE,
            port=self.settings.https_port,
            setting="gateways.https_port",
            limits=HTTPS_LIMITS,
        )

    def server(self, renderer: Renderer) -> "GatewayServer | None":
        """With the routes of all protocols; None if the settings name no address."""
        if self.settings.listen is None:
            return None
        # A node without gateways keeps 1 MB of memory.
        from captive_portal.fas_site import FasSite  # noqa: PLC0415
        from captive_portal.gateway_server import GatewayServer  # noqa: PLC0415
        from node.app.opennds_reports import RouterReports  # noqa: PLC0415
        from node.app.opennds_service import OpenNdsService  # noqa: PLC0415

        opennds = OpenNdsService(
            self.service,
            self._backend,
            self._clock,
            key=self._key,
            allows_level_0=lambda: self.settings.opennds_level_0,
        )
        server = GatewayServer(
            self.service,
            self._backend,
            self.settings.listen,
            secret=self._form_key,
            boot=self._clock.boot,
            since_boot=self._clock.monotonic,
            clock=time.monotonic,
            renderer=renderer,
        )
        fas = FasSite(
            opennds,
            self._backend,
            server.known,
            RouterReports(opennds, self.service, self._clock, key=self._key),
            renderer=renderer,
            languages=server.languages,
            tokens=server.form_tokens,
            clock=time.monotonic,
        )
        server.more_routes += fas.routes()
        return server
