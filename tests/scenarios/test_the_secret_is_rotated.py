"""Real nodes take a new secret of their community while they run, and what was handed out before is still good."""

import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.identity import own_node_id
from node.secret_file import SECRETS_FILE
from tests.lab import eventually
from tests.lab.people import Person
from tests.lab.village import Router, Village
from tests.scenarios.test_the_community_record import are_together
from tests.scenarios.test_what_is_handed_out import sends

pytestmark = pytest.mark.kernel


def held(router: Router) -> int:
    return int(router.told("community", "show")["secret_held"])


def lines_of(router: Router) -> list[str]:
    file = router.data / SECRETS_FILE
    return file.read_text().split() if file.exists() else []


def came(place: Village, name: str, router: Router, number: int) -> Person:
    person = place.settle(name, router, number)
    person.join()
    return person


def one_community(place: Village, *more: str) -> tuple[Router, Router]:
    """Both nodes run and follow one record, which also has nodes that are not there."""
    square, hills = place.square, place.hills
    for router in (square, hills):
        router.furnish([square.node_id, hills.node_id, *more], router.settings.community_key_file)
        router.start()
    assert eventually(lambda: are_together(square, hills), 20)
    community = square.told("community", "create", "--label", "Rosa")["community"]
    assert eventually(lambda: hills.told("community", "show")["offered"] == [community], 10)
    hills.told("community", "follow", community[:16])
    assert eventually(lambda: hills.told("community", "show").get("version") == 1, 10)
    return square, hills


def test_after_a_node_is_removed_the_others_take_a_new_secret_and_cards_and_codes_stay_good(place):
    lost = str(own_node_id(Ed25519PrivateKey.generate()))
    square, hills = one_community(place, lost)
    card = str(square.told("members", "card", "carme")["card"])
    (code,) = square.told("vouchers", "issue", "--count", "1", "--lasts", "1 day")["codes"]
    guest = came(place, "guest", square, 50)
    assert 303 == sends(guest, "terms")
    account = square.device(guest.mac)["account"]

    said = square.cli("community", "remove", lost)
    assert (0, True) == (said.returncode, "procomu community rotate --secret" in said.stdout), said.stderr
    began = time.monotonic()
    square.told("community", "rotate", "--secret")
    assert eventually(lambda: [2, 2] == [held(square), held(hills)], 10)
    assert time.monotonic() - began < 10
    assert lines_of(square) == lines_of(hills)
    assert 1 == len(lines_of(hills))
    assert eventually(lambda: [] == square.told("community", "show")["secret_lagging"], 5)
    assert are_together(square, hills)

    new_card = str(hills.told("members", "card", "school")["card"])
    (new_code,) = square.told("vouchers", "issue", "--count", "1", "--lasts", "1 day")["codes"]
    assert 303 == sends(came(place, "old card", hills, 51), "card", card=card)
    assert 303 == sends(came(place, "new card", square, 52), "card", card=new_card)
    assert 303 == sends(came(place, "old code", square, 53), "code", code=str(code))
    assert 303 == sends(came(place, "new code", square, 54), "code", code=str(new_code))
    assert account == square.device(guest.mac)["account"], "a guest's allowance does not begin again"

    for router in (square, hills):
        router.daemon.kill9()
        router.start()
    assert [2, 2] == [held(square), held(hills)]
    assert eventually(lambda: are_together(square, hills), 20)
    assert account == square.device(guest.mac)["account"]


@pytest.mark.thorough
def test_a_removed_node_that_still_runs_gets_no_new_secret_until_it_is_back(place):
    square, hills = one_community(place)
    square.told("community", "remove", hills.node_id)
    square.told("community", "rotate", "--secret")
    hills.daemon.kill9()
    hills.start()
    time.sleep(6)
    assert (2, 1, []) == (held(square), held(hills), lines_of(hills))

    hills.daemon.kill9()
    square.told("community", "remove", hills.node_id, "--back")
    square.told("community", "rotate", "--secret")
    hills.start()
    assert eventually(lambda: are_together(square, hills), 20)
    assert eventually(lambda: [3, 3] == [held(square), held(hills)], 10)
    assert eventually(lambda: set(lines_of(square)) == set(lines_of(hills)), 10)


@pytest.mark.thorough
def test_a_node_that_joins_after_a_rotation_has_both_secrets_from_the_beginning(place):
    square, hills = place.square, place.hills
    square.furnish([square.node_id], square.settings.community_key_file)
    hills.furnish([], hills.folder / "own-community.key")
    (hills.folder / "own-community.key").write_text("ab" * 32)
    square.start()
    square.told("community", "create")
    square.told("community", "rotate", "--secret")
    card = str(square.told("members", "card", "carme")["card"])
    invite = square.told("community", "invite")["invite"]
    hills.told("community", "join", invite)
    assert lines_of(square) == lines_of(hills) != []
    first = square.settings.community_key_file.read_text().strip()
    assert first == (hills.folder / "own-community.key").read_text().strip()
    hills.start()
    assert eventually(lambda: are_together(square, hills), 20)
    assert 2 == held(hills)
    assert 303 == sends(came(place, "carme", hills, 51), "card", card=card)
