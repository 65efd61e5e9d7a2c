"""Two nodes exchange what they hold of their community until both hold the same."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.community_state import (
    INVITES_MAX,
    MEMBERS_MAX,
    STATEMENTS_MAX,
    VERSIONS_HELD_MAX,
    CommunityState,
)
from mesh.messages import FRAME_BYTES_MAX
from mesh.record_exchange import EQUAL_ROUNDS, RecordExchange
from mesh.roster import nodes_digest
from mesh.signed_statement import SignedStatement, add_signatures
from tests.fakes.community_statements import a_village, begun, said_of, state_of
from tests.fakes.neighbours import id_of, key_of

COMMUNITY, STATEMENTS = a_village()
LEFT, RIGHT = id_of("left"), id_of("right")


def exchange_of(state: CommunityState | None) -> RecordExchange:
    return RecordExchange(lambda: state, lambda: nodes_digest(state.nodes() if state else ()))


def talk(left: RecordExchange, right: RecordExchange) -> int:
    """Frames until both are silent."""
    frames = 0
    while frames < 500:
        said = [(right, LEFT, left.next_frame(RIGHT)), (left, RIGHT, right.next_frame(LEFT))]
        if all(frame is None for _, _, frame in said):
            return frames
        for hearer, speaker, frame in said:
            if frame is not None:
                frames += 1
                for statement in hearer.receive(speaker, frame) or ():
                    hearer.tell(statement)
    raise AssertionError("they never stop")


@given(st.sets(st.integers(0, len(STATEMENTS) - 1)), st.sets(st.integers(0, len(STATEMENTS) - 1)))
def test_both_hold_the_same_after_some_rounds(mine: set[int], theirs: set[int]) -> None:
    one = state_of(COMMUNITY, [STATEMENTS[at] for at in sorted(mine)])
    other = state_of(COMMUNITY, [STATEMENTS[at] for at in sorted(theirs)])
    left, right = exchange_of(one), exchange_of(other)
    left.greet(RIGHT)
    right.greet(LEFT)
    for _ in range(3):
        talk(left, right)
        left.begin_round(RIGHT)
        right.begin_round(LEFT)
    talk(left, right)
    assert one.digest() == other.digest()
    left.begin_round(RIGHT)
    assert 1 == talk(left, right)


def test_a_node_that_holds_nothing_has_all_after_one_list_also_where_an_invite_was_signed_again_later() -> (
    None
):
    one, other = state_of(COMMUNITY, STATEMENTS), CommunityState(COMMUNITY)
    (invite,) = (each for each in one.statements() if each.kind == "invite")
    assert isinstance(one.add(add_signatures(invite, [key_of("pau")])), SignedStatement)
    left, right = exchange_of(one), exchange_of(other)
    left.greet(RIGHT)
    right.greet(LEFT)
    talk(left, right)
    assert one.digest() == other.digest()


def test_nodes_that_hold_the_same_say_so_seldom_and_at_once_when_they_differ() -> None:
    one, other = state_of(COMMUNITY, STATEMENTS), state_of(COMMUNITY, STATEMENTS)
    left, right = exchange_of(one), exchange_of(other)
    left.greet(RIGHT)
    right.greet(LEFT)
    talk(left, right)
    for _ in range(EQUAL_ROUNDS - 1):
        left.round_passed(RIGHT)
        assert left.next_frame(RIGHT) is None
    left.round_passed(RIGHT)
    assert left.next_frame(RIGHT) is not None
    one.add(said_of(COMMUNITY, "coast", "removed", 7, "rosa"))
    left.round_passed(RIGHT)
    talk(left, right)
    assert one.digest() == other.digest()


def test_a_node_without_a_record_takes_none_and_says_what_is_offered() -> None:
    left, right = exchange_of(state_of(COMMUNITY, STATEMENTS)), exchange_of(None)
    left.greet(RIGHT)
    right.greet(LEFT)
    talk(left, right)
    assert (COMMUNITY, "") == (right.follows(LEFT), left.follows(RIGHT))
    assert [LEFT] == right.differing()


def test_two_communities_exchange_nothing() -> None:
    other = begun("square", admin="eve")
    mine, theirs = state_of(COMMUNITY, STATEMENTS), state_of(other.community, other.statements)
    before = mine.digest(), theirs.digest()
    left, right = exchange_of(mine), exchange_of(theirs)
    left.greet(RIGHT)
    right.greet(LEFT)
    assert 2 == talk(left, right)
    assert before == (mine.digest(), theirs.digest())


@given(
    st.binary(max_size=200) | st.sampled_from([b'{"is":"records"}', b'{"is":"recordlist"}', b'{"record":{}}'])
)
def test_whatever_is_received_nothing_is_raised(frame: bytes) -> None:
    left = exchange_of(state_of(COMMUNITY, STATEMENTS))
    left.greet(RIGHT)
    left.receive(RIGHT, frame)


class Crowded(CommunityState):
    """As if very many statements were held beside the real ones."""

    def names(self) -> dict[str, SignedStatement]:
        return {
            **{f"{number:016x}": STATEMENTS[0] for number in range(2 * STATEMENTS_MAX)},
            **super().names(),
        }


def test_however_many_are_held_a_list_is_one_frame_that_the_other_side_reads() -> None:
    crowded, fresh = Crowded(COMMUNITY), CommunityState(COMMUNITY)
    for statement in STATEMENTS:
        crowded.add(statement)
    fresh.add(STATEMENTS[0])
    ours, theirs = exchange_of(crowded), exchange_of(fresh)
    ours.greet(RIGHT)
    theirs.greet(LEFT)
    theirs.receive(LEFT, ours.next_frame(RIGHT) or b"")
    ours.receive(RIGHT, theirs.next_frame(LEFT) or b"")
    listed = ours.next_frame(RIGHT) or b""
    assert b"recordlist" in listed
    assert len(listed) <= FRAME_BYTES_MAX
    theirs.receive(LEFT, listed)
    answer = [theirs.next_frame(LEFT) or b"" for _ in range(3)]
    assert any(b'"asks":false' in frame for frame in answer)


def test_a_list_has_room_for_a_community_in_which_each_node_came_with_an_invite() -> None:
    assert VERSIONS_HELD_MAX + INVITES_MAX + 2 * MEMBERS_MAX <= STATEMENTS_MAX
