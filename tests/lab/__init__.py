"""Test networks for a node: namespaces, an Internet, and a village with its people."""

import os

PATIENCE = float(os.environ.get("PROCOMU_LAB_PATIENCE", "1"))
"""How many times longer programs are waited for, on a slow machine. Bounds of what is tested do not change."""
