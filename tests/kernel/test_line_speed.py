"""The speed of a line as the set-up measures it: right on a line of a known rate, within its limits, and with a reason when
there is nothing to measure with."""

import asyncio
import sys
import time
from collections.abc import Iterator

import pytest

from node.errors import NodeError
from node.setup import line_meter
from node.setup.line_meter import CHUNK_BYTES, CONNECTIONS, LOADED_BYTES_MAX, MEASURE_S, measure_download
from node.setup.line_speed import LineSpeed
from node.setup.network_layout import InterfaceFacts, NetworkFacts
from tests.lab import eventually
from tests.lab.internet import ROOT
from tests.lab.netns import Lab
from tests.lab.package_mirror import ELSEWHERE, PORTAL

pytestmark = pytest.mark.kernel

MIRROR = "203.0.113.10"
FACTS = NetworkFacts((InterfaceFacts("eth0", "ethernet", "port 1", True, ("192.0.2.2/24",), True),), "none")
NO_ROUTE = NetworkFacts((InterfaceFacts("eth0", "ethernet", "port 1", True),), "none")


class ShapedLine:
    """A machine, its line, and the Internet behind it."""

    def __init__(self, lab: Lab) -> None:
        self.machine, self.internet = lab.namespace("machine"), lab.namespace("internet")
        lab.veth(self.machine, "eth0", self.internet, "line", offload=False)
        self.machine.address("eth0", "192.0.2.2/24")
        self.internet.address("line", "192.0.2.1/24")
        self.internet.ip(*(f"addr add {address}/32 dev lo" for address in (MIRROR, ELSEWHERE, PORTAL)))
        self.machine.route("default via 192.0.2.1")
        self.internet.start(sys.executable, "-m", "tests.lab.package_mirror", "0.0.0.0", cwd=ROOT)
        assert eventually(lambda: "LISTEN" in self.internet.run("ss", "-ltnH", "sport", "=", ":80"), 10)
        self._folder = lab.folder / "apt"
        self._folder.mkdir()

    def shape(self, rate: str) -> None:
        self.internet.run(*f"tc qdisc replace dev line root tbf rate {rate} burst 6000 latency 60ms".split())

    def measure(self, *kinds: str, host: str = MIRROR, facts: NetworkFacts = FACTS) -> LineSpeed:
        lines = (f"deb http://{host}/{kind} trixie main" for kind in kinds)
        (self._folder / "sources.list").write_text("\n".join(lines))
        with self.machine.entered():
            return asyncio.run(measure_download(facts, self._folder))

    def trouble(self, *kinds: str, host: str = MIRROR, facts: NetworkFacts = FACTS) -> str:
        with pytest.raises(NodeError) as found:
            self.measure(*kinds, host=host, facts=facts)
        assert found.value.fix
        return found.value.message

    def sent(self) -> int:
        script = f"import urllib.request as r; print(r.urlopen('http://{MIRROR}/sent').read().decode())"
        return int(self.machine.run(sys.executable, "-c", script))


@pytest.fixture
def line() -> Iterator[ShapedLine]:
    with Lab("speed") as lab:
        yield ShapedLine(lab)


@pytest.mark.parametrize(
    ("rate", "bits"),
    [
        ("80mbit", 80_000_000),
        pytest.param("10mbit", 10_000_000, marks=pytest.mark.slow),
        pytest.param("1mbit", 1_000_000, marks=pytest.mark.slow),
    ],
)
def test_a_line_of_a_known_rate_is_measured_within_a_tenth(line: ShapedLine, rate: str, bits: int) -> None:
    line.shape(rate)
    began = time.monotonic()
    speed = line.measure("good")
    assert time.monotonic() - began < MEASURE_S + 1
    assert speed.down == pytest.approx(bits, rel=0.1), speed
    assert speed.host == MIRROR
    assert not speed.is_at_least


def test_no_more_is_loaded_than_the_limit(line: ShapedLine) -> None:
    line.shape("400mbit")
    speed = line.measure("good")
    assert CONNECTIONS * CHUNK_BYTES < line.sent() <= LOADED_BYTES_MAX
    assert speed.loaded <= LOADED_BYTES_MAX


def test_a_line_that_is_too_fast_for_the_limit_is_at_least_as_fast_as_measured(
    line: ShapedLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of 2 Gbit/s is; the lower limit is reached in time on a busy machine, too."""
    monkeypatch.setattr(line_meter, "LOADED_BYTES_MAX", 16_000_000)
    line.shape("400mbit")
    assert line.measure("good").is_at_least


def test_a_redirect_to_the_file_is_followed_and_any_other_is_not(
    line: ShapedLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_meter, "CONNECT_S", 0.5)
    line.shape("400mbit")
    assert line.measure("moved").host == ELSEWHERE
    assert f"A page of {PORTAL} came instead of the file of {MIRROR}." in line.trouble("portal")
    assert f"A page of {MIRROR} came instead" in line.trouble("html")
    assert f"A page of {MIRROR} came instead" in line.trouble("circle")
    assert "A page of example.org came instead" in line.trouble("odd")
    assert f"{MIRROR} leads to 203.0.113.99, which does not answer." in line.trouble("dead")
    for kind in ("binary", "broken"):
        assert f"A page of {MIRROR} came instead" in line.trouble(kind)
    for kind, host in (("gateway", "192.0.2.1"), ("home", "127.0.0.1")):
        assert f"A page of {host} came instead of the file of {MIRROR}." in line.trouble(kind)


def test_a_server_that_lies_about_the_length_or_hangs_ends_the_measurement(
    line: ShapedLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.shape("400mbit")
    monkeypatch.setattr(line_meter, "SILENCE_S", 0.5)
    for kind in ("short", "hangs"):
        assert f"Too little came from {MIRROR}" in line.trouble(kind)
    assert line.measure("long").loaded <= LOADED_BYTES_MAX
    assert f"{MIRROR} does not answer" in line.trouble("silent")


def test_what_is_missing_is_said(line: ShapedLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_meter, "CONNECT_S", 0.5)
    monkeypatch.setattr(line_meter, "NAME_S", 0.5)
    monkeypatch.setenv("RES_OPTIONS", "timeout:1 attempts:1")
    assert "This machine has no server of Debian packages" in line.trouble()
    for kind in ("small", "whole"):
        assert "This machine has no server of Debian packages" in line.trouble(kind)
    assert "Nothing leads to the Internet now." in line.trouble("good", facts=NO_ROUTE)
    assert f"{MIRROR} does not give the file to measure with (HTTP 404)." in line.trouble("missing")
    for host in ("192.0.2.1", "127.0.0.1"):
        assert f"{host} is in this machine’s own network" in line.trouble("good", host=host)
    assert "203.0.113.99 does not answer." in line.trouble("good", host="203.0.113.99")
    assert "The name a..b was not found." in line.trouble("good", host="a..b")
    assert "The name mirror.invalid was not found." in line.trouble("good", host="mirror.invalid")


def test_the_next_server_is_taken_when_the_first_has_no_such_file(line: ShapedLine) -> None:
    line.shape("400mbit")
    assert line.measure("missing", "good").loaded > 0
