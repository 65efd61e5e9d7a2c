"""Before a person has accepted the terms, none of their packets reaches the Internet, whatever happens to the daemon."""

import time

import pytest

from tests.lab import eventually
from tests.scenarios.conftest import arrived_from, is_captured

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("v6", [pytest.param(False, marks=pytest.mark.thorough), True], ids=["IPv4", "IPv6"])
def test_the_first_request_of_a_newcomer_is_answered_by_the_portal(place, comes, v6):
    place.square.start()
    phone = comes("phone")
    answer = phone.do("knock", v6=v6)
    assert (True, 302) == (answer["captured"], answer["status"])
    assert 0 == arrived_from(place, phone)


def test_not_one_byte_passes_at_start_after_a_stop_at_restart_and_after_a_crash(place, prowler):
    square = place.square
    trying = prowler.wish("leak", seconds=7, every=0.005, fars=[prowler.far_v4, prowler.far_v6])
    square.start()
    time.sleep(0.5)
    square.daemon.stop()
    time.sleep(0.3)
    square.start()
    time.sleep(0.5)
    square.daemon.kill9()
    time.sleep(0.5)
    square.start()
    result = trying.result(20)
    assert result["tries"] > 100, "or it proves little"
    assert 0 == result["opened"]
    assert 0 == arrived_from(place, prowler)


def test_what_is_refused_is_refused_at_once_and_does_not_time_out(place, prowler):
    place.square.start()
    for far in (prowler.far_v4, prowler.far_v6):
        text = prowler.place.run("python3", "-c", REFUSED, far)
        assert "refused" in text, text


REFUSED = """
import socket, sys, time
far = sys.argv[1]
sock = socket.socket(socket.AF_INET6 if ":" in far else socket.AF_INET)
sock.settimeout(2)
began = time.monotonic()
try:
    sock.connect((far, 443))
    print("open")
except ConnectionRefusedError:
    print("refused" if time.monotonic() - began < 0.5 else "late")
except OSError as error:
    print(error)
"""


def test_queries_to_another_resolver_are_answered_by_the_nodes_own(place, prowler):
    """Otherwise any name server is a tunnel; the address of the far resolver receives nothing."""
    place.square.start()
    prowler.lease = {"dns": prowler.far_v4}
    assert eventually(lambda: is_captured(prowler))
    assert 0 == arrived_from(place, prowler)


@pytest.mark.thorough
def test_a_node_set_to_close_forwards_nothing_after_it_is_stopped(place, online):
    square = place.square
    square.furnish(square.settings.nodes, square.settings.community_key_file, stop="close")
    square.start()
    phone = online("phone")
    assert phone.do("echo", seconds=0.3)["came"] > 0
    square.daemon.stop()
    before = arrived_from(place, phone)
    assert 0 == phone.do("echo", seconds=0.5)["came"]
    assert before == arrived_from(place, phone)
