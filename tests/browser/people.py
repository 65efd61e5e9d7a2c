"""Communities, and what people did before a scene."""

from dataclasses import replace
from datetime import timedelta

from node.accounts.appearance import Appearance, Logo, WelcomeText, nearest_readable, read_logo
from node.accounts.cards import Card, make_card, next_serial
from node.accounts.notices import Notice, NoticeText
from node.accounts.sponsorship import OPEN_PER_NAME_MAX
from node.accounts.terms import TermsText
from node.app.admin_sessions import Signed
from node.app.event_recorder import event_of
from node.app.ladder_cases import LadderCaseService
from node.app.views import CodeTyped, Refused
from node.governance.ladder_case import LadderCase
from node.lan.mdns_services import ServiceView
from node.units import GIGA, AccountId, BitsPerSecond, MacAddress, Rates
from tests.browser.stage import Event
from tests.fakes.neighbours import id_of
from tests.fakes.pictures import picture
from tests.fakes.portal_server import (
    ASK_WHEN_FULL,
    TERMS,
    devices_rule,
    joining,
    portal_node,
)
from tests.fakes.use_cases import (
    ANA,
    BEN,
    CAI,
    DOT,
    GUEST_RULES,
    HOUR_MS,
    KEY,
    MEMBERS,
    RULES,
    TODAY,
    UNKNOWN_CODE,
    AppFixture,
    UseCases,
)

TV = MacAddress("02:00:00:00:00:0e")
MISTYPED_CODE = "7KM3-Q2W9-XAAA"
FOREIGN_CARD = make_card(KEY, "d" * 64, Card(AccountId("ana"), next_serial(TODAY, 0), "2027-11-24"))
"""Of a member of another community."""
LENT_CODE = "HWD5J-J5PNE"
"""For one more device of an account: the first that a new `AppFixture` makes."""
LONG_TERMS = "\n\n".join(f"{number}. {'Be kind to each other. ' * 12}" for number in range(1, 12))
TEXTS = (
    TermsText("en", TERMS),
    TermsText("fr", "Soyez gentils les uns avec les autres.\n\nNe revendez pas la ligne."),
    TermsText("es", "Sed amables entre vosotros.\n\nNo revendáis la línea."),
    TermsText("ca", "Sigueu amables els uns amb els altres.\n\nNo revengueu la línia."),
    TermsText("ar", "كونوا لطفاء بعضكم مع بعض.\n\nلا تبيعوا الخط لغيركم."),
)
WELCOMES = {
    "en": "Neighbours’ Internet since 2009.",
    "fr": "L’Internet du voisinage depuis 2009.",
    "es": "El Internet del vecindario desde 2009.",
    "ca": "L’Internet del veïnat des del 2009.",
    "ar": "إنترنت الجيران منذ 2009.",
}
HILLS, MILL = id_of("hills"), id_of("mill")
NOTICES = (
    Notice(
        0,
        "network",
        "everyone",
        "",
        "",
        is_urgent=False,
        texts=(NoticeText("en", "Assembly on Friday", ("We meet at seven in the library. " * 12).strip()),),
    ),
    Notice(
        0,
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
)
SERVICES = (
    ServiceView("Wiki of the valley", "http://wiki.vallverda.example/", "What we know about our paths", True),
    ServiceView("Ràdio Vall", "http://radio.vallverda.example:8000/", "", True),
    ServiceView("Printer in the library", "ipp://printer.local", "", False),
)

# --- communities ---


GENTLE_RULES = """
[[rule]]
id = "a-word-first"
quota = "50 GB per month"
counts = "uplink"
then = "tell"
why = "In March we decide together whether we need a limit"
who = "tier:guest"
by = "D-2026-007"
[[rule]]
id = "last-week"
quota = "60 GB per 7 days"
counts = "uplink"
then = "share 50 until reset"
who = "tier:guest"
by = "D-2026-007"
"""


def valley() -> AppFixture:
    """Every way to join, and help wanted."""
    return portal_node(help="Bring a ladder.")


def with_ways(*ways: str) -> AppFixture:
    return portal_node(joining(*ways), help="Bring a ladder.")


def closed() -> AppFixture:
    """Only members can vouch for people, and there are none."""
    return portal_node(joining("introduction"), members="")


def gentle() -> AppFixture:
    """Rules that ask before they limit, and that count the last days."""
    return portal_node(rules=GENTLE_RULES)


def wordy() -> AppFixture:
    """Long terms, with one translation."""
    return portal_node(terms=LONG_TERMS)


def bare() -> AppFixture:
    """Nothing was written that may be left out."""
    node = portal_node(rules="", terms="")
    node.configure("node", contact="", help="")
    return node


def secured() -> AppFixture:
    """Passphrases and cards are accepted by https only."""
    node = valley()
    node.portal_url = "https://login.vall.example"
    return node


def measured() -> AppFixture:
    """The line is measured, and carries less than a floor promises at times. Carme is the school."""
    rules_text = RULES.replace(
        "[charter]", 'rate = "measured"\nleast = "2 Mbit/s down, 1 Mbit/s up"\n[charter]'
    )
    floor = (
        '[[rule]]\nid = "school"\nfloor = "10 Mbit/s down, 1 Mbit/s up"\nwho = "group:school"\nby = "D-9"\n'
    )
    return portal_node(
        rules=GUEST_RULES + floor, rules_text=rules_text, members=f'{MEMBERS}groups = ["school"]\n'
    )


def few_devices() -> AppFixture:
    """At most three devices of an account, and the person chooses which one leaves."""
    return portal_node(ASK_WHEN_FULL, GUEST_RULES + devices_rule(3))


def without_database() -> AppFixture:
    """The data folder cannot be read since the node started."""
    node = valley()
    node.repository.full = True
    return node


# --- what people did ---


async def the_terms_are_translated(app: UseCases) -> None:
    await app.save_terms(*TEXTS)


async def the_long_terms_are_translated(app: UseCases) -> None:
    await app.save_terms(TermsText("en", LONG_TERMS), TermsText("ca", LONG_TERMS))


async def it_has_its_own_appearance(app: UseCases) -> None:
    """The lightest accent colours of their hue that pass the check."""
    light, dark = nearest_readable("#ffcc00", "light"), nearest_readable("#2040b0", "dark")
    texts = tuple(WelcomeText(tag, text) for tag, text in WELCOMES.items())
    logo = read_logo(picture())
    assert isinstance(logo, Logo)
    app.look_like(Appearance(light, dark, texts, "Vall Verda Oberta", logo=logo.uri))


async def there_is_news(app: UseCases) -> None:
    await app.put_up(*NOTICES)


async def other_nodes_have_news(app: UseCases) -> None:
    """Two nodes say notices for all: one that is long, one in another script, and one with a name that is long."""
    board = app.loop.registry.heard_notices
    board.name_of = {HILLS: "hills", MILL: "The mill beside the river, upper floor"}.__getitem__
    app.hear_notices(HILLS, *NOTICES)
    app.hear_notices(MILL, replace(NOTICES[1], is_urgent=False, texts=NOTICES[1].texts[2:]))


async def there_are_services(app: UseCases) -> None:
    app.node.services = SERVICES


async def nodes_left(app: UseCases) -> None:
    app.node.removed_nodes = ("Ermita de dalt", "Molí", "<b>Font</b>", "Pont", "Serra", "Coll")


async def the_line_breaks(app: UseCases) -> None:
    app.node.down_since = app.node.clock.now
    app.portal.outage_note = ("The assembly & the provider", app.node.clock.civil() + timedelta(hours=3))
    await app.pass_time(HOUR_MS // 2)


async def comes_in(app: UseCases) -> None:
    """By the terms, and uses some of the allowance."""
    await app.join(ANA)
    await app.use(ANA, down=14 * GIGA, up=GIGA)


async def uses_everything(app: UseCases) -> None:
    await app.join(ANA)
    await app.use(ANA, down=61 * GIGA)


async def a_floor_does_not_fit(app: UseCases) -> None:
    """Ana's device is the school's, and Ben transfers too."""
    await app.join_by_card(ANA, "carme")
    await app.join(BEN)
    await app.slow_down(Rates(BitsPerSecond(6_000_000), BitsPerSecond(2_000_000)))
    await app.transfer({BEN: (300_000, 60_000)})


async def has_a_voucher(app: UseCases) -> None:
    await app.join_by_voucher(ANA)


async def time_ends(app: UseCases) -> None:
    await app.expire(ANA)


async def asks_a_member(app: UseCases) -> None:
    await app.ask(ANA, "Ana Puig", "Jordi")


async def nobody_answers(app: UseCases) -> None:
    await app.pass_time(10 * 60_000)


async def many_ask_the_same_member(app: UseCases) -> None:
    for number in range(OPEN_PER_NAME_MAX):
        await app.ask(MacAddress(f"02:00:00:00:01:{number:02x}"))


async def guesses_too_often(app: UseCases) -> None:
    for _ in range(5):
        refused = await app.portal.admit(ANA, CodeTyped(UNKNOWN_CODE), "2")
        assert isinstance(refused, Refused)


async def the_member_has_a_passphrase(app: UseCases) -> None:
    await app.give_passphrase()


async def a_member_comes_in(app: UseCases) -> None:
    """With a passphrase, after two other devices of the same account."""
    await app.join_by_card(CAI)
    await app.join_by_card(BEN)
    await app.join_by_passphrase(ANA)


async def a_member_shows_the_card(app: UseCases) -> None:
    await app.join_by_card(ANA)


async def a_member_brings_a_second_device(app: UseCases) -> None:
    """The account has no passphrase yet."""
    await app.join_by_card(BEN)
    await app.join(ANA, CodeTyped(await _device_code(app, BEN)))


async def the_account_is_full(app: UseCases) -> None:
    for mac, name in ((BEN, "Kitchen tablet"), (CAI, "تلفاز الصالة"), (DOT, "")):
        await app.join_by_card(mac)
        assert await app.portal.name_device(mac, mac, name) is None
    await app.pass_time(HOUR_MS)
    await app.use(CAI, up=1)
    await app.give_passphrase()


async def an_admin_wrote(app: UseCases) -> None:
    await a_member_comes_in(app)
    sent = app.loop.registry.messages.send(
        AccountId("ana"), "Your box is ready. Come by!", "admin Pere", TODAY
    )
    assert isinstance(sent, tuple)
    await app.loop.remember(sent)


async def an_admin_acted(app: UseCases) -> None:
    """Paused and let in again, with a case of the community's ladder."""
    await a_member_comes_in(app)
    for kind, reason in (("paused", "Come and talk to us."), ("unblocked", "")):
        event = event_of(app.loop, Signed("admin", "Pere"), kind, account="ana", text=reason)
        await app.loop.remember((event,))


async def a_member_has_everything(app: UseCases) -> None:
    """Devices with names and without, one not online, a code for one more, a guest who asks, two objections."""
    await app.join_by_card(BEN)
    await app.join_by_card(CAI)
    await app.join_by_card(TV)
    await app.pass_time(HOUR_MS)
    await app.join_by_passphrase(ANA)
    await app.use(CAI, up=1)
    for mac, name in ((BEN, "Kitchen tablet"), (CAI, "تلفاز الصالة")):
        assert await app.portal.name_device(ANA, mac, name) is None
    await app.portal.leave(TV)
    await app.ask(DOT, name="Jordi & Marta")
    await _device_code(app, ANA)
    await has_objected(app)


async def has_objected(app: UseCases) -> None:
    """Twice, and got one answer."""
    assert await app.portal.add_objection(ANA, "evening", "I work in the evening.") is None
    assert await app.portal.add_objection(ANA, "", "The page was in the wrong language.") is None
    await app.answer_objection(1, "We talk on Monday.")


NEXT_RULES = """
[[rule]]
id = "night"
ceiling = "5 Mbit/s down, 1 Mbit/s up"
when = "daily 20:00-24:00"
who = "everyone"
by = "D-2026-009"
[[rule]]
id = "members-month"
quota = "60 GB per month"
counts = "uplink while busy"
then = "share 50 until reset"
who = "tier:member"
by = "D-2026-009"
expires = "never"
"""


async def rules_wait(app: UseCases) -> None:
    """An admin scheduled them."""
    text = app.loop.active_ruleset.text + NEXT_RULES
    await app.adoption.record(app.loop.active_ruleset, "the node's start")
    outcome = await app.adoption.adopt(text, "admin Ana", due="2026-12-01 06:00")
    assert outcome.kind == "scheduled", outcome.findings


async def rules_wait_beside(app: UseCases) -> None:
    """Other ones than the drafts."""
    text = app.loop.active_ruleset.text + NEXT_RULES.replace("5 Mbit/s", "3 Mbit/s")
    outcome = await app.adoption.adopt(text, "admin Ana", due="2026-12-01 06:00")
    assert outcome.kind == "scheduled", outcome.findings


async def there_are_drafts(app: UseCases) -> None:
    """An admin showed two to members, and a member objects to the first."""
    await app.adoption.record(app.loop.active_ruleset, "the node's start")
    text = app.loop.active_ruleset.text + NEXT_RULES
    for each in (text, text.replace("5 Mbit/s", "4 Mbit/s")):
        outcome = await app.adoption.draft(each, "admin Ana")
        assert outcome.kind == "draft", outcome.findings
    number = app.adoption.draft_numbers[-1]
    assert await app.adoption.object(AccountId("carme"), number, "I work at night.\nAsk us first.") == "done"


async def rules_are_on_trial(app: UseCases) -> None:
    await app.adoption.record(app.loop.active_ruleset, "the node's start")
    outcome = await app.adoption.adopt(app.loop.active_ruleset.text + NEXT_RULES, "admin Ana")
    assert outcome.kind == "trial", outcome.findings


async def somebody_objects_to_the_rules(app: UseCases) -> None:
    number = app.adoption.waiting_number
    assert await app.adoption.object(AccountId("carme"), number, "I work at night.\nAsk us first.") == "done"


async def ana_objects_to_the_rules(app: UseCases) -> None:
    number = app.adoption.waiting_number
    assert await app.adoption.object(AccountId("ana"), number, "It is too slow for school.") == "done"


LADDER = """
[[ladder]]
id = "big-users"
who = "everyone"
steps = ["tell", "ceiling 1 Mbit/s for 7 days"]
by = "D-2026-011"
"""


async def _has_case(app: UseCases, steps: int) -> None:
    """Of Ana's account; the last of so many is open."""
    await app.adopt(LADDER)
    service = LadderCaseService(app.loop, app.node.clock)
    for left in reversed(range(steps)):
        opened = await service.open("admin Pere", "ana", "big-users", "Every evening, for a week\n& more.")
        assert isinstance(opened, LadderCase), opened
        if left:
            await app.pass_time(24 * HOUR_MS)
            await service.check()


async def has_a_word(app: UseCases) -> None:
    await _has_case(app, 1)


async def has_a_case(app: UseCases) -> None:
    await _has_case(app, 2)


async def objects_to_the_case(app: UseCases) -> None:
    assert await app.portal.add_objection(ANA, "ladder:big-users:2", "It was a backup.") is None


async def objects_too_often(app: UseCases) -> None:
    for _ in range(3):
        assert await app.portal.add_objection(ANA, "", "It is slow.") is None


async def a_guest_lends_a_code_of_a_way_that_closes(app: UseCases) -> None:
    """The code is `LENT_CODE`."""
    await app.join(BEN)
    assert LENT_CODE == await _device_code(app, BEN)
    await app.adopt(GUEST_RULES + joining("voucher"))


def is_blocked(because: str) -> Event:
    async def event(app: UseCases) -> None:
        await app.block(ANA, because)

    return event


async def the_kernel_refuses(app: UseCases) -> None:
    app.node.kernel.refusing = "nftables refused: Cannot allocate memory"


async def _device_code(app: UseCases, mac: MacAddress) -> str:
    code = await app.portal.new_device_code(mac)
    assert not isinstance(code, Refused)
    return code.code
