"""People behind gateways: admission, counters and verdicts through the same sessions as on the node's own network."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.app.gateway_registry import GatewayRegistry
from node.app.gateway_service import (
    COUNTERS_STATE,
    PENDING_MAX,
    PENDING_MS,
    GatewayService,
    counters_state,
    read_counters_state,
)
from node.app.views import CodeTyped, Entry, Refused, TermsAccepted
from node.gateways.counters import ReportedCounters
from node.gateways.gateway import Gateway
from node.units import MacAddress
from tests.fakes.use_cases import ANA, BEN, DAY_MS, GUEST_RULES, RULES, UNKNOWN_CODE, AppFixture, UseCases

HERE, KEY = "10.1.2.3", b"k" * 32
GB = 10**9


@dataclass
class GatewayFixture:
    """One run of a node with gateways."""

    run: UseCases
    service: GatewayService

    @property
    def registry(self) -> GatewayRegistry:
        return self.service.registry

    async def gateway(self, name: str = "the bakery") -> Gateway:
        known = [each for each in self.registry.accepted() if each.name == name]
        return known[0] if known else await self.registry.add("wifidog", name)

    async def join(
        self, mac: MacAddress = ANA, entry: Entry | None = None, name: str = "the bakery"
    ) -> tuple[Gateway, str]:
        """The person sends the form, and the gateway says which device it is."""
        gateway = await self.gateway(name)
        token = self.service.begin(gateway, mac, entry or TermsAccepted(), "1")
        assert (await self.service.login(gateway, mac, token)).may_pass
        return gateway, token

    def count(
        self, gateway: Gateway, token: str, down: int | None, up: int | None = 0, mac: MacAddress = ANA
    ):
        return self.service.count(gateway, mac, token, ReportedCounters(down, up))

    def used(self, mac: MacAddress = ANA) -> int:
        return self.run.portal.guest(mac).used.total


@asynccontextmanager
async def one_run(
    fixture: AppFixture, *, killed: bool = False, key: bytes = KEY
) -> AsyncIterator[GatewayFixture]:
    async with fixture.life(killed=killed) as run:
        registry = GatewayRegistry(
            fixture.archive, fixture.clock, key=key, random=secrets.token_bytes, one_change=asyncio.Lock()
        )
        service = GatewayService(
            run.loop,
            run.portal.admission,
            registry,
            fixture.archive,
            fixture.clock,
            key=key,
            random=secrets.token_bytes,
        )
        await service.recall()
        yield GatewayFixture(run, service)


@pytest.fixture
def app(tmp_path: Path) -> AppFixture:
    return AppFixture(None, tmp_path)


@pytest.fixture
async def at(app: AppFixture) -> AsyncIterator[GatewayFixture]:
    async with one_run(app) as opened:
        yield opened


async def test_a_person_joins_when_the_gateway_names_the_device(at) -> None:
    gateway = await at.gateway()
    token = at.service.begin(gateway, ANA, TermsAccepted(), "1")
    assert not at.run.loop.session_table.is_admitted(ANA)
    assert (await at.service.login(gateway, ANA, token)).may_pass
    assert at.run.loop.session_table.is_admitted(ANA)
    assert gateway == at.service.gateway_of(ANA)


async def test_the_token_of_one_device_or_gateway_admits_no_other(at) -> None:
    gateway, other = await at.gateway(), await at.gateway("the school")
    token = at.service.begin(gateway, ANA, TermsAccepted(), "1")
    assert "unknown" == (await at.service.login(gateway, BEN, token)).reason
    assert "unknown" == (await at.service.login(other, ANA, token)).reason
    assert not at.run.loop.session_table.is_admitted(BEN)


async def test_a_token_of_an_unnamed_device_is_for_the_first_that_logs_in_with_it(at) -> None:
    gateway = await at.gateway()
    token = at.service.begin(gateway, None, TermsAccepted(), "1")
    assert "unknown" == at.count(gateway, token, 5 * GB, mac=BEN).reason, (
        "nobody can bill another one's device"
    )
    assert (await at.service.login(gateway, ANA, token)).may_pass
    assert at.count(gateway, token, 1_000).may_pass
    assert "unknown" == at.count(gateway, token, 5 * GB, mac=BEN).reason
    assert "unknown" == (await at.service.login(gateway, BEN, token)).reason


async def test_invented_tokens_do_nothing(at) -> None:
    gateway, token = await at.join()
    for invented in ("", "0" * 32, token[::-1], "g" * 32, token + "0"):
        assert "unknown" == (await at.service.login(gateway, ANA, invented)).reason
        assert "unknown" == at.count(gateway, invented, 5 * GB).reason
    await at.run.settle()
    assert 0 == at.used()
    assert at.count(gateway, token, 1).may_pass


async def test_a_voucher_is_checked_when_the_gateway_names_the_device(at) -> None:
    (code,) = await at.run.codes()
    await at.join(ANA, CodeTyped(code))
    assert "voucher" == at.run.portal.guest(ANA).way
    gateway = await at.gateway()
    token = at.service.begin(gateway, BEN, CodeTyped(UNKNOWN_CODE), "1")
    verdict = await at.service.login(gateway, BEN, token)
    assert isinstance(verdict.refused, Refused)
    assert "code-unknown" == verdict.refused.reason
    assert verdict == at.service.reason(token)


async def test_a_form_is_used_once_and_not_without_end(at, app) -> None:
    gateway, token = await at.join()
    await at.run.loop.leave(ANA)
    assert "ended" == (await at.service.login(gateway, ANA, token)).reason
    late = at.service.begin(gateway, BEN, TermsAccepted(), "1")
    app.clock.pass_time(PENDING_MS)
    assert not (await at.service.login(gateway, BEN, late)).may_pass


async def test_a_double_click_changes_nothing(at) -> None:
    gateway, token = await at.join()
    assert at.count(gateway, token, 1_000).may_pass
    assert (await at.service.login(gateway, ANA, token)).may_pass
    assert at.count(gateway, token, 1_500).may_pass
    await at.run.settle()
    assert 1_500 == at.used()


async def test_forms_that_nobody_brings_back_are_limited(at) -> None:
    gateway = await at.gateway()
    for _ in range(PENDING_MAX + 50):
        at.service.begin(gateway, ANA, TermsAccepted(), "1")
    assert PENDING_MAX == len(at.service._pending)


async def test_what_a_gateway_counts_is_in_the_one_ledger_once(at) -> None:
    gateway, token = await at.join()
    for down, up in ((1_000, 100), (1_000, 100), (900, 90), (3_000, 300)):
        assert at.count(gateway, token, down, up).may_pass
    await at.run.settle()
    assert 3_300 == at.used()
    assert {"lower": 1} == at.service.people(gateway).findings


async def test_missing_fields_are_not_booked(at) -> None:
    gateway, token = await at.join()
    assert at.count(gateway, token, None, None).may_pass
    assert at.count(gateway, token, 1_000, None).may_pass
    await at.run.settle()
    assert 1_000 == at.used()


async def test_a_gateway_that_began_at_zero_loses_nothing(at) -> None:
    gateway, token = await at.join()
    at.registry.heartbeat(gateway, 3_600)
    at.count(gateway, token, 5_000)
    at.registry.heartbeat(gateway, 10)
    at.count(gateway, token, 700)
    await at.run.settle()
    assert 5_700 == at.used()


async def test_bytes_after_the_end_of_a_session_are_still_booked(at) -> None:
    gateway, token = await at.join()
    at.count(gateway, token, 1_000)
    await at.run.settle()
    await at.run.loop.block(ANA, "noise")
    verdict = await at.service.logout(gateway, ANA, token, ReportedCounters(1_700, 0))
    assert ("blocked", "noise") == (verdict.reason, verdict.because)
    await at.run.settle()
    usage = at.run.loop.effective_policy.used_this_month(at.run.loop.account_of(ANA))
    assert 1_700 == usage.total


async def test_after_a_logout_counters_begin_at_zero(at) -> None:
    gateway, token = await at.join()
    at.count(gateway, token, 5_000)
    await at.service.logout(gateway, ANA, token, ReportedCounters(6_000, 0))
    _, again = await at.join()
    at.count(gateway, again, 8_000)
    await at.run.settle()
    assert 14_000 == at.used()


async def test_a_logout_that_is_told_twice_is_booked_once(at) -> None:
    gateway, token = await at.join()
    at.count(gateway, token, 5_000)
    for _ in range(3):  # apfree-wifidog tells it until it gets an answer
        await at.service.logout(gateway, ANA, token, ReportedCounters(6_000, 0))
    at.count(gateway, token, 5_500)
    await at.run.settle()
    assert 6_000 == at.used()


async def test_a_login_before_a_restart_of_the_node_counts_from_zero_after_it(tmp_path) -> None:
    fixture = AppFixture(None, tmp_path)
    async with one_run(fixture) as at:
        gateway, token = await at.join()
        at.count(gateway, token, 5_000)
        await at.run.settle()
        _, again = await at.join()  # the router restarted without a word
        await at.run.settle()
    async with one_run(fixture) as at:
        at.count(gateway, again, 700)
        await at.run.settle()
        assert 5_700 == at.used()


@pytest.mark.parametrize("end", ["leave", "block", "expire"])
async def test_what_ends_a_session_here_ends_it_at_the_next_check(at, end) -> None:
    gateway, token = await at.join()
    if end == "block":
        await at.run.loop.block(ANA, "noise")
    elif end == "leave":
        await at.run.loop.leave(ANA)
    else:
        await at.run.expire(ANA)
    assert ("blocked" if end == "block" else "ended") == at.count(gateway, token, 1).reason
    assert at.service.gateway_of(ANA) is None


async def test_a_used_up_quota_ends_the_session_with_its_reason(tmp_path) -> None:
    app = AppFixture(None, tmp_path, rules_text=RULES + GUEST_RULES)
    async with one_run(app) as at:
        gateway, token = await at.join()
        down = 0
        for _ in range(12):
            app.clock.pass_time(3_600_000 // 12)
            down += 4 * GB
            assert at.count(gateway, token, down).may_pass
        await at.run.settle()
        assert at.count(gateway, token, down).may_pass, "48 of 60 GB"
        app.clock.pass_time(3_600_000 // 4)
        at.count(gateway, token, down + 12 * GB)
        await at.run.settle()
        verdict = at.count(gateway, token, down + 12 * GB)
        assert "over-quota" == verdict.reason
        assert verdict.quota is not None
        assert "guests-month" == verdict.quota.rule
        assert verdict == at.service.reason(token)
        again = at.service.begin(gateway, ANA, TermsAccepted(), "1")
        assert "over-quota" == (await at.service.login(gateway, ANA, again)).reason


async def test_a_restart_between_login_and_counters_keeps_people_online(app) -> None:
    async with one_run(app) as at:
        gateway, token = await at.join()
    async with one_run(app) as at:
        assert at.count(gateway, token, 1_000, 10).may_pass
        await at.run.settle()
        assert 1_010 == at.used()


async def test_restarts_book_nothing_twice_and_lose_nothing(app) -> None:
    async with one_run(app) as at:
        gateway, token = await at.join()
    for number in range(1, 5):
        async with one_run(app) as at:
            at.count(gateway, token, number * 1_000)
            at.count(gateway, token, number * 1_000 + 500)
            await at.run.settle()
            assert number * 1_000 + 500 == at.used()


async def test_a_killed_node_books_again_what_it_had_not_stored(app) -> None:
    async with one_run(app) as at:
        gateway, token = await at.join()
        at.count(gateway, token, 1_000)
        await at.run.settle()
    async with one_run(app, killed=True) as at:
        at.count(gateway, token, 2_000)
        await at.run.settle()
        assert 2_000 == at.used()
    async with one_run(app) as at:
        assert 1_000 == at.used()
        at.count(gateway, token, 2_500)
        await at.run.settle()
        assert 2_500 == at.used()


async def test_before_the_start_is_complete_nobody_is_turned_away(app) -> None:
    async with one_run(app) as at:
        gateway, token = await at.join()
        new = GatewayService(
            at.run.loop,
            at.run.portal.admission,
            GatewayRegistry(
                app.archive, app.clock, key=KEY, random=secrets.token_bytes, one_change=asyncio.Lock()
            ),
            app.archive,
            app.clock,
            key=KEY,
            random=secrets.token_bytes,
        )
        for _ in range(2):
            verdict = new.count(gateway, ANA, token, ReportedCounters(1_000, 0))
            assert ("not-ready", False) == (verdict.reason, verdict.is_certain)
            assert not (await new.login(gateway, ANA, token)).is_certain
        await new.recall()
        assert new.count(gateway, ANA, token, ReportedCounters(1_000, 0)).may_pass


async def test_on_a_full_disk_people_stay_online_and_nothing_is_lost(app) -> None:
    async with one_run(app) as at:
        gateway, token = await at.join()
        app.repository.full = True
        assert at.count(gateway, token, 1_000).may_pass
        await at.run.settle()
        app.repository.full = False
        assert at.count(gateway, token, 3_000).may_pass
        await at.run.settle()
    async with one_run(app) as at:
        assert 3_000 == at.used()
        assert at.count(gateway, token, 3_000).may_pass
        await at.run.settle()
        assert 3_000 == at.used()


async def test_a_removed_gateway_leaves_no_counters(app) -> None:
    async with one_run(app) as at:
        gateway, token = await at.join()
        at.count(gateway, token, 1_000)
        await at.run.settle()
        await at.registry.drop(gateway.id)
        await at.run.settle()
    assert "" == await app.archive.state(f"{COUNTERS_STATE} {gateway.id}")


async def test_what_is_stored_has_no_hardware_address(app) -> None:
    async with one_run(app) as at:
        gateway, token = await at.join()
        at.count(gateway, token, 1_000)
        await at.run.settle()
    stored = await app.archive.state(f"{COUNTERS_STATE} {gateway.id}")
    assert 1 == len(json.loads(stored))
    assert ANA not in stored


async def test_people_at_gateways_have_no_traffic_class_of_their_own(at, app) -> None:
    gateway, token = await at.join()
    account = at.run.loop.account_of(ANA)
    app.clock.pass_time(60_000)
    at.count(gateway, token, 1_000)
    await at.run.settle()
    assert account in at.run.loop.session_table.idle
    assert at.run.loop.session_table.is_admitted(ANA)
    assert DAY_MS > (at.run.loop.session_table.idle_ms(ANA, app.clock.now) or 0)


def test_counters_are_read_as_they_were_stored_and_damaged_ones_are_left_out() -> None:
    text = '{"a":[5,6,1],"b":[1,2],"c":"x","d":[-1,0,0],"e":[1,2,3,4]}'
    found = read_counters_state(text)
    assert {"a": [5, 6, 1]} == json.loads(counters_state(found))
    for damaged in ("", "[", "[]", "1", "null"):
        assert {} == read_counters_state(damaged)
