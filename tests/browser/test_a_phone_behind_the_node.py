"""The browser of a phone behind the real node: captive, welcomed, admitted, and informed about its usage."""

from collections.abc import Callable

import pytest

from tests.browser.chromium import Browser

pytestmark = [pytest.mark.kernel, pytest.mark.browser]

ELSEWHERE = "http://neverssl.example/"
FROM_THE_INTERNET = "hello from the Internet"


@pytest.mark.parametrize("scripts", [True, False], ids=["JavaScript", "no JavaScript"])
def test_a_captive_newcomer_accepts_with_one_tap_and_is_online(
    phone: Callable[..., Browser], scripts: bool
) -> None:
    browser = phone(scripts=scripts)
    browser.open(ELSEWHERE)
    assert browser.path == "/"
    assert "neverssl" not in browser.host
    assert "Vall Alta" in browser.read("h1")
    browser.press("go online")
    assert browser.path == "/me", browser.text
    assert "online" in browser.read("h1")
    browser.open("http://another.example/")
    assert FROM_THE_INTERNET in browser.text
    assert browser.complaints() == []


def test_the_address_that_was_redirected_opens_after_admission(phone: Callable[..., Browser]) -> None:
    """Chromium keeps preconnected sockets; those lead to the portal until they are closed."""
    browser = phone()
    browser.open(ELSEWHERE)
    browser.press("go online")
    browser.open(ELSEWHERE)
    assert FROM_THE_INTERNET in browser.text
