"""People behind openNDS routers: what they see, what the router is told, and what is booked."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from node.app.opennds_service import LET_IN_MS, RETURNS_MAX, ROUTERS_MAX, SESSION_S
from node.app.views import Admitted, CodeTyped, Refused, TermsAccepted
from node.errors import StorageTrouble
from node.gateways.opennds_client import is_browser
from node.units import MacAddress
from tests.fakes.fas_fixture import BROWSER, SLOW_RULES, FasFixture, one_life
from tests.fakes.opennds_router import FakeRouter
from tests.fakes.use_cases import ANA, UNKNOWN_CODE, AppFixture

GB, KB = 10**9, 1_024
FETCHED = [3, 4]


@pytest.fixture
def app(tmp_path: Path) -> AppFixture:
    return AppFixture(None, tmp_path, rules_text=SLOW_RULES)


@pytest.fixture
async def at(app: AppFixture) -> AsyncIterator[FasFixture]:
    async with one_life(app) as opened:
        yield opened


@pytest.mark.parametrize("level", range(5))
async def test_a_stranger_joins_with_a_voucher_and_is_let_in(at, level) -> None:
    (code,) = await at.run.codes()
    router = at.router()
    assert "join" == at.service.view(at.client(router, level)).state
    client = await at.join(router, level, CodeTyped(code))
    view = at.service.view(client)
    assert ("wait" if level in FETCHED else "go") == view.state
    if level in FETCHED:
        at.poll(router)
        assert [each[0] for each in router.online.values()] == ["60"]
        assert "online" == at.service.view(client).state
    else:
        assert view.address.startswith(f"http://{router.address}/opennds_auth/?tok=")
        assert "online" == at.service.view(replace(client, says_online=True)).state
    assert at.gateway == at.people.gateway_of(client.mac)


@pytest.mark.parametrize("level", range(5))
async def test_a_wrong_code_lets_nobody_in(at, level) -> None:
    client = at.client(at.router(), level)
    refused = await at.service.join(client, CodeTyped(UNKNOWN_CODE), "1")
    assert isinstance(refused, Refused)
    assert "code-unknown" == refused.reason
    assert "join" == at.service.view(client).state


async def test_level_0_needs_the_setting(app) -> None:
    async with one_life(app, level_0=False) as at:
        assert at.service.client(at.gateway, 0, at.router().query(0), BROWSER) is None
        assert at.service.client(at.gateway, 1, at.router().query(1), BROWSER) is not None


@pytest.mark.parametrize("level", range(5))
async def test_only_an_encrypted_address_names_a_device_of_this_network(at, level) -> None:
    """Anybody can write a plain query: it must not open the account of the device that it names."""
    await at.run.join(ANA)
    client = at.client(at.router(), level)
    is_secret = level in (2, 3)
    assert (client.mac == ANA) == is_secret
    assert ("join" == at.service.view(client).state) == (not is_secret)


@pytest.mark.parametrize("level", [1, 4])
async def test_another_browser_is_another_device(at, level) -> None:
    await at.join(at.router(), level)
    assert "join" != at.service.view(at.client(at.router(), level)).state
    assert "join" != at.service.view(at.client(at.router(token="cafe0001"), level)).state
    assert "join" == at.service.view(at.client(at.router(), level, browser="f" * 32)).state
    assert "join" == at.service.view(at.client(at.router(), level, browser="")).state
    assert is_browser("f" * 32)


async def test_a_router_gets_the_ceiling_and_the_smallest_remainder(at) -> None:
    client = await at.join(at.router(), 3)
    limits, is_slowed = at.service.limits(client, at.run.portal.guest(client.mac))
    assert not is_slowed
    assert limits.numbers == (60, 0, 10_000, -(-60 * GB // KB), -(-60 * GB // KB))


async def test_a_used_up_quota_slows_as_the_rules_say(at, app) -> None:
    router = at.router()
    client = await at.join(router, 3)
    at.service.view(client)
    at.poll(router)
    at.leave(router, client, 59 * GB, 2 * GB)
    await at.run.settle()
    router = at.router(token="cafe0001")
    client = at.client(router, 3)
    view = at.service.view(client)
    assert ("wait", True) == (view.state, view.is_slowed)
    limits, _ = at.service.limits(client, view.guest)
    assert limits.numbers == (60, 0, 2_000, 0, 0)


async def test_devices_that_are_online_at_once_share_what_is_left(at) -> None:
    (code,) = await at.run.codes()
    one, other = at.router(), at.router(token="cafe0001")
    first = await at.join(one, 4, CodeTyped(code))
    assert "wait" == at.service.view(first).state
    second = at.client(other, 4, browser="f" * 32)
    assert Admitted() == await at.service.join(second, CodeTyped(code), "1")
    alone, _ = at.service.limits(first, at.run.portal.guest(first.mac))
    both, _ = at.service.limits(second, at.run.portal.guest(second.mac))
    assert both.download_kbytes == pytest.approx(alone.download_kbytes / 2, abs=1)


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize("times", [1, 2])
async def test_what_a_client_used_is_booked_once(at, level, times) -> None:
    router = at.router()
    client = await at.join(router, level)
    at.service.view(client)
    at.poll(router)
    for down, up in ((5_000, 300), (5_000, 300), (4_000, 200)):
        at.leave(router, client, down, up, times=times)
    await at.run.settle()
    assert 5_300 == at.used(client)
    assert at.people.gateway_of(client.mac) is None


async def test_two_sessions_are_both_booked(at) -> None:
    for token in ("cafe0001", "cafe0002"):
        router = at.router(token=token)
        client = await at.join(router, 3)
        at.service.view(client)
        at.poll(router)
        at.leave(router, client, 5_000, 0)
    await at.run.settle()
    assert 10_000 == at.used(client)


async def test_nobody_is_billed_by_a_message_that_is_not_about_them(at) -> None:
    """Everybody behind the router can send messages as authmon does."""
    router = at.router()
    client = await at.join(router, 3)
    at.service.view(client)
    at.poll(router)
    custom = at.custom(router, client)
    other = at.router(token="cafe0001")
    for forged in (
        other.deauthed(GB, GB),
        other.deauthed(GB, GB).replace("custom=none", f"custom={custom}"),
        router.deauthed(GB, GB),
        router.deauthed(GB, GB).replace("custom=none", "custom=cHJvY29tdQ=="),
    ):
        at.ask(router.asking("deauthed", forged))
    await at.run.settle()
    assert 0 == at.used(client)
    assert 4 == at.people.people(at.gateway).of_nobody
    at.leave(router, client, "", "1e9")
    await at.run.settle()
    assert 0 == at.used(client)


async def test_what_was_used_before_a_restart_is_booked_after_it(app) -> None:
    async with one_life(app) as at:
        router = at.router()
        client = await at.join(router, 3)
        at.service.view(client)
        at.poll(router)
    async with one_life(app) as at:
        at.leave(router, client, 7_000, 100)
        await at.run.settle()
        assert 7_100 == at.used(client)
    async with one_life(app) as at:
        at.leave(router, client, 7_000, 100)
        await at.run.settle()
        assert 7_100 == at.used(client)


async def test_the_queue_that_everybody_can_read_names_no_device(at) -> None:
    router = at.router()
    client = await at.join(router, 3)
    assert "wait" == at.service.view(client).state
    entry = unquote(at.ask(router.asking("view", "none")))
    marked = base64.b64decode(entry.split()[-1]).decode()
    assert marked.startswith("procomu ")
    assert client.mac.replace(":", "") not in marked


async def test_a_forged_acknowledgement_or_clear_only_delays(at, app) -> None:
    router = at.router()
    client = await at.join(router, 4)
    view = at.service.view(client)
    (entry,) = at.ask(router.asking("view", "none")).split()[1:]
    at.ask(router.asking("view", f"* {entry[:64]}"))
    assert "online" == at.service.view(client).state
    app.clock.pass_time(LET_IN_MS)
    assert view.state == at.service.view(client).state == "wait"
    at.ask(router.asking("clear", "none"))
    assert "wait" == at.service.view(client).state
    at.poll(router)
    assert 1 == len(router.online)


async def test_routers_with_one_configuration_are_told_apart(at) -> None:
    one, other = at.router(), at.router(name="Other%20Node", token="cafe0001")
    client = await at.join(one, 3)
    at.service.view(client)
    at.poll(other)
    assert other.online == {}
    at.poll(one)
    assert 1 == len(one.online)


async def test_invented_routers_are_limited(at) -> None:
    client = await at.join(at.router(), 4)
    for number in range(3 * ROUTERS_MAX):
        at.service.view(at.client(at.router(name=f"N{number}"), 4))
        at.ask(FakeRouter("", name=f"M{number}").asking("view", "none"))
    assert len(at.service._queues) <= ROUTERS_MAX
    assert "wait" == at.service.view(client).state


async def test_a_browser_that_the_router_refuses_is_not_sent_back_and_forth(at, app) -> None:
    client = await at.join(at.router(), 1)
    seen = [at.service.view(client).is_by_itself for _ in range(RETURNS_MAX + 3)]
    assert [True] * RETURNS_MAX + [False] * 3 == seen
    app.clock.pass_time(61_000)
    assert at.service.view(client).is_by_itself


async def test_a_session_at_a_router_is_no_longer_than_the_time_that_is_left(at, app) -> None:
    (code,) = await at.run.codes(lasts_ms=SESSION_S * 1_000 // 2)
    client = await at.join(at.router(), 4, CodeTyped(code))
    limits, _ = at.service.limits(client, at.run.portal.guest(client.mac))
    assert 30 == limits.session_minutes
    app.clock.pass_time(SESSION_S * 1_000)
    await at.run.settle()
    assert "join" == at.service.view(client).state


async def test_a_blocked_device_is_not_let_in(at) -> None:
    client = await at.join(at.router(), 3)
    await at.run.loop.block(MacAddress(client.mac), "noise")
    assert "blocked" == at.service.view(client).state
    assert "*" == at.ask(at.router().asking("view", "none"))


async def test_a_router_is_up_and_has_a_name_once_it_has_spoken(at, app) -> None:
    router = at.router()
    assert "never" == at.people.registry.status(at.gateway).trouble
    await at.service.heard(at.gateway, "10.1.0.9", at.client(router, 3))
    gateway = at.people.registry.get(at.gateway.id)
    assert gateway is not None
    assert router.name == gateway.called
    assert "" == at.people.registry.status(gateway).trouble
    app.clock.pass_time(3_600_000)
    assert "silent" == at.people.registry.status(gateway).trouble
    await at.service.heard(gateway, "10.1.0.9")
    assert "" == at.people.registry.status(gateway).trouble


@pytest.mark.parametrize("level", [1, 2])
async def test_a_router_that_speaks_only_of_people_is_not_silent_without_them(at, app, level) -> None:
    router = at.router()
    await at.service.heard(at.gateway, "10.1.0.9", at.client(router, level))
    gateway = at.people.registry.get(at.gateway.id)
    assert gateway is not None
    app.clock.pass_time(8 * 3_600_000)
    assert "" == at.people.registry.status(gateway).trouble
    at.ask(router.asking("view", "none"))
    assert "silent" == at.people.registry.status(gateway).trouble, (
        "one that polls says something all the time"
    )


async def test_a_plain_query_gives_a_router_no_other_name(at) -> None:
    await at.service.heard(at.gateway, "10.1.0.9", at.client(at.router(name="Forged"), 1))
    assert "" == at.people.registry.status(at.gateway).trouble
    await at.service.heard(at.gateway, "10.1.0.9", at.client(at.router(), 3))
    gateway = at.people.registry.get(at.gateway.id)
    assert gateway is not None
    assert at.router().name == gateway.called, "also when a plain one was first"
    await at.service.heard(gateway, "10.1.0.9", at.client(at.router(name="Forged"), 1))
    assert gateway == at.people.registry.get(at.gateway.id)
    assert "" == at.people.registry.status(gateway).trouble
    await at.service.heard(gateway, "10.1.0.9", at.client(at.router(name="Second"), 3))
    assert "other-router" == at.people.registry.status(gateway).trouble


async def test_an_unknown_router_is_shown_to_admins_and_learns_nothing(at) -> None:
    router = at.router(name="Bakery%20Node")
    at.service.ask(router.query(1), "10.1.0.7")
    at.service.ask(router.query(3), "10.1.0.7")
    at.service.ask("fas=x", "10.1.0.7")
    asked = [each.gateway for each in at.people.registry.all if each.gateway.phase == "asked"]
    assert [("opennds", "Bakery%20Node", "10.1.0.7")] == [
        (each.kind, each.called, each.address) for each in asked
    ]


async def test_a_person_with_many_invented_clients_keeps_nobody_waiting(at) -> None:
    mine = await at.join(at.router(), 4)
    for number in range(50):
        at.service.view(at.client(at.router(token=f"{number:08x}"), 4))
    other = at.router(token="cafe0001")
    theirs = at.client(other, 4, browser="f" * 32)
    assert Admitted() == await at.service.join(theirs, TermsAccepted(), "1")
    assert "wait" == at.service.view(theirs).state
    (queue,) = at.service._queues.values()
    assert 2 == len(queue)
    at.poll(other)
    assert "online" == at.service.view(theirs).state
    assert "wait" == at.service.view(mine).state


async def test_invented_names_do_not_take_the_place_of_the_known_router(at) -> None:
    client = await at.join(at.router(), 4)
    await at.service.heard(at.gateway, "10.1.0.9", client)
    gateway = at.people.registry.get(at.gateway.id)
    assert gateway is not None
    at.gateway = gateway
    at.service.view(at.client(at.router(), 4))
    for number in range(3 * ROUTERS_MAX):
        other = at.client(at.router(name=f"N{number}", token=f"{number:08x}"), 4, browser=f"{number:032x}")
        assert Admitted() == await at.service.join(other, TermsAccepted(), "1")
        at.service.view(other)
    router = at.router()
    at.poll(router)
    assert 1 == len(router.online)


async def test_a_full_disk_keeps_nobody_from_the_page(at, monkeypatch) -> None:
    async def fails(*_asked: object) -> None:
        raise StorageTrouble("the disk is full", "make room")

    monkeypatch.setattr(at.people.registry, "spoke", fails)
    client = at.client(at.router(), 3)
    await at.service.heard(at.gateway, "10.1.0.9", client)
    assert "join" == at.service.view(client).state
