"""A router's kernel in a namespace of its own, for tests that need no other part of the village."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from node.enforcement.kernel import LinuxKernel
from tests.lab.netns import entered_namespace

INTERFACES = ("lan0", "wan0", "mesh0")


def linux_kernel() -> LinuxKernel:
    """Without flow offload, as a node is by default, unless the environment says PROCOMU_FLOW_OFFLOAD=1."""
    return offloading_kernel() if os.environ.get("PROCOMU_FLOW_OFFLOAD") == "1" else LinuxKernel()


def offloading_kernel() -> LinuxKernel:
    """With a flowtable where the kernel has them, otherwise with an emulated one."""
    return LinuxKernel("probe" if has_flowtables() else "emulated")


@cache
def has_flowtables() -> bool:
    with entered_namespace():
        table = "add table inet t; add flowtable inet t f { hook ingress priority 0; devices = { lo }; }"
        return subprocess.run(["nft", table], capture_output=True, check=False).returncode == 0


@contextmanager
def real_kernel_in_namespace() -> Iterator[LinuxKernel]:
    """The calling thread is in the router's namespace for the duration of the block; its interfaces are up."""
    with entered_namespace():
        lines = [f"link add {name} type veth peer name {name}p" for name in INTERFACES]
        lines += [
            f"link set {name}{end} up"
            for name in ("lo", *INTERFACES)
            for end in ("", "p")
            if name + end != "lop"
        ]
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, check=True)
        kernel = linux_kernel()
        try:
            yield kernel
        finally:
            kernel.close()
