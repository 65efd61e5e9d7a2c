"""Accounts, devices and community data for the scenes."""

from dataclasses import replace
from datetime import UTC, datetime

from node.accounts.notices import Notice, NoticeText
from node.accounts.objections import Objection
from node.accounts.terms import TermsText
from node.app.views import AskedFor, CommunityView, DeviceCode, DeviceView, Full, IntroductionRequest, Outage
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.lan.mdns_services import ServiceView
from node.units import GIGA, MEGA, AccountId, Bytes, MacAddress, Rates, Usage
from tests.browser.stage import NEWCOMER
from tests.fakes.portal_backend import COMMUNITY

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
EVENING = Bound(
    Rates(10 * MEGA, 2 * MEGA), "evening", "assembly of 3 May", "Guests get at most 10 Mbit/s.", NEW_YEAR
)
ALLOWANCE = Allowance(
    Bound(1, "equal-share", "", "Everyone has an equal part."),
    Bound(Rates(256_000, 256_000), "lifeline", "", "Everyone keeps 256 kbit/s."),
    EVENING,
    (QuotaLeft("guests-month", 60 * GIGA, 15 * GIGA, NEW_YEAR),),
    pool="guests",
    not_binding=("At night nobody is limited.",),
)
USED_UP = replace(ALLOWANCE, quotas=(QuotaLeft("guests-month", 60 * GIGA, 60 * GIGA, NEW_YEAR),))
UNLIMITED = replace(ALLOWANCE, ceiling=None, quotas=(), pool="", not_binding=())


def _device(end: str, name: str, *, this: bool = False, idle_s: int | None = None) -> DeviceView:
    mac = MacAddress(f"02:00:00:00:00:{end}")
    return DeviceView(mac, name, this, idle_s is not None, idle_s, "2026-11-20")


MY_DEVICES = (
    _device("0a", "", this=True, idle_s=0),
    _device("0b", "Kitchen tablet", idle_s=4_000),
    _device("0c", "تلفاز الصالة", idle_s=30),
    _device("0d", ""),
)
ONLINE = replace(
    NEWCOMER,
    state="admitted",
    account=AccountId("guest-7k3m9q2w4x1z"),
    used=Usage(1_300_000_000, 200_000_000),
    allowance=ALLOWANCE,
    seconds_left=13_200,
    bytes_left=Bytes(45 * GIGA),
    devices=MY_DEVICES[:1],
    way="terms",
    devices_max=3,
)
WITH_VOUCHER = replace(ONLINE, account=AccountId("voucher-8x2"), way="voucher", seconds_left=190_000)
OVER_QUOTA = replace(ONLINE, allowance=USED_UP, bytes_left=Bytes(0))
OBJECTIONS = (
    Objection(
        1,
        AccountId("ana"),
        "2026-11-02",
        "evening",
        "I work in the evening.",
        "We talk on Monday.",
        "2026-11-05",
    ),
    Objection(2, AccountId("ana"), "2026-11-20", "", "The page was in the wrong language."),
)
MEMBER = replace(
    ONLINE,
    account=AccountId("ana"),
    allowance=UNLIMITED,
    bytes_left=None,
    seconds_left=None,
    devices=MY_DEVICES,
    way="passphrase",
    name="Ana Puig",
    tier="member",
    requests=(IntroductionRequest(7, "Jordi & Marta", "4821", 500),),
    device_code=DeviceCode("7KM3-Q2W9", 560),
    objections=OBJECTIONS,
    is_member=True,
    has_passphrase=True,
)
ASKING = replace(NEWCOMER, asked_for=AskedFor("ana", "Jordi", "4821", 580))
TIME_OVER = replace(NEWCOMER, state="expired", way="terms")
VOUCHER_ENDED = replace(NEWCOMER, state="expired", way="voucher")
UNANSWERED = replace(NEWCOMER, went_unanswered=True)
REMOVED = replace(NEWCOMER, state="removed", removed_because="This phone sent junk mail all night.")
FULL = Full(MY_DEVICES[1:], 3)

OPEN = replace(
    COMMUNITY,
    ways=("terms", "voucher", "passphrase", "card", "introduction"),
    help="Bring a ladder.",
    terms_texts=(
        TermsText("en", COMMUNITY.terms),
        TermsText("fr", "Soyez gentils les uns avec les autres.\n\nNe revendez pas la ligne."),
        TermsText("es", "Sed amables entre vosotros.\n\nNo revendáis la línea."),
        TermsText("ca", "Sigueu amables els uns amb els altres.\n\nNo revengueu la línia."),
        TermsText("ar", "كونوا لطفاء بعضكم مع بعض.\n\nلا تبيعوا الخط لغيركم."),
    ),
)
LINE_DOWN = replace(OPEN, outage=Outage(datetime(2026, 11, 25, 14, 5, tzinfo=UTC)))
LONG_TERMS = "\n\n".join(f"{number}. {'Be kind to each other. ' * 12}" for number in range(1, 12))
WORDY: CommunityView = replace(
    OPEN, terms=LONG_TERMS, terms_texts=(TermsText("en", LONG_TERMS), TermsText("ca", LONG_TERMS))
)
BARE = replace(OPEN, node="", contact="", terms="", sentences=(), help="")
CLOSED = replace(OPEN, ways=())
ONLY_CODES = replace(OPEN, ways=("voucher",))
ONLY_TERMS = replace(OPEN, ways=("terms",))
SECURED = replace(OPEN, portal_url="https://login.vall.example")

NOTICES = (
    Notice(
        1,
        "network",
        "everyone",
        "",
        "2026-12-01",
        is_urgent=True,
        texts=(
            NoticeText(
                "en", "The line is down on Tuesday", "From 8 to 12 the mast is repaired. Bring a book."
            ),
            NoticeText("ca", "Dimarts no hi haurà línia", "De 8 a 12 es repara el pal. Porteu un llibre."),
            NoticeText("ar", "ينقطع الخط يوم الثلاثاء", "من الثامنة حتى الثانية عشرة يُصلَح البرج."),
        ),
    ),
    Notice(
        2,
        "network",
        "everyone",
        "",
        "",
        is_urgent=False,
        texts=(NoticeText("en", "Assembly on Friday", "We meet at seven in the library. " * 12),),
    ),
)
SERVICES = (
    ServiceView("Wiki of the valley", "http://wiki.vallverda.example/", "What we know about our paths", True),
    ServiceView("Ràdio Vall", "http://radio.vallverda.example:8000/", "", True),
    ServiceView("Printer in the library", "ipp://printer.local", "", False),
)
DATA = {
    "device": "02:00:00:00:00:0a",
    "account": {"id": "ana", "name": "Ana Puig", "tier": "member"},
    "sessions": [
        {"from": "2026-11-20 18:30", "to": "2026-11-20 22:30", "way": "passphrase", "terms": "2"},
        {"from": "2026-11-21 08:10", "to": None, "way": "passphrase", "terms": "2"},
    ],
    "contests": [],
}
