"""The page kind `gateways`: routers that its author adopted and another node serves too, and what the two ask each other
about counters. See PROTOCOL.md.

No address of a person or device, no secret in the clear and no token: a router's secret is told as its hash, the key for the
people behind it only to those who have the community's secret.
"""

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Any

from mesh.page_format import Malformed, Page, canonical, fits, is_number, is_text, list_of, parse_object
from mesh.page_kind import NOW, Priority, later_kind

NAME = "gateways"
LIST_PARTS = 3
"""Gateways are spread over so many pages by their ids; one more page has the questions and answers."""
HANDOVER_PART = LIST_PARTS
GATEWAY_PARTS = LIST_PARTS + 1
PART_BYTES_MAX = 15 * 1024
"""Of the content of one page."""
GATEWAYS_PER_PART_MAX = 128
QUESTIONS_MAX = 60
ANSWERS_MAX = 60
NAME_CHARS_MAX, CALLED_CHARS_MAX, SOURCES_MAX, SERIAL_MAX = 60, 200, 8, 10**6
NODE_CHARS = 13
"""Of a node's id, in the name of a gateway."""
KINDS = ("wifidog", "apfree", "opennds")
_ID = re.compile(r"[0-9a-f]{8}")
_HASH = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{64}")
_CHECK = re.compile(r"[0-9a-f]{16}")
_CALLED = re.compile(rf"[!-~]{{0,{CALLED_CHARS_MAX}}}")
_PLACE = re.compile(r"(|[0-9A-Za-z.:\[\]-]{1,253}:[0-9]{1,5})")
_NODE = re.compile(r"(|[a-z2-7]{52})")
_GATEWAY = re.compile(rf"[a-z2-7]{{{NODE_CHARS}}}/[0-9a-f]{{8}}")
"""The first characters of its node's id, and its own id."""


@dataclass(frozen=True, slots=True)
class GatewaySaid:
    """One gateway as the node says it that adopted it."""

    id: str
    kind: str
    name: str
    called: str
    """How the router calls itself; empty until it has spoken."""
    serial: int
    """Counts its secrets."""
    secret_hash: str
    key: str
    """Of the people behind it, sealed."""
    check: str
    """By which one who opens the key knows that it is the right one."""
    sources: tuple[str, ...] = ()
    """Networks from which alone it may speak; empty for all."""


@dataclass(frozen=True, slots=True)
class CounterQuestion:
    """How far did the other node book this client, below these counters?"""

    gateway: str
    client: str
    token: str
    down: int
    up: int

    @property
    def row(self) -> list[Any]:
        return [self.gateway, self.client, self.token, self.down, self.up]


@dataclass(frozen=True, slots=True)
class CounterAnswer:
    """The counters up to which its author booked; None: it did not."""

    question: CounterQuestion
    booked: tuple[int, int] | None

    @property
    def row(self) -> list[Any]:
        return [*self.question.row, *(self.booked if self.booked is not None else (-1, -1))]


@dataclass(frozen=True, slots=True)
class GatewaysContent:
    """What one page says."""

    serves: str = ""
    """Where routers reach its author."""
    second: str = ""
    """Where they reach the node that is to serve its gateways too."""
    second_node: str = ""
    """The id of that node."""
    gateways: tuple[GatewaySaid, ...] = ()
    questions: tuple[CounterQuestion, ...] = ()
    answers: tuple[CounterAnswer, ...] = ()


def gateway_part(gateway_id: str) -> int:
    """The part in which a node lists its gateway with this id."""
    return int(gateway_id[:4], 16) % LIST_PARTS


def gateways_label(part: int) -> str:
    return f"{NAME}/{NOW}/{part:04d}"


def gateways_body(content: GatewaysContent) -> bytes:
    """The second line of a page. What is empty is left out."""
    said = {
        "serves": content.serves,
        "second": content.second,
        "second_node": content.second_node,
        "gateways": [_row(each) for each in content.gateways],
        "questions": [each.row for each in content.questions],
        "answers": [each.row for each in content.answers],
    }
    return canonical({name: value for name, value in said.items() if value})


def gateways_content(body: bytes) -> GatewaysContent | Malformed:
    """What a page says. Fields that this version does not know are ignored."""
    fields = parse_object(body)
    if isinstance(fields, Malformed):
        return fields
    serves, second = fields.get("serves", ""), fields.get("second", "")
    if not (fits(serves, _PLACE) and fits(second, _PLACE)):
        return Malformed("serves or second is not a host and a port")
    second_node = fields.get("second_node", "")
    if not fits(second_node, _NODE):
        return Malformed("second_node is not a node id")
    gateways = _rows(fields.get("gateways", []), GATEWAYS_PER_PART_MAX, _is_gateway, 1)
    questions = _rows(fields.get("questions", []), QUESTIONS_MAX, _is_question, 5)
    answers = _rows(fields.get("answers", []), ANSWERS_MAX, _is_answer, 5)
    if gateways is None or questions is None or answers is None:
        return Malformed("gateways, questions or answers are too many, wrong, or not sorted, each once")
    return GatewaysContent(
        serves,
        second,
        second_node,
        tuple(map(_said, gateways)),
        tuple(CounterQuestion(*row) for row in questions),
        tuple(CounterAnswer(CounterQuestion(*row[:5]), _booked(row[5:])) for row in answers),
    )


def gateways_by_part(gateways: Iterable[GatewaySaid]) -> tuple[dict[int, tuple[GatewaySaid, ...]], int]:
    """The gateways of each part, sorted, as many as fit, and how many do not."""
    found: dict[int, list[GatewaySaid]] = {}
    sizes, left_out = dict.fromkeys(range(LIST_PARTS), 0), 0
    for each in sorted(gateways, key=lambda said: said.id):
        part, size = gateway_part(each.id), len(canonical(_row(each))) + 1
        if sizes[part] + size > PART_BYTES_MAX or len(found.get(part, ())) >= GATEWAYS_PER_PART_MAX:
            left_out += 1
            continue
        found.setdefault(part, []).append(each)
        sizes[part] += size
    return {part: tuple(listed) for part, listed in found.items()}, left_out


def _rows(value: object, most: int, is_row: Callable[[object], bool], key: int) -> list[Any] | None:
    """Valid rows, sorted by their first `key` fields, each once."""
    rows = list_of(value, most)
    if rows is None or not all(map(is_row, rows)):
        return None
    return rows if all(left[:key] < right[:key] for left, right in itertools.pairwise(rows)) else None


def _row(said: GatewaySaid) -> list[Any]:
    return [
        said.id,
        said.kind,
        said.name,
        said.called,
        said.serial,
        said.secret_hash,
        said.key,
        said.check,
        list(said.sources),
    ]


def _said(row: list[Any]) -> GatewaySaid:
    *told, sources = row
    return replace(GatewaySaid(*told), sources=tuple(sources))


def _is_gateway(row: object) -> bool:
    if not (isinstance(row, list) and len(row) == 9):
        return False
    gateway_id, kind, name, called, serial, secret_hash, key, check, sources = row
    return (
        fits(gateway_id, _ID)
        and kind in KINDS
        and is_text(name)
        and len(name) <= NAME_CHARS_MAX
        and fits(called, _CALLED)
        and type(serial) is int
        and 1 <= serial <= SERIAL_MAX
        and fits(secret_hash, _HASH)
        and fits(key, _KEY)
        and fits(check, _CHECK)
        and _are_sources(sources)
    )


def _are_sources(value: object) -> bool:
    sources = list_of(value, SOURCES_MAX)
    if sources is None:
        return False
    try:
        return all(isinstance(each, str) and str(ip_network(each)) == each for each in sources)
    except ValueError:
        return False


def _is_question(row: object) -> bool:
    return (
        isinstance(row, list)
        and len(row) == 5
        and fits(row[0], _GATEWAY)
        and all(fits(each, _CHECK) for each in row[1:3])
        and all(map(is_number, row[3:]))
    )


def _is_answer(row: object) -> bool:
    if not (isinstance(row, list) and len(row) == 7 and _is_question(row[:5])):
        return False
    return row[5:] == [-1, -1] or all(map(is_number, row[5:]))


def _booked(pair: list[int]) -> tuple[int, int] | None:
    return None if pair == [-1, -1] else (pair[0], pair[1])


def _read(page: Page) -> GatewaysContent | Malformed:
    if page.period != NOW or page.part >= GATEWAY_PARTS:
        return Malformed("not a part of the gateways of now")
    said = gateways_content(page.body)
    if isinstance(said, GatewaysContent) and any(gateway_part(e.id) != page.part for e in said.gateways):
        return Malformed("a gateway in a part that is not its own")
    return said


GATEWAYS_KIND = later_kind(NAME, Priority.REGISTRY, _read)
