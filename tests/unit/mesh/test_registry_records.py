"""Registry records: all nodes end with the same ones, whatever was lost on the way, and nothing comes back."""

import itertools
import json
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mesh.registry_kind import registry_content, registry_part
from mesh.registry_records import (
    KIND_BYTES_MAX,
    LEFT_BYTES_MAX,
    OWN_BYTES_MAX,
    PART_BYTES_MAX,
    PLENTIFUL_BYTES_MAX,
    RegistryRecords,
)
from node.accounts.registry_record import RegistryRecord
from node.units import NodeId
from tests.examples import examples
from tests.fakes.neighbours import id_of
from tests.fakes.record_village import JOINS, RecordDisk, RecordNode, earliest, settle

NAMES = ("hill", "valley", "coast")
IDS = tuple(map(id_of, NAMES))
LOW, HIGH = sorted(IDS)[:2]
KEYS = ("ana", "ben")
FOREVER = ""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 2), st.sampled_from(KEYS), st.integers(0, 3)),
        st.tuples(st.just("put start"), st.integers(0, 2), st.sampled_from(KEYS), st.integers(0, 3)),
        st.tuples(st.just("publish"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("talk"), st.integers(0, 2), st.just(""), st.integers(0, 2)),
        st.tuples(st.just("adopt"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("save"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("restore"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("restart"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("lose"), st.integers(0, 2), st.just(""), st.just(0)),
        st.tuples(st.just("lose pages"), st.integers(0, 2), st.just(""), st.just(0)),
    ),
    max_size=40,
)


def village(*names: str) -> list[RecordNode]:
    roster = frozenset(map(id_of, names))
    return [RecordNode(id_of(name), roster) for name in names]


class RecordHistory:
    """Plays steps, and remembers the latest version of each record that any node which kept its disk knows."""

    def __init__(self) -> None:
        self.nodes = village(*NAMES)
        self.saved = [RecordDisk()] * 3

    def play(self, step: tuple[str, int, str, int]) -> None:
        what, at, key, number = step
        node = self.nodes[at]
        match what:
            case "put":
                node.records.put("fact", key, {"n": number})
            case "put start":
                node.records.put("start", key, {"a": number, "b": 3 - number})
            case "publish":
                node.publish()
            case "talk":
                node.talk(self.nodes[number])
            case "adopt":
                node.adopt()
            case "save":
                self.saved[at] = node.saved()
            case "restore":
                node.start(self.saved[at])
            case "restart":
                node.start(node.saved())
            case "lose":
                node.start(RecordDisk())
            case "lose pages":
                node.start(replace(node.saved(), pages=()))

    def latest(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for node in self.nodes:
            for name, record in node.knows().items():
                found[name] = max(record.version, found.get(name, 0))
        return found


@settings(max_examples=examples(400), deadline=None)
@given(steps)
@example(
    [
        ("put start", 1, "ana", 3),
        ("publish", 1, "", 0),
        ("talk", 1, "", 2),
        ("put start", 0, "ana", 3),
        ("restore", 1, "", 0),
    ]
)
def test_nodes_agree_in_the_end_and_nothing_that_any_of_them_knew_is_lost(
    made: list[tuple[str, int, str, int]],
) -> None:
    history = RecordHistory()
    for step in made:
        history.play(step)
    before = history.latest()
    settle(history.nodes)
    first, *others = (node.knows() for node in history.nodes)
    assert all(first == other for other in others)
    assert before == {name: record.version for name, record in first.items()}
    for node in history.nodes:
        assert not node.records.orphans()
        for kind, key in first:
            assert 1 == len(node.records.carriers(kind, key))


@settings(max_examples=examples(200), deadline=None)
@given(steps, st.integers(0, 2))
def test_a_removed_node_leaves_its_records_with_the_others(
    made: list[tuple[str, int, str, int]], gone: int
) -> None:
    history = RecordHistory()
    for step in made:
        history.play(step)
    stay = [node for place, node in enumerate(history.nodes) if place != gone]
    known = {
        name: max(node.knows()[name].version for node in stay if name in node.knows())
        for node in stay
        for name in node.knows()
    }
    for node in stay:
        node.remove(IDS[gone])
    settle(stay)
    assert stay[0].knows() == stay[1].knows()
    assert known == {name: record.version for name, record in stay[0].knows().items()}
    assert all(IDS[gone] not in stay[0].records.carriers(*name) for name in known)


@settings(max_examples=examples(200), deadline=None)
@given(steps, st.permutations(range(3)))
def test_the_order_in_which_pages_come_makes_no_difference(
    made: list[tuple[str, int, str, int]], order: list[int]
) -> None:
    history = RecordHistory()
    for step in made:
        history.play(step)
        for node in history.nodes:
            node.publish()
    known = []
    for places in (order, order[::-1], [*order, *order]):
        reader = RecordNode(id_of("reader"), frozenset(IDS))
        for place in places:
            for (author, part), page in history.nodes[place].pages.items():
                said = registry_content(page[2])
                reader.records.take(author, part, said.records)  # type: ignore[union-attr]
        known.append({name: (each.version, each.value) for name, each in reader.knows().items()})
    assert known[0] == known[1] == known[2]


def test_a_change_says_the_next_version_and_the_same_again_says_nothing() -> None:
    (node,) = village("hill")
    made = node.records.put("fact", "ana", {"n": 1})
    assert RegistryRecord("fact", "ana", 1, "", {"n": 1}) == made
    assert node.records.put("fact", "ana", {"n": 1}) is None
    assert 2 == node.records.put("fact", "ana", {"n": 2}).version  # type: ignore[union-attr]


def test_a_node_that_hears_of_a_later_version_leaves_out_its_own() -> None:
    hill, valley = village("hill", "valley")
    hill.records.put("fact", "ana", {"n": 1})
    settle([hill, valley])
    valley.records.put("fact", "ana", {"n": 2})
    settle([hill, valley])
    assert (valley.node,) == hill.records.carriers("fact", "ana") == valley.records.carriers("fact", "ana")
    assert b'{"rows":[]}' == valley.pages[hill.node, registry_part("fact", "ana")][2]


def test_two_changes_in_a_split_are_joined_and_one_node_says_the_result() -> None:
    hill, valley = village("hill", "valley")
    hill.records.put("start", "ana", {"a": 1, "b": 5})
    valley.records.put("start", "ana", {"a": 4, "b": 2})
    settle([hill, valley])
    assert hill.records.carriers("start", "ana") == valley.records.carriers("start", "ana")
    assert 1 == len(hill.records.carriers("start", "ana"))
    for node in (hill, valley):
        found = node.records.effective("start", "ana")
        assert found is not None
        assert (1, {"a": 1, "b": 2}) == (found.version, found.value)


def test_after_its_last_day_a_record_is_gone_and_does_not_come_back() -> None:
    hill, valley = village("hill", "valley")
    hill.records.put("fact", "ana", {"n": 1}, "2026-12-01")
    settle([hill, valley])
    old = valley.saved()
    for node in (hill, valley):
        node.today = "2026-12-02"
        assert (("fact", "ana"),) == node.records.forget(node.today)
    settle([hill, valley])
    assert {} == hill.knows() == valley.knows()
    valley.start(old)  # its clock is right, its backup is not
    settle([hill, valley])
    assert {} == hill.knows()
    assert b"ana" not in b"".join(page[2] for page in hill.pages.values())


def test_a_later_version_does_not_end_sooner() -> None:
    (node,) = village("hill")
    node.records.put("fact", "ana", {"n": 1}, "2026-12-09")
    assert "2026-12-09" == node.records.put("fact", "ana", {"n": 2}, "2026-12-01").until  # type: ignore[union-attr]
    assert "2026-12-10" == node.records.put("fact", "ana", {"n": 2}, "2026-12-10").until  # type: ignore[union-attr]
    assert "" == node.records.put("fact", "ana", {"n": 3}, "").until  # type: ignore[union-attr]
    assert "2026-12-01" == node.records.put("fact", "ana", {}, "2026-12-01").until  # type: ignore[union-attr]


def test_a_node_without_a_date_forgets_nothing_and_takes_everything_in() -> None:
    (node,) = village("hill")
    row = RegistryRecord("fact", "ana", 1, "1970-01-02", {})
    assert (row,) == node.records.take(HIGH, registry_part("fact", "ana"), [row])
    assert () == node.records.forget("")


@pytest.mark.parametrize("author", [LOW, HIGH])
def test_of_two_that_say_the_same_the_one_with_the_lower_id_goes_on(author: NodeId) -> None:
    own = LOW if author == HIGH else HIGH
    records = RegistryRecords(own, JOINS)
    made = records.put("fact", "ana", {"n": 1})
    assert made is not None
    records.take(author, registry_part("fact", "ana"), [made])
    assert (own in records.carriers("fact", "ana")) == (own == LOW)


def test_kinds_of_later_versions_are_left_to_the_nodes_that_know_them() -> None:
    (node,) = village("hill")
    row = RegistryRecord("later", "ana", 1, "", {})
    assert () == node.records.take(HIGH, registry_part("later", "ana"), [row])
    assert not node.records.orphans()


def flood(records: RegistryRecords, kind: str, chars: int = 300) -> None:
    for number in range(1500):
        records.put(kind, f"{number}", {"text": "x" * chars})


def said_bytes(records: RegistryRecords) -> int:
    return sum(len(records.body(part) or b"") for part in records.changed_parts(is_all=True))


def test_no_kind_takes_the_room_of_all_and_a_flood_leaves_room_for_what_admins_say() -> None:
    records = RegistryRecords(LOW, {"one": None, "two": None, "rare": None}, {"one", "two"})
    flood(records, "one")
    assert KIND_BYTES_MAX * 0.9 < records.own_bytes() <= KIND_BYTES_MAX
    flood(records, "two")
    assert PLENTIFUL_BYTES_MAX * 0.9 < records.own_bytes() <= PLENTIFUL_BYTES_MAX
    assert records.put("rare", "ana", {"n": 1}) is not None
    assert (LOW,) == records.carriers("rare", "ana")
    flood(records, "rare")
    assert OWN_BYTES_MAX * 0.9 < records.own_bytes() <= OWN_BYTES_MAX
    assert records.unfit() > 1500
    assert said_bytes(records) <= OWN_BYTES_MAX


def test_what_did_not_fit_is_said_when_there_is_room() -> None:
    records = RegistryRecords(LOW, {"fact": None})
    flood(records, "fact", 200)
    waiting = [name for names in records.orphans().values() for name in names]
    assert records.unfit() == len(waiting) > 0
    for number in range(1500):
        records.put("fact", f"{number}", {}, "2026-01-01")
    for names in records.orphans().values():
        records.adopt(names)
    assert 0 == records.unfit()
    assert not records.orphans()


def test_a_part_fits_into_a_frame_whatever_the_keys_are() -> None:
    records = RegistryRecords(LOW, {"fact": None})
    keys = [key for key in map(str, range(40_000)) if registry_part("fact", key) == 7]
    for key in keys:
        records.put("fact", key, {"text": '"\\' * 90})
    body = records.body(7)
    assert body is not None
    assert len(body) <= PART_BYTES_MAX
    assert records.unfit() > 0


@pytest.mark.parametrize(
    ("key", "value"), [("", {}), ("a\nb", {}), ("x" * 65, {}), ("a", {"x": "y" * 17_000})]
)
def test_what_no_page_can_say_is_refused(key: str, value: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="no record"):
        RegistryRecords(LOW, {"fact": None}).put("fact", key, value)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 4)), min_size=3, max_size=3))
def test_the_join_of_the_tests_is_one(values: list[dict[str, int]]) -> None:
    one, two, three = values
    assert earliest(one, two) == earliest(two, one)
    assert earliest(earliest(one, two), three) == earliest(one, earliest(two, three))
    assert earliest(one, one) == one
    json.dumps(earliest(one, two))


def junk(start: int, kind: str = "fact") -> list[RegistryRecord]:
    """A full page of one part, of keys that nobody needs."""
    found = (key for key in itertools.count(start * 100_000) if registry_part(kind, f"{key}") == 7)
    return sorted(
        (
            RegistryRecord(kind, f"{key}", 1, FOREVER, {"n": "x" * 400})
            for key in itertools.islice(found, 100)
        ),
        key=lambda each: each.key,
    )


def test_a_node_that_says_other_records_again_and_again_does_not_fill_the_memory_of_others() -> None:
    records = RegistryRecords(LOW, {"fact": None})
    for start in range(30):
        records.take(HIGH, 7, junk(start))
    held = sum(len(row.key) + len(row.text) for row in records.rows())
    assert held <= LEFT_BYTES_MAX + 2 * PART_BYTES_MAX
    assert records.take(HIGH, 7, [replace(each, version=2) for each in junk(0)][:3]), "what is known goes on"
    other = RegistryRecord("fact", "ana", 1, FOREVER, {})
    assert records.take(sorted(IDS)[2], registry_part("fact", "ana"), [other]), "other nodes are not hindered"


@pytest.mark.parametrize("plentiful", [set(), {"fact"}])
def test_what_a_hostile_node_left_behind_leaves_room_for_what_changes_here(plentiful: set[str]) -> None:
    records = RegistryRecords(LOW, {"fact": None, "rare": None}, plentiful)
    for part in range(64):
        keys = [key for key in range(4_000) if registry_part("fact", f"{key}") == part][:20]
        records.take(
            HIGH, part, [RegistryRecord("fact", f"{key}", 1, FOREVER, {"n": "x" * 400}) for key in keys]
        )
        records.take(HIGH, part, [])
    for names in records.orphans().values():
        records.adopt(names)
    assert OWN_BYTES_MAX // 4 < records.own_bytes() <= OWN_BYTES_MAX * 6 // 10
    assert 0 == records.unfit(), "nobody here wanted to say it"
    for number in range(60):
        for kind in ("fact", "rare"):
            records.put(kind, f"mine-{number}", {"n": "x" * 400})
            assert (LOW,) == records.carriers(kind, f"mine-{number}")


def test_a_node_that_lost_its_database_leaves_its_records_to_others_and_goes_on() -> None:
    records = RegistryRecords(LOW, {"fact": None})
    said = [RegistryRecord("fact", key, 1, FOREVER, {}) for key in KEYS]
    for each in said:
        records.take(HIGH, registry_part("fact", each.key), [each])
    for each in said:
        records.take(HIGH, registry_part("fact", each.key), [])
    assert records._left[HIGH] > 0
    for names in records.orphans().values():
        records.adopt(names)
    assert {HIGH: 0} == records._left
    for each in said:
        assert (LOW,) == records.carriers("fact", each.key)
