"""How many people the front door serves: redirects and pages, each connection from a device of its own."""

import os
import time

from tests.bench import opennds
from tests.bench.boxes import keep_to_core
from tests.bench.figures import Figures, missing, say
from tests.bench.square import FAR, PORTAL, Crowd, Square, square

KEYS = (
    "redirects_per_s",
    "splash_per_s",
    "p99_ms_10",
    "p99_ms_100",
    "errors",
    "peer_redirects_per_s",
    "peer_splash_per_s",
)
SECONDS = 5.0
PEER_SECONDS = 6.0
GOOD_REDIRECT = ("HTTP/1.1 302", "HTTP/1.1 303", "HTTP/1.1 307")
GOOD_PAGE = ("HTTP/1.1 200",)
PROBE = (
    "GET /generate_204 HTTP/1.1\r\nHost: connectivitycheck.gstatic.com\r\nUser-Agent: Dalvik/2.1.0\r\n\r\n"
)


def page_of(url: str) -> str:
    """The request for the page that a redirect led to."""
    host, _, path = url.removeprefix("http://").partition("/")
    return f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept-Language: en\r\n\r\n"


def _press(people: Crowd, count: int, request: str, to: str, port: int, seconds: float) -> dict[str, float]:
    good = GOOD_REDIRECT if request == PROBE else GOOD_PAGE
    found = people.do(
        "press", people.devices[:count], request=request, to=to, port=port, seconds=seconds, wanted=good
    )
    say(f"{count} connections to port {port}: {found}")
    return found


def _ours(place: Square) -> Figures:
    place.furnish()
    people = place.crowd(100)
    daemon = place.router.start()
    keep_to_core(daemon.pid, 0)
    people.keep_to_core(1 % (os.cpu_count() or 1))
    time.sleep(2)
    splash = page_of(people.do("locate", people.devices[:1])["location"])
    redirects = _press(people, 10, PROBE, FAR, 80, SECONDS)
    pages = _press(people, 10, splash, PORTAL, 80, SECONDS)
    crowded = [
        _press(people, 100, request, to, 80, SECONDS) for request, to in ((PROBE, FAR), (splash, PORTAL))
    ]
    people.close()
    return {
        "redirects_per_s": redirects["per_s"],
        "splash_per_s": pages["per_s"],
        "p99_ms_10": max(redirects["p99_ms"], pages["p99_ms"]),
        "p99_ms_100": max(found["p99_ms"] for found in crowded),
        "errors": int(sum(found["errors"] for found in (redirects, pages, *crowded))),
    }


def _peer(place: Square) -> Figures:
    place.forward_plainly()
    people = place.crowd(10)
    with opennds.running(place.lab, place.router.place, people.devices) as peer:
        peer.wait_until_it_captures(people)
        splash = page_of(people.do("locate", people.devices[:1])["location"])
        redirects = _press(people, 10, PROBE, FAR, 80, PEER_SECONDS)
        pages = _press(people, 10, splash, PORTAL, opennds.PORT, PEER_SECONDS)
        people.close()
    return {"peer_redirects_per_s": redirects["per_s"], "peer_splash_per_s": pages["per_s"]}


def measure() -> Figures:
    with square() as place:
        found = _ours(place)
    try:
        with square() as place:
            return found | _peer(place)
    except opennds.CannotRun as reason:
        return found | missing(["peer_redirects_per_s", "peer_splash_per_s"], str(reason))
