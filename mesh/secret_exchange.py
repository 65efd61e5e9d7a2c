"""Exchange of the community's secrets between neighbours, as a sans-IO core.

    exchange.greet(neighbour, takes_part=..., now=...)
    exchange.ask()                                            # until `missing` is empty
    for secret in exchange.receive(neighbour, frame, now): ...  # write it to disk, then:
    exchange.tell_held()
    while frame := exchange.next_frame(neighbour): ...

A secret is told to a member that holds the same statements as this node, and to nobody else. So each node that has a
secret knows of every node that was removed before it was made, and tells it to none of them.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mesh.community_record import HASH
from mesh.community_secret import FIRST_NUMBER, LATER_SECRET_BYTES, SECRETS_MAX, commitment_of
from mesh.community_state import CommunityState
from mesh.page_format import Malformed, canonical, fits, is_number, parse_object
from node.rate_limit import TokenBucket
from node.units import NodeId

SECRETS_EXTENSION = "secrets"
"""Word in the hello of nodes that take part."""
FRAME_BYTES_MAX = 512
FRAMES_MAX = 8
"""Queued for one neighbour; what is dropped is asked for again."""
ANSWERS_AT_ONCE, ANSWERS_PER_S = 16, 2.0
"""To one neighbour."""
_MARK = b'"is":"secret'
_KINDS = ("secret", "secretask", "secretheld")


@dataclass(slots=True)
class _SecretNeighbour:
    takes_part: bool
    bucket: TokenBucket
    frames: deque[bytes] = field(default_factory=deque)
    community: str = ""
    """Of which it spoke last; this node may begin to follow it later."""
    number: int = FIRST_NUMBER
    """Of the newest secret of that community that it says it has; each node has the first."""
    was_wrong: bool = False


class SecretExchange:
    """Secrets between this node and its neighbours. `held`: those after the first that are on the disk, by commitment.
    `differs` is called with a neighbour that asked and holds other statements than this node."""

    def __init__(
        self,
        state: Callable[[], CommunityState | None],
        held: Callable[[], Mapping[str, bytes]],
        differs: Callable[[NodeId], None],
    ) -> None:
        self._state, self._held, self._differs = state, held, differs
        self._neighbours: dict[NodeId, _SecretNeighbour] = {}
        self._asked = 0

    def greet(self, neighbour: NodeId, *, takes_part: bool, now: float) -> None:
        """A trusted neighbour has connected; `now` is in monotonic seconds."""
        told = _SecretNeighbour(takes_part, TokenBucket(ANSWERS_AT_ONCE, ANSWERS_PER_S, now))
        self._neighbours[neighbour] = told
        if takes_part:
            self._say_held(told)

    def part(self, neighbour: NodeId) -> None:
        self._neighbours.pop(neighbour, None)

    def part_all(self) -> None:
        """The mesh starts again: no connection is left."""
        self._neighbours.clear()

    def missing(self) -> tuple[str, ...]:
        """Commitments of secrets that this node should have and has not, the newest first."""
        state, held = self._state(), self._held()
        return tuple(each for each in reversed(state.commitments()) if each not in held) if state else ()

    def number_in_force(self) -> int:
        state = self._state()
        return FIRST_NUMBER + (len(state.commitments()) if state else 0)

    def number_held(self) -> int:
        """Of the newest secret here."""
        state, held = self._state(), self._held()
        numbered = enumerate(state.commitments(), start=FIRST_NUMBER + 1) if state else ()
        return max((number for number, each in numbered if each in held), default=FIRST_NUMBER)

    def ask(self) -> bool:
        """Ask one neighbour for one secret that is missing: by turns, so that one which is silent or lies delays nothing.
        Whether somebody was asked."""
        state, missing = self._state(), self.missing()
        able = [node for node, told in self._neighbours.items() if told.takes_part]
        if state is None or not missing or not able:
            return False
        turn, at = divmod(self._asked, len(able))
        self._asked += 1
        asked = canonical(
            {
                "is": "secretask",
                "community": state.id,
                "commitment": missing[turn % len(missing)],
                "digest": state.digest(),
            }
        )
        _queue(self._neighbours[able[at]], asked)
        return True

    def tell_held(self) -> None:
        """Tell all neighbours which secret is the newest here."""
        for told in self._neighbours.values():
            if told.takes_part:
                self._say_held(told)

    def receive(self, neighbour: NodeId, frame: bytes, now: float) -> list[bytes] | None:
        """Secrets that are missing here; None if the frame is none of this exchange."""
        if _MARK not in frame or len(frame) > FRAME_BYTES_MAX or b"\n" in frame:
            return None
        fields, told, state = parse_object(frame), self._neighbours.get(neighbour), self._state()
        if isinstance(fields, Malformed) or fields.get("is") not in _KINDS:
            return None
        if told is not None and fields["is"] == "secretheld":
            _note_held(told, fields)
        elif told is not None and state is not None and fields.get("community") == state.id:
            if fields["is"] == "secret":
                return self._receive_secret(told, state, fields)
            self._answer(neighbour, told, state, fields, now)
        return []

    def next_frame(self, neighbour: NodeId) -> bytes | None:
        told = self._neighbours.get(neighbour)
        return told.frames.popleft() if told is not None and told.frames else None

    def lagging(self) -> list[NodeId]:
        """Neighbours that do not have the secret in force, as they say, or because their version knows only the first."""
        state, in_force = self._state(), self.number_in_force()
        return [
            node
            for node, told in self._neighbours.items()
            if in_force > (told.number if state is not None and told.community == state.id else FIRST_NUMBER)
        ]

    def wrong(self) -> list[NodeId]:
        """Neighbours that answered with what is no secret of the community."""
        return [node for node, told in self._neighbours.items() if told.was_wrong]

    def _answer(
        self,
        neighbour: NodeId,
        told: _SecretNeighbour,
        state: CommunityState,
        fields: Mapping[str, object],
        now: float,
    ) -> None:
        commitment = fields.get("commitment")
        if not fits(commitment, HASH) or not told.bucket.take(now) or neighbour not in state.nodes():
            return
        if fields.get("digest") != state.digest():
            self._differs(neighbour)
            return
        secret = self._held().get(commitment)
        if secret is not None and commitment in state.commitments():
            _queue(told, canonical({"is": "secret", "community": state.id, "secret": secret.hex()}))

    def _receive_secret(
        self, told: _SecretNeighbour, state: CommunityState, fields: Mapping[str, object]
    ) -> list[bytes]:
        missing, secret = self.missing(), fields.get("secret")
        if not fits(secret, HASH):  # as many digits as a hash has
            told.was_wrong = True
            return []
        raw = bytes.fromhex(secret)
        assert len(raw) == LATER_SECRET_BYTES
        if commitment_of(raw) in missing:
            told.was_wrong = False
            return [raw]
        # One that is here already is not wrong, as two neighbours may have been asked; nor is that of a version which lost
        # against another while the answer was on its way.
        known = self._held().keys() | state.every_commitment()
        told.was_wrong = told.was_wrong or commitment_of(raw) not in known
        return []

    def _say_held(self, told: _SecretNeighbour) -> None:
        state = self._state()
        if state is not None:
            said = {"is": "secretheld", "community": state.id, "number": self.number_held()}
            _queue(told, canonical(said))


def _note_held(told: _SecretNeighbour, fields: Mapping[str, object]) -> None:
    community, number = fields.get("community"), fields.get("number")
    told.community = community if fits(community, HASH) else ""
    told.number = number if is_number(number) and 1 <= number <= SECRETS_MAX else FIRST_NUMBER


def _queue(told: _SecretNeighbour, frame: bytes) -> None:
    if frame not in told.frames and len(told.frames) < FRAMES_MAX:
        told.frames.append(frame)
