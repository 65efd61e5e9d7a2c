"""Every page in every state that people meet: what the house says, where to look, what to do there first."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from captive_portal.ports import GuestView
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.units import GIGA, MEGA, AccountId, Bytes, Rates, Usage
from tests.browser.chromium import Browser
from tests.browser.stage import NEWCOMER, StagedHouse

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


def _nothing(browser: Browser) -> None:
    pass


@dataclass(frozen=True)
class Scene:
    """One page in one state."""

    name: str
    page: str
    """The kind of page, for counting."""
    path: str = "/"
    house: Callable[[], StagedHouse] = StagedHouse
    first: Callable[[Browser], None] = field(default=_nothing)
    """What the person does there before the page stands as meant."""


def _someone(person: GuestView) -> Callable[[], StagedHouse]:
    return lambda: StagedHouse(person=person)


SCENES = (
    Scene("a newcomer", "welcome"),
    Scene("time over", "welcome", house=_someone(replace(NEWCOMER, state="expired"))),
    Scene(
        "removed",
        "refused",
        house=_someone(replace(NEWCOMER, state="removed", removed_because="The antenna of the school fell")),
    ),
    Scene("online", "my page", "/me", _someone(ONLINE)),
    Scene("over quota", "my page", "/me", _someone(replace(ONLINE, allowance=OVER, bytes_left=Bytes(0)))),
    Scene("our network", "our network", "/network"),
    Scene("the terms", "terms", "/terms"),
    Scene("no such page", "no such page", "/nowhere"),
)
