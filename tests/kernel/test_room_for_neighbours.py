"""The neighbour tables hold as many devices as a node serves."""

from pathlib import Path

from node.enforcement.kernel import NEIGHBOURS_MIN, make_room_for_neighbours


def test_limits_are_raised_for_a_full_node_and_higher_limits_stay(tmp_path: Path) -> None:
    for family, limits in (("ipv4", (128, 512, 1_024)), ("ipv6", (2_000, 4_000, 1_000_000))):
        folder = tmp_path / family / "neigh" / "default"
        folder.mkdir(parents=True)
        for name, limit in zip(NEIGHBOURS_MIN, limits, strict=True):
            (folder / name).write_text(f"{limit}\n")
    make_room_for_neighbours(tmp_path)
    found = {
        family: [int((tmp_path / family / "neigh" / "default" / name).read_text()) for name in NEIGHBOURS_MIN]
        for family in ("ipv4", "ipv6")
    }
    assert {"ipv4": [1_024, 8_192, 65_536], "ipv6": [2_000, 8_192, 1_000_000]} == found


def test_a_namespace_without_the_limits_is_left_alone(tmp_path: Path) -> None:
    make_room_for_neighbours(tmp_path)
    assert [] == list(tmp_path.iterdir())
