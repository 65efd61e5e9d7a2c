"""Set-up mode: what a machine without settings does instead of being a node, until it has them.

It makes the one-time code and shows it, serves the set-up page on the LAN side, and ends when the settings are there; then
systemd starts the node. The settings are written last, so that the machine is either without them or a complete node.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from mesh.join_client import JoinedCommunity
from node.accounts.appearance import Appearance
from node.accounts.member_passphrases import SALT_BYTES
from node.app.admin_access import ACCOUNTS, first_account
from node.app.admin_sessions import Signed
from node.backup.offline import claim, finish_changes
from node.clock import SystemClock
from node.config import NodeConfig, default_of
from node.enforcement.foreign_servers import ForeignServer
from node.errors import NodeError
from node.keyring import open_keyring
from node.lan.dnsmasq import SETUP_DNSMASQ, add_address, remove_added_addresses
from node.lan.foreign_servers import listen
from node.lan.managed_daemon import ManagedDaemon, installed, interface_index, numbered, run
from node.process import notify_systemd, run_until_signalled
from node.setup import network_change, network_facts
from node.setup.answers import Answers, country_of
from node.setup.first_files import (
    SECRET_MODE,
    FirstFiles,
    create_first_files,
    forget_code,
    stored_code,
    write_file,
)
from node.setup.joining import join_with_new_key, keep_secret, peer_setting, store_joined
from node.setup.lan_side import LanSide, is_candidate, lan_sides, port_numbers, setup_dnsmasq_conf
from node.setup.line_meter import LineMeter, measure_download
from node.setup.network_layout import LAN_ADDRESS, NetworkFacts
from node.setup.network_plan import NetworkPlan
from node.setup.server import SetupServer
from node.setup.service import MachineDefaults, SetupService
from node.setup.setup_code import CodeCheck, shown_code
from node.storage.database import Store
from node.storage.repository import StoredArchive, StoredRepository
from node.task_supervision import Parts, supervise
from node.web.certificate_files import SelfSignedFile, admin_certificate_file

log = logging.getLogger("procomu")

RUN_DIR, STATE_DIR = Path(default_of("node.run_dir")), Path(default_of("node.data_dir"))
CONSOLE, ISSUE = Path("/dev/console"), Path("/run/issue.d/50-procomu.issue")
"""The issue is above each login prompt (agetty(8))."""
LOOK_EVERY_S = 2.0
SILENT_TIMES = 3
"""A network where no other server answered so often, two seconds each, has none: then the node may be one there."""
ASK_AGAIN_S = 30.0
LAST_PAGE_S = 2.0
"""For the browser to get the last page."""
_ZONE, _ZONES = Path("/etc/localtime"), Path("/usr/share/zoneinfo/zone.tab")
_HOST_NAMES_OF_NOBODY = {"localhost", "debian", "raspberrypi", "armbian", "ubuntu", ""}


class SetupLan:
    """Serves the page on the LAN side: finds the interfaces, gives them addresses, and runs dnsmasq there.

    An interface is on the LAN side when it does not lead to the Internet, and no other DHCP server and no router answers
    there. They are asked for again and again: when one answers later, nothing is served there any more.
    """

    def __init__(
        self,
        run_dir: Path,
        look: Callable[[], NetworkFacts],
        listen_on: Callable[[Mapping[str, int]], Awaitable[None]],
        others: Callable[[str], tuple[ForeignServer, ...] | None] = listen,
    ) -> None:
        """`others` blocks, and returns the other servers on an interface; None where nothing can be sent."""
        self.sides: tuple[LanSide, ...] = ()
        """Where the page is served now."""
        self._run_dir, self._look, self._listen_on, self._others = run_dir, look, listen_on, others
        conf, pid = run_dir / f"{SETUP_DNSMASQ}.conf", run_dir / f"{SETUP_DNSMASQ}.pid"
        self._program = ManagedDaemon(
            "dnsmasq",
            "dnsmasq-base",
            (f"--conf-file={conf}",),
            conf,
            pid,
            "if port 53 or 67 is taken, stop the other server; 'ss -lunp' names it",
        )
        self._numbers: dict[str, int] = {}
        self._foreign: set[str] = set()
        self._silent: dict[tuple[str, int], int] = {}
        """How often nobody answered on an interface, by its name and number."""
        self._due_at: dict[tuple[str, int], float] = {}
        self._only, self._is_released = "", False
        self._changed, self._at_work = asyncio.Event(), asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled. Raises NodeError when dnsmasq or the page cannot be started."""
        while True:
            async with self._at_work:
                if not self._is_released:
                    await self._update()
            if not self._is_asking:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), LOOK_EVERY_S)
                self._changed.clear()

    @property
    def _is_asking(self) -> bool:
        """Whether an interface is asked again at once: nobody has answered there, but not often enough yet."""
        is_idle = self._is_released or bool(self._only)
        return not is_idle and any(0 < times < SILENT_TIMES for times in self._silent.values())

    async def release(self) -> None:
        async with self._at_work:
            self._is_released = True
            await self._listen_on({})
            self.sides = ()
            await asyncio.to_thread(self.stop)

    @property
    def foreign(self) -> frozenset[str]:
        return frozenset(self._foreign)

    def serve(self, lan: str) -> None:
        self._only, self._is_released = lan, False
        self._changed.set()

    def stop(self) -> None:
        """Ends dnsmasq, and takes the addresses away that the set-up gave."""
        self._program.stop()
        remove_added_addresses(self._run_dir)

    def hand_over(self) -> None:
        """Ends dnsmasq for the node's own; the address stays, which the node has, too."""
        self._program.stop()

    async def _update(self) -> None:
        facts = await asyncio.to_thread(self._look)
        if not self._only:
            await asyncio.to_thread(_switch_on, facts)
            await self._ask(facts)
        quiet = {name for (name, number), times in self._silent.items() if times >= SILENT_TIMES}
        self._numbers = port_numbers(facts, quiet, self._numbers)
        sides = lan_sides(facts, self._numbers, quiet, self._only)
        # A device that gets an address finds the page already.
        await self._listen_on({each.interface: interface_index(each.interface) for each in sides})
        await asyncio.to_thread(self._give, sides, facts)
        if sides != self.sides:
            log.info(
                "the set-up page is served on %s",
                ", ".join(each.interface for each in sides) or "no interface",
            )
        self.sides = sides

    def _give(self, sides: tuple[LanSide, ...], facts: NetworkFacts) -> None:
        # One that leads to the Internet by now must not have a part of the node's network.
        remove_added_addresses(self._run_dir, {(each.interface, each.address) for each in sides})
        for each in sides:
            seen = facts.interface(each.interface)
            if each.address and (seen is None or each.address not in seen.addresses):
                add_address(self._run_dir, each.interface, each.address)
        served = [each for each in sides if each.address]
        if not served:
            self._program.stop()
            return
        numbers = numbered(tuple(each.interface for each in served))
        leases = self._run_dir / "setup-leases"
        self._program.keep(setup_dnsmasq_conf(served, str(self._program.pid_file), str(leases)) + numbers)

    async def _ask(self, facts: NetworkFacts) -> None:
        """Asks for other servers where the answer is not known yet, or old."""
        now = asyncio.get_running_loop().time()
        here = {(each.name, interface_index(each.name)) for each in facts.interfaces if is_candidate(each)}
        for gone in self._silent.keys() - here:
            # Plugged in again, it is asked at once.
            del self._silent[gone], self._due_at[gone]
        self._foreign &= {name for name, _ in here}
        due = [each for each in sorted(here) if now >= self._due_at.get(each, 0)]
        async with asyncio.TaskGroup() as tasks:
            asked = {each: tasks.create_task(asyncio.to_thread(self._others, each[0])) for each in due}
        for each, task in asked.items():
            is_silent = task.result() == ()
            (self._foreign.add if task.result() else self._foreign.discard)(each[0])
            if not is_silent and self._silent.get(each, 0) >= SILENT_TIMES:
                log.warning(
                    "another server answers on %s: the set-up page is served there no longer", each[0]
                )
            self._silent[each] = min(self._silent.get(each, 0) + 1, SILENT_TIMES) if is_silent else 0
            is_known = self._silent[each] in {0, SILENT_TIMES}
            self._due_at[each] = asyncio.get_running_loop().time() + ASK_AGAIN_S if is_known else 0


class MachineNetwork:
    """Implements `node.setup.service.NetworkChange` for this machine."""

    def __init__(self, state_folder: Path) -> None:
        self._state_folder = state_folder

    def look(self) -> NetworkFacts:
        return network_facts.look()

    def apply(self, plan: NetworkPlan) -> None:
        network_change.apply(plan, self._state_folder)

    def confirm(self) -> None:
        network_change.confirm(self._state_folder)

    def take_back(self) -> bool:
        return network_change.take_back(self._state_folder)


class SetupMode:
    """All parts of set-up mode."""

    def __init__(self, config: Path, run_dir: Path = RUN_DIR, state_folder: Path = STATE_DIR) -> None:
        """Raises NodeError when the code cannot be stored."""
        self.config, self.parts = config, Parts()
        self.joined: JoinedCommunity | None = None
        self._folders = {"node.run_dir": str(run_dir), "node.data_dir": str(state_folder)}
        self.code = stored_code(config.parent)
        self.network = MachineNetwork(state_folder)
        clock = SystemClock("trusted")
        self.lan = SetupLan(run_dir, self.network.look, self._listen_on)
        self.service = SetupService(
            CodeCheck(self.code, clock.monotonic()),
            self.network,
            self.lan,
            LineMeter(measure_download),
            write_files=self.write_files,
            join=self.join,
            clock=clock.monotonic,
            machine=MachineDefaults(_host_name(), _country()),
        )
        admin_port = default_of("admin.https_port")
        self.server = SetupServer(self.service, lan_address=LAN_ADDRESS, admin_port=admin_port)

    async def run(self) -> int:
        """Returns 0 when the node has its settings."""
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(supervise("set-up page", self.server.run, self.parts)),
                tasks.create_task(supervise("LAN side", self.lan.run, self.parts)),
                tasks.create_task(supervise("measurement of the line", self.service.line.run, self.parts)),
                tasks.create_task(supervise("change of the network", self.service.run, self.parts)),
            ]
            await self.server.ready.wait()
            notify_systemd("READY=1")
            announce(self.code)
            try:
                await self._settings()
            finally:
                for each in running:
                    each.cancel()
        return 0

    def close(self) -> None:
        """After `run`. A change of the network that nobody confirmed is taken back."""
        with contextlib.suppress(OSError):
            ISSUE.unlink(missing_ok=True)
        if self.service.phase == "done":
            self.lan.hand_over()
            return
        self.lan.stop()
        try:
            self.network.take_back()
        except NodeError as error:
            log.error("the network could not be put back: %s", error)

    async def _settings(self) -> None:
        """Returns when the settings are there: from the page, or because somebody ran 'procomu init' meanwhile."""
        while not self.config.exists() or self.service.phase == "confirmed":
            notify_systemd("WATCHDOG=1")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.service.finished.wait(), 1)
        await asyncio.sleep(LAST_PAGE_S)

    async def _listen_on(self, interfaces: Mapping[str, int]) -> None:
        await self.server.listen_on(interfaces)

    async def join(self, answers: Answers) -> None:
        """Uses the invite in the answers; what the community gave is kept until the files are written. Raises NodeError."""
        self.joined = None
        if answers.invite is not None:
            folder = Path(self._folders["node.data_dir"])
            self.joined = await join_with_new_key(folder, answers.invite, answers.node_name)

    def write_files(self, answers: Answers, lan: str) -> str:
        """Everything that a node needs; blocks. Returns the fingerprint of the certificate of its admin pages. Raises
        NodeError."""
        settings: dict[str, str | bool | list[str]] = {
            "node.name": answers.node_name,
            "community.name": answers.community,
            "lan.interface": lan,
            "uplink.interface": answers.uplink,
            "portal.language": answers.language,
            # For the first admin, who has nothing but a device on that side.
            "admin.lan": True,
            **{
                name: folder
                for name, folder in self._folders.items()
                if folder not in {str(RUN_DIR), str(STATE_DIR)}
            },
        }
        joined = self.joined if answers.invite is not None else None
        if joined is not None:
            settings["mesh.peers"] = [peer_setting(joined)]
            keep_secret(self.config.resolve().parent / "community.key", joined)
        first = FirstFiles(
            self.config,
            settings,
            down=answers.down,
            up=answers.up,
            follows_line=answers.follows_line,
            ways=answers.ways,
        )
        certificates: list[SelfSignedFile] = []

        def before_settings(config: NodeConfig) -> None:
            store_first_records(answers, config)
            if joined is not None:
                store_joined(config, joined)
            certificates.append(admin_certificate_file(config))
            certificates[0].look()

        create_first_files(first, before_settings)
        with contextlib.suppress(OSError):
            forget_code(self.config.parent)  # or at the start of the node
        return certificates[0].fingerprint


def store_first_records(answers: Answers, config: NodeConfig) -> None:
    """Stores in the node's database the first admin, and the name of the Wi-Fi that the node opens, for sheets and cards.
    Raises NodeError."""
    node = config.node
    keys = open_keyring(Path(config.community.key_file), Path(node.key_file))
    today = SystemClock(config.clock.source).today()
    state = first_account(answers.admin_name, answers.passphrase, secrets.token_bytes(SALT_BYTES), today)
    appearance = Appearance(wifi_name=answers.wifi_name, by=Signed("admin", answers.admin_name).label)
    store = Store(
        Path(node.data_dir) / "procomu.db",
        keys=Path(node.key_file).parent,
        key=keys.key_for("database journal"),
        scratch=Path(node.run_dir),
    )

    async def save() -> None:
        await StoredArchive(store).save_state(ACCOUNTS, state)
        if answers.radio:
            await StoredRepository(store).save_sessions([], [], today, [appearance])

    try:
        asyncio.run(save())
    finally:
        store.close()


def announce(code: str) -> None:
    """Shows the code where a person at this machine looks: in the log, on the console, and above the login prompt."""
    text = (
        f"This node is not set up yet. Connect a device to one of its free network ports and open http://{LAN_ADDRESS}/ "
        f"there. The set-up code is {shown_code(code)}"
    )
    log.info("%s", text)
    with contextlib.suppress(OSError):
        console = os.open(CONSOLE, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        with os.fdopen(console, "w") as screen:
            screen.write(f"\r\n{text}\r\n")
    with contextlib.suppress(OSError, NodeError):
        ISSUE.parent.mkdir(exist_ok=True)
        # agetty reads it as root; other programs of this machine must not have the code.
        write_file(ISSUE, f"{text}\n\n", SECRET_MODE)
        if (program := installed("agetty")) is not None:
            run([program, "--reload"])


def main(config: Path, run_dir: Path = RUN_DIR, state_folder: Path = STATE_DIR) -> int:
    """Runs set-up mode until the node has settings, SIGTERM or SIGINT. Returns 0, or 2 when it cannot run at all."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    with contextlib.ExitStack() as held:
        try:
            # A reset or a restore that was interrupted after the settings were gone, or before they were back.
            finish_changes(config)
            if config.exists():
                log.info("the node has its settings: %s", config)
                return 0
            held.enter_context(claim(run_dir, "set-up"))
            # Of a set-up that was killed: another port may have the address now.
            remove_added_addresses(run_dir)
            mode = SetupMode(config, run_dir, state_folder)
            if mode.network.take_back():
                log.warning("an unconfirmed change of the network was taken back")
        except NodeError as trouble:
            sys.stderr.write(f"{trouble.message}\n  fix: {trouble.fix}\n")
            return 2
        try:
            return asyncio.run(run_until_signalled(mode.run()))
        finally:
            mode.close()


def _switch_on(facts: NetworkFacts) -> None:
    """A port that is switched off does not say whether something is plugged in."""
    for each in facts.interfaces:
        if each.kind == "ethernet" and not each.has_carrier:
            run([installed("ip") or "ip", "link", "set", "dev", each.name, "up"])


def _host_name() -> str:
    """Empty where it is only that of the system's image."""
    name = socket.gethostname().partition(".")[0]
    return "" if name.lower() in _HOST_NAMES_OF_NOBODY else name


def _country() -> str:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        _, _, zone = str(_ZONE.resolve()).partition("zoneinfo/")
        return country_of(zone, _ZONES.read_text())
    return ""
