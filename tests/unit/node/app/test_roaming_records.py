"""Records about devices: what one node writes another reads, and two changes in a split give the same everywhere."""

import functools
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.app.roaming_records import (
    END_TOLERANCE_S,
    NO_END,
    NoBinding,
    NoBlock,
    SessionEnded,
    TheBinding,
    TheBlock,
    TheSession,
    is_later,
    join_bindings,
    join_blocks,
    join_sessions,
    read_binding,
    read_block,
    read_session,
)
from node.governance.rules import WAYS
from node.sessions.state import BECAUSE_CHARS_MAX

accounts = st.sampled_from(["ana", "guest-7k3m9q2w4x1z", "voucher-aaaaaaaaaaaa", "José"])
ways = st.sampled_from(WAYS)
sessions = st.builds(
    TheSession, accounts, ways, st.sampled_from(["", "1", "2 b"]), st.integers(0, 2**40), st.just("abc234")
)
bindings = st.builds(TheBinding, accounts, ways, st.sampled_from(["", "2027-03-01"]), st.none() | accounts)
blocks = st.builds(TheBlock, st.text(max_size=BECAUSE_CHARS_MAX))
some_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)
NAMES = st.sampled_from(
    ["account", "way", "terms", "end", "node", "ended", "gone", "because", "day", "host", "x"]
)
strange = st.dictionaries(NAMES, some_json, max_size=6)


@given(sessions | st.just(SessionEnded()))
def test_a_session_is_read_as_it_was_written(session):
    assert session == read_session(json.loads(json.dumps(session.value)))


@given(bindings | st.just(NoBinding()))
def test_a_binding_is_read_as_it_was_written(binding):
    assert binding == read_binding(json.loads(json.dumps(binding.value)))


@given(blocks | st.just(NoBlock()))
def test_a_block_is_read_as_it_was_written(block):
    told = read_block(json.loads(json.dumps(block.value)))
    assert told is not None
    assert block.value == told.value


@pytest.mark.parametrize("because", ["a\u202eb", "a\x1b[2Jb", "a\nb", "a\x00b"])
def test_a_reason_is_one_line_that_turns_and_clears_nothing(because):
    told = read_block({"because": because})
    assert isinstance(told, TheBlock)
    assert told.because.isprintable()
    assert told.value == TheBlock(because).value, "the node that blocked it tells the same"


@pytest.mark.parametrize("node", ["a\n", "\u202e", "A", "a" * 14])
def test_a_session_of_no_node_is_not_read(node):
    value = {"account": "ana", "way": "terms", "terms": "", "end": 0}
    assert read_session({**value, "node": node}) is None
    assert read_session({**value, "node": "abc"}) is not None


@given(strange)
def test_a_strange_value_is_read_as_nothing_or_as_a_valid_one(value):
    for read in (read_session, read_binding, read_block):
        found = read(value)
        assert found is None or found == read(found.value)


@pytest.mark.parametrize(
    "value",
    [
        {"account": "a" * 65, "way": "terms", "terms": "1", "end": 0, "node": "a"},
        {"account": "ana", "way": "nothing", "terms": "1", "end": 0, "node": "a"},
        {"account": "ana", "way": [], "terms": "1", "end": 0, "node": "a"},
        {"account": "ana", "way": "terms", "terms": "1", "end": -1, "node": "a"},
        {"account": "ana", "way": "terms", "terms": "1", "end": True, "node": "a"},
        {"account": "ana", "way": "terms", "terms": "1\n", "end": 0, "node": "a"},
        {"account": "ana", "way": "terms", "terms": "1", "end": 0, "node": "a" * 14},
    ],
)
def test_a_session_that_is_wrong_in_one_field_is_not_read(value):
    assert read_session(value) is None


def values(known: st.SearchStrategy) -> st.SearchStrategy:
    return known.map(lambda each: each.value) | strange


@pytest.mark.parametrize(
    ("join", "known"),
    [
        (join_sessions, sessions | st.just(SessionEnded())),
        (join_bindings, bindings | st.just(NoBinding())),
        (join_blocks, blocks | st.just(NoBlock())),
    ],
)
@given(data=st.data())
def test_two_changes_in_a_split_give_the_same_in_any_order(join, known, data):
    said = data.draw(st.lists(values(known), min_size=1, max_size=4))
    found = [functools.reduce(join, order) for order in itertools.permutations(said)]
    assert all(each == found[0] for each in found)
    assert found[0] in said
    assert join(found[0], found[0]) == found[0]


@given(sessions)
def test_in_a_split_the_more_restrictive_change_holds(session):
    ended, blocked = SessionEnded().value, TheBlock("noise").value
    assert ended == join_sessions(session.value, ended)
    assert blocked == join_blocks(NoBlock().value, blocked)
    assert NoBinding().value == join_bindings(
        NoBinding().value, TheBinding("ana", "card", "2027-03-01").value
    )


def test_an_end_that_hardly_changes_is_not_told_again():
    def until(end_s: int) -> TheSession:
        return TheSession("ana", "card", "1", end_s, "abc")

    assert not is_later(until(1000), until(1000))
    assert not is_later(until(1000 + END_TOLERANCE_S), until(1000))
    assert is_later(until(1001 + END_TOLERANCE_S), until(1000))
    assert not is_later(until(1000), until(5000))
    assert is_later(until(NO_END), until(1000))
    assert not is_later(until(1000), until(NO_END))
    assert not is_later(until(NO_END), until(NO_END))
    assert is_later(TheSession("ben", "card", "1", 1, "abc"), until(NO_END))
