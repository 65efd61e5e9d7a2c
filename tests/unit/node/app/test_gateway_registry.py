"""Gateways are adopted by an admin, and by nothing that a router says."""

import asyncio
import secrets

import pytest

from node.app.gateway_registry import ASKED_FOR, PUSHED_OUT_MAX, SILENT_AFTER, STATE, GatewayRegistry
from node.errors import InvalidValue, NodeError, StorageTrouble
from node.gateways.gateway import ASKED_MAX, GATEWAYS_MAX, NAME_CHARACTERS_MAX, Gateway, gateways_text
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository

HERE, THERE = "10.1.2.3", "10.9.9.9"


class RegistryOfGateways:
    """A registry on a fake archive."""

    def __init__(self) -> None:
        self.repository, self.clock = FakeRepository(), FakeClock()
        self.archive = FakeArchive(self.repository)
        self.registry = self.again()

    def again(self) -> GatewayRegistry:
        """As after a restart."""
        return GatewayRegistry(
            self.archive, self.clock, key=b"k" * 32, random=secrets.token_bytes, one_change=asyncio.Lock()
        )

    def asked(self) -> list[str]:
        return [each.gateway.called for each in self.registry.all if each.gateway.phase == "asked"]

    async def accepted(self, called: str = "X1", name: str = "the bakery") -> Gateway:
        self.registry.ask("wifidog", called, HERE)
        (asked,) = (each.gateway for each in self.registry.all if each.gateway.called == called)
        return await self.registry.accept(asked.id, name)


@pytest.fixture
async def kept() -> RegistryOfGateways:
    fixture = RegistryOfGateways()
    await fixture.registry.recall()
    return fixture


async def test_an_accepted_gateway_is_found_by_its_secret_only_also_after_a_restart(kept) -> None:
    gateway = await kept.accepted()
    secret = kept.registry.secret(gateway)
    assert gateway == kept.registry.find(secret, HERE)
    for wrong in ("", "X1", secret[:-1], secret.upper(), gateway.id):
        assert kept.registry.find(wrong, HERE) is None
    again = kept.again()
    assert again.find(secret, HERE) is None
    await again.recall()
    assert gateway == again.find(secret, HERE)


async def test_what_is_stored_has_no_secret(kept) -> None:
    gateway = await kept.accepted()
    stored = kept.repository.facts[STATE]
    assert kept.registry.secret(gateway) not in stored
    assert kept.registry.fas_key(gateway) not in stored


async def test_a_router_that_asks_is_not_accepted_by_asking(kept) -> None:
    kept.registry.ask("wifidog", "X1", HERE)
    (asked,) = kept.registry.all
    assert kept.registry.find(kept.registry.secret(asked.gateway), HERE) is None
    assert kept.repository.facts.get(STATE) is None, "strangers write nothing to the disk"


async def test_a_refused_router_does_not_ask_again_also_after_a_restart(kept) -> None:
    kept.registry.ask("wifidog", "X1", HERE)
    await kept.registry.refuse(kept.registry.all[0].gateway.id)
    again = kept.again()
    await again.recall()
    for registry in (kept.registry, again):
        registry.ask("wifidog", "X1", HERE)
        assert ["refused"] == [each.gateway.phase for each in registry.all]


async def test_strangers_fill_a_limited_list(kept) -> None:
    for number in range(10 * ASKED_MAX):
        kept.registry.ask("wifidog", f"X{number}", HERE)
        kept.registry.ask("wifidog", f"X{number}", THERE)
    assert ASKED_MAX == len(kept.registry.all)
    kept.clock.pass_time(ASKED_FOR)
    kept.registry.ask("wifidog", "late", HERE)
    assert ["late"] == kept.asked()


async def test_invented_routers_push_out_those_of_the_same_address(kept) -> None:
    kept.registry.ask("wifidog", "the real one", THERE)
    for number in range(3 * ASKED_MAX):
        kept.clock.pass_time(1)
        kept.registry.ask("wifidog", f"X{number}", HERE)
    assert "the real one" in kept.asked()
    assert f"X{3 * ASKED_MAX - 1}" in kept.asked()
    assert ASKED_MAX == len(kept.asked())
    assert 0 < kept.registry.more_asked <= PUSHED_OUT_MAX


async def test_a_router_that_asks_when_the_list_is_full_is_shown(kept) -> None:
    for number in range(ASKED_MAX):
        kept.clock.pass_time(1)
        kept.registry.ask("wifidog", f"X{number}", f"10.9.0.{number}")
    kept.clock.pass_time(1)
    kept.registry.ask("wifidog", "late", HERE)
    assert "late" in kept.asked()
    assert "X0" not in kept.asked(), "the oldest one gave way"
    assert 1 == kept.registry.more_asked


async def test_of_two_who_give_one_name_at_once_one_is_refused(kept) -> None:
    made = await both_named(kept)
    assert [True, False] == sorted((isinstance(each, Gateway) for each in made), reverse=True)
    assert 1 == len([each for each in kept.registry.all if each.gateway.name == "the bakery"])


async def both_named(kept) -> list[Gateway | InvalidValue]:
    made: list[Gateway | InvalidValue] = []

    async def add(name: str) -> None:
        try:
            made.append(await kept.registry.add("wifidog", name))
        except InvalidValue as invalid:
            made.append(invalid)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(add("the bakery"))
        tasks.create_task(add("The Bakery"))
    return made


async def test_the_second_router_with_one_secret_is_turned_away_and_shown(kept) -> None:
    gateway = await kept.registry.add("wifidog", "the bakery")
    first = await kept.registry.spoke(gateway, "wifidog", "X1", HERE)
    assert first is not None
    assert await kept.registry.spoke(first, "wifidog", "X2", THERE) is None
    (status,) = kept.registry.all
    assert ("other-router", "X2", "X1") == (status.trouble, status.detail, status.gateway.called)


async def test_two_routers_with_one_name_are_two_gateways(kept) -> None:
    bakery = await kept.accepted("X1", "the bakery")
    kept.registry.ask("wifidog", "X1", THERE)
    (asked,) = (each.gateway for each in kept.registry.all if each.gateway.phase == "asked")
    school = await kept.registry.accept(asked.id, "the school")
    assert kept.registry.secret(bakery) != kept.registry.secret(school)
    assert school == kept.registry.find(kept.registry.secret(school), THERE)


async def test_a_secret_that_became_known_is_replaced(kept) -> None:
    gateway = await kept.accepted()
    former = kept.registry.secret(gateway)
    changed = await kept.registry.replace_secret(gateway.id)
    assert kept.registry.find(former, HERE) is None
    assert changed == kept.registry.find(kept.registry.secret(changed), HERE)


async def test_source_limits(kept) -> None:
    gateway = await kept.registry.limit((await kept.accepted()).id, ("10.1.2.0/24",))
    secret = kept.registry.secret(gateway)
    assert gateway == kept.registry.find(secret, HERE)
    assert kept.registry.find(secret, THERE) is None
    assert ("other-source", THERE) == (kept.registry.all[0].trouble, kept.registry.all[0].detail)


async def test_a_router_that_is_silent_is_shown(kept) -> None:
    gateway = await kept.registry.add("wifidog", "the bakery")
    assert "never" == kept.registry.status(gateway).trouble
    spoken = await kept.registry.spoke(gateway, "wifidog", "X1", HERE)
    assert spoken is not None
    assert ("", 0) == (kept.registry.status(spoken).trouble, kept.registry.status(spoken).heard_s)
    kept.clock.pass_time(SILENT_AFTER)
    assert "silent" == kept.registry.status(spoken).trouble
    assert ["the bakery" in each for each in kept.registry.warnings()] == [True]
    again = kept.again()
    await again.recall()
    assert [] == list(again.warnings()), "after a start it has time to speak"
    kept.clock.pass_time(SILENT_AFTER)
    assert 1 == len(list(again.warnings()))


async def test_a_lower_uptime_is_another_run_of_its_program(kept) -> None:
    gateway = await kept.accepted()
    runs = []
    for uptime in (60, 120, None, 180, 5, 65):
        kept.registry.heartbeat(gateway, uptime)
        runs.append(kept.registry.contact(gateway).run)
    assert [0, 0, 0, 0, 1, 1] == runs


@pytest.mark.parametrize("name", ["", "  ", "x" * (NAME_CHARACTERS_MAX + 1), "a\x00b", "THE  Bakery"])
async def test_a_name_is_one_of_its_own_and_short(kept, name) -> None:
    await kept.accepted()
    with pytest.raises(InvalidValue):
        await kept.registry.add("wifidog", name)


async def test_on_a_full_disk_nothing_changes(kept) -> None:
    gateway = await kept.accepted()
    kept.repository.full = True
    for change in (
        kept.registry.add("apfree", "the school"),
        kept.registry.drop(gateway.id),
        kept.registry.replace_secret(gateway.id),
    ):
        with pytest.raises(StorageTrouble):
            await change
    assert [gateway] == [each.gateway for each in kept.registry.all]


async def test_a_removed_gateway_is_gone(kept) -> None:
    gateway = await kept.accepted()
    await kept.registry.drop(gateway.id)
    assert kept.registry.find(kept.registry.secret(gateway), HERE) is None
    assert () == kept.registry.all
    with pytest.raises(NodeError):
        await kept.registry.accept(gateway.id, "x")


async def test_before_the_database_was_read_nothing_is_decided() -> None:
    fixture = RegistryOfGateways()
    with pytest.raises(NodeError):
        await fixture.registry.add("wifidog", "the bakery")


async def test_damaged_rows_are_left_out(kept) -> None:
    gateway = await kept.accepted()
    kept.repository.facts[STATE] = kept.repository.facts[STATE][:-1] + ',{"id":"x"}]'
    again = kept.again()
    await again.recall()
    assert [gateway.id] == [each.gateway.id for each in again.all]


async def test_changes_at_the_same_time_all_hold_also_after_a_restart(kept) -> None:
    bakery = await kept.registry.add("wifidog", "the bakery")
    kept.archive.disk_is_free.clear()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept.registry.add("apfree", "the school"))
        spoke = tasks.create_task(kept.registry.spoke(bakery, "wifidog", "X1", HERE))
        other = tasks.create_task(kept.registry.spoke(bakery, "wifidog", "X2", THERE))
        await asyncio.sleep(0)
        kept.registry.ask("wifidog", "X9", HERE)
        kept.archive.disk_is_free.set()
    assert spoke.result() is not None
    assert other.result() is None, "the first one is the gateway"
    assert ["X9"] == kept.asked()
    again = kept.again()
    await again.recall()
    for registry in (kept.registry, again):
        assert {("the bakery", "X1"), ("the school", "")} == {(g.name, g.called) for g in registry.accepted()}


async def test_a_router_that_speaks_does_not_bring_back_a_removed_gateway(kept) -> None:
    gateway = await kept.registry.add("wifidog", "the bakery")
    kept.archive.disk_is_free.clear()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(kept.registry.drop(gateway.id))
        spoke = tasks.create_task(kept.registry.spoke(gateway, "wifidog", "X1", HERE))
        await asyncio.sleep(0)
        kept.archive.disk_is_free.set()
    assert spoke.result() is None
    assert () == kept.registry.all


async def test_a_warning_ends_when_the_admin_did_what_it_says(kept) -> None:
    gateway = await kept.registry.limit((await kept.accepted()).id, ("10.1.2.0/24",))
    assert kept.registry.find(kept.registry.secret(gateway), THERE) is None
    assert await kept.registry.spoke(gateway, "wifidog", "X2", HERE) is None
    assert 1 == len(list(kept.registry.warnings()))
    gateway = await kept.registry.replace_secret(gateway.id)
    assert [] == list(kept.registry.warnings())
    assert kept.registry.find(kept.registry.secret(gateway), THERE) is None
    await kept.registry.spoke(gateway, "wifidog", "X1", HERE)
    assert 1 == len(list(kept.registry.warnings()))
    await kept.registry.limit(gateway.id, ("10.0.0.0/8",))
    assert [] == list(kept.registry.warnings())


async def test_a_full_list_can_be_changed_and_is_read_whole(kept) -> None:
    made = [Gateway(f"{n:08x}", "wifidog", "accepted", f"place {n}", "", "") for n in range(GATEWAYS_MAX - 1)]
    kept.repository.facts[STATE] = gateways_text(made)
    kept.registry = kept.again()
    await kept.registry.recall()
    kept.registry.ask("wifidog", "X1", HERE)
    kept.registry.ask("wifidog", "X2", HERE)
    first, second = (each.gateway for each in kept.registry.all if each.gateway.phase == "asked")
    await kept.registry.refuse(first.id)
    for change in (
        kept.registry.add("wifidog", "one more"),
        kept.registry.accept(second.id, "another"),
        kept.registry.refuse(second.id),
    ):
        with pytest.raises(NodeError):
            await change
    changed = await kept.registry.replace_secret(made[0].id)
    again = kept.again()
    await again.recall()
    assert GATEWAYS_MAX == len(again.all)
    assert changed == again.get(made[0].id)
