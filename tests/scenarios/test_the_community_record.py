"""Real nodes whose list of nodes comes from the community record: nobody edits a file, and no node is started again."""

import json
import secrets
import time

import pytest

from tests.lab import eventually

pytestmark = pytest.mark.kernel


def state(router, node: str) -> str | None:
    return next((peer["state"] for peer in router.peers() if peer["node"] == node), None)


def are_together(one, other) -> bool:
    return state(one, other.node_id) == state(other, one.node_id) == "trusted"


def stranger_key(router) -> None:
    """The secret of a community of its own, as every new node has."""
    key = router.folder / "own-community.key"
    key.write_text(secrets.token_hex(32))
    router.furnish([], key)


def test_a_list_becomes_a_record_and_who_is_removed_is_out_in_five_seconds(place):
    square, hills = place.square, place.hills
    square.start()
    hills.start()
    assert eventually(lambda: are_together(square, hills))
    community = square.told("community", "create", "--label", "Rosa")["community"]
    assert eventually(lambda: hills.told("community", "show")["offered"] == [community], 5)
    assert any("community follow" in text for text in hills.overview()["warnings"])
    hills.told("community", "follow", community[:16])
    assert eventually(lambda: hills.told("community", "show").get("version") == 1, 5)
    assert are_together(square, hills)
    shown = hills.told("community", "show")
    assert {square.node_id, hills.node_id} == {each["node"] for each in shown["members"]}
    assert eventually(lambda: not any("community" in text for text in hills.overview()["warnings"]), 5)

    began = time.monotonic()
    square.told("community", "remove", hills.node_id)
    assert eventually(lambda: state(square, hills.node_id) == "stranger", 5)
    assert eventually(lambda: state(hills, square.node_id) != "trusted", 5)
    assert time.monotonic() - began < 5
    assert any("removed by an admin" in text for text in hills.overview()["warnings"])
    square.told("community", "remove", hills.node_id, "--back")
    assert eventually(lambda: are_together(square, hills), 20)


def test_a_node_with_an_invite_is_in_within_ten_seconds(place):
    square, hills = place.square, place.hills
    square.furnish([square.node_id], square.settings.community_key_file)
    stranger_key(hills)
    square.start()
    square.told("community", "create")
    invite = square.told("community", "invite")["invite"]

    began = time.monotonic()
    joined = hills.told("community", "join", invite)
    asked_s = time.monotonic() - began
    assert ("Vall Alta", square.node_id) == (joined["name"], joined["member"])
    hills.start()  # a new node has not run before; how long its start takes is measured elsewhere
    began = time.monotonic()
    assert eventually(lambda: are_together(square, hills), 10)
    assert asked_s + time.monotonic() - began < 10
    key = (hills.folder / "own-community.key").read_text().strip()
    assert square.settings.community_key_file.read_text().strip() == key

    member = next(
        each for each in square.told("community", "show")["members"] if each["node"] == hills.node_id
    )
    assert ("hills", "active", False) == (member["label"], member["state"], member["is_over"])
    hills.daemon.kill9()
    hills.start()
    assert eventually(lambda: are_together(square, hills), 10)


@pytest.mark.thorough
def test_an_invite_that_was_used_or_closed_lets_nobody_else_in(place):
    square, hills = place.square, place.hills
    square.furnish([square.node_id], square.settings.community_key_file)
    stranger_key(hills)
    square.start()
    square.told("community", "create")
    made = square.told("community", "invite")
    square.told("community", "invite", "--close", made["key"])
    refused = hills.cli("community", "join", made["invite"])
    assert (1, True) == (refused.returncode, "an admin has closed this invite" in refused.stderr)
    nobody = hills.cli("community", "join", made["invite"][:-9])
    assert (1, True) == (nobody.returncode, "this is no invite" in nobody.stderr)


@pytest.mark.thorough
def test_a_second_admin_signs_and_a_key_on_paper_saves_a_community_whose_keys_are_lost(place):
    square = place.square
    square.furnish([square.node_id], square.settings.community_key_file)
    square.start()
    square.told("community", "create", "--label", "Rosa")
    desk = place.lab.folder / "desk"  # the second admin's own folder, beside settings that name the same node
    desk.mkdir()
    (desk / "node.toml").write_text(square.config.read_text())

    def second(*words: str):
        return square.cli(*words, "--json", config=desk / "node.toml")

    pau = json.loads(second("community", "key").stdout)["key"]
    square.told("community", "admins", "--add", pau, "--label", "Pau")
    change = place.lab.folder / "change.json"
    waits = square.cli("community", "admins", "--threshold", "2", "--save", str(change))
    assert (1, True) == (waits.returncode, "community sign" in waits.stdout), waits.stderr
    signed = second("community", "sign", str(change))
    assert 0 == signed.returncode, signed.stdout
    assert 2 == square.told("community", "show")["threshold"]
    alone = square.cli("community", "admins", "--threshold", "1")
    assert (1, True) == (alone.returncode, "too few admins have signed" in alone.stderr)

    paper = place.lab.folder / "paper.txt"
    prepared = place.lab.folder / "recovery.json"
    shown = square.cli("community", "admins", "--new-recovery", "--save", str(prepared)).stdout
    paper.write_text(shown.splitlines()[0])
    assert 0 == second("community", "sign", str(prepared)).returncode
    (square.folder / "admin.key").unlink()
    (desk / "admin.key").unlink()
    new = square.told("community", "key")["key"]
    square.told(
        "community", "admins", "--add", new, "--label", "Nuria", "--votes", "2", "--recovery", str(paper)
    )
    then = square.told("community", "show")
    assert "Nuria" in {each["label"] for each in then["admins"]}
    assert square.node_id in then["nodes"]
