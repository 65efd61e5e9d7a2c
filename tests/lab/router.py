"""A router's kernel in a namespace of its own, for tests that need no other part of the village."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from node.enforcement.flow_offload import FlowOffload
from node.enforcement.kernel import LinuxKernel
from tests.lab.netns import entered_namespace


def linux_kernel() -> LinuxKernel:
    """With flow offload as the environment says (`PROCOMU_FLOW_OFFLOAD`): ``flowtable``, ``emulated`` or ``off``; otherwise
    as a node has it."""
    wanted = os.environ.get("PROCOMU_FLOW_OFFLOAD", "probe")
    return LinuxKernel(None if wanted == "off" else cast("FlowOffload", wanted))


INTERFACES = ("lan0", "wan0", "mesh0")


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
