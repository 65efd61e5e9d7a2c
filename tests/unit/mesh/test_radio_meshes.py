"""Nodes that do not all see each other, as with radios, are one mesh although each chooses at most eight others."""

import math
import random

import pytest

from mesh.link_selection import LINKS_MAX
from tests.fakes.overlay_simulator import OverlaySimulator

SETTLED_S = 240.0
QUIET_S = 30.0


def two_hills(seed: int, size: int = 40) -> OverlaySimulator:
    """All on each hill see each other; one on each sees one on the other."""
    mesh = OverlaySimulator(2 * size, seed=seed)
    mesh.see_all(range(size), "mesh0")
    mesh.see_all(range(size, 2 * size), "mesh0")
    mesh.see(mesh.chance.randrange(size), size + mesh.chance.randrange(size), "mesh0")
    return mesh


def villages(seed: int, count: int = 200, groups: int = 10) -> OverlaySimulator:
    """A random geometric graph around some centres, with the smallest radius that leaves nobody apart."""
    chance = random.Random(seed)
    centres = [(chance.random(), chance.random()) for _ in range(groups)]
    places = [(x + chance.gauss(0, 0.06), y + chance.gauss(0, 0.06)) for x, y in centres * (count // groups)]
    radius = _radius(places)
    mesh = OverlaySimulator(count, seed=seed)
    for left in range(count):
        for right in range(left + 1, count):
            if math.dist(places[left], places[right]) <= radius:
                mesh.see(left, right, "mesh0")
    return mesh


def _radius(places: list[tuple[float, float]]) -> float:
    """The longest edge of the minimum spanning tree."""
    near = {number: math.dist(places[0], place) for number, place in enumerate(places) if number}
    longest = 0.0
    while near:
        number = min(near, key=near.__getitem__)
        longest = max(longest, near.pop(number))
        near = {other: min(far, math.dist(places[number], places[other])) for other, far in near.items()}
    return longest


def assert_one_mesh(mesh: OverlaySimulator) -> None:
    mesh.run(SETTLED_S)
    assert 1 == len(mesh.pieces())
    assert mesh.most <= LINKS_MAX
    changes = mesh.changes
    mesh.run(QUIET_S)
    assert changes == mesh.changes, "and it stays as it is"


def test_without_node_pages_two_hills_may_choose_only_among_themselves() -> None:
    mesh = two_hills(1)
    mesh.run(SETTLED_S)
    assert 2 == len(mesh.pieces())


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in (1, 2, 3))])
def test_two_hills_with_one_link_in_sight_are_one_mesh(seed: int) -> None:
    mesh = two_hills(seed)
    mesh.tell_pages()
    assert_one_mesh(mesh)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.thorough
def test_two_hundred_nodes_in_ten_villages_are_one_mesh(seed: int) -> None:
    mesh = villages(seed)
    mesh.tell_pages()
    assert_one_mesh(mesh)


@pytest.mark.thorough
def test_a_flat_segment_of_two_hundred_is_one_mesh_also_with_node_pages() -> None:
    mesh = OverlaySimulator(200, seed=7)
    mesh.see_all(range(200), "mesh0")
    mesh.tell_pages()
    assert_one_mesh(mesh)


@pytest.mark.thorough
def test_hills_whose_only_link_is_lost_and_comes_back_are_one_mesh_again() -> None:
    mesh = two_hills(2)
    mesh.tell_pages()
    mesh.run(SETTLED_S)
    (link,) = (edge for edge in mesh.edges() if len({number < 40 for number in edge}) == 2)
    mesh.stop(min(link))
    mesh.run(120)
    assert 2 == len(mesh.pieces())
    mesh.start(min(link))
    assert_one_mesh(mesh)
