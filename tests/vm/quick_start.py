"""A small initramfs for the image's own kernel: it finds the disk and mounts it. The image's own one looks for hardware that
no virtual machine has, which takes an emulated processor longer than the rest of the start."""

import lzma
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.vm.disk_check import SYSTEM_AT

MODULES = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_rng", "crc32c_generic", "ext4")
INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do /bin/busybox insmod "/modules/$module"; done </modules/order
until [ -b /dev/vda2 ]; do /bin/busybox sleep 0.1; done
/bin/busybox mount -t ext4 /dev/vda2 /new
for folder in proc sys dev; do /bin/busybox mount --move "/$folder" "/new/$folder"; done
exec /bin/busybox switch_root /new /sbin/init
"""


def from_disk(disk: Path, path: str) -> bytes:
    """A file of the image's system, without mounting it."""
    command = ["debugfs", "-R", f"cat {path}", f"{disk}?offset={SYSTEM_AT}"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def needed_modules(dependencies: str, wanted: Sequence[str] = MODULES) -> list[str]:
    """Files of the modules in the order of loading, from the text of ``modules.dep``; those that are built in have none."""
    table = dict(line.split(":", 1) for line in dependencies.splitlines())
    names = {re.sub(r"\.ko.*", "", path.rpartition("/")[2]).replace("-", "_"): path for path in table}
    return list(dict.fromkeys(_with_dependencies(table, [names[name] for name in wanted if name in names])))


def _with_dependencies(table: Mapping[str, str], paths: Sequence[str]) -> Iterator[str]:
    for path in paths:
        yield from reversed(table[path].split())
        yield path


def small_initramfs(disk: Path, linux: str, folder: Path) -> Path:
    """Made in `folder` of modules from the image, and of this machine's busybox with its libraries."""
    root, modules = folder / "initramfs", f"/usr/lib/modules/{linux}"
    for name in ("bin", "modules", "proc", "sys", "dev", "new"):
        (root / name).mkdir(parents=True)
    files = needed_modules(from_disk(disk, f"{modules}/modules.dep").decode())
    for each in files:
        content = from_disk(disk, f"{modules}/{each}")
        name = Path(each).name.removesuffix(".xz")
        (root / "modules" / name).write_bytes(lzma.decompress(content) if each.endswith(".xz") else content)
    order = [Path(each).name.removesuffix(".xz") for each in files]
    (root / "modules" / "order").write_text("\n".join([*order, ""]))
    busybox = shutil.which("busybox")
    assert busybox is not None
    shutil.copy(busybox, root / "bin" / "busybox")
    listed = subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+) \(0x", listed):
        target = root / library.removeprefix("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, target)
    init = root / "init"
    init.write_text(INIT)
    init.chmod(0o755)
    made = folder / "initramfs.cpio"
    names = "\n".join(str(each.relative_to(root)) for each in sorted(root.rglob("*")))
    with made.open("wb") as sink:
        packer = ["cpio", "-o", "-H", "newc", "--quiet"]
        subprocess.run(packer, cwd=root, input=names.encode(), stdout=sink, check=True)
    return made
