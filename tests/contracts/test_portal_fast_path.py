"""Responses of the fast path equal the HTTP library's, octet by octet, except for the date and the order of
fields.
"""

import pytest

from captive_portal.request_context import logo_path
from node.accounts.appearance import Appearance
from tests.contracts.portal_client import PortalBrowser, request
from tests.contracts.test_portal import LOGO
from tests.fakes.portal_server import PortalServer
from tests.fakes.use_cases import ANA

OWN, FOREIGN = "login.vallverda.example", "captive.apple.com"
HOSTS = (OWN, FOREIGN, f"{OWN.upper()}.:80", "127.0.0.1", "[::1]", "", "a b", "x" * 300)
SLOWLY = {"Connection": "keep-alive, slowly"}
"""A header that no browser sends: such a request is left to the library."""


def without_date(raw: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return sorted(line for line in head.split(b"\r\n") if not line.startswith(b"Date: ")), body


@pytest.mark.parametrize("path", ["/", "/?", "/hotspot-detect.html", "/me", "/nothing"])
@pytest.mark.parametrize("wish", ["", "ca", "ar, en;q=0.1", "nonsense;;;"])
async def test_both_paths_give_the_same_response(ana: PortalBrowser, path: str, wish: str) -> None:
    wished = {"Accept_Language": wish} if wish else {}
    for host in HOSTS:
        quick = (await ana.send(request("GET", path, host, wished))).raw
        slow = (await ana.send(request("GET", path, host, {**wished, **SLOWLY}))).raw
        assert without_date(quick) == without_date(slow)
        assert b"\r\nDate: " in quick


async def test_an_authorized_device_is_never_redirected_to_the_portal(
    ana: PortalBrowser, server: PortalServer
) -> None:
    await server.app.join(ANA)
    for path in ("/hotspot-detect.html", "/library/test/success.html"):
        assert "Success" in (await ana.get(path, host=FOREIGN)).body


async def test_an_expired_session_is_told_so_at_once(ana: PortalBrowser, server: PortalServer) -> None:
    await server.app.join(ANA)
    await server.app.expire(ANA)
    quick, slow = await ana.get("/"), await ana.get("/", **SLOWLY)
    assert quick.body == slow.body != (await PortalBrowser(server.port, "127.0.0.2").get("/")).body


async def test_the_logo_is_the_same_on_both_paths(ana: PortalBrowser, server: PortalServer) -> None:
    server.app.look_like(Appearance("#b02040", "#ff8899", logo=LOGO.uri))
    path = logo_path(server.app.portal.community().appearance)
    for each in (path, "/logo", "/"):
        quick, slow = await ana.get(each), await ana.get(each, **SLOWLY)
        assert without_date(quick.raw) == without_date(slow.raw)
        assert 200 == quick.status
