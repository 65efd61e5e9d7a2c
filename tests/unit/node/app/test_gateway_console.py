"""Gateways from the console."""

from pathlib import Path

import pytest

from node.app.gateway_console import GatewayCommands
from node.errors import NodeError
from tests.fakes.use_cases import AppFixture


@pytest.fixture
def commands(tmp_path: Path) -> GatewayCommands:
    return GatewayCommands(AppFixture(folder=tmp_path).use_cases().gateways)


async def test_a_router_that_asks_is_accepted_and_its_secret_is_in_its_configuration_only(commands):
    registry = commands._registry
    registry.ask("wifidog", "X1", "10.1.2.3")
    (asked,) = commands.list({})["gateways"]
    assert ("asked", "X1", "10.1.2.3") == (asked["state"], asked["called"], asked["address"])
    said = await commands.accept({"gateway": asked["gateway"], "name": "the bakery"})
    (gateway,) = registry.accepted()
    assert registry.secret(gateway) in said["configuration"]
    assert said == commands.config({"gateway": gateway.id})
    assert registry.secret(gateway) not in str(commands.list({}))


async def test_a_gateway_is_added_and_removed(commands):
    made = await commands.add({"name": "the school", "kind": "apfree"})
    assert ["apfree"] == [each["kind"] for each in commands.list({})["gateways"]]
    await commands.remove({"gateway": made["gateway"]})
    assert [] == commands.list({})["gateways"]


async def test_a_refused_router_stays_in_the_list(commands):
    commands._registry.ask("wifidog", "X1", "10.1.2.3")
    (asked,) = commands.list({})["gateways"]
    await commands.refuse({"gateway": asked["gateway"]})
    assert ["refused"] == [each["state"] for each in commands.list({})["gateways"]]
    with pytest.raises(NodeError):
        commands.config({"gateway": asked["gateway"]})


@pytest.mark.parametrize("wrong", [{}, {"name": ""}, {"name": "x" * 500}, {"name": "x", "kind": "chilli"}])
async def test_a_wrong_gateway_is_refused(commands, wrong):
    with pytest.raises(NodeError):
        await commands.add(wrong)


@pytest.mark.parametrize("name", ["accept", "refuse", "remove"])
async def test_a_gateway_that_is_not_there_is_said_to_be(commands, name):
    with pytest.raises(NodeError, match="no such gateway"):
        await getattr(commands, name)({"gateway": "../x", "name": "x"})
