"""A secret goes to members that hold the same statements, and what is wrong goes nowhere."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.community_changes import changed_membership, find_member
from mesh.community_secret import LATER_SECRET_BYTES, SECRETS_MAX, commitment_of
from mesh.community_state import CommunityState
from mesh.page_format import canonical
from mesh.secret_exchange import ANSWERS_AT_ONCE, FRAME_BYTES_MAX, FRAMES_MAX, SecretExchange
from mesh.signed_statement import SignedStatement
from node.units import NodeId
from tests.fakes.community_statements import begun, state_of
from tests.fakes.neighbours import id_of, key_of
from tests.unit.mesh.test_community_secret import rotated

FIRST = begun("square", "hills", "eve")
SECRETS = tuple(bytes([number]) * LATER_SECRET_BYTES for number in (1, 2, 3))
SQUARE, HILLS, EVE = map(id_of, ("square", "hills", "eve"))


def after(count: int) -> list[SignedStatement]:
    """The statements after so many rotations."""
    statements = [*FIRST.statements]
    for secret in SECRETS[:count]:
        statements.append(rotated(state_of(FIRST.community, statements), commitment_of(secret)))
    return statements


class SecretNode:
    """One node's side, with its secrets in memory."""

    def __init__(self, statements: list[SignedStatement], *secrets: bytes) -> None:
        self.state: CommunityState | None = state_of(FIRST.community, statements)
        self.held: dict[str, bytes] = {commitment_of(each): each for each in secrets}
        self.differing: list[NodeId] = []
        self.exchange = SecretExchange(lambda: self.state, self._all, self.differing.append)

    def _all(self) -> Mapping[str, bytes]:
        return self.held

    def meet(self, *nodes: NodeId, takes_part: bool = True) -> None:
        for node in nodes:
            self.exchange.greet(node, takes_part=takes_part, now=0.0)

    def frames(self, node: NodeId) -> list[bytes]:
        found = []
        while (frame := self.exchange.next_frame(node)) is not None:
            found.append(frame)
        return found

    def hears(self, node: NodeId, frames: list[bytes], now: float = 0.0) -> list[bytes]:
        """Stores what is new, and returns it."""
        new = [secret for frame in frames for secret in self.exchange.receive(node, frame, now) or ()]
        self.held |= {commitment_of(each): each for each in new}
        return new


def asked_by(node: SecretNode, asked: NodeId) -> list[bytes]:
    node.frames(asked)
    assert node.exchange.ask()
    return [frame for frame in node.frames(asked) if b"secretask" in frame]


def question(state: CommunityState, secret: bytes = SECRETS[0]) -> bytes:
    return canonical(
        {
            "is": "secretask",
            "community": state.id,
            "commitment": commitment_of(secret),
            "digest": state.digest(),
        }
    )


@given(st.sets(st.integers(0, 2)), st.integers(1, 3))
def test_a_node_has_every_secret_of_its_neighbour_after_as_many_questions(held: set[int], count: int) -> None:
    square = SecretNode(after(count), *SECRETS[:count])
    hills = SecretNode(after(count), *(SECRETS[at] for at in held if at < count))
    square.meet(HILLS)
    hills.meet(SQUARE)
    for _ in hills.exchange.missing():
        square.hears(HILLS, asked_by(hills, SQUARE))
        assert hills.hears(SQUARE, square.frames(HILLS))
    assert square.held == hills.held
    assert not hills.exchange.ask()
    assert (count + 1, count + 1) == (hills.exchange.number_held(), hills.exchange.number_in_force())


def test_the_secret_in_force_comes_first() -> None:
    square, hills = SecretNode(after(3), *SECRETS), SecretNode(after(3))
    square.meet(HILLS)
    hills.meet(SQUARE)
    square.hears(HILLS, asked_by(hills, SQUARE))
    assert [SECRETS[2]] == hills.hears(SQUARE, square.frames(HILLS))


@pytest.mark.parametrize("state", ["removed", "suspended"])
def test_a_node_that_was_removed_before_is_told_nothing_while_its_connection_is_still_there(
    state: str,
) -> None:
    members = state_of(FIRST.community, FIRST.statements)
    gone = changed_membership(members, key_of("rosa"), find_member(members, EVE), state)
    square = SecretNode([*after(1), gone], *SECRETS)
    square.meet(EVE)
    square.frames(EVE)
    assert square.state is not None
    square.hears(EVE, [question(square.state)])
    assert [] == square.frames(EVE)


def test_a_node_that_does_not_know_of_the_removal_yet_gets_no_secret_that_it_could_pass_on() -> None:
    members = state_of(FIRST.community, FIRST.statements)
    gone = changed_membership(members, key_of("rosa"), find_member(members, EVE), "removed")
    square, hills = SecretNode([*after(1), gone], *SECRETS), SecretNode(after(1))
    square.meet(HILLS)
    hills.meet(SQUARE, EVE)
    square.frames(HILLS)
    square.hears(HILLS, asked_by(hills, SQUARE))
    assert ([], [HILLS]) == (square.frames(HILLS), square.differing)
    assert hills.state is not None
    hills.state.add(gone)
    hills.exchange.ask()  # the next one by turns is Eve
    square.hears(HILLS, asked_by(hills, SQUARE))
    assert SECRETS[:1] == tuple(hills.hears(SQUARE, square.frames(HILLS)))
    hills.frames(EVE)
    hills.hears(EVE, [question(hills.state)])
    assert [] == hills.frames(EVE)


@given(st.binary(min_size=LATER_SECRET_BYTES, max_size=LATER_SECRET_BYTES) | st.just(SECRETS[1]))
def test_a_wrong_secret_is_not_taken_and_its_sender_is_named(wrong: bytes) -> None:
    hills = SecretNode(after(1))
    hills.meet(EVE)
    answer = canonical({"is": "secret", "community": FIRST.community, "secret": wrong.hex()})
    is_right = wrong == SECRETS[0]
    assert is_right == bool(hills.hears(EVE, [answer]))
    assert is_right == (hills.exchange.wrong() == [])


def test_a_neighbour_that_lies_or_is_silent_keeps_nobody_from_the_secret() -> None:
    square, hills = SecretNode(after(1), *SECRETS), SecretNode(after(1))
    square.meet(HILLS)
    hills.meet(EVE, SQUARE)
    for _ in range(2):
        assert hills.exchange.ask()
    lie = canonical({"is": "secret", "community": FIRST.community, "secret": "0" * 64})
    assert [] == hills.hears(EVE, [lie])
    square.hears(HILLS, hills.frames(SQUARE))
    assert [SECRETS[0]] == hills.hears(SQUARE, square.frames(HILLS))
    assert [EVE] == hills.exchange.wrong()
    again = canonical({"is": "secret", "community": FIRST.community, "secret": SECRETS[0].hex()})
    assert [] == hills.hears(SQUARE, [again])
    assert [EVE] == hills.exchange.wrong()


def test_a_flood_of_questions_is_answered_seldom_and_fills_no_memory() -> None:
    square = SecretNode(after(3), *SECRETS)
    square.meet(HILLS)
    square.frames(HILLS)
    assert square.state is not None
    answers = 0
    for number in range(1000):
        square.hears(HILLS, [question(square.state, SECRETS[number % 3])])
        answers += len(square.frames(HILLS))
    assert ANSWERS_AT_ONCE == answers
    square.hears(HILLS, [question(square.state)], now=60.0)
    assert 1 == len(square.frames(HILLS))
    for number in range(1000):
        square.hears(HILLS, [question(square.state, SECRETS[number % 3])], now=1000.0 * number)
    assert FRAMES_MAX >= len(square.frames(HILLS))


def test_only_secrets_that_the_chain_names_are_told() -> None:
    square = SecretNode(after(1), *SECRETS)
    square.meet(HILLS)
    square.frames(HILLS)
    assert square.state is not None
    square.hears(HILLS, [question(square.state, SECRETS[1])])
    assert [] == square.frames(HILLS)
    other = CommunityState("0" * 64)
    square.hears(HILLS, [question(other)])
    assert [] == square.frames(HILLS)


def test_a_stranger_and_a_node_without_a_record_exchange_nothing() -> None:
    square = SecretNode(after(1), *SECRETS)
    assert square.state is not None
    assert [] == square.exchange.receive(HILLS, question(square.state), 0.0)
    assert square.exchange.next_frame(HILLS) is None
    ask = question(square.state)
    square.state = None
    square.meet(HILLS)
    assert [] == square.exchange.receive(HILLS, ask, 0.0)
    assert [] == square.frames(HILLS)
    assert (False, (), 1, 1) == (
        square.exchange.ask(),
        square.exchange.missing(),
        square.exchange.number_held(),
        square.exchange.number_in_force(),
    )


def test_neighbours_that_lag_are_known_also_those_of_an_earlier_version() -> None:
    square, hills = SecretNode(after(1), *SECRETS), SecretNode(after(1))
    square.meet(HILLS)
    square.meet(EVE, takes_part=False)
    hills.meet(SQUARE)
    assert [] == square.frames(EVE)
    square.hears(HILLS, hills.frames(SQUARE))
    assert [HILLS, EVE] == square.exchange.lagging()
    square.hears(HILLS, asked_by(hills, SQUARE))
    hills.hears(SQUARE, square.frames(HILLS))
    hills.exchange.tell_held()
    square.hears(HILLS, hills.frames(SQUARE))
    assert [EVE] == square.exchange.lagging()
    square.exchange.part(EVE)
    assert [] == square.exchange.lagging()
    hills.exchange.part_all()
    assert hills.exchange.next_frame(SQUARE) is None


@given(
    st.dictionaries(
        st.sampled_from(["is", "community", "commitment", "digest", "secret", "number"]),
        st.sampled_from(["secret", "secretask", "secretheld", FIRST.community, "0" * 64, SECRETS[0].hex()])
        | st.integers(-5, 2 * SECRETS_MAX)
        | st.none()
        | st.lists(st.integers(), max_size=2)
        | st.text(max_size=10),
    )
)
def test_whatever_is_received_nothing_is_raised(fields: dict[str, object]) -> None:
    hills = SecretNode(after(1))
    hills.meet(SQUARE)
    before = dict(hills.held)
    new = hills.hears(SQUARE, [canonical(fields)])
    assert (hills.held == before) is (new == [])
    assert set(new) <= {SECRETS[0]}
    assert all(len(frame) <= FRAME_BYTES_MAX for frame in hills.frames(SQUARE))


@pytest.mark.parametrize("kind", [b'["secret"]', b'{"is":"secret"}', b"[]"])
def test_a_kind_that_is_no_word_is_left_to_others(kind: bytes) -> None:
    hills = SecretNode(after(1))
    hills.meet(SQUARE)
    assert hills.exchange.receive(SQUARE, b'{"is":' + kind + b',"x":{"is":"secret"}}', 0.0) is None


def test_what_a_neighbour_has_is_known_to_a_node_that_follows_the_record_later() -> None:
    square, hills = SecretNode(after(1), *SECRETS), SecretNode(after(1))
    hills.state = None
    square.meet(HILLS)
    hills.meet(SQUARE)
    hills.hears(SQUARE, square.frames(HILLS))
    assert [] == hills.exchange.lagging()
    hills.state = state_of(FIRST.community, after(1))
    assert [] == hills.exchange.lagging()
    hills.state = state_of(FIRST.community, after(2))
    assert [SQUARE] == hills.exchange.lagging()


def test_nobody_is_accused_for_the_secret_of_a_version_that_lost_meanwhile() -> None:
    versions = [rotated(state_of(FIRST.community, FIRST.statements), commitment_of(each)) for each in SECRETS]
    hills = SecretNode([*FIRST.statements, *versions])
    hills.meet(SQUARE)
    assert hills.state is not None
    (winner,) = hills.state.commitments()
    lost = next(each for each in SECRETS if commitment_of(each) != winner)
    hills.hears(SQUARE, [canonical({"is": "secret", "community": FIRST.community, "secret": lost.hex()})])
    assert [] == hills.exchange.wrong()


@given(st.binary(max_size=FRAME_BYTES_MAX + 50).map(lambda raw: b'{"is":"secret' + raw))
def test_what_cannot_be_read_is_left_to_others(frame: bytes) -> None:
    hills = SecretNode(after(1))
    hills.meet(SQUARE)
    assert hills.exchange.receive(SQUARE, frame, 0.0) in (None, [])
