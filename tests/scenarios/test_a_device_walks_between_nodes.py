"""A device walks from one node's LAN to another's with a download open: it is in there without being asked."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.lab.node_line import are_together, seconds_until
from tests.lab.people import Person
from tests.lab.village import Router
from tests.lab.walk import SERVER, Walk, walk

pytestmark = pytest.mark.kernel
PROMISED_MS = 2_000


@pytest.fixture(scope="module")
def path() -> Iterator[Walk]:
    with walk() as made:
        for router in (made.here, made.there):
            router.start()
        seconds_until("both trust each other", lambda: are_together(made.here, made.there), time.monotonic())
        yield made


@contextlib.contextmanager
def joined(path: Walk, name: str, number: int) -> Iterator[Person]:
    person = path.settle(name, number)
    try:
        path.join(person)
        yield person
    finally:
        person.agent.close()


def state(router: Router, person: Person) -> str:
    return str((router.device(person.mac) or {}).get("state"))


@pytest.mark.alone
def test_a_download_goes_on_and_nobody_is_asked(path: Walk) -> None:
    with joined(path, "walker", 21) as person:
        download = person.wish("download", far=SERVER, seconds=8)
        time.sleep(1)
        path.go(person, path.there)
        assert person.do("reach", far=SERVER)["ms"] <= PROMISED_MS
        assert not person.do("knock")["captured"]
        path.go(person, path.here)
        assert person.do("reach", far=SERVER)["ms"] <= PROMISED_MS
        result = download.result()
        assert 0 == result["failed"]
        assert result["gap_ms"] < 4_000, "a server sends again after 0.2, 0.4, 0.8 and 1.6 s"
        assert result["samples"][-1][1] > result["samples"][-5][1], "it runs to the end"


def test_a_quiet_download_goes_on_when_the_device_does_what_devices_do(path: Walk) -> None:
    """It asks for a name and for the page that tells it whether it is online, as each system does on a new link."""
    with joined(path, "reader", 22) as person:
        download = person.wish("download", far=SERVER, seconds=8)
        time.sleep(1)
        path.go(person, path.there)
        assert not person.do("knock")["captured"]
        result = download.result()
        assert 0 == result["failed"]
        assert result["samples"][-1][1] > result["samples"][-5][1]


def test_a_session_that_is_left_at_one_node_ends_at_the_other(path: Walk) -> None:
    with joined(path, "guest", 23) as person:
        path.go(person, path.there)
        assert person.do("reach", far=SERVER)["ms"] <= PROMISED_MS
        assert "admitted" == state(path.here, person)
        url = f"http://{path.there.site.lan_v4}/"
        person.do("press", url=url, ends="/leave")
        began = time.monotonic()
        took = seconds_until(
            "it is out at both",
            lambda: "admitted" not in {state(path.here, person), state(path.there, person)},
            began,
        )
        assert 1000 * took <= PROMISED_MS
        assert person.do("reach", far=SERVER, seconds=1)["ms"] is None
        assert person.do("knock")["captured"]


def test_a_voucher_walks_along_at_once_and_is_revoked_at_both(path: Walk) -> None:
    """Its batch, its first use, its binding and its session are told one after the other."""
    (code,) = path.here.told("vouchers", "issue", "--count", "1", "--group", "day-pass", "--lasts", "1 day")[
        "codes"
    ]
    person = path.settle("visitor", 40)
    try:
        person.finish_dhcp(person.begin_dhcp())
        path.route(person.address_v4, path.here)
        url = f"http://{path.here.site.lan_v4}/"
        assert 303 == person.do("press", url=url, ends="/join/code", fields={"code": code})["status"]
        path.go(person, path.there)
        assert person.do("reach", far=SERVER)["ms"] <= PROMISED_MS
        asked_s = time.monotonic()
        here, there = (router.device(person.mac) for router in (path.here, path.there))
        between_s = time.monotonic() - asked_s
        assert here is not None
        assert there is not None
        assert here["account"] == there["account"]
        # Its end is told in whole seconds, and both answers are rounded down.
        assert abs(here["seconds_left"] - there["seconds_left"]) <= 2 + between_s
        path.here.told("vouchers", "revoke", code)
        began = time.monotonic()
        took = seconds_until("it is out", lambda: "admitted" != state(path.there, person), began)
        assert 1000 * took <= PROMISED_MS
    finally:
        person.agent.close()
