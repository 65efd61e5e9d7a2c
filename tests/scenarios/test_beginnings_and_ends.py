"""Starting with an invalid file, a missing interface or a port in use; stopping, and cleaning up."""

import time

import pytest

from tests.lab import eventually
from tests.scenarios.conftest import is_captured

pytestmark = pytest.mark.kernel

OTHERS_TABLE = """
table ip neighbours_firewall {
  chain input { type filter hook input priority 10; policy accept; tcp dport 9 drop
  }
}
"""


def ruleset(router) -> str:
    """The ruleset of nftables without the counter values."""
    lines = router.place.run("nft", "-s", "list", "ruleset").splitlines()
    return "\n".join(line for line in lines if "elements" not in line)


def queues(router) -> list[str]:
    """The qdiscs of the two interfaces that the node shapes."""
    return [router.place.run("tc", "qdisc", "show", "dev", name) for name in ("br-lan", "wan0")]


def addresses(router) -> list[str]:
    """Of the LAN's interface, with their prefixes."""
    shown = router.place.run("ip", "-o", "address", "show", "dev", "br-lan", "scope", "global")
    return sorted(line.split()[3] for line in shown.splitlines())


def test_an_invalid_file_is_refused_with_all_errors_and_nothing_changes(place):
    square = place.square
    before = ruleset(square)
    square.config.write_text(square.config.read_text().replace("interface =", "interfaec =") + "\n[mehs]\n")
    started = square.place.start(square.python, "-m", "node", "run", "--config", str(square.config))
    assert 2 == started.popen.wait(10)
    said = started.output()
    assert said.count("line ") >= 3
    assert "interface" in said
    assert "mesh" in said
    assert before == ruleset(square)


def test_a_missing_interface_is_named_and_nothing_changes(place):
    square = place.square
    before = ruleset(square)
    square.furnish(square.settings.nodes, square.settings.community_key_file, uplink="wan7")
    started = square.place.start(square.python, "-m", "node", "run", "--config", str(square.config))
    assert 0 != started.popen.wait(10)
    assert "wan7" in started.output()
    assert "fix: " in started.output()
    assert before == ruleset(square)


def test_a_port_in_use_is_reported_and_the_rest_of_the_node_works(place, prowler):
    """Nothing is forwarded meanwhile, and the portal starts when the port is free."""
    square = place.square
    holder = square.place.start("python3", "-m", "http.server", "2080")
    assert eventually(lambda: square.place.run("ss", "-Hltn", "sport = :2080"), 15)
    square.start()
    assert eventually(lambda: any("2080" in text for text in square.overview()["warnings"]), 5)
    assert 0 == prowler.do("leak", seconds=0.5, fars=[prowler.far_v4, prowler.far_v6])["opened"]
    holder.stop()
    assert eventually(lambda: is_captured(prowler), 15)


def test_sigterm_stops_within_three_seconds_also_with_people_online(place, online):
    square = place.square
    square.start()
    phone = online("phone")
    going = phone.wish("download", seconds=2)
    began = time.monotonic()
    assert 0 == square.daemon.stop(seconds=3)
    assert time.monotonic() - began < 3
    assert 0 == going.result()["failed"], "people stay online by the setting's default"


def test_cleanup_removes_everything_of_the_node_and_nothing_else(place, online):
    square = place.square
    square.place.run("nft", "-f", "-", stdin=OTHERS_TABLE)
    before, queues_before, all_addresses = ruleset(square), queues(square), addresses(square)
    assert 2 == len(all_addresses)
    square.place.run("ip", "address", "del", all_addresses[1], "dev", "br-lan")
    square.start()
    online("phone")
    assert eventually(lambda: addresses(square) == all_addresses)
    assert "procomu" in ruleset(square)
    square.daemon.kill9()
    done = square.cli("cleanup")
    assert 0 == done.returncode, done.stderr
    assert before == ruleset(square)
    assert queues_before == queues(square)
    assert all_addresses[:1] == addresses(square), "those that were there before the node stay"
    assert "0" == square.place.run("cat", "/proc/sys/net/ipv4/ip_forward").strip()
