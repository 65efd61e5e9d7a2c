"""A WiFiDog gateway as its protocol describes it: HTTP/1.0 on raw sockets, one connection for each request."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from node.units import MacAddress

AUTH = re.compile(rb"Auth: (-?\d+)")


@dataclass
class WifidogClient:
    """A device behind the gateway, as the gateway knows it."""

    mac: MacAddress
    ip: str
    token: str = ""
    incoming: int = 0
    outgoing: int = 0
    may_pass: bool = False


@dataclass
class WifidogGateway:
    """`paths` are the three parts of its configuration: the path of pages, of ping and of auth."""

    port: int
    paths: tuple[str, str, str]
    gw_id: str = "001217DA42D2"
    uptime: int = 60
    clients: dict[MacAddress, WifidogClient] = field(default_factory=dict)
    source: str = "127.0.0.1"

    async def get(self, target: str, *, body: bytes = b"", headers: str = "") -> bytes:
        """The whole response, up to the end of the connection, within the gateway's patience."""
        method = "POST" if body else "GET"
        length = f"Content-Length: {len(body)}\r\nContent-Type: application/json\r\n" if body else ""
        head = (
            f"{method} {target} HTTP/1.0\r\nUser-Agent: WiFiDog 1.3.0\r\nHost: auth\r\n{length}{headers}\r\n"
        )
        return await self.send(head.encode() + body)

    async def send(self, request: bytes) -> bytes:
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, local_addr=(self.source, 0)
            )
            try:
                writer.write(request)
                await writer.drain()
                return await reader.read()
            finally:
                writer.close()

    async def ping(self) -> bool:
        fields = (
            f"gw_id={self.gw_id}&sys_uptime=9&sys_memfree=2604&sys_load=0.03&wifidog_uptime={self.uptime}"
        )
        return b"Pong" in await self.get(f"{self.paths[1]}?{fields}")

    async def auth(self, client: WifidogClient, stage: str, **changed: str) -> int | None:
        """The code of the reply; None without one."""
        counted = (0, 0) if stage == "login" else (client.incoming, client.outgoing)
        fields = {
            "stage": stage,
            "ip": client.ip,
            "mac": client.mac,
            "token": client.token,
            "incoming": str(counted[0]),
            "outgoing": str(counted[1]),
            "gw_id": self.gw_id,
            **changed,
        }
        return code_of_reply(await self.get(f"{self.paths[2]}?{urlencode(fields)}"))

    def redirect(self, client: WifidogClient, url: str = "http://example.org/") -> str:
        """Where the browser of a device that may not pass is sent."""
        return (
            f"{self.paths[0]}login/?gw_address=192.168.1.1&gw_port=2060&gw_id={self.gw_id}"
            f"&ip={client.ip}&mac={client.mac}&url={quote(url, safe='')}"
        )

    async def returned(self, client: WifidogClient, location: str) -> str:
        """The browser comes with a token: asks the server, and says where the browser goes next."""
        found = dict(each.split("=") for each in urlsplit(location).query.split("&"))
        client.token = found["token"]
        code = await self.auth(client, "login")
        client.may_pass = code == 1
        if code == 1:
            client.incoming = client.outgoing = 0
            self.clients[client.mac] = client
            return f"{self.paths[0]}portal/?gw_id={self.gw_id}&token={client.token}"
        return f"{self.paths[0]}gw_message.php?message=denied&token={client.token}"

    async def check(self) -> None:
        """One round of counters."""
        for client in tuple(self.clients.values()):
            if await self.auth(client, "counters") in {0, 6}:
                client.may_pass = False
                del self.clients[client.mac]

    def restart(self) -> None:
        """Forgets all clients, and counts from zero."""
        for client in self.clients.values():
            client.may_pass = False
        self.clients, self.uptime = {}, 1


async def report(
    gateway: WifidogGateway, device_id: str, rows: Mapping[str, list[Mapping[str, object]]]
) -> dict:
    """apfree's body of counters, by gateway; returns the decisions by gateway and client."""
    said = {
        "device_id": device_id,
        "gateway": [
            {"gw_id": name, "gw_channel": "lan", "clients": clients} for name, clients in rows.items()
        ],
    }
    reply = await gateway.get(f"{gateway.paths[2]}?stage=counters_v2", body=json.dumps(said).encode())
    found = json.loads(reply.partition(b"\r\n\r\n")[2])
    return {each["gw_id"]: {op["id"]: op["auth_code"] for op in each["auth_op"]} for each in found["result"]}


def code_of_reply(reply: bytes) -> int | None:
    """As the gateway reads it: the first match anywhere, headers included."""
    found = AUTH.search(reply)
    return int(found[1]) if found else None
