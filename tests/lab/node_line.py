"""Nodes in a line: each has an uplink and a LAN of its own, and a link to the next one. Real daemons in namespaces."""

import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterator

from tests.lab.internet import Internet
from tests.lab.netns import Lab
from tests.lab.village import Router, Site, Village, plug_into_internet

PATIENCE_S = 60.0
LOOK_S = 0.02


@contextlib.contextmanager
def node_line(count: int, word: str = "line") -> Iterator[Village]:
    """`count` configured nodes called node1, node2, ... that all have each other on their list; none is started."""
    with Lab(word) as lab:
        internet = Internet(lab)
        internet.open()
        routers = [Router(lab, Site(f"node{number}", number)) for number in range(1, count + 1)]
        for router in routers:
            plug_into_internet(lab, internet, router)
        for left, right in itertools.pairwise(routers):
            lab.veth(left.place, "mesh1", right.place, "mesh0")
        key = lab.folder / "community.key"
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32))
        nodes = [router.make_key() for router in routers]
        for at, router in enumerate(routers):
            links = (*(["mesh0"] if at else []), *(["mesh1"] if at < count - 1 else []))
            router.furnish(nodes, key, mesh=links)
        made = Village(lab, internet, {router.site.name: router for router in routers})
        try:
            yield made
        finally:
            made.close_people()


def state(router: Router, node: str) -> str | None:
    """How the router sees another node."""
    return next((peer["state"] for peer in router.peers() if peer["node"] == node), None)


def are_together(one: Router, other: Router) -> bool:
    return state(one, other.node_id) == state(other, one.node_id) == "trusted"


def seconds_until(what: str, is_so: Callable[[], bool], began: float) -> float:
    """Since `began`. Raises RuntimeError after a minute."""
    while not is_so():
        if time.monotonic() - began > PATIENCE_S:
            raise RuntimeError(f"not within {PATIENCE_S:.0f} s: {what}")
        time.sleep(LOOK_S)
    return time.monotonic() - began


def is_limited(router: Router) -> bool:
    """Whether the account `bea` has used up its allowance, as this node knows it."""
    return bool(router.ask("why", who="bea")["binding_rule"] == "daily-allowance")
