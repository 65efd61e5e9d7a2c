"""The script of this node on a real openNDS router: it tells what a person uses while they are online, and ends those
that an admin blocks, within one check interval."""

import asyncio
import time

import pytest

from node.app.opennds_service import REPORTED_SESSION_S
from node.units import MacAddress
from tests.fakes.use_cases import BEN
from tests.kernel.test_opennds_routers import MB, RealRouter, each_level, half_a_voucher, pytestmark
from tests.lab.behind_router import FAR, PAGE_PORT
from tests.lab.netns import Lab

__all__ = ["pytestmark"]

CHECK_S = 60
SCRIPT, SOME_BYTES = "/etc/box/procomu-report.sh", 3 * MB


async def reports(router: RealRouter, *how: str) -> None:
    """Once; without its `how`, as cron runs it."""
    said = await asyncio.to_thread(router.nds.inside, "sh", SCRIPT, *how, seconds=120)
    assert not said, said


async def cron(router: RealRouter) -> None:
    while True:
        began = time.monotonic()
        await reports(router)
        await asyncio.sleep(max(0, CHECK_S - (time.monotonic() - began)))


@each_level
async def test_a_block_holds_at_a_real_router_within_one_check(tmp_path, level) -> None:
    async with half_a_voucher(tmp_path, level) as (lab, router, code):
        await _is_counted_and_ended(router, lab, code)


async def _is_counted_and_ended(router: RealRouter, lab: Lab, code: str) -> None:
    person, at = router.person, router.at
    (lab.folder / "far" / "some").write_bytes(bytes(SOME_BYTES))
    target = await person.captured()
    await asyncio.to_thread(router.nds.wait_until_it_answers)
    async with asyncio.timeout(CHECK_S):  # openNDS itself uses ndsctl while it starts
        while not at.people.registry.reports(at.gateway):
            await asyncio.to_thread(router.nds.inside, "sh", SCRIPT, "once", seconds=CHECK_S)
    page = await person.curl(target)
    await person.let_in(target, await person.send(target, page, code))
    (client,) = await router.clients()
    assert int(client["session_end"]) - int(client["session_start"]) == pytest.approx(
        REPORTED_SESSION_S, abs=60
    )
    got = await person.curl(f"http://{FAR}:{PAGE_PORT}/some", "-o", "/dev/null", seconds=60)
    assert got.status == 200
    before = at.run.portal.guest(BEN).used.total
    await reports(router, "once")
    await at.run.settle()
    told = at.run.portal.guest(BEN).used.total - before
    assert SOME_BYTES <= told <= 1.3 * SOME_BYTES, "counted while the person is online"
    await reports(router, "once")
    await at.run.settle()
    again = at.run.portal.guest(BEN).used.total - before
    assert again - told < MB, "once"
    assert await person.is_online()
    (mac,) = at.people.people(at.gateway).devices
    async with asyncio.TaskGroup() as tasks:
        minutes = tasks.create_task(cron(router))
        await asyncio.sleep(3)
        took = await _blocked(router, mac)
        minutes.cancel()
    print(f"a block ended the session at the router after {took:.1f} s")
    assert took <= CHECK_S
    target = await person.captured()
    assert "bloqué" in (await person.curl(target)).body


async def _blocked(router: RealRouter, mac: MacAddress) -> float:
    began = time.monotonic()
    await router.at.run.loop.block(mac, "noise")
    while await router.person.is_online():
        assert time.monotonic() - began < 2 * CHECK_S
        await asyncio.sleep(0.2)
    return time.monotonic() - began
