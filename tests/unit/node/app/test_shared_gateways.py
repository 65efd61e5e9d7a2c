"""Two nodes serve the gateways of one of them: what one tells the other, and that each byte is booked once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mesh.gateway_kind import (
    HANDOVER_PART,
    CounterAnswer,
    CounterQuestion,
    GatewaysContent,
    gateways_body,
    gateways_content,
)
from node.app.gateway_handovers import HANDOVERS_STATE
from node.app.gateway_service import COUNTERS_STATE, GONE_DAYS, GONE_STATE
from node.app.shared_gateways import SharedGatewaysService
from node.app.views import TermsAccepted
from node.config import GatewaysSection, ListenAddress
from node.gateways.counters import ReportedCounters
from node.gateways.gateway import Gateway
from node.gateways.handover import FORGOTTEN_MS, PATIENCE_MS
from node.identity import human_form
from node.units import MacAddress, NodeId
from tests.fakes.use_cases import ANA, BEN, AppFixture
from tests.unit.node.app.test_gateway_service import GatewayFixture, one_run

MB, DAY_MS = 10**6, 86_400_000
VALL, BERG, FAR = NodeId("v" * 52), NodeId("b" * 52), NodeId("f" * 52)
SECRETS = (b"s" * 32,)
SERVES = {VALL: "vall.example.org:2080", BERG: "berg.example.org:2080", FAR: "far.example.org:2080"}


def settings(own: NodeId, second: NodeId | None) -> GatewaysSection:
    host = SERVES[own].partition(":")[0]
    place = SERVES[second] if second is not None else ""
    return GatewaysSection(ListenAddress("0.0.0.0", 2080), host, 2445, False, place, second)


@dataclass
class ServingNode:
    """One of two nodes."""

    own: NodeId
    app: AppFixture
    fixture: GatewayFixture
    shared: SharedGatewaysService

    @property
    def service(self):
        return self.fixture.service

    def count(self, gateway: Gateway, token: str, down: int, mac: MacAddress = ANA):
        self.service.registry.speaks(gateway, "wifidog", gateway.called, "10.1.2.3")
        return self.service.count(gateway, mac, token, ReportedCounters(down, 0))

    async def booked(self) -> int:
        await self.fixture.run.settle()
        return self.fixture.used()


@dataclass
class BothNodes:
    vall: ServingNode
    berg: ServingNode

    def exchange(self) -> None:
        """As pages carry it, and as often as it takes."""
        for _ in range(3):
            for one, other in ((self.vall, self.berg), (self.berg, self.vall)):
                tell(one.shared, one.own, other.shared)

    async def booked(self) -> int:
        return await self.vall.booked() + await self.berg.booked()

    async def joined(self, called: str = "AA") -> tuple[Gateway, str]:
        """A person is online through a gateway of the first node, which its router has spoken with."""
        made = await self.vall.service.registry.add("wifidog", "the bakery")
        gateway = await self.vall.service.registry.spoke(made, "wifidog", called, "10.1.2.3")
        assert gateway is not None
        token = self.vall.service.begin(gateway, ANA, TermsAccepted(), "1")
        assert (await self.vall.service.login(gateway, ANA, token)).may_pass
        self.exchange()
        return gateway, token

    def at_berg(self, gateway: Gateway) -> Gateway:
        found = self.berg.service.registry.find(self.vall.service.registry.secret(gateway), "10.1.2.3")
        assert found is not None
        return found


def tell(said: SharedGatewaysService, author: NodeId, to: SharedGatewaysService) -> None:
    for part, content in said.own().items():
        read = gateways_content(gateways_body(content))
        assert isinstance(read, GatewaysContent)
        to.take([(author, part, read)])


@asynccontextmanager
async def serving(
    own: NodeId, second: NodeId | None, folder: Path, killed: bool = False, app: AppFixture | None = None
):
    folder.mkdir(exist_ok=True)
    app = app or AppFixture(None, folder)
    async with one_run(app, killed=killed, key=own.encode()) as fixture:
        shared = SharedGatewaysService(own, settings(own, second), lambda: SECRETS)
        shared.connect(fixture.service)
        yield ServingNode(own, app, fixture, shared)


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[BothNodes]:
    async with (
        serving(VALL, BERG, tmp_path / "vall") as vall,
        serving(BERG, VALL, tmp_path / "berg") as berg,
    ):
        await berg.fixture.run.loop.admit(ANA, "1")  # as roaming does
        yield BothNodes(vall, berg)


async def test_the_second_node_knows_the_router_by_its_secret_and_the_person_by_the_token(both) -> None:
    gateway, token = await both.joined()
    told = both.at_berg(gateway)
    assert (gateway.id, gateway.name, "AA") == (told.id, told.name, told.called)
    assert both.berg.count(told, token, 1_000).may_pass
    assert "unknown" == both.berg.count(told, token, 5 * MB, mac=BEN).reason
    assert "unknown" == both.berg.count(told, "0" * 32, 5 * MB).reason
    assert both.berg.service.registry.find("a" * 26, "10.1.2.3") is None


async def test_each_byte_is_booked_once_while_the_gateway_goes_to_the_second_node_and_back(both) -> None:
    gateway, token = await both.joined()
    told = both.at_berg(gateway)
    assert both.vall.count(gateway, token, 0).may_pass
    both.exchange()
    assert both.vall.count(gateway, token, 10 * MB).may_pass
    assert 10 * MB == await both.booked()
    both.berg.app.clock.pass_time(4 * 60_000)
    assert both.berg.count(told, token, 17 * MB).may_pass
    assert both.berg.count(told, token, 20 * MB).may_pass
    assert 13 * MB == await both.booked(), "7 MB are asked for, the other 3 are booked at once"
    both.exchange()
    assert 20 * MB == await both.booked()
    assert both.vall.count(gateway, token, 26 * MB).may_pass
    both.exchange()
    assert 26 * MB == await both.booked()
    both.exchange()
    assert both.berg.count(told, token, 20 * MB).may_pass, "a report that comes twice, or late"
    both.exchange()
    assert 26 * MB == await both.booked()
    assert not list(both.vall.service.handovers.questions([gateway]))


@pytest.mark.parametrize("killed", [False, True])
async def test_a_restart_after_the_question_loses_nothing(tmp_path: Path, killed: bool) -> None:
    async with serving(VALL, BERG, tmp_path / "vall") as vall:
        async with serving(BERG, VALL, tmp_path / "berg", killed) as berg:
            await berg.fixture.run.loop.admit(ANA, "1")
            both = BothNodes(vall, berg)
            gateway, token = await both.joined()
            vall.count(gateway, token, 0)
            both.exchange()
            vall.count(gateway, token, 10 * MB)
            berg.count(both.at_berg(gateway), token, 12 * MB)
            assert 10 * MB == await both.booked()
        async with serving(BERG, VALL, tmp_path / "berg", app=berg.app) as berg:
            await berg.fixture.run.loop.admit(ANA, "1")
            both = BothNodes(vall, berg)
            both.exchange()
            if not killed:
                assert 12 * MB == await both.booked(), "what was stored is asked again"
            for down in (12 * MB, 13 * MB):
                assert berg.count(both.at_berg(gateway), token, down).may_pass
                both.exchange()
            assert 13 * MB == await both.booked()


async def test_a_device_whose_session_is_not_told_yet_is_left_as_it_is_for_a_while(both) -> None:
    gateway, token = await both.joined()
    told = both.at_berg(gateway)
    await both.berg.fixture.run.loop.leave(ANA)
    both.berg.service.comes = lambda _mac: "unknown"
    assert "not-ready" == both.berg.count(told, token, 5 * MB).reason
    both.berg.app.clock.pass_time(11 * 60_000)
    assert "ended" == both.berg.count(told, token, 5 * MB).reason
    both.berg.service.comes = lambda _mac: "ended"
    assert "ended" == both.berg.count(told, token, 5 * MB).reason


async def test_a_node_that_is_not_named_has_no_gateway_here(both) -> None:
    """A hostile node says that this one is its second, and then that it serves where the second one does."""
    gateway, _token = await both.joined()
    hostile = SharedGatewaysService(FAR, settings(FAR, BERG), lambda: SECRETS)
    hostile.connect(both.vall.service)
    tell(hostile, FAR, both.berg.shared)
    assert {VALL} == {each.node for each in both.berg.service.registry.told}
    for part, content in hostile.own().items():
        both.berg.shared.take([(FAR, part, replace(content, serves=SERVES[VALL]))])
    assert VALL == both.berg.shared.other
    assert {VALL} == {each.node for each in both.berg.service.registry.told}
    (warning,) = map(str, both.berg.shared.warnings())
    assert human_form(FAR) in warning
    assert both.at_berg(gateway)


CLAIMS = GatewaysContent(serves=SERVES[VALL], second=SERVES[BERG], second_node=BERG)


async def test_a_node_that_claims_the_place_first_has_nothing_here(both) -> None:
    """While the second node is not there, another one says that it is at its place."""
    both.berg.shared.take([(FAR, HANDOVER_PART, CLAIMS)])
    assert both.berg.shared.other is None
    warnings = [str(each) for each in both.berg.shared.warnings()]
    assert [human_form(VALL) in each for each in warnings] == [True, False]
    assert human_form(FAR) in warnings[1]
    both.exchange()
    assert VALL == both.berg.shared.other
    both.berg.shared.drop(VALL)
    assert both.berg.shared.other is None


@pytest.mark.parametrize("named", ["", FAR])
async def test_a_node_that_names_another_key_is_not_the_second_one(both, named: str) -> None:
    both.exchange()
    assert VALL == both.berg.shared.other
    both.berg.shared.take([(VALL, HANDOVER_PART, replace(CLAIMS, second_node=named))])
    assert both.berg.shared.other is None
    assert both.berg.service.registry.told == ()
    (warning,) = map(str, both.berg.shared.warnings())
    assert human_form(VALL) in warning


async def test_without_the_key_no_node_is_the_second_one_and_the_settings_to_write_are_known(
    tmp_path: Path,
) -> None:
    async with serving(BERG, VALL, tmp_path / "berg") as berg:
        unnamed = replace(settings(BERG, VALL), second_node=None)
        shared = SharedGatewaysService(BERG, unnamed, lambda: SECRETS)
        shared.connect(berg.service)
        shared.take([(VALL, HANDOVER_PART, CLAIMS)])
        assert shared.other is None
        assert [VALL] == shared.candidates()
        (warning,) = map(str, shared.warnings())
        assert "gateways.second_node" in warning


async def test_counters_that_no_router_reaches_do_not_stop_what_nodes_ask_each_other(both) -> None:
    gateway, token = await both.joined()
    told = both.at_berg(gateway)
    assert both.vall.count(gateway, token, MB).may_pass
    both.exchange()
    for lie in (2**53, 2**60, 2**63 - 1):
        both.berg.count(told, token, lie)
        both.exchange()  # reads what is written
    assert both.berg.count(told, token, 2 * MB).may_pass
    both.exchange()
    assert 2 * MB == await both.booked()


async def test_a_second_node_with_absurd_counters_frees_nobody(both) -> None:
    gateway, token = await both.joined()
    told = both.at_berg(gateway)
    both.vall.count(gateway, token, 0)
    both.exchange()
    both.vall.count(gateway, token, 10 * MB)
    both.berg.app.clock.pass_time(4 * 60_000)
    both.berg.count(told, token, 12 * MB)
    page = both.berg.shared.own()[HANDOVER_PART]
    (question,) = page.questions
    lie = replace(page, answers=(CounterAnswer(question, (2**53 - 1, 2**53 - 1)),))
    both.berg.shared.take([(VALL, HANDOVER_PART, replace(CLAIMS, answers=lie.answers))])
    asks = CounterQuestion(question.gateway, question.client, question.token, 2**53 - 1, 2**53 - 1)
    both.vall.shared.take([(BERG, HANDOVER_PART, replace(page, questions=(asks,)))])
    both.berg.count(told, token, 15 * MB)
    both.vall.count(gateway, token, 16 * MB)
    assert 16 * MB + 3 * MB == await both.booked(), "the first node heard no break, the other one asks still"
    for each in (both.vall, both.berg):
        (warning,) = map(str, each.shared.warnings())
        assert "more than a line carries" in warning


async def test_absurd_counters_under_a_token_that_was_never_heard_take_no_client_away(both) -> None:
    gateway, token = await both.joined()
    both.vall.count(gateway, token, 0)
    both.exchange()
    client, name = both.vall.service.client_key(gateway, ANA), both.vall.shared._named(gateway)
    claims = GatewaysContent(serves=SERVES[BERG], second=SERVES[VALL], second_node=VALL)
    for number in range(1, 9):
        asks = CounterQuestion(name, client, f"{number:016x}", 2**53 - 1, 2**53 - 1)
        both.vall.shared.take([(BERG, HANDOVER_PART, replace(claims, questions=(asks,)))])
        both.vall.count(gateway, token, number * MB)
    assert 8 * MB == await both.vall.booked()
    (warning,) = map(str, both.vall.shared.warnings())
    assert "more than a line carries" in warning


async def test_a_node_that_is_removed_takes_its_gateways_along(both) -> None:
    gateway, token = await both.joined()
    told = both.at_berg(gateway)
    both.berg.shared.drop(VALL)
    assert both.berg.service.registry.told == ()
    assert both.berg.service.registry.get(gateway.id) is None
    assert "unknown" == both.berg.count(told, token, MB).reason


async def test_a_key_that_does_not_open_is_not_served(tmp_path: Path) -> None:
    async with serving(VALL, BERG, tmp_path / "vall") as vall:
        shared = SharedGatewaysService(BERG, settings(BERG, VALL), lambda: (b"x" * 32,))
        async with one_run(AppFixture(None, tmp_path)) as fixture:
            shared.connect(fixture.service)
            await vall.service.registry.add("wifidog", "the bakery")
            tell(vall.shared, VALL, shared)
            assert fixture.registry.told == ()


async def test_a_gateway_of_this_node_is_never_taken_by_another(both) -> None:
    own = await both.berg.service.registry.add("wifidog", "the school")
    both.exchange()
    said = both.vall.shared.own()
    forged = replace(next(iter(both.berg.shared._gateways(both.berg.service.registry))), secret_hash="e" * 32)
    both.berg.shared.take([(VALL, 0, GatewaysContent(gateways=(forged,)))])
    assert own == both.berg.service.registry.get(own.id)
    assert not both.berg.service.registry.is_told(own)
    assert HANDOVER_PART in said


async def test_a_second_node_that_does_not_name_this_one_is_a_warning(tmp_path: Path) -> None:
    async with serving(VALL, BERG, tmp_path / "vall") as vall, serving(BERG, None, tmp_path / "berg") as berg:
        both = BothNodes(vall, berg)
        both.exchange()
        assert vall.shared.other is None
        assert berg.service.registry.told == ()
        (warning,) = map(str, vall.shared.warnings())
        assert SERVES[BERG] in warning
        assert not list(berg.shared.warnings())


async def test_a_removed_gateway_leaves_nothing_also_if_its_last_person_left_before(tmp_path: Path) -> None:
    async with serving(BERG, VALL, tmp_path / "berg") as berg:
        async with serving(VALL, BERG, tmp_path / "vall") as vall:
            gateway, token = await BothNodes(vall, berg).joined()
            assert vall.count(gateway, token, MB).may_pass
            await vall.service.logout(gateway, ANA, token, ReportedCounters(2 * MB, 0))
            await vall.fixture.run.settle()
        stored = f"{HANDOVERS_STATE} {gateway.id}"
        assert await vall.app.archive.state(stored)
        async with serving(VALL, BERG, tmp_path / "vall", app=vall.app) as vall:
            await vall.service.registry.drop(gateway.id)
            await vall.fixture.run.settle()
        assert "" == await vall.app.archive.state(stored)


async def stored(node: ServingNode) -> None:
    """What is stored with the next booking."""
    await node.fixture.run.settle()
    await node.fixture.run.loop.persistence.flush(node.app.clock.monotonic(), is_all=True)


async def test_what_was_counted_of_a_gateway_that_its_node_no_longer_tells_is_deleted_after_a_week(
    tmp_path: Path,
) -> None:
    async with serving(BERG, VALL, tmp_path / "berg") as berg:
        await berg.fixture.run.loop.admit(ANA, "1")
        async with serving(VALL, BERG, tmp_path / "vall") as vall:
            both = BothNodes(vall, berg)
            gateway, token = await both.joined()
            assert berg.count(both.at_berg(gateway), token, MB).may_pass
            assert berg.count(both.at_berg(gateway), token, 2 * MB).may_pass
            await stored(berg)
            states = [f"{name} {gateway.id}" for name in (COUNTERS_STATE, HANDOVERS_STATE)]
            for each in states:
                assert await berg.app.archive.state(each)
            berg.shared.drop(VALL)
            await stored(berg)
            berg.app.clock.pass_time((GONE_DAYS - 1) * DAY_MS)
            both.exchange()
            await stored(berg)
            assert "" == await berg.app.archive.state(GONE_STATE), "it came back"
            berg.shared.drop(VALL)
            await stored(berg)
            gone = await berg.app.archive.state(GONE_STATE)
            assert gateway.id in gone
    async with serving(BERG, VALL, tmp_path / "berg", app=berg.app) as berg:
        berg.app.clock.pass_time((GONE_DAYS - 1) * DAY_MS)
        berg.service.forget_gone()
        await stored(berg)
        for each in states:
            assert await berg.app.archive.state(each)
        berg.app.clock.pass_time(DAY_MS)
        berg.service.forget_gone()
        await stored(berg)
        for each in (*states, GONE_STATE):
            assert "" == await berg.app.archive.state(each)


async def test_a_question_to_a_node_that_is_not_named_any_longer_is_forgotten_too(both) -> None:
    gateway, token = await both.joined()
    both.vall.count(gateway, token, 0)
    both.exchange()
    both.berg.count(both.at_berg(gateway), token, MB)
    both.exchange()
    both.vall.count(gateway, token, 2 * MB)
    known = both.vall.service.handovers.clients[gateway.id]
    both.vall.shared.drop(BERG)
    said = both.vall.shared.own()
    assert said == both.vall.shared.own()
    assert any(each.handover.questions for each in known.values()), "telling changes nothing"
    for _ in range(2):
        both.vall.shared.settle_overdue()
        both.vall.app.clock.pass_time(FORGOTTEN_MS)
    both.vall.shared.settle_overdue()
    assert not any(each.handover.questions for each in known.values())


async def test_what_the_second_node_booked_is_not_booked_again_before_its_pages_are_read(
    tmp_path: Path,
) -> None:
    """The first node starts again, and its router speaks with it before the mesh does."""
    async with serving(BERG, VALL, tmp_path / "berg") as berg:
        await berg.fixture.run.loop.admit(ANA, "1")
        async with serving(VALL, BERG, tmp_path / "vall") as vall:
            both = BothNodes(vall, berg)
            gateway, token = await both.joined()
            vall.count(gateway, token, 0)
            both.exchange()
            vall.count(gateway, token, 10 * MB)
            await both.booked()
        berg.app.clock.pass_time(4 * 60_000)
        for down in (12 * MB, 50 * MB):
            berg.count(both.at_berg(gateway), token, down)
        async with serving(VALL, BERG, tmp_path / "vall", app=vall.app) as vall:
            both = BothNodes(vall, berg)
            vall.count(gateway, token, 51 * MB)
            both.exchange()
            vall.count(gateway, token, 52 * MB)
            both.exchange()
            assert 52 * MB == await both.booked()


async def test_what_waited_for_a_second_node_that_is_named_no_longer_is_booked_once(tmp_path: Path) -> None:
    async with serving(BERG, VALL, tmp_path / "berg") as berg:
        async with serving(VALL, BERG, tmp_path / "vall") as vall:
            both = BothNodes(vall, berg)
            gateway, token = await both.joined()
            vall.count(gateway, token, 0)
            both.exchange()
            vall.app.clock.pass_time(4 * 60_000)
            vall.count(gateway, token, 2 * MB)
            assert 0 == await vall.booked(), "it asks"
            await stored(vall)
        async with serving(VALL, None, tmp_path / "vall", app=vall.app) as vall:
            vall.count(gateway, token, 100 * MB)
            assert 98 * MB == await vall.booked()
            for _ in range(2):
                vall.shared.settle_overdue()
                vall.app.clock.pass_time(PATIENCE_MS)
            vall.count(gateway, token, 101 * MB)
            assert 101 * MB == await vall.booked()
            await stored(vall)
        async with serving(VALL, BERG, tmp_path / "vall", app=vall.app) as vall:
            both = BothNodes(vall, berg)
            vall.count(gateway, token, 102 * MB)
            both.exchange()
            assert 102 * MB == await both.booked(), "after it is named again"


async def test_a_second_node_that_names_no_key_is_told_no_gateway(both) -> None:
    """One with an earlier version would serve them, and book beside this node."""
    gateway, _token = await both.joined()

    def told() -> list[str]:
        said = both.vall.shared.own()
        return [each.id for part in said.values() for each in part.gateways]

    claims = GatewaysContent(serves=SERVES[BERG], second=SERVES[VALL])
    both.vall.shared.take([(BERG, HANDOVER_PART, claims)])
    assert [] == told()
    both.vall.shared.take([(BERG, HANDOVER_PART, replace(claims, second_node=VALL))])
    assert [gateway.id] == told()
    both.vall.shared.drop(BERG)
    assert [gateway.id] == told(), "nothing is known of it, as after a start"


async def test_a_report_does_not_look_at_what_all_nodes_of_the_community_say(both) -> None:
    gateway, _token = await both.joined()

    class Said(dict):
        looks = 0

        def get(self, *what):
            Said.looks += 1
            return super().get(*what)

    others = {NodeId(f"{number:052}"): {HANDOVER_PART: CLAIMS} for number in range(100)}
    both.berg.shared._said = Said(both.berg.shared._said | others)
    assert both.berg.service.handovers.is_shared(both.at_berg(gateway))
    assert Said.looks < 10


async def test_a_clock_that_was_wrong_keeps_nothing_of_a_gateway_that_is_gone(both) -> None:
    gateway, token = await both.joined()
    both.berg.count(both.at_berg(gateway), token, MB)
    both.berg.shared.drop(VALL)
    berg = both.berg.service
    berg._gone = {gateway.id: "2090-01-01"}
    berg.forget_gone()
    both.berg.app.clock.pass_time(GONE_DAYS * DAY_MS)
    berg.forget_gone()
    assert gateway.id not in berg.handovers.clients


async def test_a_name_with_combining_accents_is_told_too(both) -> None:
    """As some keyboards and a Mac's clipboard write it; a page takes a normalized name only."""
    made = await both.vall.service.registry.add("wifidog", "el cafe\u0301")
    both.exchange()
    assert "el café" == made.name == both.at_berg(made).name


async def test_an_opennds_router_is_not_told(both) -> None:
    await both.vall.service.registry.add("opennds", "the library")
    both.exchange()
    assert both.berg.service.registry.told == ()
