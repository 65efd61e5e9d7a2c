"""Objections: a person objects to a limit, and someone responsible answers; both can read objection and
answer."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from node.units import GUEST_PREFIX, AccountId

OBJECTION_CHARS_MAX = 1_000
ANSWER_CHARS_MAX = 1_000
RULE_CHARS_MAX = 40
ORIGIN_CHARS = 16
"""Of the id of the node where an objection was filed, in its key."""
OBJECTIONS_OPEN_MAX = 3
"""Unanswered objections of one account that were filed here; a further one is refused with a reason."""
OBJECTIONS_MAX = 5_000
"""On one node, including answered ones, until their retention ends."""
OBJECTIONS_OF_GUESTS_MAX = 4_000
"""Below OBJECTIONS_MAX, so that guests with random MAC addresses cannot block members."""
OBJECTIONS_FILED_HERE_MIN = 500
"""Of each limit: so many places are never taken by objections that other nodes tell of."""


@dataclass(frozen=True, slots=True)
class Objection:
    """One objection and its answer."""

    number: int
    account: AccountId
    day: str
    rule: str
    text: str
    answer: str = ""
    """Empty while there is no answer."""
    answered_day: str = ""
    key: str = ""
    """Names it at all nodes of the community: 16 hexadecimal digits, a hyphen, and the beginning of the id of the node where
    it was filed (see `ObjectionKeys`). Empty while nothing is shared."""

    @property
    def origin(self) -> str:
        """The beginning of the id of the node where it was filed; empty if it is not known."""
        return self.key.partition("-")[2]


@dataclass(frozen=True, slots=True)
class ObjectionGone:
    """The objection was deleted."""

    number: int
    key: str = ""


class Objections:
    """All objections, indexed by number and account."""

    def __init__(self) -> None:
        self._by_number: dict[int, Objection] = {}
        self._by_account: dict[AccountId, dict[int, None]] = {}
        self._by_key: dict[str, int] = {}
        self._last = 0
        self.new_key: Callable[[AccountId], str] = lambda _account: ""
        """Makes the key of a new objection."""
        self.is_filed_here: Callable[[Objection], bool] = lambda _objection: True
        """Whether this node made its key."""

    def __len__(self) -> int:
        return len(self._by_number)

    def take(self, kept: Iterable[Objection]) -> None:
        """Load from storage."""
        for objection in kept:
            self._put(objection)

    def keyed(self) -> tuple[Objection, ...]:
        """Those that get a key now, because nothing was shared before; to be stored."""
        named = [
            replace(each, key=self.new_key(each.account)) for each in self._by_number.values() if not each.key
        ]
        named = [each for each in named if each.key]
        for each in named:
            self._put(each)
        return tuple(named)

    def get(self, number: int) -> Objection | None:
        return self._by_number.get(number)

    def with_key(self, key: str) -> Objection | None:
        return self._by_number.get(self._by_key.get(key, 0))

    def of(self, account: AccountId) -> tuple[Objection, ...]:
        """The account's objections, newest first."""
        return tuple(self._by_number[number] for number in reversed(self._by_account.get(account, {})))

    def all(self) -> tuple[Objection, ...]:
        """Unanswered ones first, oldest first; then answered ones, newest first."""
        unanswered = [objection for objection in self._by_number.values() if not objection.answer]
        answered = [objection for objection in self._by_number.values() if objection.answer]
        return (*unanswered, *reversed(answered))

    def has_room(self, account: AccountId, *, suspends: bool = False) -> bool:
        """Whether this account may file one more objection, whatever other nodes tell. `suspends`: one that suspends a step
        of a ladder, which it may beside the others."""
        unanswered = sum(not each.answer and self.is_filed_here(each) for each in self.of(account))
        room = OBJECTIONS_OF_GUESTS_MAX if account.startswith(GUEST_PREFIX) else OBJECTIONS_MAX
        return unanswered < OBJECTIONS_OPEN_MAX + suspends and len(self) < room

    def add(
        self, account: AccountId, rule: str, text: str, today: str, *, suspends: bool = False
    ) -> Objection:
        """File an objection. Precondition: `has_room`, and both texts within their limits."""
        assert self.has_room(account, suspends=suspends), "ask has_room first"
        assert len(text) <= OBJECTION_CHARS_MAX, "cut it or refuse it before"
        assert len(rule) <= RULE_CHARS_MAX, "cut it or refuse it before"
        objection = Objection(self._last + 1, account, today, rule, text, key=self.new_key(account))
        self._put(objection)
        return objection

    def told_room(self, account: AccountId) -> int:
        """How many more objections of other nodes have room, for accounts such as this one."""
        room = OBJECTIONS_OF_GUESTS_MAX if account.startswith(GUEST_PREFIX) else OBJECTIONS_MAX
        return max(0, room - OBJECTIONS_FILED_HERE_MIN - len(self))

    def take_told(self, told: Objection) -> Objection | None:
        """One that was filed or answered at another node: a new one gets its number here; of one that is known, only the
        answer is taken. None if that changes nothing, or there is no room."""
        known = self.with_key(told.key)
        if known is None:
            if not self.told_room(told.account):
                return None
            taken = replace(told, number=self._last + 1)
        else:
            taken = replace(known, answer=told.answer, answered_day=told.answered_day)
        if taken == known:
            return None
        self._put(taken)
        return taken

    def answer(self, number: int, text: str, today: str) -> Objection | None:
        """Set or replace the answer; None if there is no such objection."""
        assert 0 < len(text) <= ANSWER_CHARS_MAX, "cut it or refuse it before"
        objection = self._by_number.get(number)
        if objection is None:
            return None
        answered = replace(objection, answer=text, answered_day=today)
        self._by_number[number] = answered
        return answered

    def forget(self, numbers: Iterable[int]) -> tuple[ObjectionGone, ...]:
        """Delete these objections; numbers that do not exist are ignored."""
        gone = []
        for number in numbers:
            objection = self._by_number.pop(number, None)
            if objection is not None:
                del self._by_account[objection.account][number]
                if not self._by_account[objection.account]:
                    del self._by_account[objection.account]
                self._by_key.pop(objection.key, None)
                gone.append(ObjectionGone(number, objection.key))
        return tuple(gone)

    def _put(self, objection: Objection) -> None:
        self._by_number[objection.number] = objection
        self._by_account.setdefault(objection.account, {})[objection.number] = None
        if objection.key:
            self._by_key[objection.key] = objection.number
        self._last = max(self._last, objection.number)
