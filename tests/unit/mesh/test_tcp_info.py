"""struct tcp_info of a real connection."""

import socket

import pytest

from mesh.tcp_info import TCP_INFO_BYTES, link_counters


def test_a_real_connection_says_its_round_trip_and_what_was_sent() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as dialled,
        listening.accept()[0] as accepted,
    ):
        for _ in range(5):
            dialled.sendall(b"x")
            assert accepted.recv(1) == b"x"
        counters = link_counters(dialled.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES))
    assert counters is not None
    assert (5, 0) == (counters.sent_segments, counters.sent_again)
    assert 0 < counters.round_trip_ms < 1_000


@pytest.mark.parametrize("info", [b"", bytes(104), b"\xff" * TCP_INFO_BYTES])
def test_a_kernel_that_says_less_or_has_not_measured_gives_nothing(info: bytes) -> None:
    assert link_counters(info) is None
