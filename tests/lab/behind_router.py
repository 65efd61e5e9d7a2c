"""A person behind a router with a captive portal program, who uses a browser that asks for French."""

import asyncio
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

from tests.lab.netns import Namespace

NAME, NODE, FAR = "node.test", "10.88.0.1", "203.0.113.10"
PAGE_PORT, START_S = 8080, 180.0


@dataclass
class RouterPage:
    status: int
    head: str
    body: str

    def field(self, name: str) -> str:
        found = re.search(rf"^{name}: (.*?)\r?$", self.head, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""


@dataclass
class PersonBehind:
    """A person's browser behind the router, in French."""

    place: Namespace
    folder: Path
    seen: list[str] = field(default_factory=list)
    name: str = NAME
    node: str = NODE
    """Address to which the node's name resolves."""

    async def curl(self, url: str, *more: str, seconds: int = 20) -> RouterPage:
        argv = ("curl", "-s", "-m", str(seconds), "-D", "-", "-H", "Accept-Language: fr", "--cacert")
        jar = str(self.folder / "jar")
        argv += (
            str(self.folder / "cert.pem"),
            "--resolve",
            f"{self.name}:443:{self.node}",
            "-b",
            jar,
            "-c",
            jar,
        )
        said = await asyncio.to_thread(self.place.run, *argv, *more, url, check=False, timeout=90)
        head, _, body = said.replace("\r\n", "\n").partition("\n\n")
        found = re.match(r"HTTP/\S+ (\d+)", head)
        return RouterPage(int(found[1]) if found else 0, head, body)

    @property
    def received_bytes(self) -> int:
        return int(self.place.run("cat", "/sys/class/net/eth0/statistics/rx_bytes"))

    async def capture(self) -> str:
        """Where the router sends a request to the Internet; empty when it does not."""
        page = await self.curl(f"http://{FAR}/start?x=~~~")
        target = page.field("Location")
        return target if page.status in (302, 307) and "/gw/" in target else ""

    async def captured(self, seconds: float = START_S) -> str:
        async with asyncio.timeout(seconds):
            while not (target := await self.capture()):
                await asyncio.sleep(0.5)
            return target

    async def is_online(self) -> bool:
        return "THE END" in (await self.curl(f"http://{FAR}:{PAGE_PORT}/end", seconds=4)).body

    async def send(self, target: str, page: RouterPage, code: str = "") -> RouterPage:
        """The form of a page, and the page that follows."""
        fields = dict(re.findall(r'name="(terms|token)" value="([^"]*)"', page.body))
        fields |= {"code": code} if code else {}
        data = [word for name, value in fields.items() for word in ("--data-urlencode", f"{name}={value}")]
        sent = await self.curl(target, *data)
        assert sent.status == 303, sent.head
        return await self.curl(urljoin(target, sent.field("Location")))

    async def let_in(self, target: str, page: RouterPage) -> None:
        """By the router, as the page says."""
        refresh = page.field("Refresh")
        if refresh.startswith("0;url="):
            await self.curl(refresh.removeprefix("0;url="))
        async with asyncio.timeout(START_S):
            while not await self.is_online():
                if not refresh.startswith("0;"):
                    page = await self.curl(target)
                await asyncio.sleep(1)
        self.seen.append(page.body)
