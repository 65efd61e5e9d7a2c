"""Notices for all nodes: how a node says one to the others, and those that other nodes say.

Each is of the node at which an admin wrote it: only that node changes or withdraws it. It ends with the node's membership.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from node.accounts.notices import (
    EVERYWHERE,
    ZONE_PREFIX,
    Notice,
    NoticeText,
    notice_findings,
)
from node.accounts.registry_record import displayable
from node.errors import Finding
from node.translator import gettext_lazy
from node.units import NodeId

TOLD_BY_NODE_MAX = 16
"""Notices that one node says to the others."""
TOLD_BYTES_MAX = 16_384
"""Of all of them together, as JSON."""
HEARD_MAX = 100
"""Notices of other nodes that are kept: the first of each node, then the second, and so on."""


_EMPTY_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")

type _Rank = tuple[int, NodeId, int]
"""Place among the notices of its node, its node, and its part."""


@dataclass(frozen=True, slots=True)
class _Heard:
    author: NodeId
    part: int
    notice: Notice


class HeardNotices:
    """What the pages of other nodes say, in memory: the pages are on the disk."""

    def __init__(self) -> None:
        self._heard: dict[tuple[NodeId, int], _Heard] = {}
        self._ordered: list[tuple[_Rank, _Heard]] | None = None
        self._named: tuple[dict[NodeId, str], tuple[Notice, ...]] | None = None
        """As they were asked for last, because every page of the portal asks."""
        self.name_of: Callable[[NodeId], str] = str
        """The name of a node, for people."""

    def __len__(self) -> int:
        return len(self._heard)

    def hear(self, author: NodeId, part: int, notice: Notice | None) -> None:
        """A page of the node says this in that part, instead of what it said there before; None: nothing."""
        self._forget_order()
        self._heard.pop((author, part), None)
        if notice is None:
            return
        self._heard[author, part] = _Heard(author, part, notice)
        if len(self._heard) > HEARD_MAX:
            last = max(self._ranked(), key=lambda each: each[0])[1]
            del self._heard[last.author, last.part]

    def drop(self, author: NodeId) -> None:
        """The node is not of the community any longer."""
        self._forget_order()
        for name in [name for name in self._heard if name[0] == author]:
            del self._heard[name]

    def all(self) -> tuple[Notice, ...]:
        """With the names of their nodes. Urgent ones first, then the first ones of each node: one that says many, and all
        urgent, leaves room for the others."""
        if self._ordered is None:
            self._ordered = sorted(
                self._ranked(urgent_first=True), key=lambda each: (not each[1].notice.is_urgent, each[0])
            )
        names = {author: self.name_of(author) for author in {each.author for _, each in self._ordered}}
        if self._named is None or names != self._named[0]:
            said = tuple(replace(each.notice, node=names[each.author]) for _, each in self._ordered)
            self._named = names, said
        return self._named[1]

    def _forget_order(self) -> None:
        self._ordered = self._named = None

    def _ranked(self, *, urgent_first: bool = False) -> Iterable[tuple[_Rank, _Heard]]:
        """Each with its rank among those of its node."""
        ranks: dict[NodeId, int] = {}
        for each in sorted(
            self._heard.values(),
            key=lambda one: (urgent_first and not one.notice.is_urgent, one.author, one.part),
        ):
            rank = ranks[each.author] = ranks.get(each.author, -1) + 1
            yield (rank, each.author, each.part), each


def is_told(notice: Notice) -> bool:
    """Whether it is for other nodes too."""
    return notice.where == EVERYWHERE or notice.where.startswith(ZONE_PREFIX)


def is_over(notice: Notice, today: str) -> bool:
    """False while the date is not known."""
    return bool(today and notice.last_day) and notice.last_day < today


def notice_value(notice: Notice) -> dict[str, Any]:
    """What a node says of it: a small JSON object, without the admin's name and this node's number."""
    return {
        "where": notice.where,
        "audience": notice.audience,
        "first_day": notice.first_day,
        "last_day": notice.last_day,
        "urgent": notice.is_urgent,
        "texts": [[each.language, _line(each.title), _paragraphs(each.text)] for each in notice.texts],
    }


def notice_of_value(value: Mapping[str, Any]) -> Notice | None:
    """The notice that another node says, whose value may be anything that JSON can say; None if it is none that an admin
    could have written for all nodes."""
    texts = value.get("texts")
    fields = [value.get(name) for name in ("where", "audience", "first_day", "last_day")]
    if not (isinstance(texts, list) and texts and all(map(_is_text_row, texts))):
        return None
    if not all(isinstance(each, str) and (each == "" or each.isprintable()) for each in fields):
        return None
    where, audience, first_day, last_day = (str(each) for each in fields)
    written = tuple(NoticeText(tag, _line(title), _paragraphs(text)) for tag, title, text in texts)
    is_urgent = value.get("urgent") is True
    notice = Notice(0, where, audience, first_day, last_day, is_urgent, written)
    return notice if is_told(notice) and not notice_findings(notice) else None


def telling_findings(wish: Notice, others: Iterable[Notice]) -> tuple[Finding, ...]:
    """Why this node cannot say `wish` to the other nodes beside `others`, its own further notices."""
    if not is_told(wish):
        return ()
    told = [each for each in others if is_told(each)]
    if len(told) < TOLD_BY_NODE_MAX and sum(map(_size, (wish, *told))) <= TOLD_BYTES_MAX:
        return ()
    message = gettext_lazy("The notices of this node for all nodes are too many, or too long.")
    fix = gettext_lazy("shorten or remove one, or show this one only at this node")
    return (Finding("notice", 0, message, fix),)


def _size(notice: Notice) -> int:
    """Of its value as canonical JSON."""
    return len(json.dumps(notice_value(notice), ensure_ascii=False, separators=(",", ":")).encode())


def _line(text: str) -> str:
    return " ".join(displayable(text).split())


def _paragraphs(text: str) -> str:
    """With at most one empty line between two others: empty lines push away what is below them on a page."""
    return _EMPTY_LINES.sub("\n\n", "\n".join(displayable(text).splitlines())).strip()


def _is_text_row(row: object) -> bool:
    return isinstance(row, list) and len(row) == 3 and all(isinstance(each, str) for each in row)
