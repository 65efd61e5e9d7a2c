"""Capacity of the portal: redirects and pages, each connection from a device of its own; compared with a bare handler
of the same bytes and with openNDS, and during an attack."""

import json
import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from tests.bench import opennds
from tests.bench.figures import Figures, missing, of_total, of_tries, say
from tests.bench.load import Pressed
from tests.bench.namespaces import keep_to_core
from tests.bench.process_count import ProcessCount
from tests.bench.single_router import FAR, PORTAL, ClientProcess, SingleRouter, single_router
from tests.lab.internet import ROOT
from tests.lab.netns import LabProgram

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
"""Port of the node, to which its packet filter redirects port 80."""
SECONDS = 5.0
TURNS = 3
SILENT, SILENT_EACH, SLOW = 10_000, 25, 100
ATTACK_SETTLES, ATTACK_MEASURED = 8.0, 15.0
ATTACK_SECONDS = ATTACK_SETTLES + ATTACK_MEASURED + 3
PEER_SECONDS = 6.0
REDIRECTED_DEVICES, REDIRECTS = 100, 10_000
GOOD_REDIRECT = ("HTTP/1.1 302", "HTTP/1.1 303", "HTTP/1.1 307")
GOOD_PAGE = ("HTTP/1.1 200",)
PROBE = (
    "GET /generate_204 HTTP/1.1\r\nHost: connectivitycheck.gstatic.com\r\nUser-Agent: Dalvik/2.1.0\r\n\r\n"
)


def page_of(url: str) -> str:
    """The request for the page that a redirect led to."""
    host, _, path = url.removeprefix("http://").partition("/")
    return f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept-Language: en\r\n\r\n"


def _press(people: ClientProcess, count: int, request: str, to: str, port: int, seconds: float) -> Pressed:
    found = people.do(
        "press", people.devices[:count], request=request, to=to, port=port, seconds=seconds, wanted=GOOD_PAGE
    )
    say(f"{count} connections to port {port}: {found}")
    return Pressed(**found)


def _redirected(people: ClientProcess, count: int, seconds: float = SECONDS) -> Pressed:
    """A redirect ends its connection, and the packet filter limits new ones: for each device, and for all unauthorized
    devices. So a burst below both limits is measured, from a hundred devices in turn."""
    found = people.do(
        "press",
        people.devices[:REDIRECTED_DEVICES],
        connections=count,
        most=REDIRECTS,
        request=PROBE,
        to=FAR,
        port=80,
        seconds=seconds,
        wanted=GOOD_REDIRECT,
    )
    say(f"{count} connections that are redirected: {found}")
    return Pressed(**found)


def _rate(key: str, pressed: Pressed) -> Figures:
    return of_total(key, pressed.per_s, pressed.answered, pressed.answered + pressed.errors)


def _slowest(key: str, *pressed: Pressed) -> Figures:
    """The highest p99 of the bursts that had a response."""
    failed = sum(each.errors for each in pressed)
    return of_tries(key, [each.p99_ms for each in pressed], 1.0) | {f"{key}_failed": failed}


def _ours(place: SingleRouter) -> Figures:
    place.furnish()
    people = place.crowd(SILENT // SILENT_EACH + SLOW + 100)
    daemon = _start(place)
    people.keep_to_core(1 % (os.cpu_count() or 1))
    redirects = _redirected(people, 10)
    splash = page_of(people.do("locate", people.devices[:1])["location"])
    found, pages, bare = _of_limit(place, people, daemon, splash)
    daemon = _start(place)
    crowded = [_redirected(people, 100), _press(people, 100, splash, PORTAL, 80, SECONDS)]
    attacked, pressed = _attacked(people, daemon, splash)
    people.close()
    return (
        found
        | attacked
        | _rate("redirects_per_s", redirects)
        | _slowest("p99_ms_10", redirects, *pages)
        | _slowest("p99_ms_100", *crowded)
        | {"errors": sum(each.errors for each in (redirects, *pages, *bare, *crowded, pressed))}
    )


def _start(place: SingleRouter) -> LabProgram:
    daemon = place.router.start()
    keep_to_core(daemon.pid, 0)
    time.sleep(2)
    return daemon


def _of_limit(
    place: SingleRouter, people: ClientProcess, daemon: LabProgram, splash: str
) -> tuple[Figures, list[Pressed], list[Pressed]]:
    """The node's page and the same bytes from a bare handler, alternated: the speed of this machine changes from second
    to second."""
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
    turns = [
        round(a.per_s / b.per_s, 3) if a.answered and b.answered else None
        for a, b in zip(ours, bare, strict=True)
    ]
    figures = (
        of_tries("splash_per_s", [each.per_s if each.answered else None for each in ours])
        | of_tries("splash_of_limit", turns)
        | {"splash_bytes": len(page["body"].encode())}
    )
    return figures, ours, bare


def _bare(place: SingleRouter, page: dict[str, Any]) -> LabProgram:
    """In place of the node: the rules that the node left in the kernel still redirect port 80 here."""
    left_out = {"content-length", "date", "connection", "keep-alive"}
    headers = {name: value for name, value in page["headers"].items() if name not in left_out}
    answer = place.lab.folder / "page.json"
    answer.write_text(json.dumps({"headers": headers, "body": page["body"]}))
    limit = place.router.place.start(
        sys.executable, "-m", "tests.bench.bare_aiohttp", str(PORTAL_PORT), str(answer), cwd=ROOT
    )
    keep_to_core(limit.pid, 0)
    time.sleep(1.5)
    return limit


def _attacked(people: ClientProcess, daemon: LabProgram, splash: str) -> tuple[Figures, Pressed]:
    """Ten clients load the page repeatedly while all others only occupy connections."""
    attackers = ClientProcess(people.place, people.devices[10:])
    attackers.keep_to_core(1 % (os.cpu_count() or 1))
    attackers.begin(
        "slowloris", attackers.devices, to=PORTAL, port=80, silent=SILENT, slow=SLOW, seconds=ATTACK_SECONDS
    )
    time.sleep(ATTACK_SETTLES)
    try:
        counting: AbstractContextManager[ProcessCount | None] = ProcessCount(daemon.pid)
    except OSError as refused:
        counting = nullcontext()
        found = missing(["processes_started"], f"the kernel does not tell of new processes: {refused}")
    with counting as births:
        pressed = _press(people, 10, splash, PORTAL, 80, ATTACK_MEASURED)
    if births is not None:
        found = {"processes_started": births.count}
    standing = attackers.answer()
    say(f"the attack: {standing}")
    attackers.close()
    slowest = _slowest("p99_ms_attacked", pressed)
    return found | slowest | {"connections_standing": standing["standing"]}, pressed


def _peer() -> Figures:
    with single_router() as place:
        place.forward_plainly()
        people = place.crowd(10)
        with opennds.running(place.lab, place.router.place, people.devices) as peer:
            peer.wait_until_it_captures(people)
            redirects = _redirected(people, 10, PEER_SECONDS)
            splash = page_of(people.do("locate", people.devices[:1])["location"])
            pages = _press(people, 10, splash, PORTAL, opennds.PORT, PEER_SECONDS)
            people.close()
    return _rate("peer_redirects_per_s", redirects) | _rate("peer_splash_per_s", pages)


def measure() -> Figures:
    with single_router() as place:
        found = _ours(place)
    return found | opennds.beside(["peer_redirects_per_s", "peer_splash_per_s"], _peer)
