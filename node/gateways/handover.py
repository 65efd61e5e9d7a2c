"""Counters of a client whose gateway changed from one node to another: each byte is booked once, by one of the two.

A gateway counts for itself, and speaks with one node at a time. A node books what comes between two reports that it heard
one after the other. What lies before its first report, or in a break, may have been booked by the other node: of that it
asks how far the other one booked, and books the rest when the answer comes. The answer needs no clock, may come late and
more than once, and a question that is never answered costs the node, not the person. Should both have booked the same,
because the gateway went to and fro faster than they can tell each other, the one that asked owes it, and takes it off what
the client uses next.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

from node.gateways.counters import (
    COUNTER_MAX,
    LINE_MAX,
    UNTIMED_MS,
    ClientCounters,
    CountedReport,
    ReportedCounters,
    carried_since,
    count_report,
)
from node.units import NO_USAGE, Bytes, Monotonic, Usage

BREAK_MS = 150_000
"""A gateway that was not heard for so long may have spoken with the other node meanwhile. It asks once a minute."""
PARTS_MAX, QUESTIONS_MAX = 6, 6
PATIENCE_MS = 3_600_000
"""After so long without an answer a node books what it can only have counted itself."""
FORGOTTEN_MS = 7 * 24 * 3_600_000
"""After so long without an answer a question is forgotten: its node is lost, and a question names an account."""
TOKEN_CHARACTERS = 16
ADDED_MAX = int(LINE_MAX) * UNTIMED_MS // 8_000
"""Bytes that one answer may add in each direction."""


_DOWN, _UP = attrgetter("down"), attrgetter("up")


@dataclass(frozen=True, slots=True)
class CountedPart:
    """What a node booked of a client's counters without a break."""

    token: str
    """Names the login to which the counters belong."""
    start: Usage
    end: Usage


@dataclass(frozen=True, slots=True)
class HandoverQuestion:
    """How far did the other node book, below `start`?"""

    token: str
    start: Usage
    """The counters in the report."""
    before: Usage | None = None
    """How far this node had booked; None if it had not, or since the counters began again at zero."""
    has_logged_in: bool = False
    """The login was made here, so that the counters may have begun at zero."""
    since: Monotonic | None = None
    """Of the question; None in a run of the node after that."""

    @property
    def key(self) -> tuple[str, int, int]:
        """Names it among those about one client."""
        return self.token, self.start.down, self.start.up


@dataclass(frozen=True, slots=True)
class ClientHandover:
    """What one node knows of one client."""

    parts: tuple[CountedPart, ...] = ()
    """The oldest first."""
    questions: tuple[HandoverQuestion, ...] = ()
    owed: Usage = NO_USAGE
    """Booked twice, and to be taken off."""
    turn: int = 0
    """The unbroken time of the gateway at this node to which the last part belongs; 0: an earlier run of the node."""
    is_given: bool = False
    """The other node took the client over."""


def hear(
    known: ClientHandover,
    before: ClientCounters,
    reported: ReportedCounters,
    token: str,
    turn: int,
    *,
    run: int,
    now: Monotonic,
) -> tuple[ClientHandover, CountedReport]:
    """A report of the client to this node; `run` as for `count_report`."""
    if not _follows(known, token, turn, before.has_logged_in):
        return _take_over(known, before, reported, token, turn, run=run, now=now)
    found = count_report(before, reported, run=run, now=now)
    if found.after == before:
        return known, found
    # After the client left, what it counts begins at zero without a lower report.
    is_restart = found.finding == "restarted" or before.booked != known.parts[-1].end
    paid, added = pay(_longer(known, token, found.after.booked, is_restart=is_restart), found.added)
    return paid, replace(found, added=added)


def _follows(known: ClientHandover, token: str, turn: int, has_logged_in: bool) -> bool:
    """Whether this node certainly heard the report before this one."""
    if not known.parts or known.turn != turn or known.is_given:
        return False
    return has_logged_in or known.parts[-1].token == token


def _take_over(
    known: ClientHandover,
    counters: ClientCounters,
    reported: ReportedCounters,
    token: str,
    turn: int,
    *,
    run: int,
    now: Monotonic,
) -> tuple[ClientHandover, CountedReport]:
    """A report that may not follow the last one here: it adds nothing until the other node answers."""
    said, last = _whole(reported), known.parts[-1] if known.parts else None
    is_same = last is not None and last.token == token
    if said is None or (last is not None and is_same and _is_below(said, last.end)):
        return known, CountedReport(counters, NO_USAGE, "" if said is None else "lower")
    before = last.end if last is not None and (is_same or _is_below(last.end, said)) else None
    asked = HandoverQuestion(token, said, before, counters.has_logged_in, now)
    after = replace(
        known,
        parts=_kept(*known.parts, CountedPart(token, said, said)),
        questions=(*(each for each in known.questions if each.key != asked.key), asked)[-QUESTIONS_MAX:],
        turn=turn,
        is_given=False,
    )
    return after, CountedReport(ClientCounters(said, now, run), NO_USAGE, "")


def _longer(known: ClientHandover, token: str, booked: Usage, *, is_restart: bool) -> ClientHandover:
    last = known.parts[-1]
    if last.token == token and not is_restart:
        return replace(known, parts=(*known.parts[:-1], replace(last, end=booked)))
    start = NO_USAGE if is_restart else last.end
    return replace(known, parts=_kept(*known.parts, CountedPart(token, start, booked)))


def _kept(*parts: CountedPart) -> tuple[CountedPart, ...]:
    """Of too many, the two oldest become one: rather nobody books what is between them than both nodes."""
    if len(parts) <= PARTS_MAX:
        return parts
    oldest, second, *others = parts
    if oldest.token == second.token:
        second = replace(second, start=oldest.start)
    return second, *others


def pay(known: ClientHandover, added: Usage) -> tuple[ClientHandover, Usage]:
    """What is left to book of newly counted bytes, after what is owed."""
    paid = Usage(min(known.owed.down, added.down), min(known.owed.up, added.up))
    return replace(known, owed=_minus(known.owed, paid)), _minus(added, paid)


def by_itself(known: ClientHandover, token: str, counted: CountedReport) -> tuple[ClientHandover, Usage]:
    """A report while no other node serves the gateway: all up to there is booked here, or waits in a question."""
    part = CountedPart(token, NO_USAGE, counted.after.booked)
    return pay(replace(known, parts=(part,), is_given=False), counted.added)


def answer(known: ClientHandover, token: str, start: Usage) -> tuple[ClientHandover, Usage | None]:
    """How far this node booked below `start`; None: nothing that belongs to it. The client is given to the other node,
    unless this one took it over later."""
    same = [each for each in known.parts if each.token == token]
    ends = [Usage(_reached(same, start, _DOWN), _reached(same, start, _UP))] if same else []
    ends += [each.end for each in known.parts if each.token != token and _is_below(each.end, start)]
    is_earlier = not known.parts or _is_below(known.parts[-1].start, start)
    given = replace(known, is_given=True) if is_earlier else known
    return given, _highest(ends)


def can_follow(
    known: ClientHandover, token: str, said: Usage, counters: ClientCounters, now: Monotonic
) -> bool:
    """Whether the other node can have heard these counters of the client: no more than what this node heard itself under
    the token, and what a line can have carried since then. Of another login they go on from the last one, or begin at zero.
    Of a client that it never heard this node cannot tell."""
    ends = [(each.token, each.end) for each in known.parts]
    ends += [(each.token, each.start) for each in known.questions]
    heard = _highest(end for name, end in ends if name == token) or _highest(end for _, end in ends)
    most = carried_since(counters.at, now)
    return heard is None or _is_below(said, Usage(Bytes(heard.down + most), Bytes(heard.up + most)))


def settle(
    known: ClientHandover, question: HandoverQuestion, answered: Usage | None
) -> tuple[ClientHandover, Usage]:
    """The other node's answer, and the bytes to book now. A question that is not open any longer adds nothing."""
    if question not in known.questions:
        return known, NO_USAGE
    floor = _highest(each for each in (question.before, answered) if each is not None) or NO_USAGE
    left = replace(
        known,
        parts=tuple(_settled(each, question, floor) for each in known.parts),
        questions=tuple(each for each in known.questions if each != question),
        owed=known.owed + _twice(known, question, answered),
    )
    return pay(left, _capped(_minus(question.start, floor)))


def give_up(known: ClientHandover, now: Monotonic) -> tuple[ClientHandover, Usage]:
    """Books what waited for too long, where this node heard the client before, or logged it in. What the other node says
    later of the same bytes cannot be found any longer."""
    added = NO_USAGE
    for each in known.questions:
        if each.since is None:
            renewed = (replace(one, since=now) if one == each else one for one in known.questions)
            known = replace(known, questions=tuple(renewed))
        elif now - each.since >= PATIENCE_MS and (each.before is not None or each.has_logged_in):
            known, more = settle(known, each, None)
            added += more
    return known, added


def forget(known: ClientHandover, now: Monotonic) -> ClientHandover:
    """Without the questions that nobody answers any longer; `give_up` says since when they wait."""
    left = (each for each in known.questions if each.since is None or now - each.since < FORGOTTEN_MS)
    return replace(known, questions=tuple(left))


def _reached(parts: Iterable[CountedPart], start: Usage, of: Callable[[Usage], Bytes]) -> Bytes:
    """In one direction: the highest end of the parts that begin below `start`; an empty one ends nowhere."""
    return max((of(e.end) for e in parts if of(e.start) < min(of(start), of(e.end))), default=Bytes(0))


def _settled(part: CountedPart, question: HandoverQuestion, floor: Usage) -> CountedPart:
    """The part that began with the question: it reaches down to what was booked before, and goes on after that."""
    if (part.token, part.start) != (question.token, question.start):
        return part
    start = Usage(min(part.start.down, floor.down), min(part.start.up, floor.up))
    return replace(part, start=start, end=_highest((part.end, floor)) or floor)


def _twice(known: ClientHandover, question: HandoverQuestion, answered: Usage | None) -> Usage:
    """What this node booked above its first report, and the other one too."""
    parts = (e for e in known.parts if (e.token, e.start) == (question.token, question.start))
    part = next(parts, None)
    if part is None or answered is None:
        return NO_USAGE
    return _minus(Usage(min(part.end.down, answered.down), min(part.end.up, answered.up)), part.start)


def _whole(reported: ReportedCounters) -> Usage | None:
    """Both directions; None where one is missing or no counter."""
    down, up = reported.down, reported.up
    if down is None or up is None or not (0 <= down <= COUNTER_MAX and 0 <= up <= COUNTER_MAX):
        return None
    return Usage(Bytes(down), Bytes(up))


def _is_below(one: Usage, other: Usage) -> bool:
    return one.down <= other.down and one.up <= other.up


def _highest(found: Iterable[Usage]) -> Usage | None:
    every = tuple(found)
    if not every:
        return None
    return Usage(max(each.down for each in every), max(each.up for each in every))


def _minus(one: Usage, other: Usage) -> Usage:
    return Usage(Bytes(max(0, one.down - other.down)), Bytes(max(0, one.up - other.up)))


def _capped(added: Usage) -> Usage:
    return Usage(Bytes(min(added.down, ADDED_MAX)), Bytes(min(added.up, ADDED_MAX)))
