"""Test networks for a node: namespaces, an Internet, and a village with its people."""

import os
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("PROCOMU_LAB_PATIENCE", "1"))
"""How many times longer programs are waited for, on a slow machine. Bounds of what is tested do not change."""


def eventually(holds: Callable[[], object], seconds: float = 5.0) -> bool:
    """Whether `holds` becomes true within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return bool(holds())
