"""Where the kernel does not list its neighbours, a node finds others in other ways."""

import errno
import socket

import pytest

from mesh.kernel_neighbours import NeighbourTables, hardware_addresses
from node.units import Monotonic

ERRORS = (errno.EPERM, errno.EAFNOSUPPORT, errno.ENOMEM, errno.ENOBUFS, errno.EMFILE, errno.EBUSY)


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
def test_without_an_answer_there_are_no_neighbours(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refused(*_how: object) -> socket.socket:
        raise OSError(code, "refused")

    reader = NeighbourTables(["lo"])
    with monkeypatch.context() as without:
        without.setattr(socket, "socket", refused)
        assert () == reader.read(Monotonic(0))
    assert reader._is_due(Monotonic(0)), "the next look may be answered"
    reader.close()


@pytest.mark.parametrize("code", ERRORS, ids=errno.errorcode.get)
def test_without_an_answer_no_hardware_address_is_known(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refused(*_how: object) -> socket.socket:
        raise OSError(code, "refused")

    monkeypatch.setattr(socket, "socket", refused)
    assert {} == hardware_addresses(["lo", "gone"])
