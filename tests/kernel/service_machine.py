"""A host that announces services, or a node's mDNS browser, as a program for tests in namespaces.

    python -m tests.kernel.service_machine offer ADDRESS NAME:PORT...
    python -m tests.kernel.service_machine hear INTERFACE OWN4 OWN6

`hear` prints one JSON line for each change; `offer` sends goodbye packets (RFC 6762 section 10.1) on SIGTERM.
"""

import asyncio
import json
import signal
import socket
import sys
from ipaddress import IPv4Interface, IPv6Interface

from zeroconf import IPVersion
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from node.lan.mdns_browser import MdnsBrowser
from node.lan.mdns_services import HTTP

LOOK_S = 0.05


async def offer(address: str, *services: str) -> None:
    told = _told_to_end()
    zeroconf = AsyncZeroconf(interfaces=[address], ip_version=IPVersion.V4Only)
    for service in services:
        name, _, port = service.partition(":")
        info = AsyncServiceInfo(
            HTTP,
            f"{name}.{HTTP}",
            port=int(port),
            properties={"path": "/here"},
            server=f"machine-{port}.local.",
            addresses=[socket.inet_aton("198.51.100.1"), socket.inet_aton(address)],
        )
        await (await zeroconf.async_register_service(info))
    await told.wait()
    await zeroconf.async_unregister_all_services()
    await zeroconf.async_close()


async def hear(interface: str, own4: str, own6: str) -> None:
    told = _told_to_end()
    services = MdnsBrowser(interface, IPv4Interface(own4), IPv6Interface(own6))
    async with asyncio.TaskGroup() as tasks:
        work = [tasks.create_task(services.run()), tasks.create_task(_tell(services))]
        await told.wait()
        for task in work:
            task.cancel()


async def _tell(services: MdnsBrowser) -> None:
    said: object = None
    while True:
        found = [[each.name, each.url, each.host] for each in services.found()]
        now = {"found": found, "warning": services.warning}
        if now != said:
            said = now
            print(json.dumps(now), flush=True)
        await asyncio.sleep(LOOK_S)


def _told_to_end() -> asyncio.Event:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    return told


if __name__ == "__main__":
    asyncio.run({"offer": offer, "hear": hear}[sys.argv[1]](*sys.argv[2:]))
