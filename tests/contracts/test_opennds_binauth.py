"""`custombinauth.sh` for openNDS routers, run by real shells: what it prints, and that hostile text does nothing."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from node.gateways.opennds_grant import GatewayLimits, sealed_custom
from node.gateways.opennds_query import FasKey

SCRIPT = Path(__file__).parents[2] / "node" / "gateways" / "opennds" / "custombinauth.sh"
KEY = FasKey("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
MARK = ("02aabbccddee", "0123456789abcdef" * 2)
TOKEN = "0badcafe"
HID = hashlib.sha256(TOKEN.encode()).hexdigest()
LIMITS = GatewayLimits(60, 500, 5_000, 1_024, 2_048)
SHELLS = [name for name in ("dash", "bash", "busybox") if shutil.which(name)]
REFUSED = (1, "1 0 1 1 1\n")
"""A second, and next to nothing in it: when the script ends with an error, openNDS lets the client in without limits."""


def run(
    shell: str, custom: str, *, token: str = TOKEN, faskey: str = KEY.characters, cwd: Path | None = None
):
    argv = [shell, "sh"] if shell == "busybox" else [shell]
    done = subprocess.run(
        [
            *argv,
            str(SCRIPT),
            "auth_client",
            "aa:bb:cc:dd:ee:ff",
            "http://x/",
            "agent",
            "192.168.1.50",
            token,
            custom,
        ],
        env={"PATH": "/usr/bin:/bin", "FASKEY": faskey},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        cwd=cwd,
    )
    return done.returncode, done.stdout


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def sealed(text: str) -> str:
    """A text with a right seal, as only somebody with the router's key can make it."""
    seal = hashlib.sha256(f"{text} {HID} {KEY.characters}".encode()).hexdigest()
    return encoded(f"{text} {seal}")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("limits", [LIMITS, GatewayLimits(), GatewayLimits(1, 2**31 - 1, 1, 2**31 - 1, 1)])
def test_it_prints_the_limits_of_the_node(shell, limits):
    assert run(shell, sealed_custom(limits, MARK, HID, KEY)) == (0, limits.binauth_line + "\n")


@pytest.mark.parametrize("shell", SHELLS)
def test_it_reads_the_text_as_opennds_encodes_it(shell):
    custom = sealed_custom(LIMITS, MARK, HID, KEY).replace("=", "%3d").replace("+", "%2b").replace("/", "%2f")
    assert run(shell, custom) == (0, LIMITS.binauth_line + "\n")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "custom",
    [
        "",
        "none",
        "$(touch canary)",
        "`touch canary`",
        "; touch canary",
        "../../etc/passwd",
        "A" * 300,
        encoded("procomu 1 2 3 4 5 " + "0" * 64),
        encoded("$(touch canary) `touch canary` ; touch canary"),
        encoded("procomu $(touch canary) 0 0 0 0 x"),
        encoded(b"\x00\xff\xfe"),
        encoded("procomu 1 2 3 4 5\n" + "0" * 64),
        encoded("-e -n"),
        encoded("procomu"),
    ],
)
def test_another_text_is_refused_and_never_run(shell, custom, tmp_path):
    assert run(shell, custom, cwd=tmp_path) == REFUSED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    "text",
    [
        "procomu 1 2 3 4",
        "procomu 1 2 3 4 5",
        "procomu 1 2 3 4 5 02aabbccddee",
        "procomu 1 2 3 4 5 6 02aabbccddee 0123",
        "procomu 1 2 3 4 -5 02aabbccddee 0123",
        "procomu 1 2 3 4 5x 02aabbccddee 0123",
        "other 1 2 3 4 5 02aabbccddee 0123",
        "procomu 1 2 3 4 12345678901 02aabbccddee 0123",
        "procomu * * * * * 02aabbccddee 0123",
        "procomu a[$(touch%20canary)] 1 1 1 1 02aabbccddee 0123",
    ],
)
def test_numbers_of_another_form_are_refused_even_with_a_seal(shell, text, tmp_path):
    assert run(shell, sealed(text), cwd=tmp_path) == REFUSED
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_the_limits_of_another_client_and_of_another_key_are_refused(shell):
    custom = sealed_custom(LIMITS, MARK, HID, KEY)
    assert run(shell, custom, token="1badcafe") == REFUSED
    assert run(shell, custom, token="$(touch canary)") == REFUSED
    assert run(shell, custom, faskey="0" * 64) == REFUSED


@pytest.mark.parametrize("shell", SHELLS)
def test_a_changed_number_is_refused(shell):
    text = base64.b64decode(sealed_custom(LIMITS, MARK, HID, KEY)).decode()
    assert run(shell, encoded(text.replace(" 2048 ", " 9048 "))) == REFUSED


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing():
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
