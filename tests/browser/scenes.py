"""Every page of the portal in every state: data of the fake services, path, and what to do before."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from node.app.views import RefusalReason, Refused
from node.errors import StorageTrouble
from tests.browser import people
from tests.browser.chromium import Browser
from tests.browser.stage import HOST, Opening, portal
from tests.fakes import portal_backend

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


def _newcomer(name: str, **more: Any) -> PageScene:
    path, after = more.pop("path", "/"), more.pop("after", nothing)
    more.setdefault("view", people.OPEN)
    return PageScene(name, "welcome", path, portal(**more), after=after)


def _refused(name: str, action: str, reason: RefusalReason, **more: Any) -> PageScene:
    fields = more.pop("fields", {"code": "7KM3Q2W9XA"})
    refused = Refused(reason, **more)
    return _newcomer(name, answers=refused, refusal=refused, after=sends(action, **fields))


_MEMBER = {"account": "ana", "passphrase": "four words to remember"}
_ASKS = {"name": "Jordi", "host": "ana"}

WELCOMES = (
    _newcomer("a newcomer", told=people.NOTICES, near=people.SERVICES),
    _newcomer("a newcomer who opens all ways", after=opens_everything),
    _newcomer("one way, the terms", view=people.ONLY_TERMS),
    _newcomer("one way, a code", view=people.ONLY_CODES),
    _newcomer("no way in", view=people.CLOSED),
    _newcomer("long terms", view=people.WORDY),
    _newcomer("a bare community", view=people.BARE),
    _newcomer("a voucher's square was scanned", path="/?code=7KM3-Q2W9-XA"),
    _newcomer("a card's square was scanned", path="/?card=eyJ0.aGVsbG8.c2ln"),
    _newcomer("passphrases and cards by https", view=people.SECURED, after=opens_everything),
    _newcomer("time over", person=people.TIME_OVER),
    _newcomer("voucher ended", person=people.VOUCHER_ENDED),
    _newcomer("nobody answered", person=people.UNANSWERED),
    _newcomer("a newcomer while the line is down", view=people.LINE_DOWN, near=people.SERVICES),
    _newcomer("more ways for somebody online", path="/ways", person=people.ONLINE),
    _refused("a slip in the code", "/join/code", "code-mistyped"),
    _refused("an unknown code", "/join/code", "code-unknown"),
    _refused("too many guesses", "/join/code", "too-many-guesses", wait_s=400),
    _refused("a wrong passphrase", "/join/passphrase", "passphrase-wrong", fields=_MEMBER),
    _refused("a card from elsewhere", "/join/card", "card-foreign", fields={"card": "eyJ0.aGVsbG8.c2ln"}),
    _refused("too many questions", "/ask", "too-many-open", fields=_ASKS),
    _refused("a way that was just closed", "/join/terms", "way-closed", fields={}, rule="night"),
)


def _mine(name: str, **more: Any) -> PageScene:
    after = more.pop("after", nothing)
    more.setdefault("view", people.OPEN)
    return PageScene(name, "my page", "/me", portal(**more), after=after)


_SHORT = Refused("too-long", "At least 8 characters.")

MINE = (
    _mine("online", person=people.ONLINE, told=people.NOTICES),
    _mine("in while the line is down", person=people.ONLINE, view=people.LINE_DOWN),
    _mine("online by voucher", person=people.WITH_VOUCHER),
    _mine("over quota", person=people.OVER_QUOTA),
    _mine("a member with everything", person=people.MEMBER, after=opens_everything),
    _mine("a member without a passphrase", person=replace(people.MEMBER, has_passphrase=False)),
    _mine(
        "a member with the card in hand",
        person=replace(people.MEMBER, has_shown_card=True),
        after=opens_everything,
    ),
    _mine("a member where passphrases go by https", view=people.SECURED, person=people.MEMBER),
    _mine(
        "contested",
        person=replace(people.ONLINE, objections=people.OBJECTIONS),
        after=sends("/contest", text="I work in the evening."),
    ),
    _mine(
        "too many contests",
        person=people.ONLINE,
        refusal=Refused("too-many-open"),
        after=sends("/contest", text="Again."),
    ),
    _mine(
        "a passphrase that will not do",
        person=people.MEMBER,
        refusal=_SHORT,
        after=sends("/passphrase", passphrase="longer than eight", current="eight or more"),
    ),
    _mine(
        "a device of somebody else",
        person=people.MEMBER,
        refusal=Refused("not-yours"),
        after=sends("/devices/name", name="Mine"),
    ),
)
AROUND = (
    PageScene(
        "which device makes room",
        "full",
        server=portal(view=people.OPEN, answers=people.FULL),
        after=sends("/join/passphrase", **_MEMBER),
    ),
    PageScene("waiting for a member", "asking", server=portal(view=people.OPEN, person=people.ASKING)),
    PageScene("waiting, held still", "asking", "/?still=1", portal(view=people.OPEN, person=people.ASKING)),
    PageScene("removed", "refused", server=portal(person=people.REMOVED)),
    PageScene(
        "removed without a reason",
        "refused",
        server=portal(person=replace(people.REMOVED, removed_because="")),
    ),
    PageScene(
        "trouble with a reason",
        "refused",
        server=portal(answers=Refused("trouble", "The clock is not right yet.", "opening-hours")),
        after=sends("/join/terms"),
    ),
    PageScene(
        "a memory that cannot be written",
        "refused",
        server=portal(answers=Refused("memory")),
        after=sends("/join/terms"),
    ),
    PageScene(
        "the node is busy",
        "busy",
        server=portal(answers=StorageTrouble("the disk is full", "make room")),
        after=sends("/join/terms"),
    ),
    PageScene("our network", "our network", "/network", portal(view=people.OPEN)),
    PageScene("our network without rules", "our network", "/network", portal(view=people.BARE)),
    PageScene("notices", "notices", "/notices", portal(told=people.NOTICES)),
    PageScene("no notices", "notices", "/notices"),
    PageScene("local services", "services", "/services", portal(near=people.SERVICES)),
    PageScene("no local services", "services", "/services"),
    PageScene("privacy", "privacy", "/privacy", portal(tables=portal_backend.KEPT)),
    PageScene("help", "help", "/help"),
    PageScene("my data", "my data", "/my-data", portal(person=people.MEMBER, data=people.DATA)),
    PageScene("erase my data", "erase", "/my-data/erase", portal(person=people.MEMBER)),
    PageScene("the terms", "terms", "/terms", portal(view=people.WORDY)),
    PageScene("no terms", "terms", "/terms", portal(view=people.BARE)),
    PageScene("no such page", "no such page", "/nowhere"),
    PageScene("a form asked for as a page", "start again", "/join/terms"),
    PageScene("not on this Wi-Fi", "elsewhere", server=portal(elsewhere=True)),
    PageScene("an address that two devices claim", "disputed", server=portal(disputed=True)),
)
PORTAL_SCENES = WELCOMES + MINE + AROUND
