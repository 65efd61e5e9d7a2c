"""What a person behind a real openNDS router may try: to let themselves in without limits, or with an earlier permission."""

import asyncio
import base64
import hashlib
import json
import re
from urllib.parse import quote, unquote

import pytest

from tests.kernel.test_opennds_routers import RealRouter, half_a_voucher, needs_php, pytestmark

__all__ = ["pytestmark"]

AUTH = "http://10.77.0.1:2050/opennds_auth/"


async def is_not_free(router: RealRouter) -> None:
    """The client is not online, or within the limits of the node, or for the one second of those who are refused."""
    async with asyncio.timeout(60):
        while "{" not in (said := await asyncio.to_thread(router.nds.inside, "ndsctl", "json")):
            await asyncio.sleep(0.5)
    # What a person sent can be in it, control characters too.
    clients = json.loads(said[said.index("{") :], strict=False).get("clients") or {}
    for client in clients.values():
        assert client["state"] != "Authenticated" or client["download_quota"] != "null", client


@pytest.mark.parametrize("level", [4, pytest.param(3, marks=needs_php)])
async def test_a_person_who_reads_the_queue_is_not_let_in_without_limits(tmp_path, level) -> None:
    """The queue of a router can be read by everybody behind it; what is in it would open the router's own door."""
    async with half_a_voucher(tmp_path, level) as (_lab, router, code):
        person = router.person
        target = await person.captured()
        page = await person.curl(target)
        await person.send(target, page, code)
        (hashed,) = {name for _, name in router.at.service._queues}
        where = target.partition("?")[0]
        fields = f"auth_get=view&gatewayhash={hashed}&payload={base64.b64encode(b'none').decode()}"
        said = (
            await person.curl(where, "-d", fields) if level == 3 else await person.curl(f"{where}?{fields}")
        )
        entries = said.body.split()[1:]
        if entries:  # otherwise the router fetched them first
            rhid = unquote(entries[0])[:64]
            assert re.fullmatch("[0-9a-f]{64}", rhid)
            for custom in ("bm9uZQ==", base64.b64encode(b"procomu 0 0 0 0 0").decode()):
                await person.curl(
                    f"{AUTH}?tok={rhid}&redir=http%3a%2f%2fx%2f&custom={quote(custom, safe='')}"
                )
                await is_not_free(router)
        else:
            await is_not_free(router)


async def test_an_earlier_permission_lets_nobody_in_again(tmp_path) -> None:
    async with half_a_voucher(tmp_path, 1) as (_lab, router, code):
        person = router.person
        target = await person.captured()
        page = await person.send(target, await person.curl(target), code)
        permission = page.field("Refresh").removeprefix("0;url=")
        await person.let_in(target, page)
        (client,) = await router.clients()
        await asyncio.to_thread(router.nds.inside, "ndsctl", "deauth", client["token"])
        again = await person.captured()
        await person.curl(permission)
        assert not await person.is_online()
        assert client["token"] not in {each["token"] for each in await router.clients()}
        hid = hashlib.sha256(client["token"].encode()).hexdigest()
        assert hid in base64.b64decode(unquote(target.partition("fas=")[2]) + "==").decode()
        assert hid not in base64.b64decode(unquote(again.partition("fas=")[2]) + "==").decode()


@pytest.mark.parametrize("level", [1, pytest.param(2, marks=needs_php)])
async def test_a_person_who_leaves_the_limits_out_is_not_let_in_without_them(tmp_path, level) -> None:
    """The permission passes through their browser."""
    async with half_a_voucher(tmp_path, level) as (_lab, router, code):
        person = router.person
        target = await person.captured()
        page = await person.send(target, await person.curl(target), code)
        permission = page.field("Refresh").removeprefix("0;url=")
        for forged in (permission.partition("&custom=")[0], permission[:-12] + "AAAAAAAAAAAA"):
            await person.curl(forged)
            await is_not_free(router)
        await asyncio.sleep(20)
        assert not await person.is_online()
