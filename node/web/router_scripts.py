"""The shell scripts for openNDS routers, which are files of the package `node.gateways`. They hold no secret."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "gateways" / "opennds"
ROUTER_SCRIPTS = ("custombinauth.sh", "procomu-report.sh")


def router_script(name: str) -> bytes:
    """Its text; `name` is one of `ROUTER_SCRIPTS`. Raises OSError."""
    return (FOLDER / name).read_bytes()


def router_script_hashes() -> dict[str, str]:
    """By name: SHA-256 in hexadecimal digits, with which the router's owner checks what came over plain HTTP."""
    return {name: hashlib.sha256(router_script(name)).hexdigest() for name in ROUTER_SCRIPTS}
