"""How a mesh comes together again: the real exchange, simulated.

`heal_exact`: over random splits, duplicated and reordered frames, restarts with an older page cache, lost databases and
clones, all nodes hold the same pages in the end (1: yes). The other two are of two nodes in a community of 200 that were
apart while each of the 200 published once, half of them on either side: how often an answer waits for a question, and the
bytes of all frames to those of the pages that were missing.
"""

import random
from collections import deque
from collections.abc import Callable

from mesh.exchange import Exchange
from mesh.messages import EXTENSIONS, decode
from mesh.page_format import Page
from tests.bench.figures import Figures, say
from tests.bench.mesh_simulator import VILLAGE, MeshSimulator, SimulatedNode

KEYS = ("heal_exact", "heal_round_trips", "heal_bytes_ratio")
HISTORIES, NODES, DEGREE, LOSS = 20, 20, 5.0, 0.05
EVENTS, APART_S, HEAL_S = 25, 20.0, 600.0
ACCOUNTS, AUTHORS = 10, 200
DUPLICATED, REORDERED = 0.05, 0.05
AGAIN_S = 5.0
"""How long a frame that overtakes nothing may be late."""


class UnreliableMesh(MeshSimulator):
    """Links can be cut, and frames come twice or late; nodes lose what they hold, and keys are used by two machines."""

    def __init__(self, seed: int) -> None:
        super().__init__(NODES, degree=DEGREE, loss=LOSS, seed=seed)
        self.is_cut: Callable[[int, int], bool] = lambda _left, _right: False
        self.published: list[Page] = []
        """All pages ever."""
        self._caches: list[list[Page]] = [[] for _ in self.nodes]

    def _arrive(self, left: SimulatedNode, right: SimulatedNode, frame: bytes) -> None:
        if self.is_cut(left.number, right.number):
            return
        chance = self.chance.random()
        if chance < REORDERED:
            self.at(
                self.now + self.chance.uniform(0, AGAIN_S),
                lambda: super(UnreliableMesh, self)._arrive(left, right, frame),
            )
            return
        super()._arrive(left, right, frame)
        if chance > 1 - DUPLICATED:
            super()._arrive(left, right, frame)

    def greet_all(self) -> None:
        """All connections are new, as after a cut."""
        for node in self.nodes:
            for each in node.neighbours:
                node.exchange.greet(self.ids[each], EXTENSIONS)
            self._pump(node)

    def say_more(self, number: int) -> None:
        """A node publishes, as itself."""
        page = self.page(number, self.chance.randint(1, ACCOUNTS))
        self.published.append(page)
        self.nodes[number].exchange.offer(page)
        self._pump(self.nodes[number])

    def clone_says(self, number: int, at: int) -> None:
        """A copy of a node's disk publishes elsewhere, with a number that the node uses too."""
        page = self.page(number, self.chance.randint(1, ACCOUNTS))
        if self.chance.random() < 0.5:
            self.nodes[number].seq -= 1
        self.published.append(page)
        self.nodes[at].exchange.receive(next(iter(self._neighbours_of(at))), page)
        self._pump(self.nodes[at])

    def _neighbours_of(self, number: int) -> list[str]:
        return [self.ids[each] for each in self.nodes[number].neighbours]

    def store(self, number: int) -> None:
        """What the node holds now is on its disk."""
        exchange = self.nodes[number].exchange
        held = (decode(raw) for author in self.ids for raw in exchange.held_of(author))
        self._caches[number] = [page for page in held if isinstance(page, Page)]

    def restart(self, number: int, *, lost: bool) -> None:
        """With what was stored before, or with nothing."""
        roster = frozenset(self.ids)
        node = self.nodes[number]
        node.exchange = Exchange(VILLAGE, lambda: roster, self.ids[number])
        node.queues.clear()
        for page in () if lost else self._caches[number]:
            node.exchange.restore(page)
        for each in node.neighbours:
            node.exchange.greet(self.ids[each], EXTENSIONS)
            self.nodes[each].exchange.greet(self.ids[number], EXTENSIONS)
            self._pump(self.nodes[each])
        self._pump(node)


def heals(seed: int) -> bool:
    """One history; whether all nodes hold the same afterwards, and the newest of each author that did not vanish."""
    mesh, chance = UnreliableMesh(seed), random.Random(seed)
    mesh.connect_all()
    for _ in range(EVENTS):
        _happen(mesh, chance)
        mesh.run(mesh.now + chance.uniform(0, APART_S))
    mesh.is_cut = lambda _left, _right: False
    mesh.greet_all()
    mesh.run(mesh.now + HEAL_S)
    roots = {node.exchange.root() for node in mesh.nodes}
    held = [raw for author in mesh.ids for raw in mesh.nodes[0].exchange.held_of(author)]
    known = {page.raw for page in mesh.published}
    return len(roots) == 1 and bool(held) and set(held) <= known


def _happen(mesh: UnreliableMesh, chance: random.Random) -> None:
    number = chance.randrange(NODES)
    match chance.choices(
        ("say", "split", "join", "store", "restart", "lose", "clone"), (8, 2, 1, 3, 2, 1, 1)
    )[0]:
        case "say":
            for _ in range(chance.randint(1, 6)):
                mesh.say_more(chance.randrange(NODES))
        case "split":
            side = frozenset(chance.sample(range(NODES), chance.randint(1, NODES - 1)))
            mesh.is_cut = lambda left, right: (left in side) != (right in side)
        case "join":
            mesh.is_cut = lambda _left, _right: False
            mesh.greet_all()
        case "store":
            mesh.store(number)
        case "restart":
            mesh.restart(number, lost=False)
        case "lose":
            mesh.restart(number, lost=True)
        case _:
            mesh.clone_says(number, chance.randrange(NODES))


def heal_cost(published: int = AUTHORS) -> tuple[int, float]:
    """Round trips and the ratio of bytes, of two nodes that knew the same 200 authors when their connection ended; then some
    publish on either side."""
    mesh = MeshSimulator(AUTHORS, degree=0.0001, loss=0.0)
    mesh.know_all(ACCOUNTS, mesh.nodes[:2])
    left, right = mesh.nodes[0].exchange, mesh.nodes[1].exchange
    _meet(mesh, left, right)
    left.part(mesh.ids[1])
    right.part(mesh.ids[0])
    missing = 0
    for number in mesh.chance.sample(range(AUTHORS), published):
        page = mesh.page(number, ACCOUNTS)
        missing += len(page.raw)
        (left if number % 2 else right).offer(page)
    turns, said = _meet(mesh, left, right)
    if left.root() != right.root():
        raise RuntimeError("two nodes do not come together")
    return -(-turns // 2), said / missing


def _meet(mesh: MeshSimulator, left: Exchange, right: Exchange) -> tuple[int, int]:
    """The first two nodes connect, and say all that they have to say: how often one waits for the other, and bytes."""
    left.greet(mesh.ids[1], EXTENSIONS)
    right.greet(mesh.ids[0], EXTENSIONS)
    said, turns = 0, 0
    waiting = deque([(left, right, mesh.ids[0], mesh.ids[1]), (right, left, mesh.ids[1], mesh.ids[0])])
    frames = {id(left): _frames(left, mesh.ids[1]), id(right): _frames(right, mesh.ids[0])}
    while any(frames.values()):
        turns += 1
        now, frames = frames, {id(left): [], id(right): []}
        for sender, receiver, name, _ in waiting:
            for frame in now[id(sender)]:
                said += len(frame)
                receiver.receive(name, decode(frame))
        for sender, _, _, other in waiting:
            frames[id(sender)] = _frames(sender, other)
    return turns, said


def _frames(exchange: Exchange, neighbour: str) -> list[bytes]:
    found = []
    while (frame := exchange.next_frame(neighbour)) is not None:  # type: ignore[arg-type]
        found.append(frame)
    return found


def measure(histories: int = HISTORIES) -> Figures:
    exact = [heals(seed) for seed in range(1, histories + 1)]
    say(f"{sum(exact)} of {len(exact)} histories end with the same pages everywhere")
    trips, ratio = heal_cost()
    say(f"{trips} round trips, {ratio:.3f} times the bytes of the missing pages")
    return {"heal_exact": int(all(exact)), "heal_round_trips": trips, "heal_bytes_ratio": round(ratio, 3)}
