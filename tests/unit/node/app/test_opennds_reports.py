"""Reports of the script on an openNDS router: what they book, who is ended by them, and what others can do with them."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.app.gateway_registry import ROUTER_KEPT_MS, ROUTERS_MAX, SILENT_AFTER
from node.app.gateway_service import LONG_SESSION_MS, LONG_STEP_MS, read_long
from node.app.opennds_service import REPORTED_SESSION_S, SESSION_S
from node.app.views import Admitted, CodeTyped, TermsAccepted
from node.gateways.opennds_authmon import read_authmon
from node.gateways.opennds_report import NO_NONCE, NONCE_MS
from node.units import MacAddress, Monotonic
from tests.fakes.fas_fixture import SLOW_RULES, FasFixture, one_life
from tests.fakes.opennds_router import FakeRouter
from tests.fakes.use_cases import AppFixture

GB, KB = 10**9, 1_024
FETCHED = [3, 4]
CEILING = 10_000


@pytest.fixture
def app(tmp_path: Path) -> AppFixture:
    return AppFixture(None, tmp_path, rules_text=SLOW_RULES)


@pytest.fixture
async def at(app: AppFixture) -> AsyncIterator[FasFixture]:
    async with one_life(app) as opened:
        yield opened


class ScriptFake:
    """The script on the router, with the clients that it finds there."""

    def __init__(self, at: FasFixture) -> None:
        self.at, self.nonce = at, NO_NONCE
        self.clients: dict[str, str] = {}
        """By token: what follows it."""

    def online(self, router: FakeRouter, custom: str, down: int, up: int, rate: int = CEILING) -> None:
        mark = custom.rstrip("=").replace("+", "-").replace("/", "_")
        self.clients[router.token] = f"{down}.{up}.{rate}.{mark}"

    def fields(self, key: str = "") -> dict[str, str]:
        text = ",".join(f"{token}.{rest}" for token, rest in self.clients.items())
        seal = hashlib.sha256(f"report {self.nonce}  {text} {key or self.at.faskey}".encode()).hexdigest()
        return {"nonce": self.nonce, "name": "", "clients": text, "seal": seal}

    def send(self, fields: dict[str, str] | None = None) -> list[str]:
        """The tokens of those that the node ends; sends again as the script does."""
        for _ in range(2):
            report = self.at.reports.read(self.at.gateway, fields or self.fields())
            assert report is not None
            head, *lines = self.at.reports.answer(self.at.gateway, report).splitlines()
            word, self.nonce, _seal = head.split(" ")
            if word == "ok":
                return [line.removeprefix("end ") for line in lines]
            assert not lines
            if fields is not None:
                return ["again"]
        raise AssertionError("the node asks again and again")


async def let_in(at: FasFixture, level: int = 3, **more: str) -> tuple[FakeRouter, MacAddress, str]:
    router = at.router(**more)
    client = await at.join(router, level)
    at.service.view(client)
    at.poll(router)
    return router, client.mac, at.custom(router, client)


def used(at: FasFixture, mac: MacAddress) -> int:
    return at.run.portal.guest(mac).used.total


@pytest.mark.parametrize("level", range(5))
async def test_what_a_client_uses_is_booked_while_it_is_online_and_once(at, level) -> None:
    router, mac, custom = await let_in(at, level)
    script = ScriptFake(at)
    for down, up in ((10, 1), (10, 1), (30, 2), (20, 2)):
        script.online(router, custom, down, up)
        assert [] == script.send()
    await at.run.settle()
    assert 32 * KB == used(at, mac)
    line = router.deauthed(30 * KB + 500, 2 * KB + 20).replace("custom=none", f"custom={custom}")
    for _ in range(2):
        at.ask(router.asking("deauthed", line))
        script.send()
    await at.run.settle()
    assert 32 * KB + 520 == used(at, mac)


async def test_a_blocked_device_and_an_ended_session_are_ended_at_the_next_report(at) -> None:
    one, mine, custom = await let_in(at)
    script = ScriptFake(at)
    script.online(one, custom, 1, 1)
    assert [] == script.send()
    assert at.gateway == at.people.gateway_of(mine)
    await at.run.loop.block(mine, "noise")
    assert [one.token] == script.send() == script.send()
    assert at.people.gateway_of(mine) is None


async def test_a_voucher_that_is_over_ends_its_client(at, app) -> None:
    (code,) = await at.run.codes(lasts_ms=SESSION_S * 1_000)
    router = at.router()
    client = await at.join(router, 3, CodeTyped(code))
    at.service.view(client)
    at.poll(router)
    script = ScriptFake(at)
    script.online(router, at.custom(router, client), 1, 1, rate=1_000)
    assert [] == script.send()
    app.clock.pass_time(SESSION_S * 1_000)
    await at.run.settle()
    assert [router.token] == script.send()


async def test_a_used_up_quota_ends_a_fast_client_and_leaves_a_slow_one(at) -> None:
    router, mac, custom = await let_in(at)
    script = ScriptFake(at)
    script.online(router, custom, 1, 1)
    assert [] == script.send()
    await at.run.use(mac, down=61 * GB)
    assert [router.token] == script.send()
    script.online(router, custom, 1, 1, rate=0)
    assert [router.token] == script.send(), "no limit is fast"
    script.online(router, custom, 1, 1, rate=2_000)
    assert [] == script.send()


async def test_a_person_who_was_let_in_again_slowly_has_the_short_session(at) -> None:
    router, mac, _ = await let_in(at)
    ScriptFake(at).send()
    client = at.client(router, 3)
    limits, is_slowed = at.service.limits(client, at.run.portal.guest(mac))
    assert (4 * 60, False) == (limits.session_minutes, is_slowed), (
        "as long as the rules let a guest be online"
    )
    assert REPORTED_SESSION_S >= 4 * 3_600
    await at.run.use(mac, down=61 * GB)
    limits, is_slowed = at.service.limits(client, at.run.portal.guest(mac))
    assert (SESSION_S // 60, True) == (limits.session_minutes, is_slowed)


async def test_only_the_router_itself_makes_sessions_longer(at, app) -> None:
    """A person who could would be online for hours after a block, where no script runs."""
    _, mac, _ = await let_in(at)
    script = ScriptFake(at)
    assert at.reports.read(at.gateway, script.fields(key="f" * 64)) is None
    old = script.fields()
    assert ["again"] == script.send(old)
    assert not at.people.registry.reports(at.gateway)
    client = at.client(at.router(), 3)
    assert SESSION_S // 60 == at.service.limits(client, at.run.portal.guest(mac))[0].session_minutes
    script.send()
    recorded = script.fields()
    assert [] == script.send(recorded)
    assert at.people.registry.reports(at.gateway)
    app.clock.pass_time(max(2 * NONCE_MS, SILENT_AFTER))
    assert ["again"] == script.send(recorded), "a replayed one"
    assert not at.people.registry.reports(at.gateway)


async def test_nobody_is_billed_or_ended_by_a_report_that_is_not_about_them(at) -> None:
    router, mac, custom = await let_in(at)
    other = at.router(token="cafe0001")
    script = ScriptFake(at)
    script.online(other, custom, 10**9, 10**9)
    script.online(at.router(token="cafe0002"), "A" * 72, 10**9, 10**9)
    script.clients["cafe0003"] = "1.1.0.none"
    assert ["cafe0001", "cafe0002", "cafe0003"] == script.send(), "they let themselves in"
    await at.run.settle()
    assert 0 == used(at, mac)
    assert 3 == at.people.people(at.gateway).of_nobody
    assert router.token not in script.clients


async def test_a_restart_between_report_and_answer_books_the_same_bytes_once(app) -> None:
    async with one_life(app) as at:
        router, mac, custom = await let_in(at)
        script = ScriptFake(at)
        script.online(router, custom, 100, 10)
        script.send()
        await at.run.settle()
    async with one_life(app) as at:
        script.at = at
        assert [] == script.send()
        assert at.people.registry.reports(at.gateway)
        script.online(router, custom, 150, 10)
        assert [] == script.send()
        await at.run.settle()
        assert 160 * KB == used(at, mac)
        assert at.gateway == at.people.gateway_of(mac)


async def test_a_client_that_is_reported_takes_its_part_also_after_a_restart(app) -> None:
    async with one_life(app) as at:
        router, _, custom = await let_in(at, 4)
        script = ScriptFake(at)
        script.online(router, custom, 1, 1)
        script.send()
        (code,) = await at.run.codes()
    async with one_life(app) as at:
        script.at = at
        script.send()
        assert {router.hid} == at.service._grants.keys()
        second = at.client(at.router(token="cafe0001"), 4, browser="f" * 32)
        assert Admitted() == await at.service.join(second, CodeTyped(code), "1")


async def test_before_the_database_is_read_nobody_is_ended_and_nothing_is_booked(at, monkeypatch) -> None:
    router, mac, custom = await let_in(at)
    script = ScriptFake(at)
    script.send()
    script.online(router, custom, 100, 10)
    await at.run.loop.block(mac, "noise")
    monkeypatch.setattr(at.people, "recalled", False)
    assert [] == script.send()
    assert 0 == at.people.people(at.gateway).added.total
    monkeypatch.setattr(at.people, "recalled", True)
    assert [router.token] == script.send()
    assert 110 * KB == at.people.people(at.gateway).added.total


async def test_before_the_database_is_read_a_router_keeps_what_a_client_used_and_sends_it_again(app) -> None:
    """What the script reported before the restart would be booked a second time, and to another account."""
    async with one_life(app) as at:
        router, mac, custom = await let_in(at, 1)
        script = ScriptFake(at)
        script.online(router, custom, 100, 10)
        script.send()
        await at.run.settle()
    async with one_life(app) as at:
        line = router.deauthed(120 * KB, 10 * KB).replace("custom=none", f"custom={custom}")
        asked = read_authmon(router.asking("deauthed", line))
        assert asked is not None
        at.people.recalled = False
        assert at.service.authmon(at.gateway, asked) is None
        assert 0 == at.people.people(at.gateway).added.total
        at.people.recalled = True
        assert "ack" == at.service.authmon(at.gateway, asked)
        await at.run.settle()
        assert 130 * KB == used(at, mac)


async def test_a_script_that_stops_is_seen_and_sessions_are_short_again(at, app) -> None:
    _, mac, _ = await let_in(at, 1)
    registry = at.people.registry
    assert registry.status(at.gateway).reported_s is None
    ScriptFake(at).send()
    await at.service.heard(at.gateway, "10.1.0.9")
    status = registry.status(at.gateway)
    assert ("", 0, True) == (status.trouble, status.reported_s, status.reports)
    app.clock.pass_time(SILENT_AFTER)
    status = registry.status(at.gateway)
    assert ("silent", SILENT_AFTER // 1_000, False) == (status.trouble, status.reported_s, status.reports)
    client = at.client(at.router(), 1)
    assert Admitted() == await at.service.join(client, TermsAccepted(), "1")
    assert SESSION_S // 60 == at.service.limits(client, at.run.portal.guest(mac))[0].session_minutes


async def test_of_several_routers_each_has_sessions_as_its_own_script_reports(at, app) -> None:
    router, mac, _ = await let_in(at, 1)
    ScriptFake(at).send()
    registry, name, other = at.people.registry, router.name, "Other%20Node"
    assert registry.reports(at.gateway, name), "a router without people reports without its name"
    assert registry.reports(at.gateway, other)
    registry.reported(at.gateway, other)
    assert not registry.reports(at.gateway, name)
    client = at.client(at.router(), 1)
    assert Admitted() == await at.service.join(client, TermsAccepted(), "1")
    assert SESSION_S // 60 == at.service.limits(client, at.run.portal.guest(mac))[0].session_minutes
    assert () == registry.status(at.gateway).routers, "one of them has told its name"
    registry.reported(at.gateway, name)
    assert 4 * 60 == at.service.limits(client, at.run.portal.guest(mac))[0].session_minutes
    assert {name, other} == dict(registry.status(at.gateway).routers).keys()
    app.clock.pass_time(ROUTER_KEPT_MS)
    registry.reported(at.gateway, name)
    assert () == registry.status(at.gateway).routers
    for number in range(ROUTERS_MAX + 3):
        registry.reported(at.gateway, f"R{number}")
    assert ROUTERS_MAX == len(registry.status(at.gateway).routers)


async def test_while_long_sessions_may_go_on_pages_say_six_hours_also_after_a_restart(app) -> None:
    async with one_life(app) as at:
        assert not at.people.has_long_sessions(at.gateway)
        ScriptFake(at).send()
        _, mac, _ = await let_in(at, 1)
        assert at.people.has_long_sessions(at.gateway)
        app.clock.pass_time(SILENT_AFTER)
        online = at.service.view(replace(at.client(at.router(), 1), mac=mac, says_online=True))
        assert (False, True) == (online.is_reported, online.is_long)
        await at.run.settle()
    async with one_life(app) as at:
        assert at.people.has_long_sessions(at.gateway)
        app.clock.pass_time(LONG_SESSION_MS - SILENT_AFTER)
        assert at.people.has_long_sessions(at.gateway)
        app.clock.pass_time(SILENT_AFTER + LONG_STEP_MS)
        assert not at.people.has_long_sessions(at.gateway)


def test_of_another_boot_nobody_knows_what_is_left_of_a_long_session():
    text = '["a", {"0123abcd": 5000}]'
    assert {"0123abcd": 5000} == read_long(text, "a", Monotonic(1_000))
    assert {"0123abcd": 1_000 + LONG_SESSION_MS + LONG_STEP_MS} == read_long(text, "b", Monotonic(1_000))
    for damaged in ("", "[", "[1]", '["a", 5]', '["a", {"x": "y"}]'):
        assert {} == read_long(damaged, "a", Monotonic(0))


@pytest.mark.parametrize("leaves", [True, False])
async def test_bytes_in_the_last_turn_before_a_stop_are_booked(app, leaves) -> None:
    """A router tells only once what a client used that left."""
    async with one_life(app) as at:
        router, mac, custom = await let_in(at)
        script = ScriptFake(at)
        script.online(router, custom, 3, 1)
        script.send()
        if leaves:
            line = router.deauthed(5 * KB, KB).replace("custom=none", f"custom={custom}")
            at.ask(router.asking("deauthed", line))
    async with one_life(app) as at:
        assert (6 if leaves else 4) * KB == used(at, mac)
