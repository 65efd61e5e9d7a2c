"""The limit of versions rises with what admins decide, in any order, and nobody can use it up."""

import itertools
import random

from mesh.community_state import MEMBERS_MAX, CommunityState
from mesh.page_format import NUMBER_MAX
from mesh.version_limit import HELD_UP_MAX, NUMBERS_OF_A_NODE_MAX, VERSIONS_OF_A_DECISION, VersionLimit
from tests.fakes.community_statements import a_village, begun, said_of, state_of


def test_it_is_the_same_whatever_the_order_in_which_statements_come() -> None:
    community, statements = a_village()
    whole = state_of(community, statements).version_max
    for seed in range(20):
        mixed = statements[:]
        random.Random(seed).shuffle(mixed)
        assert whole == state_of(community, [*mixed, *mixed[:3]]).version_max
    assert whole > VERSIONS_OF_A_DECISION


def test_removing_a_node_raises_it_and_so_does_the_undoing() -> None:
    first = begun("hills")
    state = state_of(first.community, first.statements)
    seen = [state.version_max]
    for number, said in ((1, "removed"), (2, "active"), (3, "suspended")):
        state.add(said_of(first.community, "hills", said, number + 1, "rosa"))
        seen.append(state.version_max)
    assert [VERSIONS_OF_A_DECISION] * 3 == [b - a for a, b in itertools.pairwise(seen)]


def test_it_never_falls_when_an_older_statement_comes_later() -> None:
    first = begun("hills")
    state = state_of(first.community, first.statements)
    state.add(said_of(first.community, "hills", "removed", 5, "rosa"))
    before = state.version_max
    state.add(said_of(first.community, "hills", "active", 3, "rosa"))
    assert before == state.version_max


def test_what_nobody_may_sign_does_not_raise_it() -> None:
    first = begun("hills")
    state = state_of(first.community, first.statements)
    before = state.version_max
    assert isinstance(state.add(said_of(first.community, "hills", "removed", 9, "mallory")), str)
    assert before == state.version_max


def test_an_admin_that_writes_the_greatest_numbers_leaves_room() -> None:
    limit = VersionLimit()
    for number in range(MEMBERS_MAX):
        limit.note(said_of("c" * 64, f"n{number}", "removed", NUMBER_MAX, "rosa"))
    assert limit.version_max == (1 + MEMBERS_MAX * NUMBERS_OF_A_NODE_MAX) * VERSIONS_OF_A_DECISION
    assert limit.version_max < NUMBER_MAX * 3 // 4
    assert HELD_UP_MAX < VERSIONS_OF_A_DECISION


def test_without_a_record_there_is_a_limit_too() -> None:
    assert VERSIONS_OF_A_DECISION == CommunityState("c" * 64).version_max == VersionLimit().version_max
