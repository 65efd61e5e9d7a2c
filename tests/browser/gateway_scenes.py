"""The pages for people behind WiFiDog routers in every state."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from node.gateways.gateway import Gateway
from tests.browser.scenes import PageScene
from tests.contracts.test_gateways import one_run
from tests.fakes.portal_server import portal_node
from tests.fakes.use_cases import ANA

GATEWAY = Gateway("0123abcd", "wifidog", "accepted", "the bakery", "001217DA42D2", "10.1.2.3")
LOGIN = (
    f"/gw/{GATEWAY.id}/login/?gw_address=192.168.1.1&gw_port=2060&gw_id={GATEWAY.called}"
    f"&ip=192.168.1.7&mac={ANA}&url=http%3A%2F%2Fexample.org%2F"
)


@asynccontextmanager
async def open_gateway(*, is_down: bool = False) -> AsyncIterator[int]:
    """A node with one WiFiDog gateway."""
    async with one_run(portal_node()) as at:
        at.registry._take({GATEWAY.id: GATEWAY})
        if is_down:
            at.app.portal._down_since = at.app.node.clock.monotonic
            at.app.portal.outage_note = ("Núria", None)
        yield at.server.bound[1]


def open_while_down() -> AbstractAsyncContextManager[int]:
    """As `open_gateway`, while the line is down, which an admin told people."""
    return open_gateway(is_down=True)


GATEWAY_SCENES = (
    PageScene("behind WiFiDog", "gateway", LOGIN, open_gateway),
    PageScene("behind WiFiDog, the line is down", "gateway", LOGIN, open_while_down),
    PageScene(
        "behind WiFiDog, online",
        "gatewayonline",
        f"/gw/{GATEWAY.id}/portal/?gw_id={GATEWAY.called}",
        open_while_down,
    ),
    PageScene(
        "behind WiFiDog, turned away",
        "gatewayonline",
        f"/gw/{GATEWAY.id}/gw_message.php?message=denied",
        open_gateway,
    ),
    PageScene(
        "behind a router that is not accepted", "gatewayunknown", "/wifidog/login/?gw_id=X", open_gateway
    ),
)
