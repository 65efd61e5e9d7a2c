"""A board with the image of ``deploy/image``, emulated by qemu: it starts and loses its power as often as wanted, and its
disk stays. Its two Ethernet ports are in the lab's namespaces: the people and the Internet around it are not emulated, and
do not notice a power cut."""

import contextlib
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from node.identity import key_to_pem
from tests.bench.fairness import rules
from tests.bench.figures import Figures, missing
from tests.lab.internet import DNS_V4, ROOT, Internet
from tests.lab.netns import Lab
from tests.lab.people import Person, WishFailed, settle_crowd
from tests.vm.disk_check import system_bytes
from tests.vm.machine import LabFailed, say
from tests.vm.quick_start import small_initramfs

LINE_BITS = 8_000_000
LAN_V4, WAN_V4, NEXT_HOP_V4 = "10.77.0.1", "10.88.1.1", "10.88.1.254"
WAN_SLOT, LAN_SLOT = 0x10, 0x11
WAN, LAN = (f"enp0s{slot}" for slot in (WAN_SLOT, LAN_SLOT))
"""What the kernel calls the cards in these slots."""
MEMORY_MB, CORES = 512, 2
STARTS_S, ANSWER_S = 900.0, 0.3
SEE_OTHER = 303
DISK_BYTES = 4 << 30
HOUSEHOLDS = {f"house{number}": f"02:bb:00:00:00:{number:02x}" for number in range(1, 4)}
"""Members by the hardware addresses of their devices, which `settle_crowd` gives to the first ones."""
CROWD_MAX = 200

NODE = f"""\
[node]
name = "lab"

[community]
name = "Vall Alta"
key_file = "/etc/procomu/community.key"

[lan]
interface = "br-lan"
address4 = "{LAN_V4}/16"
dns_upstream = ["{DNS_V4}"]

[uplink]
interface = "{WAN}"

[clock]
source = "trusted"

[rules]
file = "/etc/procomu/rules.toml"

[members]
file = "/etc/procomu/members.toml"
"""
NETWORKS = {
    "20-br-lan.netdev": "[NetDev]\nName=br-lan\nKind=bridge\n\n[Bridge]\nForwardDelaySec=0\n",
    "20-br-lan.network": (
        f"[Match]\nName=br-lan\n\n[Network]\nAddress={LAN_V4}/16\nConfigureWithoutCarrier=yes\nIPv6AcceptRA=no\n"
    ),
    "20-lan.network": f"[Match]\nName={LAN}\n\n[Network]\nBridge=br-lan\n",
    "20-wan.network": (
        f"[Match]\nName={WAN}\n\n[Network]\nAddress={WAN_V4}/24\nGateway={NEXT_HOP_V4}\nDNS={DNS_V4}\n"
    ),
}


UNITS = {
    "systemd-udev-trigger": """\
# Other devices of an emulated machine have no part in it, and drivers for them would take longer than all the rest.
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=net --subsystem-match=block --subsystem-match=tty
""",
    "procomu": """\
# An emulated processor that has other work beside it needs minutes for what takes a second.
[Service]
TimeoutStartSec=infinity
WatchdogSec=600
""",
}


def files(folder: Path) -> Path:
    """What the image has beside the node: its settings and its key."""
    settings = folder / "etc" / "procomu"
    networks = folder / "etc" / "systemd" / "network"
    data = folder / "var" / "lib" / "procomu"
    units = folder / "etc" / "systemd" / "system"
    for each in (settings, networks, data, *(units / f"{unit}.service.d" for unit in UNITS)):
        each.mkdir(parents=True)
    data.chmod(0o700)
    (settings / "node.toml").write_text(NODE)
    (settings / "rules.toml").write_text(rules(LINE_BITS))
    members = [f'[[account]]\nid = "{name}"\ndevices = ["{mac}"]\n' for name, mac in HOUSEHOLDS.items()]
    (settings / "members.toml").write_text("\n".join(members))
    for file, content in (
        (settings / "community.key", secrets.token_hex(32).encode()),
        (data / "node.key", key_to_pem(Ed25519PrivateKey.generate())),
    ):
        file.touch(mode=0o600)
        file.write_bytes(content)
    for name, text in NETWORKS.items():
        (networks / name).write_text(text)
    for unit, text in UNITS.items():
        (units / f"{unit}.service.d" / "lab.conf").write_text(text)
    return folder


@dataclass(frozen=True, slots=True)
class Image:
    """What ``deploy/image`` made."""

    disk: Path
    kernel: Path
    text: str

    @property
    def linux(self) -> str:
        return self.text.partition(", Linux ")[2].split()[0]


def build_image(folder: Path, arch: str, overlay: Path) -> Image:
    """With the files of `overlay`. Raises LabFailed."""
    options = ["--arch", arch, "--kernel", "--files", str(overlay)]
    say(f"building the image for {arch}")
    made = subprocess.run(
        ["deploy/image", *options, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise LabFailed(f"the image could not be built: {made.stderr[-2000:]}")
    (disk,) = folder.glob(f"*-{arch}.img")
    return Image(disk, disk.with_suffix(".linux"), made.stdout)


QUICKLY = (
    "rw quiet console=ttyS0 panic=-1 mitigations=off audit=0 cryptomgr.notests systemd.show_status=0 "
    "systemd.journald.forward_to_console=1 systemd.journald.max_level_console=warning"
)
MASKED = (
    "systemd-timesyncd.service", "systemd-resolved.service", "systemd-logind.service", "getty.target",
    "systemd-boot-random-seed.service", "systemd-pstore.service", "systemd-rfkill.socket", "timers.target",
    "modprobe@configfs.service", "modprobe@dm_mod.service", "modprobe@drm.service", "modprobe@efi_pstore.service",
    "modprobe@fuse.service", "modprobe@loop.service", "systemd-tmpfiles-clean.timer", "boot-efi.mount",
)  # fmt: skip
"""What has no part in it, and takes emulated time at each start."""


def by_kernel(image: Image, folder: Path) -> list[str]:
    """qemu loads the image's kernel with a small initramfs: no time is spent on firmware and on looking for hardware."""
    initramfs = small_initramfs(image.disk, image.linux, folder)
    return [
        "-kernel", str(image.kernel), "-initrd", str(initramfs),
        "-append", " ".join([QUICKLY, *(f"systemd.mask={each}" for each in MASKED)]),
    ]  # fmt: skip


MACHINES: Mapping[str, Sequence[str]] = {
    "amd64": ("qemu-system-x86_64", "-machine", "q35", "-cpu", "Nehalem"),
    "arm64": ("qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on"),
}
FIRMWARE: Mapping[str, tuple[Path, Path]] = {
    "amd64": (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    "arm64": (Path("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")),
}


def by_firmware(arch: str, folder: Path) -> list[str]:
    """As a board starts: UEFI looks for the boot loader on the disk."""
    code, variables = FIRMWARE[arch]
    own = folder / "variables.fd"
    own.write_bytes(variables.read_bytes())
    return [
        "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}",
        "-drive", f"if=pflash,format=raw,unit=1,file={own}",
    ]  # fmt: skip


def qemu(arch: str, disk: Path, boot: Sequence[str]) -> list[str]:
    """The command line; the first serial line is the output. The disk's cache is the host's, which outlives the machine: a
    power cut loses what the board itself had not written yet. It is the second to boot from: a kernel that qemu loads is
    the first."""
    ports = (("wan", WAN_SLOT), ("lan", LAN_SLOT))
    return [
        "setpriv", "--pdeathsig", "KILL", "--",
        *MACHINES[arch], "-accel", "tcg,thread=multi,tb-size=256",
        "-m", str(MEMORY_MB), "-smp", str(CORES), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        *boot,
        "-drive", f"file={disk},format=raw,if=none,id=disk,cache=writeback",
        "-device", "virtio-blk-pci,drive=disk,bootindex=1",
        *(
            word
            for name, slot in ports
            for word in (
                "-netdev", f"tap,id={name},ifname={name},script=no,downscript=no",
                "-device", f"virtio-net-pci,netdev={name},mac=52:54:00:00:00:{slot:02x},addr={slot:#x}",
            )
        ),
        "-device", "virtio-rng-pci", "-serial", "stdio",
    ]  # fmt: skip


class EmulatedBoard:
    """The board with its disk, the Internet at one port, and a crowd of people at the other."""

    def __init__(self, lab: Lab, arch: str, disk: Path, boot: Sequence[str]) -> None:
        self._argv = qemu(arch, disk, boot)
        self.disk = disk
        self.lab = lab
        self.ports = lab.namespace("ports")
        self.internet = Internet(lab)
        self.internet.open()
        for bridge, tap in (("br-lan", "lan"), ("br-wan", "wan")):
            self.ports.bridge(bridge)
            self.ports.ip(f"tuntap add {tap} mode tap")
            self.ports.plug(tap, bridge)
        lab.veth(self.ports, "line", self.internet.place, "line1", offload=False)
        self.ports.plug("line", "br-wan")
        self.internet.place.address("line1", f"{NEXT_HOP_V4}/24")
        self._crowd = settle_crowd(lab, self.ports, range(1, CROWD_MAX))
        self._machine: subprocess.Popen[bytes] | None = None
        self._log = lab.folder / "serial.log"
        self.began = 0.0

    def next_person(self) -> Person:
        """One more person, without an address."""
        return next(self._crowd)

    def power_on(self) -> None:
        self._log.unlink(missing_ok=True)
        with self._log.open("wb") as sink:
            self._machine = self.ports.popen(*self._argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        self.began = time.monotonic()

    def cut_power(self) -> None:
        if self._machine is not None:
            self._machine.kill()
            self._machine.wait()

    def serial(self) -> str:
        return self._log.read_text(errors="replace")

    def until(self, holds: Callable[[], object], seconds: float) -> float | None:
        """Seconds since the power is on until `holds` is true; None if it is not within `seconds`, or the board ended."""
        assert self._machine is not None
        while time.monotonic() - self.began < seconds and self._machine.poll() is None:
            if holds():
                return round(time.monotonic() - self.began, 1)
            time.sleep(0.3)
        return None


def starts(image: Image, arch: str) -> Figures:
    """A board starts as it comes from the shop, with the image on its disk: by its firmware, without the Internet's help. If
    it does not start, the other figures stay."""
    figures: Figures = {f"{arch}_mb": round(512 * image.disk.stat().st_blocks / 1e6)}
    online, used = f"{arch}_online_s", f"{arch}_disk_used_percent"
    with board(image, arch, lambda folder: by_firmware(arch, folder)) as place:
        person = place.next_person()
        place.power_on()
        online_s = place.until(lambda: joins(person), STARTS_S)
        place.cut_power()
        if online_s is None:
            say(f"the board for {arch} did not start: {place.serial()[-3000:]}")
            return figures | missing([online, used], f"nobody was online within {STARTS_S:.0f} s")
        system = system_bytes(place.disk, place.lab.folder)
    return figures | {online: online_s, used: round(100 * system / DISK_BYTES)}


def joins(person: Person) -> bool:
    """Whether a person has an address and was admitted, now or before: the portal confirmed it."""
    with contextlib.suppress(WishFailed, subprocess.TimeoutExpired):
        if not person.address_v4:
            person.finish_dhcp(person.begin_dhcp(), seconds=20)
        return is_online(person) or person.do("accept", timeout=60)["status"] == SEE_OTHER
    return False


def is_online(person: Person) -> bool:
    """A datagram comes back from the Internet."""
    return online([person]) == [person]


def online(people: Sequence[Person]) -> list[Person]:
    """Those of them who have an answer from the Internet; all at once."""
    wishes = [person.wish("echo", seconds=ANSWER_S) for person in people]
    found = []
    for person, wish in zip(people, wishes, strict=True):
        with contextlib.suppress(WishFailed):
            if wish.result(ANSWER_S + 10)["came"]:
                found.append(person)
    return found


@contextlib.contextmanager
def board(image: Image, arch: str, boot: Callable[[Path], Sequence[str]]) -> Iterator[EmulatedBoard]:
    """With a disk of its own that is larger than the image."""
    with Lab("vm") as lab:
        disk = lab.folder / "disk.img"
        subprocess.run(["cp", "--sparse=always", image.disk, disk], check=True)
        with disk.open("r+b") as file:
            file.truncate(DISK_BYTES)
        made = EmulatedBoard(lab, arch, disk, boot(lab.folder))
        try:
            yield made
        finally:
            made.cut_power()
