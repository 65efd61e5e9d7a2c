"""Addresses of interfaces, as this host has them."""

import socket
from pathlib import Path

import pytest

from mesh import local_addresses as local_addresses_module
from mesh.local_addresses import link_addresses, local_addresses


def test_the_loopback_has_its_ipv4_address_and_none_that_is_valid_beyond_it() -> None:
    assert ("127.0.0.1",) == local_addresses(("lo",))


def test_an_address_of_a_link_is_said_to_neighbours_alone_and_one_that_is_not_ready_to_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = (
        "fe80000000000000000000000000000a 02 40 20 80     mesh0",
        "fd000000000000000000000000000001 02 40 00 80     mesh0",
        "fd000000000000000000000000000002 02 40 00 40     mesh0",
        "fd000000000000000000000000000003 03 40 00 80      lan0",
    )
    (tmp_path / "if_inet6").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(local_addresses_module, "_IF_INET6", tmp_path / "if_inet6")
    assert ("fe80::a", "fd00::1") == link_addresses(("mesh0",))
    assert ("fd00::1",) == local_addresses(("mesh0",))


def test_an_interface_that_is_missing_has_none() -> None:
    assert () == local_addresses(("no-such-if", "a-name-that-is-much-too-long-for-one"))
    assert () == local_addresses(())


def test_without_file_descriptors_and_without_the_kernels_list_there_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> socket.socket:
        raise OSError("Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(local_addresses_module, "_IF_INET6", tmp_path / "none")
    assert local_addresses(("lo",)) == ()
