"""How many people the front door serves: redirects and pages, each connection from a device of its own; beside a bare
handler of the same bytes, beside openNDS, and under siege."""

import json
import os
import statistics
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tests.bench import opennds
from tests.bench.births import Births
from tests.bench.boxes import keep_to_core
from tests.bench.figures import Figures, missing, say
from tests.bench.square import FAR, PORTAL, Crowd, Square, square
from tests.lab.internet import ROOT
from tests.lab.netns import Program

KEYS = (
    "redirects_per_s",
    "splash_per_s",
    "splash_of_limit",
    "splash_bytes",
    "p99_ms_10",
    "p99_ms_100",
    "errors",
    "p99_ms_attacked",
    "connections_standing",
    "processes_started",
    "peer_redirects_per_s",
    "peer_splash_per_s",
)
PORTAL_PORT = 2080
"""Where the node listens; its packet filter leads port 80 there."""
SECONDS = 5.0
TURNS = 3
SILENT, SILENT_EACH, SLOW = 10_000, 25, 100
SIEGE_SETTLES, SIEGE_MEASURED = 8.0, 15.0
SIEGE_SECONDS = SIEGE_SETTLES + SIEGE_MEASURED + 3
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
    people = place.crowd(SILENT // SILENT_EACH + SLOW + 100)
    daemon = _start(place)
    people.keep_to_core(1 % (os.cpu_count() or 1))
    redirects = _press(people, 10, PROBE, FAR, 80, SECONDS)
    splash = page_of(people.do("locate", people.devices[:1])["location"])
    found, pages = _of_limit(place, people, daemon, splash)
    daemon = _start(place)
    crowded = [
        _press(people, 100, request, to, 80, SECONDS) for request, to in ((PROBE, FAR), (splash, PORTAL))
    ]
    attacked, pressed = _attacked(people, daemon, splash)
    people.close()
    return (
        found
        | attacked
        | {
            "redirects_per_s": redirects["per_s"],
            "p99_ms_10": max(redirects["p99_ms"], pages["p99_ms"]),
            "p99_ms_100": max(each["p99_ms"] for each in crowded),
            "errors": int(sum(each["errors"] for each in (redirects, pages, *crowded, pressed))),
        }
    )


def _start(place: Square) -> Program:
    daemon = place.router.start()
    keep_to_core(daemon.pid, 0)
    time.sleep(2)
    return daemon


def _of_limit(place: Square, people: Crowd, daemon: Program, splash: str) -> tuple[Figures, dict[str, float]]:
    """Our page and the same bytes from a bare handler, in turns: this machine's speed changes from second to second."""
    url = f"http://{splash.split('Host: ')[1].split(maxsplit=1)[0]}/"
    page = people.do("fetch", people.devices[:1], to=PORTAL, port=80, url=url)
    ours, bare = [], []
    for turn in range(TURNS):
        if turn:
            daemon = _start(place)
        ours.append(_press(people, 10, splash, PORTAL, 80, SECONDS))
        daemon.stop()
        limit = _bare(place, page)
        bare.append(_press(people, 10, splash, PORTAL, 80, SECONDS))
        limit.stop()
    figures: Figures = {
        "splash_per_s": statistics.median(each["per_s"] for each in ours),
        "splash_of_limit": round(
            statistics.median(a["per_s"] / b["per_s"] for a, b in zip(ours, bare, strict=True)), 3
        ),
        "splash_bytes": len(page["body"].encode()),
    }
    worst = {
        "p99_ms": max(each["p99_ms"] for each in ours),
        "errors": sum(each["errors"] for each in ours + bare),
    }
    return figures, worst


def _bare(place: Square, page: dict[str, Any]) -> Program:
    """In the node's place: what the node left in the kernel still leads port 80 here."""
    left_out = {"content-length", "date", "connection", "keep-alive"}
    headers = {name: value for name, value in page["headers"].items() if name not in left_out}
    answer = place.lab.folder / "page.json"
    answer.write_text(json.dumps({"headers": headers, "body": page["body"]}))
    limit = place.router.place.start(
        sys.executable, "-m", "tests.bench.bare", str(PORTAL_PORT), str(answer), cwd=ROOT
    )
    keep_to_core(limit.pid, 0)
    time.sleep(1.5)
    return limit


def _attacked(people: Crowd, daemon: Program, splash: str) -> tuple[Figures, dict[str, float]]:
    """Ten people open the page again and again while all the others only take up room."""
    besiegers = Crowd(people.place, people.devices[10:])
    besiegers.keep_to_core(1 % (os.cpu_count() or 1))
    besiegers.begin(
        "siege", besiegers.devices, to=PORTAL, port=80, silent=SILENT, slow=SLOW, seconds=SIEGE_SECONDS
    )
    time.sleep(SIEGE_SETTLES)
    try:
        counting: AbstractContextManager[Births | None] = Births(daemon.pid)
    except OSError as refused:
        counting = nullcontext()
        found = missing(["processes_started"], f"the kernel does not tell of new processes: {refused}")
    with counting as births:
        pressed = _press(people, 10, splash, PORTAL, 80, SIEGE_MEASURED)
    if births is not None:
        found = {"processes_started": births.count}
    siege = besiegers.answer()
    say(f"the siege: {siege}")
    besiegers.close()
    figures = {"p99_ms_attacked": pressed["p99_ms"], "connections_standing": siege["standing"]}
    return found | figures, pressed


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
