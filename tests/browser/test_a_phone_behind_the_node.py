"""A phone's own browser behind the real node: captured, welcomed, let in, and told what it used."""

from collections.abc import Callable

import pytest

from tests.browser.chromium import Browser

pytestmark = [pytest.mark.kernel, pytest.mark.browser]

ELSEWHERE = "http://neverssl.example/"
FROM_THE_INTERNET = "hello from the Internet"


@pytest.mark.parametrize("scripts", [True, False], ids=["JavaScript", "no JavaScript"])
def test_a_newcomer_is_captured_accepts_with_one_tap_and_is_online(
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


def test_the_address_that_was_captured_opens_as_soon_as_one_is_online(phone: Callable[..., Browser]) -> None:
    """Chromium keeps connections that it opened on a guess; those lead to the portal for as long as they stand."""
    browser = phone()
    browser.open(ELSEWHERE)
    browser.press("go online")
    browser.open(ELSEWHERE)
    assert FROM_THE_INTERNET in browser.text
