"""What a mesh of many nodes costs and how fast news travels in it: the real exchange, simulated links. `mesh_heal` is
simulated too; real nodes are those of `mesh_nodes`, `mesh_memory` and `mesh_fuzz`, which attacks one through its socket.

`idle_bps` is for 7 links, with node pages at the pace that they keep to at most; `busy_bps` with 10 active accounts at each
node, which publish once a minute; both count IP bytes sent and received. Neighbours' mDNS, keepalives of TCP and the record
of the community come on top. `spread` is the time until all nodes have a page. On the flat
segment all 200 nodes see each other and choose their connections.
"""

from collections.abc import Iterable

from mesh.node_page_schedule import MESH_PACE_S
from mesh.replicator import PUBLISH_REST_S
from tests.bench import mesh_fuzz, mesh_heal, mesh_memory, mesh_nodes, mesh_written
from tests.bench.figures import Figures, missing, quantile, say, taken
from tests.bench.mesh_simulator import MeshSimulator
from tests.fakes.overlay_simulator import OverlaySimulator
from tests.lab.netns import missing_for_namespaces

SIMULATED = (
    "idle_bps_per_node_200",
    "peer_idle_bps_per_node_200",
    "busy_bps_per_node_200",
    "spread_p50_s_200",
    "spread_p99_s_200",
    "spread_p99_s_1000",
    "copies_per_page_per_node",
    "flat_links_max",
    "flat_spread_p99_s_200",
)
KEYS = (*SIMULATED, *mesh_heal.KEYS, *mesh_nodes.KEYS, *mesh_memory.KEYS, *mesh_written.KEYS, *mesh_fuzz.KEYS)
NODES, MANY_NODES, DEGREE, LOSS, ACCOUNTS = 200, 1_000, 7.5, 0.05, 10
LINKS = 7
WARM_PAGES, PAGES = 150, 50
NODE_PAGES = 1
IDLE_S = NODE_PAGES * MESH_PACE_S
"""So that the pages about nodes themselves come at their pace."""
SETTLE_S = 60.0
SHARED_STATE_BYTES, SHARED_STATE_EVERY_S, SHARED_STATE_SIDES = 3_840, 30, 2
"""LibreMesh's shared-state-async: entries of one node, their interval, and both neighbours begin an exchange, which sends
everything in both directions."""


def measure(*, is_long: bool = False) -> Figures:
    """Each part by itself: without namespaces only the figures of real nodes are missing. `is_long` is for attacks."""
    cannot = missing_for_namespaces()
    seconds = mesh_fuzz.LONG_SECONDS if is_long else mesh_fuzz.SECONDS
    found = taken(SIMULATED, simulated) | taken(mesh_heal.KEYS, mesh_heal.measure)
    for part in (mesh_nodes, mesh_memory, mesh_written):
        found |= missing(part.KEYS, cannot) if cannot else taken(part.KEYS, part.measure)
    return found | taken(mesh_fuzz.KEYS, lambda: mesh_fuzz.measure(seconds))


def simulated() -> Figures:
    idle = idle_bps()
    say(f"idle: {idle:.0f} bit/s")
    busy = busy_bps()
    say(f"busy: {busy:.0f} bit/s")
    spread, copies = spread_s(NODES, PAGES)
    say(f"spread: {quantile(spread, 0.99):.1f} s, {copies:.2f} copies")
    links_max, edges = flat_segment()
    flat_spread, flat_copies = spread_s(NODES, PAGES, edges)
    say(f"flat: {links_max} links, {quantile(flat_spread, 0.99):.1f} s, {flat_copies:.2f} copies")
    far, _ = spread_s(MANY_NODES, PAGES // 2)
    peer_bytes = NODES * SHARED_STATE_BYTES * 2 * SHARED_STATE_SIDES * LINKS
    return {
        "idle_bps_per_node_200": round(idle),
        "peer_idle_bps_per_node_200": round(peer_bytes * 8 / SHARED_STATE_EVERY_S),
        "busy_bps_per_node_200": round(busy),
        "spread_p50_s_200": round(quantile(spread, 0.5), 2),
        "spread_p99_s_200": round(quantile(spread, 0.99), 2),
        "spread_p99_s_1000": round(quantile(far, 0.99), 2),
        "copies_per_page_per_node": round(copies, 2),
        "flat_links_max": links_max,
        "flat_spread_p99_s_200": round(quantile(flat_spread, 0.99), 2),
    }


def _bps(mesh: MeshSimulator, seconds: float, links: float) -> float:
    """Mean of all nodes, for so many links each."""
    total = sum(node.sent_bytes + node.received_bytes for node in mesh.nodes)
    ends = sum(len(node.neighbours) for node in mesh.nodes)
    return total * 8 / seconds / ends * links


def _forget_bytes(mesh: MeshSimulator) -> None:
    for node in mesh.nodes:
        node.sent_bytes = node.received_bytes = 0


def idle_bps(nodes: int = NODES) -> float:
    mesh = MeshSimulator(nodes, degree=DEGREE, loss=0.0)
    mesh.know_all(accounts=1)
    mesh.connect_all()
    mesh.run(60.0)
    _warm(mesh)
    _forget_bytes(mesh)
    until_s = mesh.now + IDLE_S
    for number in range(NODE_PAGES):
        mesh.at(
            mesh.now + number * MESH_PACE_S, lambda number=number: mesh.publish_node_page(number * 7 % nodes)
        )  # type: ignore[misc]
    mesh.run(until_s)
    return _bps(mesh, IDLE_S, LINKS)


def _warm(mesh: MeshSimulator) -> None:
    """Node pages until the tree has formed."""
    for number in range(WARM_PAGES // 3):
        mesh.publish_node_page(number % len(mesh.nodes))
        mesh.run(mesh.now + 2.0)


def busy_bps(nodes: int = NODES) -> float:
    mesh = MeshSimulator(nodes, degree=DEGREE, loss=LOSS)
    mesh.know_all(ACCOUNTS)
    mesh.connect_all()

    def publish(number: int) -> None:
        mesh.publish(number, ACCOUNTS)
        mesh.at(mesh.now + PUBLISH_REST_S, lambda: publish(number))

    for number in range(nodes):
        mesh.at(mesh.chance.uniform(0, PUBLISH_REST_S), lambda number=number: publish(number))  # type: ignore[misc]
    mesh.run(2 * PUBLISH_REST_S)
    _forget_bytes(mesh)
    mesh.run(4 * PUBLISH_REST_S)
    return _bps(mesh, 2 * PUBLISH_REST_S, LINKS)


def flat_segment(nodes: int = NODES) -> tuple[int, set[frozenset[int]]]:
    """The most connections that a node ever had while all found each other at once, a third vanished and came back, and
    which there are then."""
    mesh = OverlaySimulator(nodes)
    mesh.see_all(range(nodes))
    mesh.run(SETTLE_S)
    gone = mesh.chance.sample(range(nodes), nodes // 3)
    for number in gone:
        mesh.stop(number)
    mesh.run(SETTLE_S)
    for number in gone:
        mesh.start(number)
    mesh.run(2 * SETTLE_S)
    assert len(mesh.pieces()) == 1, "some nodes are apart"
    return mesh.most, mesh.edges()


def spread_s(
    nodes: int, pages: int, edges: Iterable[frozenset[int]] | None = None
) -> tuple[list[float], float]:
    """Seconds until all nodes have a page, of each page, and how often each node receives one."""
    mesh = MeshSimulator(nodes, degree=DEGREE, loss=LOSS, edges=edges)
    mesh.connect_all()
    mesh.run(1.0)
    times, names, authors = [], [], list(range(nodes))
    mesh.chance.shuffle(authors)
    for number in range(WARM_PAGES + pages):
        name = mesh.publish(authors[number % nodes], ACCOUNTS)
        if number >= WARM_PAGES:
            names.append(name)
        mesh.run(mesh.now + 0.5)
    mesh.run(mesh.now + 90.0)
    for name in names:
        arrived = mesh.arrivals[name]
        assert len(arrived) == nodes, "some node never got it"
        times.append(max(arrived.values()) - min(arrived.values()))
    return times, sum(mesh.copies[name] for name in names) / len(names) / (nodes - 1)
