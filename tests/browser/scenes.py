"""Every page in every state that people meet: what the house says, where to look, what to do there first."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from captive_portal.ports import GuestView
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.units import GIGA, MEGA, AccountId, Bytes, Rates, Usage
from tests.browser.chromium import Browser
from tests.browser.stage import HOST, NEWCOMER, Opening, portal
from tests.fakes.admin_house import LINK, FakeAdminHouse, open_admin_door

EVENING = Bound(Rates(10 * MEGA, 2 * MEGA), "evening", "assembly of 3 May", "Guests get at most 10 Mbit/s.")
ALLOWANCE = Allowance(
    Bound(1, "equal-share", "", "Everyone has an equal part."),
    Bound(Rates(256_000, 256_000), "lifeline", "", "Everyone keeps 256 kbit/s."),
    EVENING,
    (QuotaLeft("guests-month", 60 * GIGA, 15 * GIGA, None),),
    pool="guests",
    not_binding=("At night nobody is limited.",),
)
OVER = replace(ALLOWANCE, quotas=(QuotaLeft("guests-month", 60 * GIGA, 60 * GIGA, None),))
ONLINE = GuestView(
    "admitted",
    AccountId("guest-7k3m9q2w4x1z"),
    Usage(1_300_000_000, 200_000_000),
    ALLOWANCE,
    13_200,
    Bytes(45 * GIGA),
)


def _nothing(browser: Browser, address: str) -> None:
    pass


@dataclass(frozen=True)
class Scene:
    """One page in one state."""

    name: str
    page: str
    """The kind of page, for counting."""
    path: str = "/"
    door: Opening = field(default_factory=portal)
    host: str = HOST
    before: Callable[[Browser, str], None] = _nothing
    """What the person does, at the address of the first page, before they go to `path`."""
    after: Callable[[Browser, str], None] = _nothing
    """What they do at `path` before the page stands as meant."""

    def enter(self, browser: Browser, first_page: str) -> None:
        self.before(browser, first_page)
        browser.open(first_page + self.path)
        self.after(browser, first_page)


def _sign_in(browser: Browser, address: str) -> None:
    browser.open(address)
    if not browser.has("form[action='/sign-out']"):
        browser.open(f"{address}/sign-in?token={LINK}")
        browser.tap("main form button")


def _type_nonsense(browser: Browser, address: str) -> None:
    browser.type("textarea", "nonsense")
    browser.tap("main form button")


def _admin(name: str, page: str, path: str, **more: Any) -> Scene:
    more.setdefault("before", _sign_in)
    return Scene(name, page, path, lambda: open_admin_door(FakeAdminHouse()), host="127.0.0.1", **more)


PORTAL_SCENES = (
    Scene("a newcomer", "welcome"),
    Scene("time over", "welcome", door=portal(person=replace(NEWCOMER, state="expired"))),
    Scene(
        "removed",
        "refused",
        door=portal(person=replace(NEWCOMER, state="removed", removed_because="The antenna fell")),
    ),
    Scene("online", "my page", "/me", portal(person=ONLINE)),
    Scene(
        "over quota", "my page", "/me", portal(person=replace(ONLINE, allowance=OVER, bytes_left=Bytes(0)))
    ),
    Scene("our network", "our network", "/network"),
    Scene("the terms", "terms", "/terms"),
    Scene("no such page", "no such page", "/nowhere"),
)
ADMIN_SCENES = (
    _admin("an admin's link", "signing in", f"/sign-in?token={LINK}", before=_nothing),
    _admin("who is on", "admin: overview", "/"),
    _admin("the rules", "admin: rules", "/rules"),
    _admin("rules with a mistake", "admin: rules", "/rules", after=_type_nonsense),
    _admin("nothing there", "admin: trouble", "/nowhere"),
)
