"""What admins see of gateways."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.app.admin_gateways import AdminGatewaysService
from node.app.views import TermsAccepted
from node.config import ListenAddress
from node.gateways.counters import ReportedCounters
from node.gateways.gateway import Gateway
from node.units import Bytes, Usage
from tests.fakes.use_cases import ANA, AppFixture


@pytest.mark.parametrize(
    ("listen", "host", "said"),
    [
        (ListenAddress("0.0.0.0", 2080), "vall.example.org", "Hostname vall.example.org"),
        (ListenAddress("10.1.0.1", 2090), "", "Hostname 10.1.0.1"),
        (ListenAddress("::", 2080), "", "Hostname NODE"),
        (None, "", "Hostname NODE"),
    ],
)
async def test_a_configuration_says_where_the_node_is(tmp_path: Path, listen, host, said) -> None:
    run = AppFixture(folder=tmp_path).use_cases()
    service = AdminGatewaysService(
        run.gateways._gateways, replace(run.node.config.gateways, listen=listen, host=host)
    )
    gateway = await service.registry.add("wifidog", "the bakery")
    text = service.configuration(gateway)
    assert said in text
    assert service.registry.secret(gateway) in text
    assert ("NODE" not in said) == service.has_host
    assert (listen is not None) == service.is_on


async def test_people_and_their_usage_are_shown_for_each_gateway(tmp_path: Path) -> None:
    async with AppFixture(folder=tmp_path).life() as run:
        gateways = run.gateways._gateways
        await gateways.recall()
        gateway = await gateways.registry.add("wifidog", "the bakery")
        token = gateways.begin(gateway, ANA, TermsAccepted(), "1")
        assert (await gateways.login(gateway, ANA, token)).may_pass
        for down in (500, 400):
            gateways.count(gateway, ANA, token, ReportedCounters(down, 7))
        gateways.count(gateway, ANA, "0" * 32, ReportedCounters(900, 7))
        (row,) = run.gateways.rows()
        assert (1, Usage(Bytes(500), Bytes(7)), 2) == (row.people, row.used, row.ignored)
        assert row == run.gateways.row(gateway.id)
        assert run.gateways.row("ffffffff") is None


def test_each_kind_has_its_table_and_the_script_changes_that_of_opennds(tmp_path: Path) -> None:
    gateways = AppFixture(folder=tmp_path).use_cases().gateways
    bakery = Gateway("0a1b2c3d", "wifidog", "accepted", "the bakery", "", "")
    library = Gateway("3a1b2c3d", "opennds", "accepted", "the library", "", "")
    assert ("quota", "late") in gateways.abilities(bakery)
    assert {("ceiling", "yes"), ("block", "hour")} <= set(gateways.abilities(library))
    gateways.registry.reported(library)
    assert {("ceiling", "yes"), ("block", "late")} <= set(gateways.abilities(library))


@pytest.mark.parametrize("has_certificate", [True, False])
async def test_the_configuration_of_an_opennds_router_has_its_key(tmp_path: Path, has_certificate) -> None:
    run = AppFixture(folder=tmp_path).use_cases()
    settings = replace(run.node.config.gateways, listen=ListenAddress("10.1.0.1", 2090))
    service = AdminGatewaysService(run.gateways._gateways, settings, lambda: has_certificate)
    gateway = await service.registry.add("opennds", "the library")
    text = service.configuration(gateway)
    assert f"option faskey '{service.registry.fas_key(gateway)}'" in text
    assert f"option fas_secure_enabled '{4 if has_certificate else 1}'" in text
    assert service.registry.secret(gateway) not in text
