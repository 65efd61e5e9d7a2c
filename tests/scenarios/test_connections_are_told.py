"""A device that opens as many connections as it can: the operator sees how many there are and which device has most."""

import contextlib
import socket

import pytest

from tests.lab import eventually

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
LIMIT = 128


def test_status_doctor_and_overview_name_the_device(place, online):
    square = place.square
    square.config.write_text(
        square.config.read_text().replace("[lan]", f"[lan]\nflows_per_device = {LIMIT}", 1)
    )
    square.start()
    person = online("phone")
    account = square.device(person.mac)["account"]
    with contextlib.ExitStack() as held, person.place.entered():
        for _ in range(3 * LIMIT):
            line = held.enter_context(socket.socket())
            line.settimeout(1)
            with contextlib.suppress(ConnectionRefusedError):
                line.connect((person.far_v4, 80))
        name = f"{person.mac} of {account}"
        assert eventually(lambda: square.overview()["flows"]["warnings"], 15)
        flows = square.overview()["flows"]
        assert name == flows["heaviest"]
        assert 0.8 * LIMIT <= flows["heaviest_flows"] <= LIMIT + 5
        assert flows["heaviest_flows"] <= flows["entries"] < flows["size"]
        said = square.cli("status").stdout
        assert f"most: {name}" in said
        assert f"{name} wants more than {LIMIT} connections at once" in said
        doctor = square.cli("doctor").stdout
        assert f"{name} wants more than {LIMIT} connections at once" in doctor
        assert f"{LIMIT} of them for each device" in doctor
