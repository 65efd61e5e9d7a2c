"""Whole meshes in one process, over real TLS on the loopback: discovery, trust, exchange, and hostile neighbours."""

import asyncio
import contextlib
import gc
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from mesh.announcement import Address, ConfiguredPeer
from mesh.messages import Hello, Keepalive, decode, encode
from mesh.page_format import VERSION
from mesh.pages import UsagePages
from mesh.publishing import OpenAllowance, PublishSchedule
from mesh.service import MeshService
from mesh.tls_transport import Dialer, DialFailed, Link, contexts
from node.errors import NodeError
from node.identity import human_form
from node.memory_tuning import tune_interpreter
from node.units import AccountId, Bytes, NodeId, Usage
from tests.fakes.neighbours import (
    TODAY,
    FakeNetworkTime,
    FakePageCache,
    FakeUsageLedger,
    bucket,
    id_of,
    key_of,
)

WAIT_S = 5.0
VILLAGE = "the-village"


class NodeFixture:
    """One node's mesh service with its data in memory."""

    def __init__(
        self,
        name: str,
        *members: str,
        community: str = VILLAGE,
        peers: tuple[Address | ConfiguredPeer, ...] = (),
        page_cache: FakePageCache | None = None,
        usage_ledger: FakeUsageLedger | None = None,
        machine: str = "",
        network_time: FakeNetworkTime | None = None,
    ) -> None:
        self.name, self.node = name, id_of(name)
        self.roster = frozenset(map(id_of, (name, *members)))
        self.usage_ledger = usage_ledger or FakeUsageLedger(self.node)
        self.page_cache = page_cache or FakePageCache()
        self.changes = 0
        self.mesh = MeshService(
            key=key_of(name),
            community_id=community,
            name=name,
            roster=lambda: self.roster,
            usage_ledger=self.usage_ledger,
            page_cache=self.page_cache,
            machine=machine,
            network_time=network_time,
            on_usage_changed=self._changed,
            port=0,
            configured_peers=tuple(p if isinstance(p, ConfiguredPeer) else ConfiguredPeer(p) for p in peers),
        )

    def _changed(self) -> None:
        self.changes += 1

    @property
    def address(self) -> Address:
        return Address("::1", self.mesh.listening_port)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["NodeFixture"]:
        task = asyncio.get_running_loop().create_task(self.mesh.run())
        try:
            await until(lambda: self.mesh.listening_port != 0 or task.done())
            if task.done():
                task.result()
            yield self
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.wait([task])

    def states(self) -> dict[str, str]:
        return {peer.name or str(peer.node): peer.state for peer in self.mesh.peers()}

    def book(self, account: str, down: int) -> None:
        self.usage_ledger.book(account, Usage(Bytes(down), Bytes(0)))
        self.mesh.publish()


async def until(wanted: Callable[[], bool], seconds: float = WAIT_S) -> float:
    """Return how many seconds it took; fail if it never becomes true."""
    began = time.monotonic()
    while not wanted():
        assert time.monotonic() - began < seconds, "never came true"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


@contextlib.asynccontextmanager
async def village(*names: str) -> AsyncIterator[list[NodeFixture]]:
    """Nodes that all trust each other; each is configured with the addresses of all earlier ones."""
    async with contextlib.AsyncExitStack() as stack:
        nodes: list[NodeFixture] = []
        for name in names:
            peers = tuple(node.address for node in nodes)
            nodes.append(await stack.enter_async_context(NodeFixture(name, *names, peers=peers).running()))
        for node in nodes:
            others = {name: "trusted" for name in names if name != node.name}
            await until(lambda node=node, others=others: others == node.states())
        yield nodes


async def test_usage_booked_on_one_node_counts_on_the_other_within_a_second() -> None:
    async with village("hill", "valley") as (hill, valley):
        await asyncio.sleep(1.1)
        hill.book("ana", 5)
        took = await until(lambda: valley.usage_ledger.used("ana") == 5)
        valley.book("ana", 7)
        await until(lambda: hill.usage_ledger.used("ana") == 12)
    assert took < 1.0
    assert valley.changes > 0


async def test_usage_is_sent_once_a_second_at_most() -> None:
    async with village("hill", "valley") as (hill, valley):
        await asyncio.sleep(1.1)
        for _ in range(50):
            hill.book("ana", 1)
            await asyncio.sleep(0.01)
        await until(lambda: valley.usage_ledger.used("ana") == 50)
    assert valley.usage_ledger.pages_merged <= 3


async def test_only_the_buckets_named_to_publish_are_read() -> None:
    async with village("hill", "valley") as (hill, valley):
        hill.mesh.publish([(hill.usage_ledger.incarnation, TODAY, AccountId("ana"), bucket(9))])
        await until(lambda: valley.usage_ledger.used("ana") == 9)


async def test_usage_booked_before_they_met_is_sent_when_they_meet() -> None:
    async with NodeFixture("hill", "valley").running() as hill:
        hill.book("ana", 5)
        await asyncio.sleep(0.1)
        async with NodeFixture("valley", "hill", peers=(hill.address,)).running() as valley:
            await until(lambda: valley.usage_ledger.used("ana") == 5)


async def test_three_nodes_in_a_row_exchange_through_the_middle() -> None:
    async with (
        NodeFixture("valley", "hill", "coast").running() as valley,
        NodeFixture("hill", "valley", "coast", peers=(valley.address,)).running() as hill,
        NodeFixture("coast", "valley", "hill", peers=(valley.address,)).running() as coast,
    ):
        await until(lambda: {"hill": "trusted", "coast": "trusted"} == valley.states())
        hill.book("ana", 5)
        await until(lambda: coast.usage_ledger.used("ana") == 5)


async def test_a_stranger_is_shown_by_both_and_learns_nothing() -> None:
    """Not a byte of the community: no name, no id, no page."""
    async with (
        NodeFixture("hill").running() as hill,
        NodeFixture("stranger", "hill", peers=(hill.address,)).running() as stranger,
    ):
        hill.book("ana", 5)
        stranger.book("ben", 7)
        await until(lambda: {id_of("stranger"): "stranger"} == hill.states())
        await until(lambda: {id_of("hill"): "heard"} == stranger.states())
        await asyncio.sleep(0.5)
        assert "trusted" not in stranger.states().values()
        assert (0, 0) == (stranger.usage_ledger.used("ana"), hill.usage_ledger.used("ben"))


async def test_a_node_that_is_not_on_our_list_is_sent_nothing_when_we_call_it() -> None:
    async with (
        NodeFixture("hill", "valley").running() as hill,
        NodeFixture("valley", peers=(hill.address,)).running() as valley,
    ):
        await until(lambda: {id_of("hill"): "stranger"} == valley.states())
        await asyncio.sleep(0.3)
        assert "trusted" not in hill.states().values()


async def test_a_member_of_another_community_is_a_stranger_and_the_warning_says_why() -> None:
    async with (
        NodeFixture("hill", "valley").running() as hill,
        NodeFixture("valley", "hill", community="the-city", peers=(hill.address,)).running() as valley,
    ):
        hill.book("ana", 5)
        await until(lambda: ["stranger"] == list(hill.states().values()))
        await until(lambda: ["stranger"] == list(valley.states().values()))
        assert ["another community" in warning for warning in hill.mesh.warnings()] == [True]
        assert 0 == valley.usage_ledger.used("ana")


async def test_a_node_put_on_the_list_is_trusted_soon_and_one_taken_off_is_disconnected_at_once() -> None:
    async with (
        NodeFixture("hill").running() as hill,
        NodeFixture("valley", "hill", peers=(hill.address,)).running() as valley,
    ):
        await until(lambda: ["stranger"] == list(hill.states().values()))
        hill.roster |= {valley.node}
        await until(lambda: {"valley": "trusted"} == hill.states(), 10)
        hill.roster -= {valley.node}
        await until(lambda: {"valley": "stranger"} == hill.states())
        hill.book("ana", 5)
        await asyncio.sleep(1.2)
        assert 0 == valley.usage_ledger.used("ana")


async def test_a_node_that_calls_itself_closes_the_connection() -> None:
    async with (
        NodeFixture("hill", "valley").running() as hill,
        NodeFixture("hill", "valley", peers=(hill.address,)).running() as clone,
    ):
        await asyncio.sleep(0.5)
        assert {} == hill.states()
        assert ["heard"] == list(clone.states().values())


async def test_simultaneous_calls_in_both_directions_keep_one_connection() -> None:
    async with (
        NodeFixture("hill", "valley").running() as hill,
        NodeFixture("valley", "hill", peers=(hill.address,)).running() as valley,
    ):
        await until(lambda: {"valley": "trusted"} == hill.states())
        hill.mesh._found(_claim(valley.node, valley.mesh.listening_port), valley.address)
        for _ in range(20):
            hill.mesh._act(valley.node, ())
            await asyncio.sleep(0.01)
        assert {"valley": "trusted"} == hill.states()
        assert 1 == len(hill.mesh._links)


def _claim(node: NodeId, port: int) -> object:
    from mesh.announcement import Announcement

    return Announcement("00000000", node, port)


@pytest.mark.parametrize("names", [("hill", "valley"), ("valley", "hill")])
async def test_nodes_that_discover_each_other_at_once_trust_each_other_and_stay_connected(
    names: tuple[str, str],
) -> None:
    """As with mDNS: each learns the other's address in the same moment, and both connect."""
    async with (
        NodeFixture(names[0], names[1]).running() as left,
        NodeFixture(names[1], names[0]).running() as right,
    ):
        left.mesh._found(_claim(right.node, right.mesh.listening_port), right.address)
        right.mesh._found(_claim(left.node, left.mesh.listening_port), left.address)
        await until(
            lambda: {right.name: "trusted"} == left.states() and {left.name: "trusted"} == right.states()
        )
        await asyncio.sleep(0.5)
        assert {right.name: "trusted"} == left.states()
        assert {left.name: "trusted"} == right.states()
        left.book("ana", 5)
        await until(lambda: right.usage_ledger.used("ana") == 5)


async def test_a_neighbour_that_restarts_is_trusted_again_and_counting_goes_on() -> None:
    page_cache = FakePageCache()
    async with NodeFixture("hill", "valley").running() as hill:
        async with NodeFixture(
            "valley", "hill", peers=(hill.address,), page_cache=page_cache
        ).running() as valley:
            valley.book("ana", 5)
            await until(lambda: hill.usage_ledger.used("ana") == 5)
        await until(lambda: {"valley": "silent"} == hill.states())
        async with NodeFixture(
            "valley", "hill", peers=(hill.address,), page_cache=page_cache, usage_ledger=valley.usage_ledger
        ).running() as valley:
            await until(lambda: {"valley": "trusted"} == hill.states())
            valley.book("ana", 2)
            await until(lambda: hill.usage_ledger.used("ana") == 7)
        assert () == hill.mesh.warnings()


async def test_a_node_that_lost_pages_in_a_power_cut_never_uses_a_number_twice() -> None:
    """The pages of the last minute were sent and not stored; only the reservation of their numbers was."""
    page_cache = FakePageCache()
    async with NodeFixture("hill", "valley").running() as hill:
        async with NodeFixture(
            "valley", "hill", peers=(hill.address,), page_cache=page_cache
        ).running() as valley:
            valley.book("ana", 5)
            await until(lambda: hill.usage_ledger.used("ana") == 5)
            remembered = dict(page_cache.records)
        assert ["reserved"] == list(remembered)
        page_cache.records = remembered
        async with NodeFixture(
            "valley", "hill", peers=(hill.address,), page_cache=page_cache
        ).running() as valley:
            await until(lambda: valley.usage_ledger.used("ana") == 5)
            valley.book("ana", 1)
            await until(lambda: hill.usage_ledger.used("ana") == 6)
        assert () == hill.mesh.warnings()


async def test_pages_of_others_survive_a_restart_and_are_passed_on() -> None:
    page_cache = FakePageCache()
    async with (
        NodeFixture("hill", "valley", page_cache=page_cache).running() as hill,
        NodeFixture("valley", "hill", peers=(hill.address,)).running() as valley,
    ):
        valley.book("ana", 5)
        await until(lambda: hill.usage_ledger.used("ana") == 5)
    async with NodeFixture("hill", "valley", "coast", page_cache=page_cache).running() as hill:
        assert 5 == hill.usage_ledger.used("ana")
        async with NodeFixture("coast", "valley", "hill", peers=(hill.address,)).running() as coast:
            await until(lambda: coast.usage_ledger.used("ana") == 5)


async def test_a_full_disk_stops_nothing_and_is_reported() -> None:
    page_cache = FakePageCache()
    page_cache.full = True
    async with (
        NodeFixture("hill", "valley", page_cache=page_cache).running() as hill,
        NodeFixture("valley", "hill", peers=(hill.address,)).running() as valley,
    ):
        hill.book("ana", 5)
        await until(lambda: valley.usage_ledger.used("ana") == 5)
        assert ["kept in memory only" in warning for warning in hill.mesh.warnings()] == [True]


async def test_a_ledger_without_its_incarnation_is_waited_for() -> None:
    hill = NodeFixture("hill")
    hill.usage_ledger.incarnation = ""
    running = asyncio.get_running_loop().create_task(hill.mesh.run())
    await asyncio.sleep(0.2)
    assert (0, False) == (hill.mesh.listening_port, running.done())
    hill.usage_ledger.incarnation = "life-7"
    await until(lambda: hill.mesh.listening_port != 0)
    running.cancel()
    await asyncio.wait([running])


async def test_a_mesh_that_crashed_can_be_run_again() -> None:
    hill = NodeFixture("hill", "valley")
    for _ in range(2):
        async with (
            hill.running(),
            NodeFixture("valley", "hill", peers=(hill.address,)).running() as valley,
        ):
            await until(lambda: {"valley": "trusted"} == hill.states())
            hill.book("ana", 5)
            await until(
                lambda valley=valley: valley.usage_ledger.used("ana") == hill.usage_ledger.used("ana")
            )


async def test_a_port_in_use_is_reported_and_leaves_nothing_behind() -> None:
    async with NodeFixture("hill").running() as hill:
        other = NodeFixture("valley")
        other.mesh._port = hill.mesh.listening_port
        with pytest.raises(NodeError, match="set another mesh port"):
            await other.mesh.run()


async def test_a_configured_peer_that_never_answered_is_shown_by_its_address() -> None:
    async with NodeFixture("hill", peers=(Address("::1", 1),)).running() as hill:
        assert [("", "heard", ("[::1]:1",))] == [(p.node, p.state, p.addresses) for p in hill.mesh.peers()]


async def test_a_configured_peer_that_is_another_node_is_named_in_a_warning() -> None:
    async with (
        NodeFixture("coast", "hill").running() as coast,
        NodeFixture(
            "hill", "coast", peers=(ConfiguredPeer(coast.address, id_of("valley")),)
        ).running() as hill,
    ):
        await until(lambda: hill.mesh.warnings() != ())
        assert human_form(coast.node) in hill.mesh.warnings()[0]
        assert [(id_of("valley"), "heard")] == [(peer.node, peer.state) for peer in hill.mesh.peers()]


async def test_it_stops_within_three_seconds_with_neighbours_connected() -> None:
    async with village("hill", "valley", "coast") as nodes:
        began = time.monotonic()
        del nodes
    assert time.monotonic() - began < 3.0


# --- Hostile: a member's key in the wrong hands -----------------------------------------------


@contextlib.asynccontextmanager
async def rogue(
    hill: NodeFixture, name: str = "valley", handshake: bytes | None = None
) -> AsyncIterator[Link]:
    """A member that breaks every rule once it is connected."""
    hello = Hello(VERSION, VILLAGE, id_of(name), name, "0123456789abcdef")
    async with Dialer(contexts(key_of(name))[1]) as dialer:
        link = await dialer.dial(hill.node, hill.address)
        await link.send(encode(hello) if handshake is None else handshake)
        try:
            yield link
        finally:
            await link.close("enough")


@pytest.mark.parametrize(
    "handshake",
    [b"", b"\xff\xfe", b"[" * 60_000, encode(Keepalive()), encode(Hello(VERSION, VILLAGE, id_of("coast"), "x", "0" * 16)),
     encode(Hello(99, VILLAGE, id_of("valley"), "x", "0" * 16))],
)  # fmt: skip
async def test_a_member_with_a_wrong_hello_is_not_trusted(handshake: bytes) -> None:
    async with NodeFixture("hill", "valley").running() as hill, rogue(hill, handshake=handshake) as link:
        await asyncio.wait_for(_to_the_end(link), WAIT_S)
        assert "trusted" not in hill.states().values()


async def _to_the_end(link: Link) -> None:
    while await link.receive() is not None:
        pass


async def test_an_older_version_is_named_in_a_warning() -> None:
    handshake = encode(Hello(99, VILLAGE, id_of("valley"), "Valley", "0" * 16))
    async with NodeFixture("hill", "valley").running() as hill, rogue(hill, handshake=handshake) as link:
        await asyncio.wait_for(_to_the_end(link), WAIT_S)
        assert ["Valley speaks mesh version 99" in warning for warning in hill.mesh.warnings()] == [True]


async def test_noise_from_a_member_changes_nothing_and_stops_nothing() -> None:
    """A thousand frames of every wrong kind; the node stays up, and its other neighbours notice nothing."""
    chance = random.Random(7)
    async with village("hill", "coast") as (hill, coast):
        hill.roster |= {id_of("valley")}
        async with rogue(hill) as link:
            root = hill.mesh._replica.exchange.root()
            for number in range(1000):
                noise = [
                    chance.randbytes(200),
                    b'{"is":"root","digest":"x"}',
                    b"[" * 5000,
                    b"\n\n",
                    b'{"is":"page"}\n{}\n00',
                ]
                await link.send(noise[number % len(noise)])
            await asyncio.sleep(0.3)
            assert root == hill.mesh._replica.exchange.root()
        hill.book("ana", 5)
        await until(lambda: coast.usage_ledger.used("ana") == 5)


async def test_replayed_forged_and_foreign_pages_from_a_member_are_all_refused() -> None:
    stranger, other = (
        UsagePages(key_of("stranger"), VILLAGE, "life-1"),
        UsagePages(key_of("valley"), "the-city", "life-1"),
    )
    for pages in (stranger, other):
        pages.note(TODAY, AccountId("ana"), bucket(10**9))
    hill_page = UsagePages(key_of("hill"), VILLAGE, "life-1")
    hill_page.note(TODAY, AccountId("ana"), bucket(10**9))
    forged = next(hill_page.write()).raw
    forged = forged[:-128] + b"0" * 128
    async with NodeFixture("hill", "valley").running() as hill, rogue(hill) as link:
        hill.book("ana", 5)
        frame = b""
        while b"\n" not in frame:
            frame = await link.receive() or b""
        for page in (frame, frame, next(stranger.write()).raw, next(other.write()).raw, forged):
            await link.send(page)
        await asyncio.sleep(0.3)
        assert 5 == hill.usage_ledger.used("ana")
        assert 0 == hill.usage_ledger.pages_merged


async def test_a_silent_member_is_noticed() -> None:
    from mesh import peering

    async with NodeFixture("hill", "valley").running() as hill, rogue(hill) as link:
        await until(lambda: {"valley": "trusted"} == hill.states())
        peer = hill.mesh._directory.find(id_of("valley"))
        assert peer is not None
        peer.state = peering.Trusted(type(peer.heard)(peer.heard - peering.SILENT_AFTER - 1))
        await until(lambda: {"valley": "silent"} == hill.states(), 2)
        await asyncio.wait_for(_to_the_end(link), WAIT_S)


@pytest.mark.thorough
async def test_a_member_that_never_reads_costs_little_and_others_go_on() -> None:
    async with village("hill", "coast") as (hill, coast):
        hill.roster |= {id_of("valley")}
        async with rogue(hill):
            for number in range(6000):
                hill.usage_ledger.book(f"guest-{number:05d}", Usage(Bytes(1), Bytes(0)))
            hill.book("ana", 5)
            await until(lambda: coast.usage_ledger.used("ana") == 5)


async def test_a_member_that_stopped_reading_is_disconnected_in_time() -> None:
    """Megabytes wait for it; removing it from the list ends the connection and frees everything."""
    async with NodeFixture("hill", "valley").running() as hill, rogue(hill):
        for number in range(20_000):
            hill.usage_ledger.book(f"guest-{number:05d}", Usage(Bytes(10**9), Bytes(0)))
            if number % 1_000 == 0:
                await asyncio.sleep(0)
        hill.mesh.publish()
        await until(lambda: len(hill.mesh._replica._unstored) > 60)
        assert 1 == hill.mesh._listener.links.total()
        hill.roster -= {id_of("valley")}
        await until(lambda: hill.mesh._listener.links.total() == 0)
        assert {"valley": "stranger"} == hill.states()


async def test_a_third_connection_over_the_limit_is_not_accepted_by_sending_first() -> None:
    """A stranger that sends a hello and pages without waiting is refused before any of it is read."""
    async with NodeFixture("hill", "valley").running() as hill:
        async with Dialer(contexts(key_of("stranger"))[1]) as dialer:
            with pytest.raises(DialFailed):
                await dialer.dial(hill.node, hill.address)
        assert ["stranger"] == list(hill.states().values())


@pytest.fixture
def interpreter_of_the_node() -> Iterator[None]:
    thresholds, switch_s = gc.get_threshold(), sys.getswitchinterval()
    tune_interpreter()
    yield
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(switch_s)


@pytest.mark.thorough
@pytest.mark.usefixtures("interpreter_of_the_node")
async def test_ten_thousand_accounts_never_block_the_loop_for_20_ms() -> None:
    """CPU time of one iteration of the event loop, so that a busy test machine does not count; both nodes share
    it. The interpreter has the node's settings: with its defaults a collection of all objects may fall into this.
    """
    async with village("hill", "valley") as (hill, valley):
        for number in range(10_000):
            hill.usage_ledger.book(f"guest-{number:05d}", Usage(Bytes(10**9 + number), Bytes(10**6)))
        changed = list(await hill.usage_ledger.own_buckets())
        gc.collect()
        gc.freeze()  # keep garbage of other tests out of this measurement
        turns: list[float] = []
        watching = asyncio.get_running_loop().create_task(_watch_turns(turns))
        hill.mesh.publish(changed)
        took = await until(lambda: valley.usage_ledger.used("guest-09999") > 0, 10)
        watching.cancel()
        gc.unfreeze()
        assert all(valley.usage_ledger.used(f"guest-{number:05d}") > 0 for number in range(10_000))
    print(f"10,000 accounts in {took:.2f} s, longest turn {max(turns) * 1000:.1f} ms")
    assert max(turns) < 0.020


async def _watch_turns(turns: list[float]) -> None:
    before = time.thread_time()
    while True:
        await asyncio.sleep(0)
        now = time.thread_time()
        turns.append(now - before)
        before = now


async def test_a_neighbours_first_message_must_be_its_hello() -> None:
    async with NodeFixture("hill", "valley").running() as hill, rogue(hill) as link:
        first = await link.receive()
        assert first is not None
        assert isinstance(decode(first), Hello)


async def test_a_node_that_is_woken_often_with_nothing_to_send_still_sends_keepalives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mesh.link_writer.KEEPALIVE_EVERY", 200)
    monkeypatch.setattr(
        "mesh.link_writer.ROUND_EVERY_S", 0.2
    )  # the sign of life between nodes of this version
    async with village("hill", "valley") as (hill, valley):
        for _ in range(125):
            hill.mesh._wake()
            await asyncio.sleep(0.02)
            assert [0] == [peer.heard_seconds_ago for peer in valley.mesh.peers()]


async def test_usage_that_changes_nobodys_limits_waits_and_goes_out_with_what_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mesh.replicator.PUBLISH_EVERY_S", 0.05)
    async with village("hill", "valley") as (hill, valley):
        hill.mesh._replica._schedule = PublishSchedule(
            lambda who: OpenAllowance(100, 100) if who == "ana" else None
        )
        await asyncio.sleep(0.2)
        life = hill.usage_ledger.incarnation
        hill.mesh.publish(
            [(life, TODAY, AccountId("ben"), bucket(10**9)), (life, TODAY, AccountId("ana"), bucket(99))]
        )
        await asyncio.sleep(0.5)
        assert 0 == valley.usage_ledger.pages_merged
        hill.mesh.publish([(life, TODAY, AccountId("ana"), bucket(100))])
        await until(lambda: valley.usage_ledger.used("ana") == 100)
        assert 10**9 == valley.usage_ledger.used("ben")


async def test_what_waits_is_published_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.replicator.PUBLISH_REST_S", 0.3)
    async with village("hill", "valley") as (hill, valley):
        hill.mesh._replica._schedule = PublishSchedule(lambda _who: None)
        await asyncio.sleep(1.2)
        hill.mesh.publish([(hill.usage_ledger.incarnation, TODAY, AccountId("ben"), bucket(7))])
        await until(lambda: valley.usage_ledger.used("ben") == 7)
