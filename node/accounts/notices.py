"""Community notices: text in several languages with a place, an audience and a period of validity."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, replace
from datetime import date

from node.accounts.terms import LANGUAGES_MAX, is_language
from node.characters import is_name
from node.errors import Finding
from node.translator import gettext_lazy

NOTICES_MAX = 100
TITLE_CHARS_MAX = 80
TEXT_CHARS_MAX = 1_000
PLACE_CHARS_MAX = 80
DAY_FOREVER = ""
HERE, EVERYWHERE, ZONE_PREFIX, NODE_PREFIX = "here", "network", "zone:", "node:"
"""Places: this node, whatever its name; all nodes of the community; all of them in a zone; this node while it has a name."""
_AUDIENCES = ("everyone", "online", "members", "guests")


@dataclass(frozen=True, slots=True)
class NoticeText:
    """A notice in one language."""

    language: str
    """Language tag of BCP 47: ``ca``."""
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice."""

    number: int
    where: str
    """``here``, ``network``, ``zone:NAME`` or ``node:NAME``."""
    audience: str
    """``everyone`` (also before admission), ``online``, ``members``, ``guests`` or ``group:NAME``."""
    first_day: str
    """ISO date; empty for no start date."""
    last_day: str
    """ISO date, inclusive; empty for no end."""
    is_urgent: bool
    texts: tuple[NoticeText, ...]
    by: str = ""
    node: str = ""
    """Name of the node that says it; empty: this one."""


@dataclass(frozen=True, slots=True)
class NoticeGone:
    """The notice was removed."""

    number: int


@dataclass(frozen=True, slots=True)
class Reader:
    """Properties of the person reading that decide which audiences include them."""

    is_online: bool = False
    is_member: bool = False
    groups: frozenset[str] = frozenset()


NOBODY_YET = Reader()
"""A person before admission."""


class NoticeBoard:
    """All notices of this node."""

    def __init__(self) -> None:
        self._by_number: dict[int, Notice] = {}
        self._last = 0
        self.stored: Callable[[], None] = lambda: None
        """To be called when a change is on the disk."""

    def take(self, kept: Iterable[Notice]) -> None:
        """Load from storage."""
        for notice in kept:
            self._by_number[notice.number] = notice
            self._last = max(self._last, notice.number)

    def get(self, number: int) -> Notice | None:
        return self._by_number.get(number)

    def all(self) -> tuple[Notice, ...]:
        """Urgent ones first, then newest first."""
        return _in_order(self._by_number.values())

    def __len__(self) -> int:
        """Number of notices, for all audiences."""
        return len(self._by_number)

    def put_up(self, wish: Notice) -> Notice | tuple[Finding, ...]:
        """Add a notice, or replace the one with the same number. The number of a new notice (0 in `wish`) is
        set here. Returns findings if it is not valid."""
        findings = notice_findings(wish)
        is_new = wish.number not in self._by_number
        if not findings and is_new and len(self._by_number) >= NOTICES_MAX:
            message = gettext_lazy("There are {number} notices already.", number=NOTICES_MAX)
            findings = (Finding("notice", 0, message, gettext_lazy("remove an old one first")),)
        if findings:
            return findings
        notice = replace(wish, number=self._last + 1) if is_new else wish
        self.take((notice,))
        return notice

    def take_down(self, number: int) -> tuple[NoticeGone, ...]:
        """Empty if the notice is already removed."""
        return (NoticeGone(number),) if self._by_number.pop(number, None) is not None else ()

    def visible(self, reader: Reader, *, node: str, zones: Iterable[str], today: str) -> tuple[Notice, ...]:
        """Notices for this reader at the node `node` in `zones`, in the order of `all`."""
        places = places_at(node, zones)
        return tuple(each for each in self.all() if is_shown(each, reader, places, today))


def _in_order(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    return tuple(sorted(notices, key=lambda notice: (not notice.is_urgent, -notice.number)))


def places_at(node: str, zones: Iterable[str]) -> frozenset[str]:
    """The places of notices that are shown at the node `node` in `zones`."""
    return frozenset({HERE, EVERYWHERE, f"{NODE_PREFIX}{node}", *(f"{ZONE_PREFIX}{zone}" for zone in zones)})


def is_shown(notice: Notice, reader: Reader, places: Container[str], today: str) -> bool:
    """To this reader, in these places, today."""
    return notice.where in places and is_for(notice, reader) and is_current(notice, today)


def is_for(notice: Notice, reader: Reader) -> bool:
    """Whether the reader belongs to the notice's audience."""
    kind, _, group = notice.audience.partition(":")
    match kind:
        case "everyone":
            return True
        case "online":
            return reader.is_online
        case "members":
            return reader.is_online and reader.is_member
        case "guests":
            return reader.is_online and not reader.is_member
        case _:
            return reader.is_online and group in reader.groups


def is_current(notice: Notice, today: str) -> bool:
    """Whether the notice is valid today. If `today` is empty (date not known), it is shown."""
    if not today:
        return True
    return notice.first_day <= today and (notice.last_day == DAY_FOREVER or today <= notice.last_day)


def notice_findings(notice: Notice) -> tuple[Finding, ...]:
    """Everything that is wrong with a notice."""
    found = [*_place_and_audience(notice), *_days(notice)]
    if not notice.texts:
        found.append(("The notice says nothing in any language.", "write it in your own language first"))
    if len(notice.texts) > LANGUAGES_MAX:
        found.append((f"{len(notice.texts)} languages are too many.", f"write at most {LANGUAGES_MAX}"))
    if len({text.language for text in notice.texts}) < len(notice.texts):
        found.append(("A language is there twice.", "keep one text for each language"))
    for text in notice.texts[:LANGUAGES_MAX]:
        found += _text(text)
    return tuple(Finding("notice", 0, message, fix) for message, fix in found)


def _place_and_audience(notice: Notice) -> list[tuple[str, str]]:
    found = []
    kind, _, name = notice.where.partition(":")
    is_place = notice.where in {HERE, EVERYWHERE} or (kind in {"zone", "node"} and bool(name.strip()))
    if not is_place or len(notice.where) > PLACE_CHARS_MAX:
        message = f"{notice.where!r:.60} is not a place."
        found.append((message, 'write "here", "network", or "node:" or "zone:" and a name'))
    kind, _, name = notice.audience.partition(":")
    if notice.audience not in _AUDIENCES and not (kind == "group" and is_name(name)):
        message = f"{notice.audience!r:.60} is not an audience for a notice."
        found.append((message, f'write {", ".join(_AUDIENCES)}, or "group:" and a group'))
    return found


def _days(notice: Notice) -> list[tuple[str, str]]:
    days = (notice.first_day, notice.last_day)
    found = [
        (f"{day!r:.60} is not a day.", "write it as 2027-03-31, or nothing")
        for day in days
        if not _is_day(day)
    ]
    if not found and notice.last_day and notice.last_day < notice.first_day:
        found.append(("The notice ends before it begins.", "swap the two days"))
    return found


def _text(text: NoticeText) -> list[tuple[str, str]]:
    found = []
    if not is_language(text.language):
        found.append((f"{text.language!r:.60} is not a language.", 'write its short name, such as "ca"'))
    if not text.title.strip():
        found.append((f"The title in {text.language:.40} is empty.", "write a few words"))
    if len(text.title) > TITLE_CHARS_MAX:
        found.append(
            (f"The title in {text.language:.40} is too long.", f"at most {TITLE_CHARS_MAX} characters")
        )
    if len(text.text) > TEXT_CHARS_MAX:
        found.append(
            (f"The text in {text.language:.40} is too long.", f"at most {TEXT_CHARS_MAX} characters")
        )
    return found


def _is_day(text: str) -> bool:
    if text == DAY_FOREVER:
        return True
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
