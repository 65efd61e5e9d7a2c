"""With `lan = true` an admin opens the admin pages from the people's side by https, before and after joining, and nobody
from elsewhere reaches them."""

import hashlib
import http.client
import re
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import pytest

from node.admin.server import SECURE_COOKIE
from node.setup.first_files import CODE_FILE
from tests.lab import eventually
from tests.lab.netns import Namespace

pytestmark = pytest.mark.kernel
PORT = 2444
ADMIN = f"""
[admin]
lan = true
https_port = {PORT}
"""
PASSPHRASE = "four plain old words"


@pytest.fixture
def square(place):
    settings = place.square.settings
    place.square.furnish(settings.nodes, settings.community_key_file, more=ADMIN)
    (place.square.config.parent / CODE_FILE).write_text("7K3M-9Q2W\n")
    place.square.start()
    return place.square


def test_a_node_that_starts_has_no_set_up_code(square):
    """The set-up deletes it after the settings are written, unless the power is cut between."""
    assert square.config.exists()
    assert not (square.config.parent / CODE_FILE).exists()


@dataclass
class HttpsBrowser:
    """Requests by https from one device; it keeps the session's cookie."""

    place: Namespace
    address: str
    cookie: str = ""
    host: str = ""
    """Host header; empty for the address."""
    fingerprint: str = ""
    """SHA-256 of the server's certificate."""

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, str, str]:
        """Status, Location and page."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        headers = {"Cookie": f"{SECURE_COOKIE}={self.cookie}"} if self.cookie else {}
        if self.host:
            headers["Host"] = self.host
        if fields:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with self.place.entered():
            asked = http.client.HTTPSConnection(self.address, PORT, timeout=5, context=trusting)
            asked.request(method, path, urlencode(fields) or None, headers)
            seen = asked.sock.getpeercert(binary_form=True)
            self.fingerprint = hashlib.sha256(seen).digest().hex(":").upper()
            answer = asked.getresponse()
            page = answer.read().decode()
        found = re.search(rf"{SECURE_COOKIE}=([^;]+);(.*)", answer.getheader("Set-Cookie", ""))
        if found is not None:
            assert "Secure" in found[2]
            self.cookie = found[1]
        return answer.status, answer.getheader("Location", ""), page

    def send(self, path: str, **fields: str) -> tuple[int, str, str]:
        _, _, page = self.ask("GET", path)
        token = re.search(r'name="csrf_token" value="([0-9a-f]+)"', page)
        assert token is not None
        return self.ask("POST", path, csrf_token=token[1], **fields)


@pytest.mark.parametrize("way", ["IPv4", pytest.param("IPv6", marks=pytest.mark.thorough)])
def test_an_admin_signs_in_from_the_lan_and_again_after_a_restart(square, comes, way):
    phone = comes("phone")
    told = square.told("admin", "link", "--name", "Ana")
    link = urlsplit(told["url"])
    assert ("https", f"{square.site.lan_v4}:{PORT}") == (link.scheme, link.netloc)
    address = square.site.lan_v4 if way == "IPv4" else square.site.lan_v6
    browser = HttpsBrowser(phone.place, address)
    status, where, _ = browser.ask("POST", "/sign-in", token=link.query.removeprefix("token="))
    assert (303, "/passphrase") == (status, where)
    assert told["fingerprint"] == browser.fingerprint
    status, where, _ = browser.send("/passphrase", passphrase=PASSPHRASE, stays="yes")
    assert (303, "/") == (status, where)
    assert told["fingerprint"] in browser.ask("GET", "/access")[2]

    square.daemon.kill9()
    square.start()
    assert eventually(lambda: is_open(phone.place, address), 10), square.daemon.output()[-2000:]
    assert 200 == browser.ask("GET", "/access")[0]
    assert told["fingerprint"] == browser.fingerprint, "the certificate is the same after a restart"
    again = HttpsBrowser(phone.place, address)
    status, where, _ = again.ask("POST", "/sign-in", name="ana", passphrase=PASSPHRASE, stays="yes")
    assert (303, "/") == (status, where)


def is_open(place: Namespace, address: str) -> bool:
    """Whether the port takes connections; it does a moment after the node is ready."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with place.entered(), socket.socket(family) as caller:
        caller.settimeout(2)
        return caller.connect_ex((address, PORT)) == 0


def test_only_the_lan_reaches_them(place, square, comes):
    phone = comes("phone")
    assert 401 == HttpsBrowser(phone.place, square.site.lan_v4).ask("GET", "/")[0]
    by_name = HttpsBrowser(phone.place, square.site.lan_v4, host=f"login.procomu.lan:{PORT}")
    assert 401 == by_name.ask("GET", "/")[0]
    assert 421 == HttpsBrowser(phone.place, square.site.lan_v4, host="evil.example").ask("GET", "/")[0]
    for outside, address in (
        (place.internet.place, square.site.wan_v4),
        (place.internet.place, square.site.lan_v4),
        (place.internet.place, square.site.wan_v6),
    ):
        with outside.entered(), pytest.raises(OSError, match=r"refused|unreachable|timed out|No route"):
            socket.create_connection((address, PORT), timeout=2)
