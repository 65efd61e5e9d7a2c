"""Along which connections pages are pushed."""

from mesh.messages import NAMES_PER_MESSAGE_MAX
from mesh.push_tree import MISSING_MAX, RECENT_MAX, WAIT_TICKS, PushTree
from node.units import NodeId

HILL, COAST, OLD = NodeId("hill"), NodeId("coast"), NodeId("old")


def joined() -> PushTree[str]:
    tree: PushTree[str] = PushTree()
    tree.join(HILL)
    tree.join(COAST)
    return tree


def test_a_page_that_comes_twice_takes_its_connection_off_the_tree_and_is_said_once() -> None:
    tree = joined()
    tree.received("d1", "page 1", HILL)
    assert [True, False] == [tree.repeated(COAST, "d1"), tree.repeated(COAST, "d1")]
    assert (True, False) == (tree.is_eager(HILL), tree.is_eager(COAST))
    tree.received("d2", "page 2", HILL)
    assert ({COAST: ["d2"]}, {}) == tree.tick()
    assert ({}, {}) == tree.tick()


def test_a_neighbour_that_does_not_understand_the_tree_gets_every_page() -> None:
    tree = joined()
    assert not tree.repeated(OLD, "d1")
    tree.pruned(OLD)
    assert tree.is_eager(OLD)


def test_a_page_that_was_named_and_does_not_come_is_asked_for_of_one_after_the_other() -> None:
    tree = joined()
    for each in (HILL, COAST):
        tree.pruned(each)
        tree.named(each, ["d1"])
    asked = [tree.tick()[1] for _ in range(4 * WAIT_TICKS)]
    assert [{HILL: ["d1"]}, {COAST: ["d1"]}] == [each for each in asked if each]
    assert tree.is_eager(HILL)


def test_a_page_that_comes_in_time_is_not_asked_for() -> None:
    tree = joined()
    tree.named(COAST, ["d1"])
    tree.tick()
    tree.received("d1", "page 1", HILL)
    assert all(not tree.tick()[1] for _ in range(2 * WAIT_TICKS))
    tree.named(COAST, ["d1"])
    assert all(not tree.tick()[1] for _ in range(2 * WAIT_TICKS))


def test_a_graft_puts_the_neighbour_on_the_tree_and_gets_what_was_received_lately() -> None:
    tree = joined()
    tree.received("d1", "page 1", None)
    tree.pruned(HILL)
    assert ["page 1"] == list(tree.grafted(HILL, ["d1", "unknown"]))
    assert tree.is_eager(HILL)


def test_a_neighbour_that_names_pages_without_end_takes_little_memory() -> None:
    tree = joined()
    for number in range(3 * RECENT_MAX):
        tree.named(HILL, [f"{number:016x}"])
        tree.received(f"r{number}", "page", COAST)
    assert (MISSING_MAX, RECENT_MAX) == (len(tree._missing), len(tree._recent))
    asked = [tree.tick()[1] for _ in range(3 * WAIT_TICKS)]
    assert all(len(digests) <= NAMES_PER_MESSAGE_MAX for each in asked for digests in each.values())
    tree.leave(HILL)
    for _ in range(2 * WAIT_TICKS):
        tree.tick()
    assert not tree._missing
