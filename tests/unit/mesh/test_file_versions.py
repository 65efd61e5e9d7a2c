"""Which versions of a file a node holds: the same on all nodes, whatever came first."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesh.community_changes import RecordChange, changed_record, in_order, replaced_key
from mesh.community_record import CommunityAdmin, CommunityRecord, record_fields, sorted_admins
from mesh.community_state import NUMBER_TOO_HIGH, OLDER, CommunityState
from mesh.file_version import (
    BEFORE_MAX,
    FILES,
    FileVersion,
    number_max,
    read_file_version,
    text_hash,
    unpacked,
)
from mesh.file_versions import HEADS_MAX
from mesh.page_format import NUMBER_MAX
from mesh.record_exchange import RecordExchange
from mesh.roster import nodes_digest
from mesh.signed_statement import SignedStatement, add_signatures, make_statement
from node.errors import NodeError
from tests.fakes.community_statements import next_record
from tests.fakes.file_versions import share, signed, version_of
from tests.fakes.neighbours import id_of, key_of

THREE = CommunityRecord(
    "Vall Alta", 1, sorted_admins(CommunityAdmin(id_of(n), 1, n) for n in ("rosa", "pau", "nuria")), 2, (), ""
)
RECORD = make_statement("community", record_fields(THREE), map(key_of, ("rosa", "pau")))
COMMUNITY = RECORD.hash
LEFT, RIGHT = id_of("left"), id_of("right")


def a_node() -> CommunityState:
    state = CommunityState(COMMUNITY)
    state.add(RECORD)
    return state


def texts(state: CommunityState) -> object:
    views = [state.file(file) for file in FILES]
    return [[[each.version.hash for each in group] for group in (view.heads, view.waiting)] for view in views]


def exchange_of(state: CommunityState) -> RecordExchange:
    return RecordExchange(lambda: state, lambda: nodes_digest(state.nodes()))


def meet(one: CommunityState, other: CommunityState, *, takes_files: bool = True) -> None:
    """Until both are silent."""
    left, right = exchange_of(one), exchange_of(other)
    left.greet(RIGHT, takes_files=takes_files)
    right.greet(LEFT, takes_files=takes_files)
    for _ in range(3):
        for _ in range(500):
            said = [(right, LEFT, left.next_frame(RIGHT)), (left, RIGHT, right.next_frame(LEFT))]
            if all(frame is None for *_, frame in said):
                break
            for hearer, speaker, frame in said:
                for statement in (hearer.receive(speaker, frame) or ()) if frame else ():
                    hearer.tell(statement)
        else:
            raise AssertionError("they never stop")
        left.begin_round(RIGHT)
        right.begin_round(LEFT)


def a_history(moves: list[tuple[int, int, str, str]]) -> list[SignedStatement]:
    """Several nodes that share texts, and hear from one another now and then."""
    nodes = [a_node() for _ in range(3)]
    made: list[SignedStatement] = []
    for at, other, text, signer in moves:
        if text == "meet":
            for statement in list(nodes[other].file_names().values()):
                nodes[at].add(statement)
            continue
        view = nodes[at].file("rules")
        if view.head is None or view.head.version.hash != version_of(COMMUNITY, "rules", text).hash:
            signers = ("rosa", "pau") if signer == "both" else (signer,)
            made.append(share(nodes[at], "rules", text, *signers))
    return made


MOVES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from(["meet", "a", "b", "c"]),
        st.sampled_from(["both", "both", "rosa", "nuria"]),
    ),
    max_size=12,
)


@given(MOVES, st.randoms(use_true_random=False))
@example([(1, 0, "a", "both"), (0, 0, "a", "nuria"), (0, 0, "b", "rosa")], Random(1))
def test_the_order_of_arrival_does_not_count_and_repetition_neither(moves: list, random: object) -> None:
    made = a_history(moves)
    orders = [made, made[::-1], [*made, *made]]
    for order in orders[1:]:
        random.shuffle(order)  # type: ignore[attr-defined]
    found = []
    for order in orders:
        state = a_node()
        for statement in order:
            state.add(statement)
        found.append((state.file_digest(), texts(state)))
    assert found[0] == found[1] == found[2]


@given(MOVES, st.data())
def test_two_nodes_that_heard_different_things_agree_when_they_meet(moves: list, data: st.DataObject) -> None:
    made, nodes = a_history(moves), (a_node(), a_node())
    change = next_record(THREE, COMMUNITY, ["rosa", "nuria"], 2, ["rosa", "nuria"])
    for state in nodes:
        heard = data.draw(st.lists(st.sampled_from([*made, change]), max_size=20))
        for statement in heard:
            state.add(statement)
    meet(*nodes)
    assert nodes[0].digest() == nodes[1].digest()
    assert nodes[0].file_digest() == nodes[1].file_digest()
    assert texts(nodes[0]) == texts(nodes[1])


def test_two_texts_of_a_split_are_both_kept_and_the_next_version_is_after_both() -> None:
    here, there = a_node(), a_node()
    first = share(here, "members", "one", "rosa")
    there.add(first)
    share(here, "members", "here", "rosa")
    share(there, "members", "there", "pau")
    meet(here, there)
    assert here.file("members").head is None
    assert {"here", "there"} == {_text(each) for each in here.file_names().values()}
    chosen = share(there, "members", "there", "nuria")
    here.add(chosen)
    head = here.file("members").head
    assert head is not None
    assert head.statement == chosen
    assert 1 == len(here.file_names())


def test_the_same_text_of_both_sides_is_no_question() -> None:
    here, there = a_node(), a_node()
    share(here, "members", "same", "rosa")
    share(there, "members", "same", "pau")
    meet(here, there)
    assert here.file("members").head is not None
    after = share(here, "members", "next", "rosa")
    assert [after] == list(here.file_names().values())


def test_rules_need_the_votes_of_the_record_and_members_one_admin() -> None:
    state = a_node()
    share(state, "members", "people", "nuria")
    assert state.file("members").head is not None
    waits = share(state, "rules", "limits", "rosa")
    assert state.file("rules").head is None
    assert [waits] == [each.statement for each in state.file("rules").waiting]
    both = share(state, "rules", "limits", "pau")
    assert both.text == waits.text
    head = state.file("rules").head
    assert head is not None
    assert {id_of("rosa"), id_of("pau")} == head.statement.signers


def test_signatures_that_were_added_apart_are_one_version() -> None:
    here, there = a_node(), a_node()
    waits = share(here, "rules", "limits", "rosa")
    there.add(waits)
    other = a_node()
    other.add(add_signatures(waits, [key_of("nuria")]))
    meet(here, there)
    meet(there, other)
    assert there.file("rules").head is not None


def test_one_vote_for_another_text_takes_away_no_vote() -> None:
    state, other = a_node(), a_node()
    state.add(share(other, "rules", "limits", "rosa"))
    again = a_node()
    share(again, "rules", "limits", "nuria")
    state.add(share(other, "rules", "none", "pau"))
    for statement in again.file_names().values():
        state.add(statement)
    head = state.file("rules").head
    assert head is not None
    assert "limits" == _text(head.statement)


def test_an_old_version_that_is_replayed_changes_nothing() -> None:
    state = a_node()
    old = share(state, "members", "one", "rosa")
    new = share(state, "members", "two", "pau")
    assert OLDER == state.add(old)
    assert [new] == list(state.file_names().values())


def test_only_admins_sign_versions() -> None:
    state = a_node()
    for signer in ("eve", "square"):
        assert "no admin signed it" == state.add(signed(version_of(COMMUNITY, "members", "x"), signer))
    other = signed(version_of("0" * 64, "members", "x"), "rosa")
    assert "of another community" == state.add(other)
    forged = signed(version_of(COMMUNITY, "members", "x"), "rosa")
    wrong = SignedStatement(forged.kind, forged.text, ((id_of("pau"), forged.signatures[0][1]),))
    assert "a signature is wrong" == state.add(wrong)


def test_a_key_that_was_removed_takes_away_nothing_of_others() -> None:
    state = a_node()
    good = share(state, "members", "good", "rosa")
    bad_state = a_node()
    bad_state.add(good)
    bad = share(bad_state, "members", "bad", "pau")
    state.add(next_record(THREE, COMMUNITY, ["rosa", "nuria"], 2, ["rosa", "nuria"]))
    state.add(bad)
    head = state.file("members").head
    assert head is not None
    assert head.statement == good
    after = share(state, "members", "after", "nuria")
    assert after.hash == state.file("members").heads[0].statement.hash
    found = read_file_version(after)
    assert isinstance(found, FileVersion)
    assert 2 == found.number


def test_a_replaced_key_signs_the_files_again_so_that_they_go_on_counting() -> None:
    state = CommunityState(_of_one().hash)
    state.add(_of_one())
    share(state, "rules", "limits", "rosa")
    share(state, "members", "people", "rosa")
    for statement in replaced_key(state, key_of("rosa"), key_of("rosa's next")):
        state.add(statement)
        assert state.file("rules").head is not None
        assert state.file("members").head is not None


def test_what_a_removed_admin_shared_is_signed_again_by_the_one_that_removes() -> None:
    state = CommunityState(_of_one().hash)
    state.add(_of_one())
    add = RecordChange(add=(CommunityAdmin(id_of("pau"), 1, "pau"),))
    for statement in changed_record(state, add, (key_of("rosa"),)):
        state.add(statement)
    share(state, "members", "people", "pau")
    change = changed_record(state, RecordChange(remove=frozenset({id_of("pau")})), (key_of("rosa"),))
    for statement in in_order(state, change):
        state.add(statement)
        assert state.file("members").head is not None


def test_at_most_so_many_versions_are_kept_of_one_file() -> None:
    state = a_node()
    for number in range(3 * HEADS_MAX):
        state.add(signed(version_of(COMMUNITY, "members", f"text {number}"), "rosa"))
    assert HEADS_MAX == len(state.file_names())
    share(state, "members", "agreed", "rosa")
    assert 1 == len(state.file_names())


def test_a_neighbour_of_an_earlier_version_is_told_of_no_files_and_is_in_agreement() -> None:
    new, old = a_node(), a_node()
    share(new, "members", "people", "rosa")
    meet(new, old, takes_files=False)
    assert not old.file_names()
    exchange = exchange_of(new)
    exchange.greet(LEFT, takes_files=False)
    said = exchange.next_frame(LEFT) or b""
    assert new.digest().encode() in said
    assert b'"files"' not in said


MADE_UP = tuple((number, f"{number:032x}") for number in range(1_000, 1_000 + BEFORE_MAX))


@pytest.mark.parametrize(
    "told",
    [{"before": MADE_UP, "number": 2_000, "oldest": 0}, {"before": (), "number": 2_000, "oldest": 1_500}],
    ids=["many before", "a high oldest"],
)
@pytest.mark.parametrize("text", ["two", "other"])
def test_one_vote_does_not_keep_nodes_from_recognising_what_they_have(
    told: dict[str, Any], text: str
) -> None:
    state = a_node()
    share(state, "rules", "one", "rosa", "nuria")
    made_up = replace(version_of(COMMUNITY, "rules", text), **told)
    assert isinstance(state.add(signed(made_up, "pau")), SignedStatement)
    share(state, "rules", "two", "rosa", "nuria")
    head = state.file("rules").head
    assert head is not None
    assert "two" == _text(head.statement)
    assert head.version.has_replaced(text_hash("one"))


def test_what_waits_for_votes_is_replaced_by_what_has_them() -> None:
    state = a_node()
    for number in range(2 * BEFORE_MAX):
        share(state, "rules", f"text {number}", "rosa", "nuria")
    share(state, "rules", "waits", "pau")
    assert 1 == len(state.file("rules").waiting)
    share(state, "rules", "next", "rosa", "nuria")
    view = state.file("rules")
    assert not view.waiting
    assert view.head is not None
    assert "next" == _text(view.head.statement)


def with_number(text: str, number: int) -> FileVersion:
    return replace(version_of(COMMUNITY, "members", text), number=number, oldest=number)


@pytest.mark.parametrize("room", [0, 1])
def test_a_number_that_leaves_no_room_is_overcome_by_removing_the_admin_that_signed_it(room: int) -> None:
    """Also where others signed after it, and though what a removed admin signed is signed again."""
    state = a_node()
    assert NUMBER_TOO_HIGH == state.add(signed(with_number("most", NUMBER_MAX), "pau"))
    last = signed(with_number("last", number_max(THREE) - room), "pau")
    assert isinstance(state.add(last), SignedStatement)
    for number in range(room):
        share(state, "members", f"undone {number}", "nuria")
    with pytest.raises(NodeError, match="not possible"):
        share(state, "members", "next", "rosa")
    remove = RecordChange(remove=frozenset({id_of("pau")}))
    for statement in in_order(state, changed_record(state, remove, (key_of("rosa"), key_of("nuria")))):
        assert isinstance(state.add(statement), SignedStatement)
    share(state, "members", "next", "rosa")
    head = state.file("members").head
    assert head is not None
    assert "next" == _text(head.statement)


def _of_one() -> SignedStatement:
    record = CommunityRecord("Vall Alta", 1, (CommunityAdmin(id_of("rosa"), 1, "rosa"),), 1, (), "")
    return make_statement("community", record_fields(record), [key_of("rosa")])


def _text(statement: SignedStatement) -> str:
    version = read_file_version(statement)
    assert isinstance(version, FileVersion)
    return unpacked(version) or ""
