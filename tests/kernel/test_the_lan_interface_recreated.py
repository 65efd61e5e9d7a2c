"""The LAN interface is deleted and created again: it gets its addresses and servers back."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path

import pytest

from node.lan.dnsmasq import LOOK_EVERY_S, Dnsmasq
from node.lan.dnsmasq_config import dnsmasq_conf
from node.units import Milliseconds
from tests.lab.netns import Lab, Namespace

pytestmark = pytest.mark.kernel
ADDRESSES = ("10.77.0.1/16", "fd77::1/64")


def servers(run_dir: Path) -> Dnsmasq:
    text = dnsmasq_conf(
        interface="lan0",
        address4=IPv4Interface(ADDRESSES[0]),
        address6=IPv6Interface(ADDRESSES[1]),
        dhcp=True,
        first=IPv4Address("10.77.1.1"),
        last=IPv4Address("10.77.1.99"),
        lease=Milliseconds(600_000),
        domain="lan",
        portal_host="login.lan",
        dns_upstream=(),
        lease_file=str(run_dir / "leases"),
        pid_file=str(run_dir / "dnsmasq.pid"),
    )
    return Dnsmasq(lambda: text, run_dir, tuple(("lan0", address) for address in ADDRESSES))


def a_lan(router: Namespace, phone: Namespace) -> None:
    router.bridge("lan0")
    router.plug("p1", "lan0")
    phone.ip("link set eth0 up")


def asks_for_an_address(phone: Namespace) -> bool:
    asking = "udhcpc -i eth0 -n -q -f -t 3 -T 1 -s /bin/true 2>&1"
    return "10.77.1." in phone.run("sh", "-c", asking, check=False)


async def until(what: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not await asyncio.to_thread(what) and time.monotonic() < ends:
        await asyncio.sleep(0.1)
    return await asyncio.to_thread(what)


def while_it_runs(
    router: Namespace, dnsmasq: Dnsmasq, story: Callable[[], Coroutine[None, None, None]]
) -> None:
    async def life() -> None:
        async with asyncio.TaskGroup() as tasks:
            running_task = tasks.create_task(dnsmasq.run())
            await story()
            running_task.cancel()

    with router.entered():
        try:
            asyncio.run(life())
        finally:
            dnsmasq.stop()


def test_devices_get_addresses_again_after_the_lan_interface_was_recreated(tmp_path: Path) -> None:
    with Lab("lan") as lab:
        router, phone = lab.namespace("router"), lab.namespace("phone")
        lab.veth(router, "p1", phone, "eth0")
        a_lan(router, phone)
        dnsmasq = servers(tmp_path)

        async def story() -> None:
            assert await until(lambda: asks_for_an_address(phone), 5)
            before = dnsmasq.pid()
            router.ip("link del lan0")
            await asyncio.sleep(LOOK_EVERY_S + 0.2)
            assert before == dnsmasq.pid()
            a_lan(router, phone)
            assert await until(lambda: "fd77::1/64" in router.run("ip", "addr", "show", "dev", "lan0"), 4)
            assert "10.77.0.1/16" in router.run("ip", "addr", "show", "dev", "lan0")
            assert await until(lambda: asks_for_an_address(phone), 5)

        while_it_runs(router, dnsmasq, story)


def test_an_address_that_another_program_removed_is_restored(tmp_path: Path) -> None:
    """As when another program of the host reconfigures its interfaces."""
    with Lab("lan") as lab:
        router, phone = lab.namespace("router"), lab.namespace("phone")
        lab.veth(router, "p1", phone, "eth0")
        a_lan(router, phone)
        dnsmasq = servers(tmp_path)

        async def story() -> None:
            assert await until(lambda: dnsmasq.pid() is not None, 3)
            before = dnsmasq.pid()
            router.ip("addr flush dev lan0")
            for address in ADDRESSES:
                assert await until(lambda: address in router.run("ip", "addr", "show", "dev", "lan0"), 4)  # noqa: B023
            assert before == dnsmasq.pid()

        while_it_runs(router, dnsmasq, story)
