"""From `apt install` on a bare Debian 13 to the first page of a client, with nothing typed into a shell in between: the
package in a booted container, and the device of a person on its LAN side."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import eventually, setup_mode
from tests.lab.debian import MISSING, Debian, built_package, dependencies
from tests.lab.internet import ROOT
from tests.lab.people import Person, WishFailed
from tests.lab.village import Village
from tests.scenarios.conftest import is_captured

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing (deploy/setup package)"),
]
FIRST_PAGE_S_MAX = 60
ANSWERS_MAX = 6


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    """Has the packages that ours depends on; ours is in its folder /root."""
    package = built_package(tmp_path / "package")
    made = Debian(tmp_path / "root")
    try:
        made.make(*dependencies(package), "radvd")
        (made.root / "root/procomu.deb").write_bytes(package.read_bytes())
        made.download("/root/procomu.deb")
        yield made
    finally:
        made.close()


def answers(person: Person, code: str) -> "subprocess.CompletedProcess[str]":
    words = ["ip", "netns", "exec", person.place.name, sys.executable, "-m", "tests.lab.setup_client", code]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT, timeout=180)


def is_answered(person: Person) -> bool:
    """Whether the portal or the Internet answers."""
    try:
        return bool(person.do("knock")["status"])
    except WishFailed:
        return False


def code_in_the_log(debian: Debian) -> str:
    found = re.search(
        r"set-up code is (\S{4}-\S{4})", debian.says("journalctl", "--no-pager", "-u", "procomu-setup")
    )
    return found[1] if found else ""


def test_from_the_installation_to_the_first_page_without_a_shell(place: Village, debian: Debian) -> None:
    square = place.square
    square.place.run("ip", "address", "flush", "dev", "br-lan", "scope", "global")
    debian.boot(square.place.path)
    debian.wait_booted()
    began = time.monotonic()
    debian.does("apt-get", "install", "--yes", "/root/procomu.deb")
    assert eventually(lambda: code_in_the_log(debian), 20)
    code = code_in_the_log(debian)
    assert "inactive" == debian.unit("ActiveState")
    assert code in (debian.root / "etc/procomu/setup-code").read_text()
    assert code in debian.says("cat", "/run/issue.d/50-procomu.issue")
    assert code in debian.run("procomu", "status").stderr

    # A power cut before anything was answered, as far as the machine's programs see one.
    served = "journalctl --no-pager -u procomu-setup | grep -c 'served on .*br-lan' || true"
    debian.does("systemctl", "kill", "--signal=KILL", "procomu-setup")
    before = int(debian.does("sh", "-c", served))
    assert eventually(lambda: int(debian.does("sh", "-c", served)) > before, 60)

    person = place.settle("maria", square, 61)
    person.finish_dhcp(person.begin_dhcp())
    assert "10.77.0.1" == person.resolver
    done = answers(person, code)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert json.loads(done.stdout)["answers"] <= ANSWERS_MAX

    # The node starts by itself, and the same device is captured by it.
    assert eventually(lambda: debian.unit("ActiveState") == "active", 30), debian.says(
        "journalctl", "--no-pager", "-n50"
    )
    assert eventually(lambda: is_captured(person), 20)
    page = person.do("knock", url="http://10.77.0.1/")
    assert setup_mode.COMMUNITY in page["body"]
    took = time.monotonic() - began
    print(f"from apt install to the first page: {took:.1f} s")
    assert took <= FIRST_PAGE_S_MAX
    assert person.do("accept")["first_packet_ms"] is not None
    assert not (debian.root / "etc/procomu/setup-code").exists()
    assert "procomu-setup" not in debian.says("systemctl", "list-units", "--failed", "--plain", "--no-legend")
    assert "active" != debian.says("systemctl", "is-active", "procomu-setup")
    assert 'verdict": "fail"' not in debian.says("procomu", "doctor", "--json")

    # A restart of the machine: the node comes back, and the set-up does not.
    debian.stop()
    debian.boot(square.place.path)
    debian.wait_booted()
    assert eventually(lambda: debian.unit("ActiveState") == "active", 30)
    assert "inactive" == debian.says("systemctl", "is-active", "procomu-setup")


def test_a_bridge_is_made_and_confirmed_from_it(place: Village, debian: Debian) -> None:
    """On a machine with ports only: the network changes under the person, whose connection goes on, and stays after a
    restart."""
    square = place.square
    person = place.settle("maria", square, 61)
    square.place.ip("link del br-lan", "link del ap0", "link del mesh0", "link set p61 up")
    debian.boot(square.place.path)
    debian.wait_booted()
    debian.does("apt-get", "install", "--yes", "/root/procomu.deb")
    served = "journalctl --no-pager -u procomu-setup | grep -c 'served on p61'"
    assert eventually(lambda: debian.says("sh", "-c", served) not in {"", "0"}, 30)
    person.finish_dhcp(person.begin_dhcp())
    before = person.address_v4
    done = answers(person, code_in_the_log(debian))
    log = debian.says("journalctl", "--no-pager", "-n80", "-u", "procomu-setup")
    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr[-2000:] + log
    assert "br-lan" in square.place.run("ip", "-o", "link", "show", "dev", "p61")

    assert eventually(lambda: debian.unit("ActiveState") == "active", 30)
    assert eventually(lambda: is_captured(person), 20)
    assert person.do("accept")["first_packet_ms"] is not None
    assert before == person.address_v4

    debian.stop()
    square.place.ip("link del br-lan")
    debian.boot(square.place.path)
    debian.wait_booted()
    assert eventually(lambda: debian.unit("ActiveState") == "active", 60)
    assert "br-lan" in square.place.run("ip", "-o", "link", "show", "dev", "p61")
    assert eventually(lambda: is_answered(person), 30)
