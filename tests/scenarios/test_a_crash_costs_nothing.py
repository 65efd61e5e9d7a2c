"""Sessions and counters are in the kernel: a daemon that dies and restarts loses neither."""

import time
from pathlib import Path

import pytest

from tests.lab import eventually
from tests.lab.people import WishFailed
from tests.scenarios.conftest import arrived_from

pytestmark = pytest.mark.kernel


def test_a_download_survives_kill_minus_9_and_every_byte_is_booked_once(place, online):
    square = place.square
    square.start()
    laptop = online("laptop")
    going = laptop.wish("download", seconds=5, gap_from=1.0)
    time.sleep(1.2)
    square.daemon.kill9()
    time.sleep(0.7)
    square.start()
    result = going.result()
    assert 0 == result["failed"]
    assert result["gap_ms"] <= 200
    assert laptop.do("knock")["online"], "nobody signs in again"

    def passed_and_booked() -> tuple[int, int]:
        passed = square.forwarded()
        addresses = (laptop.address_v4, *laptop.addresses_v6())
        row = square.account("ana")
        return sum(passed.get(address, 0) for address in addresses), row["used_month"] if row else 0

    assert eventually(lambda: len(set(passed_and_booked())) == 1, 8), passed_and_booked()


@pytest.mark.thorough
def test_a_download_survives_an_orderly_restart(place, online):
    square = place.square
    square.start()
    laptop = online("laptop")
    going = laptop.wish("download", seconds=4, gap_from=1.0)
    time.sleep(1.2)
    assert 0 == square.daemon.stop()
    square.start()
    result = going.result()
    assert (0, True) == (result["failed"], result["gap_ms"] <= 200)
    assert laptop.do("knock", v6=True)["online"]


@pytest.mark.slow
def test_a_session_that_expired_while_the_daemon_was_dead_has_ended(place, online):
    square = place.square
    text = square.config.read_text()
    square.config.write_text(text + '\n[portal]\nsession = "1 minute"\n')
    square.start()
    phone = online("phone")
    began = time.monotonic()
    square.daemon.kill9()
    assert phone.do("echo", seconds=0.5)["came"] > 0, "the kernel keeps it online meanwhile"
    time.sleep(61 - (time.monotonic() - began))
    before = arrived_from(place, phone)
    assert 0 == phone.do("echo", seconds=1)["came"], "the kernel ends it by itself"
    trying = phone.wish("leak", seconds=3, every=0.01, fars=[phone.far_v4, phone.far_v6])
    square.start()
    trying.result()
    assert before == arrived_from(place, phone), "the restart does not bring it back"
    assert phone.do("knock")["captured"]


def test_a_dnsmasq_that_died_is_restarted_and_downloads_continue(place, online):
    """A crashed process is restarted without effect on the others."""
    square = place.square
    square.start()
    laptop = online("laptop")
    going = laptop.wish("download", seconds=5, gap_from=1.0)
    pid = dnsmasq_pid(square)
    square.place.run("kill", "-9", str(pid))
    assert eventually(lambda: dnsmasq_pid(square) not in {pid, None}, 6)
    assert eventually(lambda: is_online(laptop), 3), "names are answered again"
    result = going.result()
    assert (0, True) == (result["failed"], result["gap_ms"] <= 200)


def dnsmasq_pid(router) -> int | None:
    """The resolver of admitted devices; unauthorized ones have another."""
    for pid in router.place.pids():
        called = router.place.run("cat", f"/proc/{pid}/cmdline", check=False).split("\0")
        if Path(called[0]).name == "dnsmasq" and any(word.endswith("/dnsmasq.conf") for word in called):
            return pid
    return None


def is_online(laptop) -> bool:
    """False also while no resolver answers."""
    try:
        return laptop.do("knock")["online"]
    except WishFailed:
        return False
