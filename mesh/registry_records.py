"""What the nodes of a community tell each other about people: the records in effect, and which nodes carry them.

A node carries a record by listing it in its registry pages. Each record is carried by the node that changed it last; a node
that hears of a later version leaves out its own. What was heard only makes records later, so nodes that have heard the same
pages have the same records, in any order; nothing comes back before its last day, and nothing after it.
"""

import json
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from mesh.page_format import NUMBER_MAX
from mesh.registry_kind import (
    RECORDS_PER_PART_MAX,
    REGISTRY_PARTS,
    is_record_key,
    is_value,
    registry_body,
    registry_part,
)
from mesh.version_limit import HELD_UP_MAX
from node.accounts.registry_record import RecordRow, RegistryRecord, Value, value_text
from node.units import NodeId

OWN_BYTES_MAX = 200 * 1024
"""Of the records that one node carries; the limit for pages of kinds other than usage leaves room for its other pages."""
PLENTIFUL_BYTES_MAX = 160 * 1024
"""Of these, for the kinds of which a flood of devices makes many; the rest is for those that an admin makes."""
KIND_BYTES_MAX = 96 * 1024
"""Of these, for one plentiful kind."""
PART_BYTES_MAX = 48 * 1024
"""Of these, for one part: a page fits into a frame."""
ADOPTED_PERCENT = 60
"""Of each of these limits: what no node says any longer is said again in so much of the room; the rest is for changes that
are made here, whatever other nodes left behind."""
LEFT_BYTES_MAX = OWN_BYTES_MAX
"""Of the records that one node said and left out of its pages again, and that nobody else says: of a node that left more, no
record that is new here is taken in. A node that lost its database leaves less."""

type Join = Callable[[Value, Value], Value]
"""Decides between two values of one version: commutative, associative and idempotent."""
type RecordKey = tuple[str, str]
"""Kind and key."""


@dataclass(slots=True)
class _Entry:
    version: int
    until: str
    text: str
    carriers: tuple[NodeId, ...] = ()
    """Nodes whose pages say exactly this."""
    left_by: NodeId | None = None
    """The node that said it last, when no node says it."""


class RegistryRecords:
    """The records in effect. Records of kinds that are not in `joins` are left to the nodes that know them."""

    def __init__(
        self, own: NodeId, joins: Mapping[str, Join | None], plentiful: Collection[str] = frozenset()
    ) -> None:
        """`joins`: what decides for each kind; None: the value whose canonical JSON is greater. `plentiful`: the kinds of
        which there may be as many as devices; they leave room for the others. Both may grow until the first call."""
        self._own, self._joins, self._plentiful = own, joins, plentiful
        self._parts: list[dict[RecordKey, _Entry]] = [{} for _ in range(REGISTRY_PARTS)]
        self._sizes: dict[str, int] = {}
        """Bytes of the records that this node carries, by kind."""
        self._part_sizes = [[0, 0] for _ in range(REGISTRY_PARTS)]
        """Number and bytes of them, by part."""
        self._changed: dict[int, bool] = {}
        """Parts whose own page may differ, and whether it says something new."""
        self._orphans: list[set[RecordKey]] = [set() for _ in range(REGISTRY_PARTS)]
        self._unfit: set[RecordKey] = set()
        self._left: dict[NodeId, int] = {}
        """Bytes of the records that each node left behind."""

    def load(self, rows: Iterable[RecordRow], version_max: int = NUMBER_MAX) -> None:
        """Records as they were stored; `version_max`: as for `take`. Which nodes carry them is said by pages."""
        for row in rows:
            if row.kind in self._joins and row.version <= version_max + HELD_UP_MAX:
                found = _Entry(row.version, row.until, row.text)
                self._merge((row.kind, row.key), found)

    def put(self, kind: str, key: str, value: Value, until: str = "") -> RegistryRecord | None:
        """A change made at this node: the next version. None, and no effect, if the record in effect says the same, and
        `until` is not later: a record without a last day may get one, and none loses its own, because the day may not be
        known. Of a record with a last day, no later version ends sooner, or an earlier one could come back; after the last
        day of one that had none before, only a node that never heard of it can bring the earlier one back."""
        if not (is_record_key(key) and is_value(value)):
            raise ValueError(f"no record can have this key or value: {kind} {key!r}")
        name, text = (kind, key), value_text(value)
        before = self._entry(name)
        if before is not None and before.text == text and (not until or "" < until <= before.until):
            return None
        last = _latest(until, before.until) if before is not None and before.until else until
        version = min(before.version + 1, NUMBER_MAX) if before is not None else 1
        self._replace(name, _Entry(version, last, text))
        self._carry(name)
        return self.effective(kind, key)

    def effective(self, kind: str, key: str) -> RegistryRecord | None:
        found = self._entry((kind, key))
        return None if found is None else _record((kind, key), found)

    def all(self, kind: str) -> Iterator[RegistryRecord]:
        """All records of a kind, in no particular order."""
        for name, found in self._every():
            if name[0] == kind:
                yield _record(name, found)

    def rows(self) -> Iterator[RecordRow]:
        """All records, as they are stored."""
        return (RecordRow(*name, found.version, found.until, found.text) for name, found in self._every())

    def carriers(self, kind: str, key: str) -> tuple[NodeId, ...]:
        """The nodes whose pages say what is in effect."""
        found = self._entry((kind, key))
        return found.carriers if found is not None else ()

    def take(
        self,
        author: NodeId,
        part: int,
        records: Iterable[RegistryRecord],
        today: str = "",
        version_max: int = NUMBER_MAX,
    ) -> tuple[RegistryRecord, ...]:
        """The page of a node of the community says this in that part, instead of what it said there before; of this node
        too, when its pages are read again. Records that were over before `today` are not taken in; empty: the day is not
        known; none that is new of a node that left too many behind; and none of another node with a version above
        `version_max`: when that rises, all pages are read again. Returns the records that are in effect because of it."""
        most = version_max + HELD_UP_MAX if author == self._own else version_max
        said = [
            each
            for each in records
            if each.kind in self._joins and not _is_over(each.until, today) and each.version <= most
        ]
        if author != self._own:
            self._silence(author, part, {(each.kind, each.key) for each in said})
            if self._left.get(author, 0) > LEFT_BYTES_MAX:
                said = [each for each in said if self._entry((each.kind, each.key)) is not None]
        changed = tuple(each for each in said if self._hear(author, each))
        if author == self._own:
            self._changed.setdefault(part, False)
        return tuple(_record((each.kind, each.key), self._known(each)) for each in changed)

    def drop(self, author: NodeId) -> None:
        """The node left the community, or its pages are gone. What it said stays in effect."""
        for part in range(REGISTRY_PARTS):
            self._silence(author, part)

    def orphans(self) -> dict[int, frozenset[RecordKey]]:
        """By part: the records that no page says, as far as this node knows."""
        return {part: frozenset(names) for part, names in enumerate(self._orphans) if names}

    def adopt(self, names: Iterable[RecordKey], today: str = "") -> None:
        """Carry these records if no other node does, and there is room."""
        for name in names:
            found = self._entry(name)
            if found is None or found.carriers or _is_over(found.until, today):
                continue
            # What is unfit was to be said by this node itself.
            if name in self._unfit or self._has_room(name, _size(name, found), ADOPTED_PERCENT):
                self._carry(name)

    def forget(self, today: str) -> tuple[RecordKey, ...]:
        """Drop the records that are over. Returns which."""
        gone = [name for name, found in self._every() if _is_over(found.until, today)]
        for name in gone:
            self._remove(name)
        return tuple(gone)

    def read_again(self) -> None:
        """Nothing is known of the pages of other nodes: all are about to be read."""
        for part, entries in enumerate(self._parts):
            for name, found in entries.items():
                self._set_carriers(name, found, tuple(each for each in found.carriers if each == self._own))
            self._changed.setdefault(part, False)

    def changed_parts(self, *, is_all: bool) -> tuple[int, ...]:
        """The parts of this node that may differ from its pages; without `is_all`, only those that say something new."""
        return tuple(part for part, is_new in self._changed.items() if is_all or is_new)

    def body(self, part: int) -> bytes | None:
        """What this node says in that part, which then counts as published; None: nothing."""
        self._changed.pop(part, None)
        carried = [_record(n, e) for n, e in self._parts[part].items() if self._own in e.carriers]
        return registry_body(carried) if carried else None

    def unfit(self) -> int:
        """How many records this node would carry and has no room for."""
        self._unfit = {name for name in self._unfit if name in self._orphans[registry_part(*name)]}
        return len(self._unfit)

    def held_up(self, version_max: int) -> int:
        """How many records this node carries that others do not take in yet."""
        return sum(self._own in found.carriers and found.version > version_max for _, found in self._every())

    def own_bytes(self) -> int:
        """Bytes of the records that this node carries."""
        return sum(self._sizes.values())

    def _hear(self, author: NodeId, said: RegistryRecord) -> bool:
        """Whether it changed what is in effect."""
        name = sys.intern(said.kind), said.key
        heard = _Entry(said.version, sys.intern(said.until), value_text(said.value))
        is_own = self._own in self._carriers(name)
        is_changed = self._merge(name, heard)
        found = self._known(said)
        is_said = _says_same(found, heard)
        if is_said and author == self._own:
            if all(each > self._own for each in found.carriers):
                self._carry(name)
        elif is_said and author not in found.carriers:
            self._set_carriers(name, found, (*found.carriers, author))
        # Of two that carry the same, the one with the lower id goes on.
        if is_own and author != self._own:
            if is_said and (is_changed or author < self._own):
                self._leave_out(name)
            elif is_changed:
                self._carry(name)
        return is_changed

    def _merge(self, name: RecordKey, heard: _Entry) -> bool:
        before = self._entry(name)
        if before is None:
            self._replace(name, heard)
            return True
        made = self._later(name[0], before, heard)
        if _says_same(made, before):
            return False
        self._replace(name, made)
        return True

    def _later(self, kind: str, one: _Entry, other: _Entry) -> _Entry:
        if one.version != other.version:
            return replace(max(one, other, key=lambda each: each.version), carriers=(), left_by=None)
        until = _latest(one.until, other.until)
        if one.text == other.text:
            return replace(one, until=until, carriers=(), left_by=None)
        join = self._joins[kind]
        text = max(one.text, other.text)
        if join is not None:
            text = value_text(join(*map(json.loads, sorted((one.text, other.text)))))
        return _Entry(one.version, until, text)

    # --- who carries what ---------------------------------------------------------------------

    def _carry(self, name: RecordKey) -> None:
        """This node says the record in its pages, if there is room."""
        found, part = self._entry(name), registry_part(*name)
        if found is None or self._own in found.carriers:
            return
        if not self._has_room(name, _size(name, found)):
            self._unfit.add(name)
            return
        self._unfit.discard(name)
        self._set_carriers(name, found, (*found.carriers, self._own))
        self._changed[part] = True

    def _leave_out(self, name: RecordKey) -> None:
        found = self._entry(name)
        if found is not None and self._own in found.carriers:
            self._set_carriers(name, found, tuple(each for each in found.carriers if each != self._own))
            self._changed.setdefault(registry_part(*name), False)

    def _silence(self, author: NodeId, part: int, said: Collection[RecordKey] = ()) -> None:
        """`said`: the records that it goes on to say something about."""
        for name, found in self._parts[part].items():
            if author in found.carriers:
                self._set_carriers(name, found, tuple(each for each in found.carriers if each != author))
                if not found.carriers and name not in said:
                    self._set_left(name, found, author)

    def _set_left(self, name: RecordKey, found: _Entry, author: NodeId | None) -> None:
        for node, change in ((found.left_by, -1), (author, 1)):
            if node is not None:
                self._left[node] = self._left.get(node, 0) + change * _size(name, found)
        found.left_by = author

    def _replace(self, name: RecordKey, made: _Entry) -> None:
        """A record that nobody is known to carry, in the place of the one before."""
        if self._entry(name) is not None:
            self._remove(name)
        part = registry_part(*name)
        self._parts[part][name] = made
        self._orphans[part].add(name)

    def _remove(self, name: RecordKey) -> None:
        part = registry_part(*name)
        self._leave_out(name)
        self._set_left(name, self._parts[part][name], None)
        del self._parts[part][name]
        self._orphans[part].discard(name)

    def _set_carriers(self, name: RecordKey, found: _Entry, carriers: tuple[NodeId, ...]) -> None:
        part, change = registry_part(*name), (self._own in carriers) - (self._own in found.carriers)
        if change:
            size = _size(name, found)
            self._sizes[name[0]] = self._sizes.get(name[0], 0) + change * size
            self._part_sizes[part][0] += change
            self._part_sizes[part][1] += change * size
        found.carriers = carriers
        if carriers:
            self._orphans[part].discard(name)
            self._set_left(name, found, None)
        else:
            self._orphans[part].add(name)

    def _has_room(self, name: RecordKey, size: int, percent: int = 100) -> bool:
        """`percent`: of each limit."""

        def fits(used: int, most: int) -> bool:
            return 100 * used <= percent * most

        kind = name[0]
        number, used = self._part_sizes[registry_part(*name)]
        if not (fits(number + 1, RECORDS_PER_PART_MAX) and fits(used + size, PART_BYTES_MAX)):
            return False
        if kind in self._plentiful:
            taken = sum(self._sizes.get(each, 0) for each in self._plentiful)
            of_kind = self._sizes.get(kind, 0)
            if not (fits(of_kind + size, KIND_BYTES_MAX) and fits(taken + size, PLENTIFUL_BYTES_MAX)):
                return False
        return fits(self.own_bytes() + size, OWN_BYTES_MAX)

    def _entry(self, name: RecordKey) -> _Entry | None:
        return self._parts[registry_part(*name)].get(name)

    def _known(self, record: RegistryRecord) -> _Entry:
        found = self._entry((record.kind, record.key))
        assert found is not None, "it was just taken in"
        return found

    def _carriers(self, name: RecordKey) -> tuple[NodeId, ...]:
        found = self._entry(name)
        return found.carriers if found is not None else ()

    def _every(self) -> Iterator[tuple[RecordKey, _Entry]]:
        return ((name, found) for entries in self._parts for name, found in list(entries.items()))


def _record(name: RecordKey, found: _Entry) -> RegistryRecord:
    return RegistryRecord(*name, found.version, found.until, json.loads(found.text))


def _says_same(one: _Entry, other: _Entry) -> bool:
    return (one.version, one.until, one.text) == (other.version, other.until, other.text)


def _latest(one: str, other: str) -> str:
    """Of two last days; empty: none."""
    return "" if "" in {one, other} else max(one, other)


def _is_over(until: str, today: str) -> bool:
    return bool(until and today) and until < today


def _size(name: RecordKey, found: _Entry) -> int:
    """Of its row in a page."""
    return (
        len(name[0])
        + len(json.dumps(name[1], ensure_ascii=False).encode())
        + len(found.text.encode())
        + len(found.until)
        + 32
    )
