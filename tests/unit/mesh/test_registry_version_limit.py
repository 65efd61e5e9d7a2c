"""A node that lies cannot block a record: with the greatest version it holds it up until it is removed, and no longer."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mesh.page_format import NUMBER_MAX
from mesh.registry_kind import registry_body, registry_part
from mesh.version_limit import HELD_UP_MAX, VERSIONS_OF_A_DECISION
from node.accounts.registry_record import RecordRow, RegistryRecord
from tests.examples import examples
from tests.fakes.neighbours import id_of
from tests.fakes.record_village import RecordDisk, RecordNode, settle

NAMES = ("hill", "valley", "coast")
LIAR = id_of("liar")
LIMIT = VERSIONS_OF_A_DECISION
VERSIONS = (1, 2, LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 2 * LIMIT + 1, LIMIT + HELD_UP_MAX, NUMBER_MAX)
KEYS = ("ana", "ben")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 2), st.sampled_from(KEYS), st.integers(0, 3)),
        st.tuples(st.just("talk"), st.integers(0, 2), st.just(""), st.integers(0, 2)),
        st.tuples(st.just("lie"), st.integers(0, 2), st.sampled_from(KEYS), st.sampled_from(VERSIONS)),
        st.tuples(st.just("remove"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("restart"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("lose"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("adopt"), st.integers(0, 2), st.just(""), st.just(0)),
    ),
    max_size=30,
)


class LiarHistory:
    """Three honest nodes and pages of one that lies, which each node may hear of and remove at another time."""

    def __init__(self) -> None:
        roster = frozenset((*map(id_of, NAMES), LIAR))
        self.nodes = [RecordNode(id_of(name), roster, version_max=LIMIT) for name in NAMES]
        self.seq = 0

    def lie(self, node: RecordNode, key: str, version: int) -> None:
        self.seq += 1
        part = registry_part("fact", key)
        said = RegistryRecord("fact", key, version, "", {"n": "lie"})
        node.hear((LIAR, part), (1, self.seq, registry_body([said])))

    def play(self, step: tuple[str, int, str, int]) -> None:
        what, at, key, number = step
        node = self.nodes[at]
        match what:
            case "put":
                node.records.put("fact", key, {"n": number})
            case "talk":
                node.publish()
                node.talk(self.nodes[number])
            case "lie":
                self.lie(node, key, number)
            case "remove":
                self.remove(node)
            case "restart":
                node.start(node.saved())
            case "lose":
                node.start(RecordDisk())
            case "adopt":
                node.adopt()

    @staticmethod
    def remove(node: RecordNode) -> None:
        if LIAR in node.roster:
            node.remove(LIAR)
            node.raise_to(2 * LIMIT)


@settings(max_examples=examples(600, few=60), deadline=None)
@given(steps)
@example([("lie", 0, "ana", NUMBER_MAX), ("put", 0, "ana", 1), ("remove", 1, "", 0)])
@example([("lie", 0, "ana", LIMIT), ("put", 0, "ana", 1), ("talk", 0, "", 1), ("put", 1, "ana", 2)])
def test_whatever_it_wrote_the_next_change_after_its_removal_holds_at_all_nodes(
    made: list[tuple[str, int, str, int]],
) -> None:
    history = LiarHistory()
    for step in made:
        history.play(step)
    for node in history.nodes:
        history.remove(node)
    settle(history.nodes)
    first, *others = (node.knows() for node in history.nodes)
    assert all(first == other for other in others), "nodes agree, whatever came first"
    for at, key in ((0, "ana"), (2, "ben")):
        history.nodes[at].records.put("fact", key, {"n": "the person's own"})
    settle(history.nodes)
    for node in history.nodes:
        assert not node.records.held_up(node.version_max)
        for key in KEYS:
            assert {"n": "the person's own"} == node.knows()["fact", key].value


@settings(max_examples=examples(300, few=60), deadline=None)
@given(steps, st.permutations(NAMES))
def test_nodes_agree_while_it_is_a_member_whatever_the_order_of_pages(
    made: list[tuple[str, int, str, int]], order: list[str]
) -> None:
    """What an honest node changed and others do not take in yet is at most ahead of them."""
    history = LiarHistory()
    for step in made:
        if step[0] != "remove":
            history.play(step)
    readers = [RecordNode(id_of(f"reader {n}"), history.nodes[0].roster, version_max=LIMIT) for n in (1, 2)]
    for reader, names in zip(readers, (order, order[::-1]), strict=True):
        for name in names:
            reader.talk(history.nodes[NAMES.index(name)])
    every = [*history.nodes, *readers]
    for each in every:
        each.roster |= {reader.node for reader in readers}
    settle(every)
    known = [{name: r for name, r in each.knows().items() if r.version <= LIMIT} for each in every]
    for name in {name for each in known for name in each}:
        assert 1 == len({str(each[name]) for each in known if name in each})


def test_a_version_above_the_limit_is_not_taken_in_and_counts_for_nothing() -> None:
    history = LiarHistory()
    hill = history.nodes[0]
    history.lie(hill, "ana", LIMIT + 1)
    assert {} == hill.knows()
    hill.records.put("fact", "ana", {"n": 1})
    assert 1 == hill.knows()["fact", "ana"].version


def test_what_is_held_up_is_counted_and_taken_in_when_the_liar_is_removed() -> None:
    history = LiarHistory()
    hill, valley, _ = history.nodes
    history.lie(hill, "ana", LIMIT)
    hill.talk(valley)
    hill.records.put("fact", "ana", {"n": 1})
    settle(history.nodes)
    assert 1 == hill.records.held_up(LIMIT)
    assert {"n": "lie"} == valley.knows()["fact", "ana"].value
    hill.start(hill.saved())
    assert {"n": 1} == hill.knows()["fact", "ana"].value, "kept over a restart"
    for node in history.nodes:
        history.remove(node)
    settle(history.nodes)
    assert {"n": 1} == valley.knows()["fact", "ana"].value
    assert 0 == hill.records.held_up(2 * LIMIT)


@pytest.mark.parametrize("version", [NUMBER_MAX, LIMIT + HELD_UP_MAX + 1])
def test_a_version_in_an_older_database_that_nobody_counted_to_is_dropped(version: int) -> None:
    row = RecordRow("fact", "ana", version, "", '{"n":"lie"}')
    kept = RecordRow("fact", "ben", LIMIT + 2, "", '{"n":1}')
    node = RecordNode(id_of("hill"), frozenset(), RecordDisk(rows=(row, kept)), version_max=LIMIT)
    assert {("fact", "ben")} == node.knows().keys()
