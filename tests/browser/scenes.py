"""Every page of the portal in every state: what people did before, the path, and what to do there."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.browser import people
from tests.browser.chromium import Browser
from tests.browser.stage import Event, Opening, portal
from tests.contracts.portal_client import PortalBrowser
from tests.fakes.portal_server import BENS_ADDRESS, HOST
from tests.fakes.use_cases import PASSPHRASE, UNKNOWN_CODE, AppFixture

LANGUAGES = ("en", "fr", "es", "ca", "ar")

Doing = Callable[[Browser, str], None]
"""Actions of a person, given the URL of the first page."""


def nothing(browser: Browser, address: str) -> None:
    pass


@dataclass(frozen=True)
class PageScene:
    """One page in one state."""

    name: str
    page: str
    """The kind of page, for counting."""
    path: str = "/"
    server: Opening = field(default_factory=portal)
    host: str = HOST
    before: Doing = nothing
    """Actions before `path` is opened."""
    after: Doing = nothing
    """Actions on `path` before the page is in its state."""

    def enter(self, browser: Browser, first_page: str) -> None:
        self.before(browser, first_page)
        browser.open(first_page + self.path)
        self.after(browser, first_page)


def sends(action: str, button: str = "button", **fields: str) -> Doing:
    """Fills in the form with the action `action`, and sends it by its first `button`."""
    return lambda browser, _address: browser.send(action, button, **fields)


def opens_everything(browser: Browser, _address: str) -> None:
    browser.run("document.querySelectorAll('details').forEach(each => each.open = true)")


def submits_as_ben(address: str, action: str, **fields: str) -> None:
    """Another device of the same account sends a form of its account page."""

    async def submit() -> None:
        ben = PortalBrowser(urlsplit(address).port or 80, BENS_ADDRESS)
        page = await ben.get("/me")
        assert 303 == (await ben.post(action, page.fill(action, **fields))).status

    asyncio.run(submit())


def _portal(*events: Event, node: Callable[[], AppFixture] = people.valley) -> Opening:
    """The terms of the community are translated."""
    return portal(people.the_terms_are_translated, *events, node=node)


def _newcomer(
    name: str,
    *events: Event,
    path: str = "/",
    after: Doing = nothing,
    node: Callable[[], AppFixture] = people.valley,
) -> PageScene:
    return PageScene(name, "welcome", path, _portal(*events, node=node), after=after)


_MEMBER = {"account": "ana", "passphrase": "four words to remember"}

WELCOMES = (
    _newcomer("a newcomer", people.there_is_news, people.there_are_services),
    _newcomer("a newcomer who opens all ways", after=opens_everything),
    _newcomer("one way, the terms", node=lambda: people.with_ways("terms")),
    _newcomer("one way, a code", node=lambda: people.with_ways("voucher")),
    _newcomer("no way in", node=people.closed),
    _newcomer("long terms", people.the_long_terms_are_translated, node=people.wordy),
    PageScene("a bare community", "welcome", server=portal(node=people.bare)),
    _newcomer("a voucher's square was scanned", path="/?code=7KM3-Q2W9-XA"),
    _newcomer("a card's square was scanned", path="/?card=eyJ0.aGVsbG8.c2ln"),
    _newcomer("passphrases and cards by https", node=people.secured, after=opens_everything),
    _newcomer(
        "a community with its own appearance", people.it_has_its_own_appearance, after=opens_everything
    ),
    _newcomer("time over", people.comes_in, people.time_ends),
    _newcomer("voucher ended", people.has_a_voucher, people.time_ends),
    _newcomer("nobody answered", people.asks_a_member, people.nobody_answers),
    _newcomer("a newcomer while the line is down", people.there_are_services, people.the_line_breaks),
    _newcomer("more ways for somebody online", people.comes_in, path="/ways"),
    _newcomer("a slip in the code", after=sends("/join/code", code=people.MISTYPED_CODE)),
    _newcomer("an unknown code", after=sends("/join/code", code=UNKNOWN_CODE)),
    _newcomer("too many guesses", people.guesses_too_often, after=sends("/join/code", code=UNKNOWN_CODE)),
    _newcomer(
        "a wrong passphrase",
        people.the_member_has_a_passphrase,
        after=sends("/join/passphrase", **_MEMBER),
    ),
    _newcomer("a card from elsewhere", after=sends("/join/card", card=people.FOREIGN_CARD)),
    _newcomer(
        "too many questions",
        people.many_ask_the_same_member,
        after=sends("/ask", name="Jordi", host="ana"),
    ),
    _newcomer(
        "a way that was just closed",
        people.a_guest_lends_a_code_of_a_way_that_closes,
        after=sends("/join/code", code=people.LENT_CODE),
    ),
)


def _mine(
    name: str, *events: Event, after: Doing = nothing, node: Callable[[], AppFixture] = people.valley
) -> PageScene:
    return PageScene(name, "my page", "/me", _portal(*events, node=node), after=after)


def names_a_device_that_is_gone(browser: Browser, address: str) -> None:
    """The first device of the list, which somebody else of the same account removes meanwhile."""
    device = browser.attribute("form[action='/devices/name'] [name='device']", "value")
    submits_as_ben(address, "/devices/remove", device=device)
    browser.send("/devices/name", name="Mine")


def _next_rules(name: str, *events: Event, after: Doing = nothing) -> PageScene:
    return PageScene(name, "new rules", "/rules/next", _portal(*events), after=after)


_objects = sends("/rules/object", text="I work at night.")


def objects_too_late(browser: Browser, address: str) -> None:
    """To a version that no longer waits."""
    browser.run("document.querySelectorAll('[name=number]').forEach(each => each.value = '99')")
    _objects(browser, address)


MINE = (
    _mine("online while rules wait", people.comes_in, people.rules_wait),
    _mine("online", people.comes_in, people.there_is_news),
    _mine("in while the line is down", people.comes_in, people.the_line_breaks),
    _mine("online by voucher", people.has_a_voucher),
    _mine("over quota", people.uses_everything),
    _mine("asked to use less", people.uses_everything, node=people.gentle),
    _mine("a line too slow for a floor", people.a_floor_does_not_fit, node=people.measured),
    _mine("a member with everything", people.a_member_has_everything, after=opens_everything),
    _mine("a member without a passphrase", people.a_member_brings_a_second_device),
    _mine("a member with the card in hand", people.a_member_shows_the_card, after=opens_everything),
    _mine("a member where passphrases go by https", people.a_member_comes_in, node=people.secured),
    _mine(
        "contested",
        people.comes_in,
        people.has_objected,
        after=sends("/contest", text="I work in the evening."),
    ),
    _mine(
        "too many objections",
        people.comes_in,
        people.objects_too_often,
        after=sends("/contest", text="Again."),
    ),
    _mine(
        "a passphrase that will not do",
        people.a_member_comes_in,
        after=sends("/passphrase", passphrase="longer than eight", current="eight or more"),
    ),
    _mine("a word about a ladder", people.has_a_word, people.a_member_comes_in, after=opens_everything),
    _mine("a case of a ladder", people.has_a_case, people.a_member_comes_in, after=opens_everything),
    _mine(
        "a case that is suspended", people.has_a_case, people.a_member_comes_in, people.objects_to_the_case
    ),
    _mine("a device of somebody else", people.a_member_comes_in, after=names_a_device_that_is_gone),
)
AROUND = (
    PageScene(
        "which device makes room",
        "full",
        server=_portal(people.the_account_is_full, node=people.few_devices),
        after=sends("/join/passphrase", account="ana", passphrase=PASSPHRASE),
    ),
    PageScene("waiting for a member", "asking", server=_portal(people.asks_a_member)),
    PageScene("waiting, held still", "asking", "/?still=1", _portal(people.asks_a_member)),
    PageScene(
        "removed", "refused", server=_portal(people.is_blocked("This phone sent junk mail all night."))
    ),
    PageScene("removed without a reason", "refused", server=_portal(people.is_blocked(""))),
    PageScene(
        "trouble with a reason",
        "refused",
        server=_portal(people.the_kernel_refuses),
        after=sends("/join/terms"),
    ),
    PageScene(
        "a memory that cannot be written",
        "refused",
        server=portal(node=people.without_database),
        after=sends("/join/code", code=UNKNOWN_CODE),
    ),
    PageScene(
        "the node is busy",
        "busy",
        "/me",
        _portal(people.comes_in, people.the_kernel_refuses),
        after=sends("/leave"),
    ),
    PageScene("no new rules", "new rules", "/rules/next"),
    _next_rules("rules that wait", people.rules_wait),
    _next_rules("rules that wait, for a guest", people.comes_in, people.rules_wait),
    _next_rules(
        "rules that wait, for a member",
        people.a_member_comes_in,
        people.rules_wait,
        people.somebody_objects_to_the_rules,
    ),
    _next_rules(
        "an objection to rules that wait", people.a_member_comes_in, people.rules_wait, after=_objects
    ),
    _next_rules(
        "an objection that comes too late",
        people.a_member_comes_in,
        people.rules_wait,
        after=objects_too_late,
    ),
    _next_rules("drafts of rules, for a guest", people.comes_in, people.there_are_drafts),
    _next_rules(
        "a draft of rules to which a member objects",
        people.a_member_comes_in,
        people.there_are_drafts,
        after=_objects,
    ),
    _next_rules(
        "rules that wait beside drafts",
        people.a_member_comes_in,
        people.there_are_drafts,
        people.rules_wait_beside,
    ),
    _next_rules(
        "rules stopped by objections",
        people.a_member_comes_in,
        people.rules_wait,
        people.somebody_objects_to_the_rules,
        people.ana_objects_to_the_rules,
    ),
    _next_rules("new rules on trial", people.a_member_comes_in, people.rules_are_on_trial),
    PageScene("our network while rules wait", "our network", "/network", _portal(people.rules_wait)),
    PageScene("our network", "our network", "/network", _portal()),
    PageScene("our network without more rules", "our network", "/network", portal(node=people.bare)),
    PageScene("notices", "notices", "/notices", _portal(people.there_is_news)),
    PageScene("notices of other nodes", "notices", "/notices", _portal(people.other_nodes_have_news)),
    PageScene("no notices", "notices", "/notices"),
    PageScene("local services", "services", "/services", _portal(people.there_are_services)),
    PageScene("no local services", "services", "/services"),
    PageScene("privacy", "privacy", "/privacy"),
    PageScene("help", "help", "/help"),
    PageScene("my data", "my data", "/my-data", _portal(people.a_member_has_everything)),
    PageScene("a message for me", "my page", "/me", _portal(people.an_admin_wrote)),
    PageScene("what admins did to me", "acts", "/my-data/admins", _portal(people.an_admin_acted)),
    PageScene("what no admin did", "acts", "/my-data/admins", _portal(people.a_member_comes_in)),
    PageScene("erase my data", "erase", "/my-data/erase", _portal(people.a_member_comes_in)),
    PageScene(
        "erase my data after nodes left",
        "erase",
        "/my-data/erase",
        _portal(people.a_member_comes_in, people.nodes_left),
    ),
    PageScene("the terms", "terms", "/terms", portal(node=people.wordy)),
    PageScene("no terms", "terms", "/terms", portal(node=people.bare)),
    PageScene("no such page", "no such page", "/nowhere"),
    PageScene("a form asked for as a page", "start again", "/join/terms"),
    PageScene("not on this Wi-Fi", "elsewhere", server=portal(elsewhere=True)),
    PageScene("an address that two devices claim", "disputed", server=portal(disputed=True)),
)
PORTAL_SCENES = WELCOMES + MINE + AROUND
