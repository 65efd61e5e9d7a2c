"""Which multicast DNS messages are well formed, compared with zeroconf itself."""

import logging
import socket
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zeroconf import DNSIncoming, DNSNsec, DNSOutgoing, DNSPointer, DNSQuestion
from zeroconf.asyncio import AsyncServiceInfo

from node.multicast_dns import OCTETS_MAX, sound
from tests.examples import examples
from tests.fakes.neighbours import id_of
from tests.kernel.mdns import announcement, crowded

KIND = "_http._tcp.local."
INFO = AsyncServiceInfo(
    KIND,
    f"Wiki.{KIND}",
    port=80,
    properties={"path": "/"},
    server="a.local.",
    addresses=[socket.inet_aton("192.0.2.7")],
)


def of_zeroconf() -> list[bytes]:
    """Everything that zeroconf itself sends: announcement, query with known answers, probe."""
    told, asked = DNSOutgoing(0x8400), DNSOutgoing(0)
    for record in (INFO.dns_pointer(), INFO.dns_service(), INFO.dns_text(), *INFO.dns_addresses()):
        told.add_answer_at_time(record, 0)
    told.add_answer_at_time(DNSNsec("a.local.", 47, 0x8001, 4_500, "a.local.", [1]), 0)
    asked.add_question(DNSQuestion(KIND, 12, 1))
    asked.add_authorative_answer(INFO.dns_pointer())
    for number in range(100):
        asked.add_answer_at_time(DNSPointer(KIND, 12, 1, 4_500, f"{number}.{KIND}", 0.0), 0)
    return [*told.packets(), *asked.packets()]


WHOLE = [*of_zeroconf(), announcement(id_of("low")), crowded(KIND, 1)]


def name(*labels: bytes) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels) + bytes(1)


def answer(owner: bytes, kind: int, data: bytes, records: int = 1) -> bytes:
    head = struct.pack("!6H", 0, 0x8400, 0, records, 0, 0)
    return head + owner + struct.pack("!HHIH", kind, 1, 4_500, len(data)) + data


@pytest.mark.parametrize("message", WHOLE)
def test_messages_of_common_programs_are_accepted(message: bytes) -> None:
    assert message == sound(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        bytes(11),
        WHOLE[0] + bytes(OCTETS_MAX),
        answer(b"\xc0\x0c", 16, b""),  # a pointer to itself
        answer(b"\x01a\xc0\x0c", 16, b""),  # a loop
        answer(b"\xc0\xff", 16, b""),  # beyond the end
        answer(b"\xc0\x04", 16, b""),  # into the head
        answer(b"\x40" + bytes(64), 16, b""),  # no such kind of label
        answer(name(*[b"x" * 63] * 4), 16, b""),  # too long
        answer(name(*[b"x"] * 126), 16, b""),
        answer(name(b"a"), 16, b"", records=2),
        answer(name(b"a"), 16, b"")[:-1],
        answer(name(b"a"), 1, b"abc"),
        answer(name(b"a"), 12, b"\x05ab"),
        answer(name(b"a"), 33, bytes(6)),
        answer(name(b"a"), 13, b"\x05ab"),
        answer(name(b"a"), 47, b"\x00\x00\x09a"),
    ],
)
def test_a_malformed_message_is_refused(message: bytes) -> None:
    assert sound(message) is None


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid message with some octets changed, or cut off."""
    message = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(1, 4))):
        message[draw(st.integers(0, min(len(message), 120) - 1))] = draw(st.integers(0, 255))
    return bytes(message[: draw(st.integers(0, 2 * len(message)))])


@given(damaged())
@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_zeroconf_finds_no_error_in_an_accepted_message(
    caplog: pytest.LogCaptureFixture, message: bytes
) -> None:
    """Version 0.147 keeps each malformed message and its traceback until the program ends."""
    if sound(message) is None:
        return
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "zeroconf"):
        incoming = DNSIncoming(message, ("192.0.2.7", 5353))
        incoming.answers()
    assert incoming.valid
    assert [] == caplog.messages
