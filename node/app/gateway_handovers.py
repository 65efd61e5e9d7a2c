"""Which clients of gateways this node took over from another node, or gave to it, and what the two ask each other."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mesh.gateway_kind import CounterAnswer, CounterQuestion
from node.gateways.counters import COUNTER_MAX, ClientCounters, CountedReport
from node.gateways.gateway import Gateway
from node.gateways.handover import (
    ClientHandover,
    CountedPart,
    HandoverQuestion,
    answer,
    by_itself,
    can_follow,
    forget,
    give_up,
    settle,
)
from node.units import NO_USAGE, AccountId, Bytes, Monotonic, Usage

HANDOVERS_STATE = "gateway_handovers"
"""Name in the node state, followed by a space and the id of the gateway."""
CLIENTS_MAX = 2_048
UNBELIEVED_MS = 24 * 3_600_000
"""So long a warning tells of counters that were not believed."""


@dataclass(slots=True)
class KnownClient:
    """A client of a gateway that two nodes serve."""

    account: AccountId
    handover: ClientHandover = field(default_factory=ClientHandover)


@dataclass(frozen=True, slots=True)
class SettledClient:
    """What an answer adds."""

    gateway: Gateway
    client: str
    account: AccountId
    added: Usage
    end: Usage
    """Up to which the client's counters are booked now."""


type Clients = dict[str, KnownClient]
"""By `device_key`."""


class GatewayHandovers:
    """Of one node; used only from the event loop's thread. `named` is how the two nodes call a gateway."""

    def __init__(self, named: Callable[[Gateway], str] = lambda _gateway: "") -> None:
        self._named = named
        """Empty for a gateway that only this node serves."""
        self.clients: dict[str, Clients] = {}
        """By gateway."""
        self.unbelieved: dict[tuple[str, str], Monotonic] = {}
        """Gateway and client, and when the other node said last what it cannot have heard of it."""
        self._answers: dict[CounterQuestion, CounterAnswer] = {}
        self.on_question: Callable[[], None] = lambda: None
        """Called when there is something else to ask or answer."""

    def connect(self, named: Callable[[Gateway], str], on_question: Callable[[], None]) -> None:
        self._named, self.on_question = named, on_question

    def is_shared(self, gateway: Gateway) -> bool:
        """Whether another node serves it too."""
        return bool(self._named(gateway))

    def client(self, gateway: Gateway, key: str, before: ClientCounters, token: str) -> ClientHandover:
        """What is known of it. What was booked before another node served the gateway was booked here."""
        known = self.clients.get(gateway.id, {}).get(key)
        if known is not None:
            return known.handover
        if before.booked == NO_USAGE:
            return ClientHandover()
        return ClientHandover((CountedPart("" if before.has_logged_in else token, NO_USAGE, before.booked),))

    def keep(self, gateway: Gateway, key: str, account: AccountId, handover: ClientHandover) -> None:
        clients = self.clients.setdefault(gateway.id, {})
        before = clients.pop(key, None)
        clients[key] = KnownClient(account, handover)
        if len(clients) > CLIENTS_MAX:
            del clients[next(iter(clients))]
        asked = before.handover.questions if before is not None else ()
        if handover.questions != asked:
            self.on_question()

    def alone(self, gateway: Gateway, key: str, token: str, counted: CountedReport) -> CountedReport:
        """A report of a client of a gateway that another node serves no longer. What waits for that node stays, until
        `given_up`, and is not booked again with what was counted since."""
        known = self.clients.get(gateway.id, {}).get(key)
        if known is None:
            return counted
        known.handover, added = by_itself(known.handover, token, counted)
        return replace(counted, added=added)

    def questions(self, gateways: Iterable[Gateway]) -> Iterator[CounterQuestion]:
        """What this node asks now."""
        for gateway in gateways:
            name = self._named(gateway)
            for key, known in self.clients.get(gateway.id, {}).items() if name else ():
                for each in known.handover.questions:
                    yield CounterQuestion(name, key, each.token, each.start.down, each.start.up)

    def answers(self) -> tuple[CounterAnswer, ...]:
        """What this node answers now."""
        return tuple(self._answers.values())

    def asked(
        self,
        questions: Iterable[CounterQuestion],
        gateways: Mapping[str, Gateway],
        counters: Callable[[Gateway, str], ClientCounters],
        now: Monotonic,
    ) -> set[str]:
        """The other node asks exactly these now; `gateways` by the names that both use. Returns the ids of gateways of which
        something changed. What the other node cannot have heard is not answered, and takes no client away."""
        kept, changed = {}, set[str]()
        for each in questions:
            gateway = gateways.get(each.gateway)
            if gateway is None:
                continue
            if each in self._answers:
                kept[each] = self._answers[each]
                continue
            before = counters(gateway, each.client)
            known = self.client(gateway, each.client, before, each.token)
            if not can_follow(known, each.token, _usage(each.down, each.up), before, now):
                self._disbelieve(gateway, each.client, now)
                continue
            after, booked = answer(known, each.token, _usage(each.down, each.up))
            clients = self.clients.setdefault(gateway.id, {})
            if each.client in clients:
                clients[each.client].handover = after
                changed.add(gateway.id)
            kept[each] = CounterAnswer(each, None if booked is None else (booked.down, booked.up))
        is_changed = kept.keys() != self._answers.keys()
        self._answers = kept
        if is_changed:
            self.on_question()
        return changed

    def answered(
        self,
        answers: Iterable[CounterAnswer],
        gateways: Mapping[str, Gateway],
        counters: Callable[[Gateway, str], ClientCounters],
        now: Monotonic,
    ) -> Iterator[SettledClient]:
        """What the other node answers: each answer counts once. One that cannot be true is no answer: otherwise what the
        client uses from now on would seem booked."""
        for each in answers:
            gateway, asked = gateways.get(each.question.gateway), each.question
            known = self.clients.get(gateway.id, {}).get(asked.client) if gateway is not None else None
            if gateway is None or known is None:
                continue
            key = (asked.token, asked.down, asked.up)
            question = next((one for one in known.handover.questions if one.key == key), None)
            if question is None:
                continue
            booked = None if each.booked is None else _usage(*each.booked)
            before = counters(gateway, asked.client)
            if booked is not None and not can_follow(known.handover, asked.token, booked, before, now):
                self._disbelieve(gateway, asked.client, now)
                continue
            known.handover, added = settle(known.handover, question, booked)
            yield self._settled(gateway, asked.client, known, added)

    def given_up(self, gateways: Iterable[Gateway], now: Monotonic) -> Iterator[SettledClient]:
        """What waited for too long."""
        for gateway in gateways:
            for key, known in self.clients.get(gateway.id, {}).items():
                before = known.handover
                if not before.questions:
                    continue
                known.handover, added = give_up(before, now)
                if known.handover.questions != before.questions and added != NO_USAGE:
                    yield self._settled(gateway, key, known, added)

    def forgotten(self, gateways: Iterable[Gateway], now: Monotonic) -> Iterator[Gateway]:
        """The gateways of whose questions some were forgotten, because nobody answers them any longer."""
        for gateway in gateways:
            clients, is_changed = self.clients.get(gateway.id, {}), False
            for known in clients.values():
                left = forget(known.handover, now)
                is_changed |= left != known.handover
                known.handover = left
            if is_changed:
                yield gateway

    def _disbelieve(self, gateway: Gateway, client: str, now: Monotonic) -> None:
        self.unbelieved.pop((gateway.id, client), None)
        self.unbelieved[gateway.id, client] = now
        if len(self.unbelieved) > CLIENTS_MAX:
            del self.unbelieved[next(iter(self.unbelieved))]

    def unbelieved_clients(self, now: Monotonic) -> int:
        """Of how many clients the other node said lately what it cannot have heard."""
        self.unbelieved = {key: at for key, at in self.unbelieved.items() if now - at < UNBELIEVED_MS}
        return len(self.unbelieved)

    def forget(self, gateway_id: str) -> None:
        self.clients.pop(gateway_id, None)

    def text(self, gateway_id: str) -> Callable[[], str]:
        """Takes a snapshot, and returns what writes it out for the node state."""
        rows = {key: replace(known) for key, known in self.clients.get(gateway_id, {}).items()}
        return lambda: json.dumps({key: _row(each) for key, each in rows.items()}, separators=(",", ":"))

    def restore(self, gateway_id: str, text: str) -> None:
        self.clients[gateway_id] = read_handovers(text)

    def _settled(self, gateway: Gateway, key: str, known: KnownClient, added: Usage) -> SettledClient:
        return SettledClient(gateway, key, known.account, added, known.handover.parts[-1].end)


def read_handovers(text: str) -> Clients:
    """What `GatewayHandovers.text` wrote; what cannot be read is left out."""
    try:
        rows = json.loads(text or "{}")
    except ValueError:
        return {}
    found = ((key, _read(row)) for key, row in rows.items()) if isinstance(rows, dict) else ()
    return {key: known for key, known in found if known is not None}


def _row(known: KnownClient) -> list[Any]:
    handover = known.handover
    parts = [[each.token, *_pair(each.start), *_pair(each.end)] for each in handover.parts]
    questions = [
        [each.token, *_pair(each.start), *_pair(each.before), each.has_logged_in]
        for each in handover.questions
    ]
    # The account is there for what an answer adds; otherwise nothing would say when it is to be deleted.
    account = known.account if questions else ""
    return [account, parts, questions, _pair(handover.owed), handover.is_given]


def _read(row: Any) -> KnownClient | None:
    try:
        account, parts, questions, owed, is_given = row
        return KnownClient(
            AccountId(str(account)),
            ClientHandover(
                tuple(CountedPart(str(t), _usage(a, b), _usage(c, d)) for t, a, b, c, d in parts),
                tuple(
                    HandoverQuestion(
                        str(t), _usage(a, b), None if c is None else _usage(c, d), has_logged_in=bool(login)
                    )
                    for t, a, b, c, d, login in questions
                ),
                _usage(*owed),
                is_given=bool(is_given),
            ),
        )
    except (TypeError, ValueError):
        return None


def _pair(usage: Usage | None) -> list[int | None]:
    return [None, None] if usage is None else [usage.down, usage.up]


def _usage(down: int, up: int) -> Usage:
    if not (isinstance(down, int) and isinstance(up, int) and 0 <= down <= COUNTER_MAX >= up >= 0):
        raise ValueError("no counters")
    return Usage(Bytes(down), Bytes(up))
