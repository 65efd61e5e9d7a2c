"""Packets of the bench's attackers are well formed, and the results of ordinary clients are judged correctly."""

import itertools
import re
import struct

import pytest

from tests.bench.attacks import names, send_rate
from tests.bench.attacks.ethernet import advertisement, arp, discover, solicitation
from tests.bench.attacks.far import PORT, SEQUENCE, agreeing
from tests.bench.attacks.held_flows import FIRST_PORT, PORTS, Template
from tests.bench.siege import Phases, judged, recovery
from tests.bench.unit_limits import unit_bytes, unit_files
from tests.kernel.frames import _pseudo, checksum

MACS = ("02:00:00:00:01:01", "02:aa:00:00:00:2a")
ADDRESS, FAR = "10.77.1.2", "203.0.113.150"


def is_right(frame: bytes) -> bool:
    """Whether both checksums are right."""
    source, target = (".".join(map(str, frame[at : at + 4])) for at in (26, 30))
    segment = frame[34:]
    total = checksum(_pseudo(source, target, frame[23], len(segment)) + segment)
    return total == 0 and checksum(frame[14:34]) == 0


@pytest.mark.parametrize("number", [0, 1, 4_711, PORTS - 1])
@pytest.mark.parametrize("kind", ["syn", "ack", "flood"])
def test_precomputed_frames_are_right_for_every_flow(kind: str, number: int) -> None:
    frame = bytes(Template(MACS, ADDRESS, FAR, kind).at(number))
    assert is_right(frame)
    assert struct.unpack_from("!H", frame, 34) == (FIRST_PORT + number,)


def test_a_flow_is_completed_by_both_ends_without_coordination() -> None:
    syn, ack = (bytes(Template(MACS, ADDRESS, FAR, kind).at(77)) for kind in ("syn", "ack"))
    answer = agreeing(syn)
    assert answer is not None
    assert is_right(answer)
    assert (answer[:6], answer[6:12], answer[26:30], answer[30:34]) == (
        syn[6:12],
        syn[:6],
        syn[30:34],
        syn[26:30],
    )
    begun, answered = struct.unpack_from("!I", syn, 38)[0], struct.unpack_from("!II", answer, 38)
    assert answered == (SEQUENCE, begun + 1)
    assert struct.unpack_from("!II", ack, 38) == (begun + 1, SEQUENCE + 1)
    assert struct.unpack_from("!HH", ack, 34) == (FIRST_PORT + 77, PORT)


def test_the_far_end_answers_nothing_else() -> None:
    kinds = ("ack", "flood", "udp")
    assert [agreeing(bytes(Template(MACS, ADDRESS, FAR, kind).at(1))) for kind in kinds] == [None] * 3
    assert agreeing(b"") is None


def test_ten_thousand_new_devices_send_valid_arp_discovery_and_dhcp() -> None:
    frame = arp(1, MACS[1], "10.77.128.9", MACS[0], "10.77.0.1")
    assert frame[12:22].hex() == "08060001080006040001"
    assert frame[22:32].hex() == "02aa0000002a0a4d8009"
    for kind, made in ((135, solicitation), (136, advertisement)):
        frame = made(MACS[1], "fd77::9", MACS[0], "fd77::1")
        assert (frame[20], frame[21], frame[54]) == (58, 255, kind)
        assert checksum(_pseudo("fd77::9", "fd77::1", 58, len(frame) - 54) + frame[54:]) == 0
    assert bytes.fromhex("63825363350101ff") in discover(MACS[1], 9)


def test_the_dns_drop_rule_matches_these_names_in_any_case() -> None:
    asked = names.question(7, (names.label(0xABC), *names.DOMAIN))
    found = re.search(r"@th,160,(\d+) & (0x\w+) == (0x\w+)", names.drop_rule())
    assert found is not None
    bits, mask, wanted = int(found[1]), int(found[2], 16), int(found[3], 16)
    for packet in (asked, asked.upper(), asked[:14] + asked[14:].swapcase()):
        first = int.from_bytes((bytes(8) + packet)[20 : 20 + bits // 8])
        assert first & mask == wanted
    other = names.question(7, ("deed00000abc", "example"))
    assert int.from_bytes((bytes(8) + other)[20 : 20 + bits // 8]) & mask != wanted


def test_a_rate_is_kept_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.count()
    monkeypatch.setattr(send_rate.time, "monotonic", lambda: next(now) / 100)
    monkeypatch.setattr(send_rate.time, "sleep", lambda _: None)
    assert 0 < sum(send_rate.portions(1_000, 2.0)) <= 2_000


FAST, SLOW = 10.0, 4_000.0
PHASES = Phases(calm=4.0, attack=10.0, after=20.0, ends=30.0)


def every(step: float, ms: float | None, begins: float, ends: float) -> list[tuple[float, float | None]]:
    return [(begins + n * step, ms) for n in range(int((ends - begins) / step))]


def met(
    flows: list[tuple[float, float | None]], pages: list[tuple[float, float | None]]
) -> dict[str, dict[str, object]]:
    victims = {"flows": every(0.1, None, 4, 30), "names": [], "admin": []}
    return {
        "ana": {"flows": flows, "names": [(11.0, 5.0), (12.0, None)], "admin": []},
        "victim": victims,
        "new0": {"leases": [(t, FAST) for t, _ in pages], "pages": pages},
    }


def test_failures_are_counted_and_the_victims_are_not_the_members() -> None:
    flows = every(0.1, FAST, 4, 30)
    flows[70] = (flows[70][0], None)
    pages = [(5.0, SLOW), (11.0, 40.0), (12.0, 60.0), (13.0, None), (20.5, FAST), (21.0, FAST)]
    found = judged(PHASES, met(flows, pages))
    assert (found["member_new_flows_failed"], found["member_names_failed"], found["newcomers_failed"]) == (
        1,
        1,
        1,
    )
    assert (found["newcomer_p95_ms"], found["newcomer_p95_ms_failed"]) == (60.0, 1)
    assert found["recovery_s"] == 0.5
    assert found["newcomers"] == 3


def test_recovery_means_normal_times_of_flows_and_pages_again() -> None:
    flows = every(0.1, FAST, 10, 20) + every(0.1, SLOW, 20, 23) + every(0.1, FAST, 23, 30)
    assert recovery(PHASES, flows, [(20.5, 30.0), (21.0, 40.0)]) == 3.0
    assert (
        recovery(PHASES, flows, [(20.5, SLOW), (24.0, 30.0), (25.0, None), (26.0, 30.0), (27.0, 40.0)]) == 6.0
    )


def test_without_measurements_it_has_not_recovered() -> None:
    good = every(0.1, FAST, 10, 30)
    assert recovery(PHASES, good, [(11.0, FAST), (29.0, FAST)]) is None
    assert recovery(PHASES, every(0.1, None, 20, 30), [(20.5, FAST), (21.0, FAST)]) is None
    found = judged(PHASES, met(good, [(11.0, None)]))
    assert found["recovery_s"] is None
    assert found["newcomer_p95_ms"] is None
    assert found["newcomer_p95_ms_reason"]


def test_the_limits_are_those_of_the_shipped_unit() -> None:
    assert unit_bytes("MemoryMax") == 100 * 1024 * 1024
    assert unit_files() >= 12_288 + 1_000
