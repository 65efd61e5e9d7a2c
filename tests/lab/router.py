"""A router's kernel in a namespace of its own, for tests that need no other part of the village."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from node.enforcement.kernel import LinuxKernel
from tests.lab.netns import entered_namespace

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
        kernel = LinuxKernel()
        try:
            yield kernel
        finally:
            kernel.close()
