"""The id of the machine: the same at each start, another one where a copied disk is, from files as the kernel shows them."""

import os
from pathlib import Path

import pytest

from node.machine import MACHINE_CHARS, load_percent, machine_facts, machine_id
from node.units import NodeId

NODE = NodeId("a" * 52)


def a_board(
    root: Path, *, serial: str = "", uuid: str = "", net: dict[str, str] | None = None, usb: str = ""
) -> Path:
    if serial:
        folder = root / "sys/firmware/devicetree/base"
        folder.mkdir(parents=True)
        (folder / "serial-number").write_bytes(serial.encode() + b"\0")
    if uuid:
        (root / "sys/class/dmi/id").mkdir(parents=True)
        (root / "sys/class/dmi/id/product_uuid").write_text(f"{uuid}\n")
    for number, (name, address) in enumerate((net or {}).items()):
        device = root / ("sys/devices/usb1/1-1" if name == usb else "sys/devices/platform") / str(number)
        device.mkdir(parents=True)
        folder = root / "sys/class/net" / name
        folder.mkdir(parents=True)
        (folder / "address").write_text(f"{address}\n")
        (folder / "device").symlink_to(device)
    return root


def test_the_same_board_is_the_same_machine_also_with_another_usb_stick(tmp_path: Path) -> None:
    net = {"m1test0": "02:00:00:00:00:01"}
    one = a_board(tmp_path / "1", serial="100000001234", net=net)
    other = a_board(
        tmp_path / "2", serial="100000001234", net=net | {"m1test1": "02:00:00:00:00:09"}, usb="m1test1"
    )
    assert machine_facts(one) == machine_facts(other) == ("02:00:00:00:00:01", "100000001234")


def test_boards_of_one_type_differ_by_serial_or_address(tmp_path: Path) -> None:
    boards = [
        a_board(tmp_path / "1", serial="100000001234"),
        a_board(tmp_path / "2", serial="100000001235"),
        a_board(
            tmp_path / "3", uuid="03000200-0400-0500-0006-000700080009", net={"m1test0": "02:00:00:00:00:01"}
        ),
        a_board(
            tmp_path / "4", uuid="03000200-0400-0500-0006-000700080009", net={"m1test0": "02:00:00:00:00:02"}
        ),
    ]
    assert 4 == len({machine_id(machine_facts(board), "the-village", NODE) for board in boards})


def test_a_board_that_says_nothing_of_itself_has_no_id(tmp_path: Path) -> None:
    assert "" == machine_id(machine_facts(tmp_path), "the-village", NODE)
    zeros = a_board(tmp_path / "1", serial="0000000000000000", net={"m1test0": "00:00:00:00:00:00"})
    assert () == machine_facts(zeros)


def test_the_id_is_short_and_says_nothing_elsewhere() -> None:
    here = machine_id(("02:00:00:00:00:01",), "the-village", NODE)
    assert MACHINE_CHARS == len(here)
    assert int(here, 16) >= 0
    assert here != machine_id(("02:00:00:00:00:01",), "the-city", NODE)
    assert here != machine_id(("02:00:00:00:00:01",), "the-village", NodeId("b" * 52))


def test_this_machine_is_the_same_twice() -> None:
    assert machine_facts() == machine_facts()


def test_the_load_is_that_of_the_last_quarter_of_an_hour_for_each_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 8.0, 3.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert load_percent() == 75
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert load_percent() == 300


def test_a_load_that_the_kernel_does_not_say_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> tuple[float, float, float]:
        raise OSError("Load averages are unobtainable")

    monkeypatch.setattr(os, "getloadavg", refuse)
    assert load_percent() is None
