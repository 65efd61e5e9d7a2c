"""Exchange of statements about the community between neighbours, as a sans-IO core.

    exchange.greet(neighbour)
    for statement in exchange.receive(neighbour, frame): ...   # write it to disk, then:
    exchange.tell(statement)
    while frame := exchange.next_frame(neighbour): ...

Two nodes with the same statements detect that by one short frame each. Statements go before pages.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from mesh.community_record import HASH
from mesh.community_state import STATEMENTS_MAX, CommunityState
from mesh.messages import FRAME_BYTES_MAX
from mesh.page_format import Malformed, canonical, fits, list_of, parse_object
from mesh.page_kind import Priority
from mesh.signed_statement import FILE_KIND, SignedStatement, as_json, read_statement
from node.units import NodeId

RECORDS_EXTENSION = "records"
"""Word in the hello of nodes that take part."""
FILES_EXTENSION = "files"
"""Word in the hello of nodes that also exchange versions of files."""
EQUAL_ROUNDS = 20
"""Rounds of pages until two nodes that hold the same say so again: about ten minutes."""
FRAMES_MAX = 16
"""Queued for one neighbour; what is dropped is said again in the next round."""
_NAME = re.compile(r"[0-9a-f]{16}")
_DIGEST = re.compile(r"[0-9a-f]{32}")
_MARKS = (b'"is":"records"', b'"is":"recordlist"', b'"record":{')


PRIORITIES = (Priority.GOVERNANCE, Priority.MEMBERSHIP, Priority.FILES)


@dataclass(slots=True)
class _Told:
    """One neighbour."""

    frames: deque[bytes] = field(default_factory=deque)
    wanted: dict[Priority, dict[str, None]] = field(
        default_factory=lambda: {priority: {} for priority in PRIORITIES}
    )
    """Names of statements to send, in order."""
    sent: set[str] = field(default_factory=set)
    """Names of statements sent in this round: once is enough."""
    community: str | None = None
    """The community whose record it follows; empty for none, None while it has not said."""
    nodes: str = ""
    """Digest of its list of nodes."""
    digest: str = ""
    """Of its statements."""
    takes_files: bool = False
    """Whether it takes versions of files, too."""
    files: str = ""
    """Digest of these."""
    rounds: int = 0
    """Since this node said what it holds."""


class RecordExchange:
    """Statements between this node and its neighbours. `state` returns None while this node follows no record."""

    def __init__(self, state: Callable[[], CommunityState | None], nodes_digest: Callable[[], str]) -> None:
        self._state, self._nodes_digest = state, nodes_digest
        self._neighbours: dict[NodeId, _Told] = {}

    def greet(self, neighbour: NodeId, *, takes_files: bool = False) -> None:
        """A trusted neighbour that knows this exchange has connected."""
        self._neighbours[neighbour] = _Told(takes_files=takes_files)
        self.begin_round(neighbour)

    def part(self, neighbour: NodeId) -> None:
        self._neighbours.pop(neighbour, None)

    def round_passed(self, neighbour: NodeId) -> None:
        """Called at each round of pages: says what is held here if both differ, and else seldom, because connections lose
        nothing."""
        told, state = self._neighbours.get(neighbour), self._state()
        if told is None:
            return
        told.rounds += 1
        is_equal = (told.digest, told.files) == _digests(state, told) and told.nodes == self._nodes_digest()
        if not is_equal or told.rounds >= EQUAL_ROUNDS:
            self.begin_round(neighbour)

    def begin_round(self, neighbour: NodeId) -> None:
        """Say what is held here."""
        told = self._neighbours.get(neighbour)
        if told is None:
            return
        told.rounds = 0
        told.sent.clear()
        state = self._state()
        digest, files = _digests(state, told)
        said = {"is": "records", "community": state.id if state else "", "nodes": self._nodes_digest()}
        _queue(told, canonical({**said, "digest": digest, **({"files": files} if files else {})}))

    def part_all(self) -> None:
        """The mesh starts again: no connection is left."""
        self._neighbours.clear()

    def begin_rounds(self) -> None:
        for neighbour in self._neighbours:
            self.begin_round(neighbour)

    def receive(self, neighbour: NodeId, frame: bytes) -> list[SignedStatement] | None:
        """Statements that are new here; None if the frame is none of this exchange."""
        told = self._neighbours.get(neighbour)
        if not any(mark in frame for mark in _MARKS) or len(frame) > FRAME_BYTES_MAX or b"\n" in frame:
            return None
        fields = parse_object(frame)
        if isinstance(fields, Malformed):
            return None
        match fields.get("is"):
            case "records":
                if told is not None:
                    self._receive_summary(told, fields)
            case "recordlist":
                if told is not None:
                    self._receive_list(told, fields)
            case "record":
                return self._receive_statement(fields) if told is not None else []
            case _:
                return None
        return []

    def next_frame(self, neighbour: NodeId, *priorities: Priority) -> bytes | None:
        """The next frame for a neighbour, of these priorities or of any: versions of the record, then memberships, invites
        and lists, then files."""
        told, state = self._neighbours.get(neighbour), self._state()
        if told is None:
            return None
        for priority in priorities or PRIORITIES:
            frame = _next_statement(told, state, priority)
            if frame is None and priority == Priority.MEMBERSHIP and told.frames:
                frame = told.frames.popleft()
            if frame is not None:
                return frame
        return None

    def tell(self, statement: SignedStatement) -> None:
        """Send a new statement, which is stored, to every neighbour that follows the same record."""
        state = self._state()
        for told in self._neighbours.values():
            is_wanted = told.takes_files or statement.kind != FILE_KIND
            if is_wanted and state is not None and told.community == state.id:
                told.wanted[_priority(statement)][statement.name] = None

    def follows(self, neighbour: NodeId) -> str | None:
        """The community whose record the neighbour follows; empty for none, None if it did not say."""
        told = self._neighbours.get(neighbour)
        return told.community if told else None

    def differing(self) -> list[NodeId]:
        """Neighbours whose list of nodes is another one than ours."""
        ours = self._nodes_digest()
        return [
            node
            for node, told in self._neighbours.items()
            if told.community is not None and told.nodes != ours
        ]

    def _receive_summary(self, told: _Told, fields: dict[str, object]) -> None:
        community, digest, nodes = fields.get("community"), fields.get("digest"), fields.get("nodes")
        if not (community == "" or fits(community, HASH)) or not fits(nodes, _NAME):
            return
        told.community, told.nodes = str(community), nodes
        told.digest = digest if isinstance(digest, str) else ""
        files = fields.get("files", "")
        told.files = files if told.takes_files and fits(files, _DIGEST) else ""
        state = self._state()
        if state is None or community != state.id or not (digest == "" or fits(digest, _DIGEST)):
            return
        if (digest, told.files) != _digests(state, told):
            self._send_list(told, asks=True)

    def _send_list(self, told: _Told, *, asks: bool) -> None:
        state = self._state()
        if state is None:
            return
        # What is not in the list comes here once too often, and nothing is missed; a larger frame would end the connection.
        names = (sorted(_files_for(told, state)) + sorted(state.names()))[:STATEMENTS_MAX]
        said = canonical({"is": "recordlist", "community": state.id, "names": names, "asks": asks})
        _queue(told, said)

    def _receive_list(self, told: _Told, fields: dict[str, object]) -> None:
        state, names = self._state(), list_of(fields.get("names"), STATEMENTS_MAX)
        if state is None or fields.get("community") != state.id or names is None:
            return
        if not all(fits(name, _NAME) for name in names):
            return
        theirs, files = set(names), _files_for(told, state)
        ours = state.names().keys() | files.keys()
        if not ours <= theirs:  # in the order in which the other side can take them in
            for each in (*state.statements(), *files.values()):
                if each.name not in theirs:
                    told.wanted[_priority(each)][each.name] = None
        if fields.get("asks") is True and not theirs <= ours:
            self._send_list(told, asks=False)

    def _receive_statement(self, fields: dict[str, object]) -> list[SignedStatement]:
        state, statement = self._state(), read_statement(fields.get("record"))
        if state is None or isinstance(statement, Malformed):
            return []
        now = state.add(statement)
        return [now] if isinstance(now, SignedStatement) else []


def _next_statement(told: _Told, state: CommunityState | None, priority: Priority) -> bytes | None:
    wanted = told.wanted.get(priority, {})
    while wanted and state is not None:
        name = next(iter(wanted))
        del wanted[name]
        statement = state.names().get(name) or state.file_names().get(name)
        if statement is not None and name not in told.sent:
            told.sent.add(name)
            return canonical({"is": "record", "record": as_json(statement)})
    return None


def _priority(statement: SignedStatement) -> Priority:
    if statement.kind == FILE_KIND:
        return Priority.FILES
    return Priority.GOVERNANCE if statement.kind == "community" else Priority.MEMBERSHIP


def _files_for(told: _Told, state: CommunityState) -> dict[str, SignedStatement]:
    return state.file_names() if told.takes_files else {}


def _digests(state: CommunityState | None, told: _Told) -> tuple[str, str]:
    """Of the statements and of the versions of files, as this neighbour is told them."""
    if state is None:
        return "", ""
    return state.digest(), state.file_digest() if told.takes_files else ""


def _queue(told: _Told, frame: bytes) -> None:
    if frame not in told.frames and len(told.frames) < FRAMES_MAX:
        told.frames.append(frame)
