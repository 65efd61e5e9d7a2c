"""Three nodes in a line. Each with a line to the Internet, as ``deploy/demo --nodes 3`` shows them: one community record,
one account, and a removed node. And all on one line: each says over whose line its people go, and the node before it has
what its link carried beside what the pages of the next one say."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.internet import Internet
from tests.lab.line_story import LineStory
from tests.lab.netns import Lab
from tests.lab.node_line import are_together, node_line, seconds_until
from tests.lab.people import Person
from tests.lab.village import Router, Site, Village, plug_into_internet

pytestmark = [pytest.mark.kernel, pytest.mark.early]

BYTES = 6_000_000
"""Less than an account of the lab has."""
LOOKED_S = 260.0
"""A page settles for a minute, and a link is looked at each minute."""


def test_nodes_in_a_line_share_an_account_and_part_with_one_of_them():
    told: list[str] = []
    with node_line(3, "scene") as line:
        figures = LineStory(line, told.append).run()
    assert [] == figures.unmet
    assert figures.document()["ok"]
    assert 7 == len(told)


@pytest.fixture
def one_line() -> Iterator[Village]:
    """The uplink of each node but the first leads to the node before it, which passes its packets on."""
    with Lab("oneline") as lab:
        internet = Internet(lab)
        internet.open()
        routers = [Router(lab, Site(f"node{number}", number)) for number in (1, 2, 3)]
        first = routers[0]
        plug_into_internet(lab, internet, first)
        for before, after in itertools.pairwise(routers):
            lab.veth(before.place, "mesh1", after.place, "wan0")
            near, far = f"10.90.{after.site.number}.1", f"10.90.{after.site.number}.2"
            before.place.address("mesh1", f"{near}/24")
            after.place.address("wan0", f"{far}/24")
            after.place.route(f"default via {near}")
        key = lab.folder / "community.key"
        key.touch(mode=0o600)
        key.write_text("5" * 64)
        nodes = [router.make_key() for router in routers]
        for at, router in enumerate(routers):
            router.furnish(nodes, key, mesh=("mesh1",) if at < 2 else ())
            peers = f'peers = ["10.90.{at + 1}.1 7400 {nodes[at - 1]}"]\n' if at else ""
            text = router.config.read_text().replace("[mesh]\n", f"[mesh]\ntransit = true\n{peers}")
            router.config.write_text(text)
        made = Village(lab, internet, {router.site.name: router for router in routers})
        try:
            yield made
        finally:
            made.close_people()


def link_of(router: Router, other: Router) -> dict[str, Any]:
    """What the router shows of its link to another node; empty while it shows nothing."""
    links = router.told("community", "show")["links"]
    return next((dict(each) for each in links if each["node"] == other.node_id), {})


@pytest.mark.thorough
def test_what_a_link_carries_stands_beside_what_the_next_node_says(one_line: Village) -> None:
    first, middle, last = one_line.routers.values()
    for router in (first, middle, last):
        router.start(wait=False)
    for router in (first, middle, last):
        router.wait_ready()
    began = time.monotonic()
    seconds_until("they trust each other", lambda: are_together(first, middle), began)
    seconds_until("they trust each other", lambda: are_together(middle, last), began)
    counted = time.monotonic()
    while not (link_of(first, middle) and link_of(middle, last)) and time.monotonic() < counted + LOOKED_S:
        time.sleep(1)
    # The last node reaches the first from the middle one's address: so the middle one has said whose line it uses.
    assert link_of(first, middle)
    ona = one_line.settle("ona", last, 24)
    ona.join()
    use(ona)

    def is_whole() -> bool:
        link = link_of(middle, last)
        return link["sent"] >= BYTES <= link["said_down"]

    while not is_whole() and time.monotonic() < counted + 2 * LOOKED_S:
        time.sleep(2)
    of_last, of_middle = link_of(middle, last), link_of(first, middle)
    assert BYTES <= of_last["said_down"] <= of_last["sent"] * 11 // 10
    assert of_last["sent"] <= of_middle["sent"] * 11 // 10, "the first carried it too"
    assert of_middle["said_down"] < BYTES, "what was passed on is counted at the last node"
    assert of_last["verdict"] in {"gap", "line"}, "nothing follows from the first day"


def use(person: Person) -> None:
    person.do("accept")
    person.do("download", seconds=40, bytes=BYTES)
