"""The virtual machine: the image with Debian's kernel and packages, which is made once, a disk with the tree as it is now,
and qemu, whose first terminal line is the output of the part that it runs."""

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.architecture.tree_files import tree_files
from tests.lab.internet import ROOT
from tests.lab.netns import Lab

BUILD = ROOT / "build" / "lab"
SUITE = "trixie"
GUEST_ROOT = "/opt/procomu"
TOOLS_NEED = (
    "python3-packaging",
    "python3-pygments",
    "python3-sortedcontainers",
    "python3-typing-extensions",
)
"""By the tools of the tests; pip does not install what Debian has already."""
RADIO_PACKAGES = ("batctl", "hostapd", "iw", "wpasupplicant", "wireless-regdb")
MORE_PACKAGES = ("busybox-static", "kmod", "linux-image-amd64", "procps", *RADIO_PACKAGES, *TOOLS_NEED)
"""Beside what ``deploy/setup check`` installs."""
HOOK, INIT = (ROOT / "tests" / "vm" / name for name in ("image_hook.sh", "initramfs.sh"))
IMAGE = ("system.squashfs", "vmlinuz", "initramfs.cpio")
MEMORY_MB, CORES = 2_048, 2
COUNTED = ("wifi",)
"""Parts in whose machine time passes by instructions while it works, 500 million a second: neither the emulation's pace nor
other work on this machine is in the delays."""
EMULATED = 8
"""How many times longer an emulated machine waits for its programs (`tests.lab.PATIENCE`)."""
NOT_IN_GUEST = shutil.ignore_patterns("mypy*", "ruff*", "pip*", "grimp*", "share", "__pycache__")
"""Tools of the environment that no test in the machine needs."""
END_S = 30.0
"""mmdebstrap removes its folder."""
EXIT = re.compile(r"lab-exit (\d+)")


class LabFailed(Exception):
    """The virtual machine could not be made, or ended before its part did."""


def say(text: str) -> None:
    """Prints progress."""
    sys.stderr.write(f"lab: {text}\n")
    sys.stderr.flush()


def missing_for_machine() -> str | None:
    """The reason why no machine can be made here, in one sentence; None if it can."""
    if platform.machine() != "x86_64":
        return f"the image is for x86_64, and this machine is {platform.machine()}"
    if os.geteuid() != 0:
        return "making the image needs root"
    return None


def packages(listed: str) -> list[str]:
    """Of the image, from the output of ``deploy/setup names``."""
    return sorted({*listed.split(), *MORE_PACKAGES})


def mmdebstrap(names: Sequence[str], folder: Path) -> list[str]:
    """The command that writes the image's system as a tar archive to stdout, and kernel and initramfs to `folder`."""
    hook = f"'{HOOK}' \"$1\" '{folder}' '{INIT}'"
    return [
        "mmdebstrap", "--variant=minbase", "--arch=amd64", f"--include={','.join(names)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")),
        '--aptopt=APT::Install-Recommends "false"', f"--customize-hook={hook}", SUITE, "-",
    ]  # fmt: skip


def stamp(names: Sequence[str]) -> str:
    """Changes with everything that the image is made from, except newer versions of the packages."""
    command = mmdebstrap(names, Path())
    parts = [*(word.encode() for word in command), HOOK.read_bytes(), INIT.read_bytes()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def image(lab: Lab, *, rebuild: bool) -> Path:
    """The folder with the image; it is made if there is none, or another one would be made now."""
    names = packages(
        subprocess.run(["deploy/setup", "names"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    wanted, kept = stamp(names), BUILD / "stamp"
    if not rebuild and kept.exists() and kept.read_text() == wanted:
        return BUILD
    _make_image(lab, names)
    BUILD.mkdir(parents=True, exist_ok=True)
    kept.unlink(missing_ok=True)
    for name in IMAGE:
        shutil.move(lab.folder / name, BUILD / name)
    kept.write_text(wanted)
    return BUILD


def _make_image(lab: Lab, names: Sequence[str]) -> None:
    say(f"making the image from {len(names)} packages of Debian and those they need: a minute or two")
    log = lab.folder / "image.log"
    # The kernel's package would make an initramfs of its own, which takes longer than all the rest.
    environment = {**os.environ, "INITRD": "No"}
    with (
        log.open("wb") as sink,
        ended(
            lab, mmdebstrap(names, lab.folder), stdout=subprocess.PIPE, stderr=sink, env=environment
        ) as maker,
        ended(
            lab, mksquashfs("-", lab.folder / IMAGE[0]), stdin=maker.stdout, stdout=sink, stderr=sink
        ) as packer,
    ):
        assert maker.stdout is not None
        maker.stdout.close()
        codes = packer.wait(), maker.wait()
    if any(codes):
        raise LabFailed(f"the image could not be made: {log.read_text()[-2000:]}")
    sizes = sum((lab.folder / name).stat().st_size for name in IMAGE)
    say(f"the image has {sizes / 1e6:.0f} MB")


def mksquashfs(source: str, file: Path) -> list[str]:
    """The command that packs a folder, or a tar archive from stdin; little compression, since it is read emulated."""
    options = ["-comp", "zstd", "-Xcompression-level", "3", "-quiet", "-no-progress", "-noappend"]
    return ["mksquashfs", source, str(file), *(["-tar"] if source == "-" else []), *options]


@contextlib.contextmanager
def ended(lab: Lab, argv: Sequence[str], **more: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that has ended when the block has, however that ends; it has time to remove its own files."""
    process = subprocess.Popen(argv, **more)
    lab.record_process(process)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def make_tree_disk(lab: Lab) -> Path:
    """The tree as it is now, with its environment and compiled, so that nothing is compiled while it is emulated."""
    folder, file = lab.folder / "tree", lab.folder / "tree.squashfs"
    for each in tree_files(ROOT):
        (folder / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / each, folder / each)
    shutil.copytree((ROOT / ".venv").resolve(), folder / ".venv", symlinks=True, ignore=NOT_IN_GUEST)
    compiled = [sys.executable, "-m", "compileall", "-qq", "-j", "0", "-s", str(folder), "-p", GUEST_ROOT]
    # Files that are not Python 3.13, such as a package's templates, are left as they are.
    subprocess.run([*compiled, str(folder)], check=False, stdout=subprocess.DEVNULL)
    subprocess.run(mksquashfs(str(folder), file), check=True, stdout=subprocess.DEVNULL)
    return file


def qemu(folder: Path, tree: Path, part: str, accelerator: str) -> list[str]:
    """The command line. It has no network and writes on no disk; the process ends together with the one that starts it."""
    disks = (folder / IMAGE[0], tree)
    processor = ["-cpu", "host"] if accelerator == "kvm" else ["-cpu", "max"]
    patience = 1 if accelerator == "kvm" else EMULATED
    options = "kvm" if accelerator == "kvm" else "tcg,thread=multi,tb-size=512"
    counted = accelerator != "kvm" and part in COUNTED
    if counted:
        options = "tcg,thread=single,tb-size=512"
    return [
        "setpriv", "--pdeathsig", "KILL", "--",
        "qemu-system-x86_64", "-machine", "q35", *processor, "-accel", options,
        *(("-icount", "shift=1,sleep=on,align=off") if counted else ()),
        "-m", str(MEMORY_MB), "-smp", str(CORES), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-kernel", str(folder / IMAGE[1]), "-initrd", str(folder / IMAGE[2]),
        "-append", f"console=ttyS0 panic=-1 quiet mitigations=off PART={part} PROCOMU_LAB_PATIENCE={patience}",
        *(word for disk in disks for word in ("-drive", f"file={disk},format=raw,if=virtio,readonly=on")),
        "-device", "virtio-rng-pci", "-serial", "stdio",
    ]  # fmt: skip


def run_part(
    part: str, *, rebuild: bool, accelerator: str, seconds: float, show: Callable[[str], None]
) -> int:
    """Exit code of a part. `show` gets each line of its output at once. Raises LabFailed."""
    with Lab("vm") as lab:
        argv = qemu(image(lab, rebuild=rebuild), make_tree_disk(lab), part, accelerator)
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with ended(lab, argv, **pipes) as machine:
            # A kernel that hangs says nothing.
            late = threading.Timer(seconds, machine.kill)
            late.start()
            try:
                code = _shown(machine, show)
            finally:
                late.cancel()
                late.join()
    if code is None:
        raise LabFailed(f"the machine ended before its part did (it has {seconds / 60:.0f} minutes)")
    return code


def _shown(machine: "subprocess.Popen[bytes]", show: Callable[[str], None]) -> int | None:
    """What the kernel says after the part's end, while it switches the machine off, is not shown."""
    assert machine.stdout is not None
    code = None
    with machine.stdout as lines:
        for raw in lines:
            line = raw.decode(errors="replace").rstrip()
            if found := EXIT.fullmatch(line):
                code = int(found[1])
            elif code is None:
                show(line)
    return code
