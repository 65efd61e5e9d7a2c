"""Power loss: only what was on the disk at that moment remains, and sessions continue after the next boot."""

import re
import shlex
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from node.storage.usage_tables import rows_of_usage
from tests.lab import eventually
from tests.lab.agreement import MACS
from tests.lab.people import Person
from tests.lab.village import Router

pytestmark = pytest.mark.kernel

PORTAL = "http://login.procomu.lan"
BOOTED_S = 60
"""Boot-time clock of the machine after the cut."""


def power_cut(square: Router) -> None:
    """Ends all processes at once, removes all kernel state, and starts another boot."""
    as_on_disk = square.folder / "as on disk"
    shutil.copytree(square.data, as_on_disk)
    square.daemon.kill9()
    for pid in square.place.pids():
        subprocess.run(["kill", "-9", str(pid)], check=False, stderr=subprocess.DEVNULL)
    square.place.run("nft", "delete", "table", "inet", "procomu")
    for interface in (square.settings.lan, square.settings.uplink):
        square.place.run("tc", "qdisc", "del", "dev", interface, "root", check=False)
    square.place.run("conntrack", "-F", check=False)
    shutil.rmtree(square.data)
    as_on_disk.rename(square.data)


def next_boot(square: Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next boot: another boot id, and a boot-time clock that starts at zero."""
    boot = square.folder / "boot_id"
    boot.write_text("0000c0de-0000-4000-8000-000000000001\n")
    back = int(float(Path("/proc/uptime").read_text().split()[0])) - BOOTED_S
    python = square.folder / "python-of-another-boot"
    bind = f"mount --bind {shlex.quote(str(boot))} /proc/sys/kernel/random/boot_id"
    python.write_text(
        f"#!/bin/sh\nexec unshare --mount --time --boottime=-{back} --fork --kill-child "
        f'sh -c \'{bind} && exec {shlex.quote(square.python)} "$@"\' sh "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setattr(square, "python", str(python))
    square.start()
    assert eventually(lambda: square.ask("devices")["devices"]), "people are known again"


def sends(person: Person, page: str, form: str, **fields: str) -> int:
    """Status code of the response; 303 is success."""
    return person.do("press", url=PORTAL + page, ends=form, fields=fields)["status"]


@pytest.fixture
def somebody(place) -> Callable[[str], Person]:
    """One more person on the square, with an address."""

    def come(name: str) -> Person:
        number = 50 + len(place.people)
        person = place.settle(name, place.square, number, MACS.get(name))
        person.join()
        return person

    return come


def test_no_member_or_guest_has_to_sign_in_again(place, somebody, monkeypatch):
    square = place.square
    square.start()
    host = somebody("laptop")
    assert 303 == sends(host, "/", "/join/terms"), "the roll knows Ana's laptop"
    (code,) = square.told("vouchers", "issue", "--count", "1", "--lasts", "1 day")["codes"]
    words = square.told("members", "passphrase", "school")["passphrase"]
    card = square.told("members", "card", "carme")["card"]
    people = {name: somebody(name) for name in ("voucher", "second", "member", "card", "friend", "guest")}
    assert 303 == sends(people["voucher"], "/", "/join/code", code=str(code).lower())
    assert 303 == sends(people["voucher"], "/me", "/devices/code")
    page = people["voucher"].do("knock", url=PORTAL + "/me")["body"]
    shown = re.search(r'class="big"[^>]*>([0-9A-Z]{5}-[0-9A-Z]{5})<', page)
    assert shown, page
    assert 303 == sends(people["second"], "/", "/join/code", code=shown[1])
    assert 303 == sends(people["member"], "/", "/join/passphrase", account="school", passphrase=str(words))
    assert 303 == sends(people["card"], "/", "/join/card", card=str(card))
    assert 303 == sends(people["guest"], "/", "/join/terms")
    assert 303 == sends(people["friend"], "/", "/ask", host="ana", name="a friend")
    assert 303 == sends(host, "/me", "/answer", yes="yes")
    people["laptop"] = host
    accounts = {name: square.device(person.mac)["account"] for name, person in people.items()}
    assert accounts["voucher"] == accounts["second"] != accounts["guest"]
    assert ("school", "carme", "ana") == tuple(accounts[name] for name in ("member", "card", "laptop"))
    left = square.device(people["voucher"].mac)["seconds_left"]

    power_cut(square)
    next_boot(square, monkeypatch)

    assert accounts == {name: square.device(person.mac)["account"] for name, person in people.items()}
    online = {name: person.wish("echo", seconds=0.5) for name, person in people.items()}
    assert [] == [name for name, wish in online.items() if not wish.result()["came"]]
    assert left - 120 < square.device(people["second"].mac)["seconds_left"] <= left, "its time went on"


@pytest.mark.slow
def test_at_most_a_minute_of_usage_is_lost(place, somebody, monkeypatch):
    square = place.square
    square.start()
    laptop = somebody("laptop")
    assert 303 == sends(laptop, "/", "/join/terms")
    laptop.do("download", seconds=20, bytes=3_000_000)
    used = 0

    def is_counted() -> bool:
        nonlocal used
        row = square.account("ana")
        used = row["used_month"] if row else 0
        return used > 3_000_000

    assert eventually(is_counted, 5)
    assert eventually(lambda: on_disk(square) >= used, 60)

    power_cut(square)
    next_boot(square, monkeypatch)

    assert eventually(lambda: (square.account("ana") or {"used_month": 0})["used_month"] >= used, 5)


def on_disk(square: Router) -> int:
    with sqlite3.connect(f"file:{square.data / 'procomu.db'}?mode=ro", uri=True) as database:
        total = sum(int(row[4]) + int(row[5]) for row in rows_of_usage(database))
    database.close()
    return total
