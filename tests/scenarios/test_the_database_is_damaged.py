"""The database of a real node is emptied, deleted or damaged: printed vouchers still work, and the loss is reported."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab import eventually
from tests.lab.people import Person
from tests.lab.village import Router

pytestmark = [pytest.mark.kernel, pytest.mark.early]

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def delete(path: Path) -> None:
    path.unlink()


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for at in range(100, len(data), 97):
        data[at] ^= 0xA5
    path.write_bytes(data)


def flip_log(path: Path) -> None:
    flip(path.with_name("procomu.db-wal"))


def garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def uses(person: Person, code: str) -> int:
    form = {"url": "http://login.procomu.lan/", "ends": "/join/code", "fields": {"code": code}}
    return person.do("press", **form)["status"]


def doctor(square: Router, *more: str) -> str:
    """On one line, because the terminal output is wrapped."""
    return " ".join(square.cli("doctor", *more).stdout.split())


def told(square: Router) -> list[str]:
    return [text for text in square.overview()["warnings"] if " the database " in text]


@pytest.mark.parametrize(
    "damage",
    [
        delete,
        flip,
        *(pytest.param(each, marks=pytest.mark.thorough) for each in (empty, flip_log, garbage)),
    ],
    ids=lambda each: each.__name__,
)
def test_a_voucher_printed_before_the_damage_works_and_four_places_report_the_loss(
    place, comes, damage: Callable[[Path], None]
):
    square = place.square
    square.start()
    phone = comes("phone")
    codes = square.ask("vouchers-issue", count="3", group="day-pass", lasts="1 day", devices="3")["codes"]
    assert 303 == uses(phone, codes[0])
    if damage is flip_log:
        square.daemon.kill9()
    else:
        square.daemon.stop()  # otherwise the journal holds everything, and nothing is lost
    damage(square.data / "procomu.db")
    square.start()
    assert eventually(lambda: told(square), 10), "in status, and so on the admins' page"
    (loss,) = told(square)
    assert 2 == len(TIME.findall(loss)), loss
    assert loss in (square.folder / "node.log").read_text(), "in the log"
    assert loss in doctor(square), "by the doctor"
    other = comes("browser")
    assert 303 == uses(other, codes[1])
    assert other.do("echo", seconds=0.3)["came"] > 0
    assert {"used": 2, "unused": 1} == {
        state: count
        for state, count in square.ask("vouchers-list")["batches"][0].items()
        if state in {"used", "unused"}
    }
    assert loss not in doctor(square, "--acknowledge")
    assert eventually(lambda: not told(square), 40), "the node looks every ten seconds"


@pytest.mark.thorough
def test_a_running_node_notices_a_deleted_or_replaced_file_and_loses_nothing(place, comes):
    square = place.square
    square.start()
    phone = comes("phone")
    (code,) = square.ask("vouchers-issue", count="1", group="day-pass", lasts="1 day", devices="3")["codes"]
    assert 303 == uses(phone, code)
    path = square.data / "procomu.db"
    for take_away in (delete, garbage, empty):
        if take_away is garbage:
            other = path.with_name("other.db")
            other.write_bytes(b"x" * 5000)
            other.rename(path)
        else:
            take_away(path)
        assert eventually(lambda: told(square), 40), take_away.__name__
        square.daemon.kill9()
        square.start()
        assert eventually(lambda: square.device(phone.mac) is not None)
        assert 1 == square.ask("vouchers-list")["batches"][0]["used"]
        doctor(square, "--acknowledge")
        assert eventually(lambda: not told(square), 40)
