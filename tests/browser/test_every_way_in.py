"""Every join method behind the real node, in every language, with and without JavaScript, and what can follow."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.browser.chromium import Browser
from tests.browser.scenes import LANGUAGES
from tests.lab import eventually
from tests.lab.village import Router, Village

pytestmark = [pytest.mark.kernel, pytest.mark.browser]

ELSEWHERE = "http://neverssl.example/"
FROM_THE_INTERNET = "hello from the Internet"
Phone = Callable[..., Browser]
EVERY_TIME = {("en", True), ("ar", False)}
"""Languages with and without JavaScript that are tried also without --thorough."""


def vouchers(square: Village, count: int = 1, *more: str) -> list[str]:
    words = ("vouchers", "issue", "--count", str(count), "--group", "day-pass", *more)
    return list(square.square.told(*words)["codes"])


def is_in(browser: Browser, language: str = "en") -> bool:
    """The person's own page in their language, and the Internet is reachable."""
    assert browser.path == "/me", browser.text
    assert browser.attribute("html", "lang") == language
    browser.open(ELSEWHERE)
    assert FROM_THE_INTERNET in browser.text, (browser.host, browser.path, browser.text)
    return True


def leaves(browser: Browser, host: str) -> None:
    browser.open(f"http://{host}/me")
    browser.send("/leave")
    browser.open(ELSEWHERE)
    assert browser.host == host


def come_by_every_way(browser: Browser, square: Village, language: str) -> list[str]:
    """The join methods of one person, one after the other, each from the page of the redirect."""
    code = vouchers(square)[0]
    passphrase = square.square.told("members", "passphrase", "nursery")["passphrase"]
    card = square.square.told("members", "card", "school")["address"]
    came = []
    browser.open(ELSEWHERE)
    host = browser.host
    assert browser.attribute("html", "lang") == language
    for way, step in (
        ("terms", lambda: browser.send("/join/terms")),
        ("voucher", lambda: browser.send("/join/code", code=code.lower().replace("-", " "))),
        ("passphrase", lambda: browser.send("/join/passphrase", account="nursery", passphrase=passphrase)),
        ("card", lambda: (browser.open(card), browser.send("/join/card"))),
    ):
        step()
        assert is_in(browser, language), way
        came.append(way)
        leaves(browser, host)
    return came


@pytest.mark.parametrize(
    ("language", "scripts"),
    [
        pytest.param(
            language, scripts, marks=[] if (language, scripts) in EVERY_TIME else pytest.mark.thorough
        )
        for language in LANGUAGES
        for scripts in (True, False)
    ],
)
def test_a_person_joins_by_terms_by_voucher_by_passphrase_and_by_card(
    phone: Phone, square: Village, language: str, scripts: bool
) -> None:
    browser = phone(language, scripts=scripts)
    came = come_by_every_way(browser, square, language)
    assert came == ["terms", "voucher", "passphrase", "card"]
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("theirs", "members", "scripts"),
    [
        ("en", "ca", True),
        ("ar", "fr", False),
        pytest.param("es", "ar", False, marks=pytest.mark.thorough),
        pytest.param("fr", "es", True, marks=pytest.mark.thorough),
    ],
)
def test_a_guest_asks_a_member_who_approves_on_their_own_phone(
    phone: Phone, square: Village, theirs: str, members: str, scripts: bool
) -> None:
    passphrase = square.square.told("members", "passphrase", "nursery")["passphrase"]
    member, guest = phone(members, scripts=scripts), phone(theirs, scripts=scripts)
    member.open(ELSEWHERE)
    member.send("/join/passphrase", account="nursery", passphrase=passphrase)
    guest.open(ELSEWHERE)
    guest.send("/ask", name="Jordi", host="nursery")
    sign = guest.read(".big")
    member.open(member.url)
    assert sign in member.read("form[action='/answer']")
    member.tap("form[action='/answer'] button[value='yes']")
    # The guest's page refreshes by itself.
    assert eventually(lambda: guest.has("form[action='/leave']") and not guest.has(".big"), 15)
    guest.open(ELSEWHERE)
    assert FROM_THE_INTERNET in guest.text


def test_a_person_can_join_by_keyboard_alone(phone: Phone) -> None:
    browser = phone()
    browser.open(ELSEWHERE)
    for _ in range(20):
        browser.press_key("Tab")
        if browser.run("return document.activeElement.matches(\"form[action='/join/terms'] button\")"):
            break
    browser.press_key("Enter")
    assert eventually(lambda: browser.path == "/me", 10)
    assert is_in(browser)


def test_a_person_over_their_allowance_stays_online_and_reads_which_rule_limits_them(
    phone: Phone, square: Village
) -> None:
    browser = phone()
    passphrase = square.square.told("members", "passphrase", "carme")["passphrase"]
    browser.open(ELSEWHERE)
    browser.send("/join/passphrase", account="carme", passphrase=passphrase)
    mine = browser.url
    assert browser.owner is not None
    browser.owner.do("download", seconds=12, bytes=9_000_000)
    browser.open(mine)
    assert eventually(lambda: _reads(browser, mine, "daily-allowance", "D-2026-014"), 10), browser.text
    assert browser.attribute("progress", "value") == "100"
    assert "2 Mbit/s" in browser.text
    browser.open(ELSEWHERE)
    assert FROM_THE_INTERNET in browser.text


def _reads(browser: Browser, url: str, *words: str) -> bool:
    browser.open(url)
    return all(word in browser.text for word in words)


def test_an_objection_to_a_limit_is_answered_on_the_persons_own_page(
    phone: Phone, square: Village, admin: Browser
) -> None:
    browser = phone()
    browser.open(ELSEWHERE)
    browser.send("/join/terms")
    mine = browser.url
    browser.send("/contest", text="I work in the evening & need <more>.")
    assert "I work in the evening & need <more>." in browser.text
    admin.open(admin.home + "/objections")
    assert "I work in the evening & need <more>." in admin.text
    field = admin.attribute("form[action='/objections'] textarea", "name")
    admin.send("/objections", **{field: "We speak about it on Monday."})
    browser.open(mine)
    assert "We speak about it on Monday." in browser.text


def test_a_chosen_language_is_kept_on_the_following_pages(phone: Phone) -> None:
    browser = phone()
    browser.open(ELSEWHERE)
    browser.send("/language", "[lang='ca']")
    assert browser.has("html[lang='ca']")
    browser.open(ELSEWHERE)
    assert browser.has("html[lang='ca']")
    browser.send("/join/terms")
    assert browser.has("html[lang='ca'] form[action='/leave']")


def test_a_blocked_person_reads_why_and_may_return_after_unblocking(
    phone: Phone, square: Village, admin: Browser
) -> None:
    browser = phone()
    browser.open(ELSEWHERE)
    browser.send("/join/terms")
    assert browser.owner is not None
    device = square.square.device(browser.owner.mac)
    assert device is not None
    admin.open(f"{admin.home}/people/account?id={device['account']}")
    admin.send("/people/block", because="Your phone sent junk mail all night. Come and talk to us.")
    browser.open(ELSEWHERE)
    assert "Your phone sent junk mail all night. Come and talk to us." in browser.text
    assert not browser.has("form:not([action='/language'])")
    admin.send("/people/unblock")
    browser.open(ELSEWHERE)
    browser.send("/join/terms")
    assert is_in(browser)


def test_when_the_account_is_full_the_person_chooses_which_device_to_disconnect(
    phone: Phone, square: Village
) -> None:
    (code,) = vouchers(square, 1, "--devices", "1")
    first, second = phone(), phone("ca", scripts=False)
    first.open(ELSEWHERE)
    first.send("/join/code", code=code)
    assert is_in(first)
    second.open(ELSEWHERE)
    second.send("/join/code", code=code)
    assert second.has("input[name='instead_of']")
    second.send("/join/code")
    assert is_in(second, "ca")
    first.open(ELSEWHERE)
    assert first.has("form[action='/join/code']")


def test_a_second_device_joins_by_the_code_that_the_first_one_shows(phone: Phone, square: Village) -> None:
    (code,) = vouchers(square, 1, "--devices", "3")
    first, second = phone(), phone("fr", scripts=False)
    first.open(ELSEWHERE)
    first.send("/join/code", code=code)
    first.send("/devices/code")
    shown = first.read("#add .big")
    second.open(ELSEWHERE)
    second.send("/join/code", code=shown)
    assert is_in(second, "fr")


def test_when_a_voucher_has_expired_its_person_reads_that_and_what_to_do(
    phone: Phone, square: Village
) -> None:
    (code,) = vouchers(square, 1, "--lasts", "10 minutes")
    browser = phone()
    browser.open(ELSEWHERE)
    browser.send("/join/code", code=code)
    assert is_in(browser)
    time_passes(square.square, seconds=660)
    assert eventually(lambda: _reads(browser, ELSEWHERE, "Your code has run out"), 10), browser.text
    browser.send("/join/code", code=code)
    assert "This code has run out" in browser.read("#voucher-error")
    assert browser.attribute("#code", "value")
    browser.send("/join/code", code=vouchers(square)[0])
    assert is_in(browser)


def time_passes(router: Router, seconds: int) -> None:
    """Stops the node for this long: everything that expires by the clock is nearer to its end when it starts."""
    assert router.daemon is not None
    router.daemon.stop()
    with closing(sqlite3.connect(router.data / "procomu.db")) as books, books:
        for table in ("sessions", "vouchers"):
            books.execute(
                f"UPDATE {table} SET ends_boot_ms = ends_boot_ms - ?, ends_wall_s = ends_wall_s - ?",
                (seconds * 1000, seconds),
            )
    router.start()
    router.told("vouchers", "list")  # the stored data is read
    # The portal listens once the first plan is applied, which `status` does not wait for.
    assert eventually(lambda: ":2080" in router.place.run("ss", "-Hltn"), 10)
