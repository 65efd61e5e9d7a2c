"""Chromium behind a captive portal: HTTPS is refused at once, it detects the portal, and people can join by HTTPS."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.browser.chromium import Browser
from tests.browser.driver import opened
from tests.fakes.authority import Authority
from tests.lab import eventually
from tests.lab.village import Village, village

pytestmark = [pytest.mark.kernel, pytest.mark.browser]
HOST = "login.vall.example"
FAR_RESOLVER = "https://203.0.113.53/dns-query"


@pytest.fixture
def certified() -> Iterator[Village]:
    """A village whose square has a certificate."""
    with village("tls") as place:
        square = place.square
        chain, key, root = Authority().write(square.folder, HOST)
        portal = f'[portal]\nhost = "{HOST}"\ncertificate = "{chain}"\ncertificate_key = "{key}"\n'
        square.furnish(square.settings.nodes, square.settings.community_key_file, more=portal)
        square.environment["SSL_CERT_FILE"] = str(root)
        square.start()
        yield place


def test_an_https_page_is_refused_at_once_and_never_hangs(phone: Callable[..., Browser]) -> None:
    browser = phone()
    began = time.monotonic()
    with pytest.raises(Exception, match="ERR_CONNECTION_REFUSED"):
        browser.open("https://bank.example/")
    assert time.monotonic() - began < 2


def test_chromium_detects_the_portal_when_its_secure_resolver_is_unreachable(square: Village) -> None:
    """Chromium looks for a portal when a load times out or its secure resolver fails. Loads never time out here, so the
    browser under test uses DNS over HTTPS only."""
    person = square.settle("secure", square.square, 200)
    try:
        person.join()
        folder = square.lab.folder / "chromium-secure"
        wish(folder, "Local State", dns_over_https={"mode": "secure", "templates": FAR_RESOLVER})
        # "Use a web service to help resolve navigation errors"
        wish(folder, "Default/Preferences", alternate_error_pages={"enabled": True})
        with opened(folder, place=person.place, resolver=person.resolver) as browser:
            with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
                browser.open("https://bank.example/")
            assert eventually(lambda: len(browser.tabs()) == 2, 10)
            assert "http://login.procomu.lan/" == browser.tabs()[1]
    finally:
        person.agent.close()


def wish(folder: Path, file: str, **settings: object) -> None:
    """A setting that the person chose earlier."""
    path = folder / "profile" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings))


def test_a_person_joins_by_https(certified: Village) -> None:
    person = certified.settle("reader", certified.square, 30)
    person.join()
    folder = certified.lab.folder / "chromium-tls"
    trusted = f"--ignore-certificate-errors-spki-list={key_hash(certified.square.folder / 'portal.crt')}"
    with opened(folder, place=person.place, resolver=person.resolver, switches=(trusted,)) as browser:
        browser.open(f"https://{HOST}/")
        assert "Vall Alta" in browser.read("h1")
        browser.press("go online")
        assert (f"https://{HOST}/me", []) == (browser.url, browser.complaints())
        assert certified.square.device(person.mac) is not None
        browser.open("http://another.example/")
        assert "hello from the Internet" in browser.text
    certified.close_people()


def key_hash(chain: Path) -> str:
    """In Chromium's format: SHA-256 of the public key of the first certificate, in base64."""
    key = x509.load_pem_x509_certificates(chain.read_bytes())[0].public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()
