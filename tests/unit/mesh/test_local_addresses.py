"""Addresses of interfaces, as this host has them."""

import socket
from pathlib import Path

import pytest

from mesh import local_addresses as local_addresses_module
from mesh.local_addresses import local_addresses


def test_the_loopback_has_its_ipv4_address_and_none_that_is_valid_beyond_it() -> None:
    assert ("127.0.0.1",) == local_addresses(("lo",))


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
