"""Copies of this node's disk are reported for a while, and those of neighbours as long as they are connected."""

from mesh.key_copies import COPIES_MAX, COPY_KNOWN, KeyCopies
from node.units import Monotonic

NOW = Monotonic(5_000)
LATE = Monotonic(NOW + COPY_KNOWN)


def test_a_copy_is_reported_with_its_place_until_it_was_not_met_for_a_while() -> None:
    copies = KeyCopies()
    assert () == copies.warnings([], NOW)
    copies.met("[fe80::1%mesh0]:7400", NOW)
    (said,) = copies.warnings([], Monotonic(LATE - 1))
    assert "[fe80::1%mesh0]:7400" in said
    assert () == copies.warnings([], LATE)


def test_a_copy_that_is_met_again_stays_known() -> None:
    copies = KeyCopies()
    copies.met("here", NOW)
    copies.met("here", Monotonic(LATE - 1))
    assert 1 == len(copies.warnings([], LATE))


def test_only_the_latest_places_are_remembered() -> None:
    copies = KeyCopies()
    for number in range(3 * COPIES_MAX):
        copies.met(f"place-{number:02d}", NOW)
    (said,) = copies.warnings([], NOW)
    assert [f"place-{number:02d}" in said for number in range(3 * COPIES_MAX)] == [False] * 2 * COPIES_MAX + [
        True
    ] * COPIES_MAX


def test_two_machines_with_one_key_of_a_neighbour_are_reported_for_each() -> None:
    said = KeyCopies().warnings(["Hill", "Valley"], NOW)
    assert ["Hill" in said[0], "Valley" in said[1]] == [True, True]
