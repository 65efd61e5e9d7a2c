"""The village without root: the same node, rules and pages on a kernel in memory, so that no packet is forwarded.

Demands are shared out by the rules' own arithmetic and sent to the fake kernel, which counts them. Figures that need
packets are null, with the reason.
"""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from captive_portal.callers import ELSEWHERE
from node import console
from node.app.rule_files import load_config
from node.app.views import TermsAccepted
from node.daemon import Node
from node.governance.fair_shares import Demand, fair_rates
from node.identity import key_to_pem
from node.units import AccountId, MacAddress
from node.web.connections import Caller, SocketAddresses
from tests.fakes.kernel import FakeKernel
from tests.lab.agreement import MACS, MEMBERS, RULES, Settings, node_toml
from tests.lab.figures import TARGETS, Figures
from tests.lab.free_port import free_port
from tests.lab.screen import Lines, Screen
from tests.lab.village import SQUARE

FOLDER = "procomu-lab-imagined-"
TICK_S = 0.2
PEOPLE = ("phone", "laptop", "tablet", "bea")
SCENES = (("phone",), ("laptop", "tablet"), ("phone", "laptop", "tablet"), ("bea",), PEOPLE)
SCENE_S = 6.0


class Names:
    """Implements `captive_portal.callers.Callers`: the browser of this machine is one device of the village."""

    def caller(self, ends: SocketAddresses) -> Caller:
        return Caller(MacAddress(MACS["browser"])) if ends.address in {"127.0.0.1", "::1"} else ELSEWHERE

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        return False


class ImaginedRouter:
    """Has the interface that the screen needs of a router."""

    site = SQUARE
    daemon = True

    def __init__(self, path: str) -> None:
        self._path = path

    def ask(self, question: str) -> dict[str, Any]:
        return console.ask(self._path, {"ask": question})

    def overview(self) -> dict[str, Any]:
        return dict(self.ask("status")["overview"])


class ImaginedPerson:
    """A person with a device that exists in memory only."""

    def __init__(self, name: str) -> None:
        self.name, self.mac = name, MACS[name]


class ImaginedVillage:
    """Has the interface that the screen needs of a village."""

    def __init__(self, router: ImaginedRouter) -> None:
        self.routers = {"square": router}
        self.people = {name: ImaginedPerson(name) for name in (*PEOPLE, "browser")}


def run_imagined(reason: str, *, seconds: float | None, as_json: bool) -> int:
    """The village on the fake kernel, until Ctrl-C or for `seconds`; with `as_json` all figures are null."""
    sentence = f"No packet passes here, because {reason}: this is the same village on a kernel in memory."
    live = not as_json and sys.stdout.isatty()
    view = Screen() if live else Lines(sys.stderr if as_json else sys.stdout)
    if as_json and seconds is None:
        seconds = 5.0
    with (
        contextlib.suppress(KeyboardInterrupt),
        _folder() as folder,
        view,
    ):
        view.say(sentence)
        asyncio.run(_imagine(Path(folder), view, seconds))
    if as_json:
        figures = Figures()
        figures.missed(sentence, *(target.key for target in TARGETS))
        print(json.dumps(figures.document()), flush=True)
        return 1
    print(sentence)
    return 0


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """A temporary folder; those of killed runs are removed first."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        owner = left.name.removeprefix(FOLDER).partition("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{FOLDER}{os.getpid()}-") as folder:
        yield folder


async def _imagine(folder: Path, view: Screen | Lines, seconds: float | None) -> None:
    kernel = FakeKernel()
    node = Node(furnished(folder, free_port()), kernel)
    portal_port = free_port()
    async with asyncio.TaskGroup() as parts:
        running = [parts.create_task(part) for part in _parts(node, portal_port)]
        await node.reconciler.ready.wait()
        view.show_village(ImaginedVillage(ImaginedRouter(node.config.node.console_socket)))  # type: ignore[arg-type]
        link, _ = await node.admin.new_link()
        view.show_windows({"portal": f"http://127.0.0.1:{portal_port}/", "admin page": link})
        try:
            await _live(node, kernel, view, seconds)
        finally:
            for task in running:
                task.cancel()
    node.close()


def _parts(node: Node, portal_port: int) -> Iterator[Any]:
    from captive_portal.server import Portal

    portal = Portal(
        node.app,
        Names(),
        port=portal_port,
        secret=secrets.token_bytes(32),
        addresses=("127.0.0.1",),
        public_port=portal_port,
    )
    yield from (node.reconciler.run(), node.console.run(), portal.run(), node.admin_server.run())


async def _live(node: Node, kernel: FakeKernel, view: Screen | Lines, seconds: float | None) -> None:
    for name in PEOPLE:
        await node.app.admit(MacAddress(MACS[name]), TermsAccepted(), "1")
        view.say(f"square: {name} accepted the terms and is online")
    began, scene = time.monotonic(), -1
    while seconds is None or time.monotonic() - began < seconds:
        now = int((time.monotonic() - began) / SCENE_S)
        greedy = SCENES[now % len(SCENES)]
        rates = _shared(node, greedy)
        for name, rate in rates.items():
            kernel.send(MACS[name], down=int(rate * TICK_S / 8), up=int(rate * TICK_S / 200))
        if now != scene:
            scene = now
            told = ", ".join(f"{name} {rate / 1e6:.1f}" for name, rate in rates.items())
            view.say(f"square: who wants everything now gets: {told} Mbit/s")
        await asyncio.sleep(TICK_S)


def _shared(node: Node, greedy: tuple[str, ...]) -> dict[str, int]:
    """The rate that the rules give to each of `greedy` on a line with exactly the configured rate."""
    uplink = node.reconciler.active_ruleset.ruleset.shaped
    assert uplink is not None
    demands = []
    for name in greedy:
        account: AccountId = node.reconciler.account_of(MacAddress(MACS[name]))
        allowed = node.reconciler.allowance(account)
        ceiling = allowed.ceiling.value if allowed.ceiling else None
        demands.append(
            Demand(allowed.share.value, allowed.floor.value.down, ceiling.down if ceiling else None)
        )
    return dict(zip(greedy, fair_rates(demands, uplink.down), strict=True))


def furnished(folder: Path, admin_port: int) -> Any:
    """The settings of a node in an empty folder, with its files there."""
    key = folder / "community.key"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))
    settings = Settings("square", folder, SQUARE.lan_v4, SQUARE.lan_v6, (), key, ("192.0.2.53",), mesh=())
    text = node_toml(settings) + f"\n[admin]\nport = {admin_port}\n"
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "node.key").touch(mode=0o600)
    (folder / "data" / "node.key").write_bytes(key_to_pem(Ed25519PrivateKey.generate()))
    (folder / "rules.toml").write_text(RULES)
    (folder / "members.toml").write_text(MEMBERS)
    (folder / "node.toml").write_text(text)
    return load_config(folder / "node.toml")
