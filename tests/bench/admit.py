"""Time of admission: a thousand devices at once, and one at a time from the click to the first packet."""

import time

from tests.bench import opennds
from tests.bench.figures import Figures, of_total, of_tries, say
from tests.bench.single_router import PORTAL, SingleRouter, single_router

KEYS = ("seconds_1000", "first_packet_ms_p50", "first_packet_ms_p95", "peer_first_packet_ms_p50")
MANY, AT_ONCE = 1_000, 200
ONE_BY_ONE, PEER_ONE_BY_ONE = 40, 8
PEER_CLICKS = 2
"""openNDS shows a landing page between acceptance and admission."""


def _ours(place: SingleRouter) -> Figures:
    place.furnish()
    people = place.crowd(MANY + ONE_BY_ONE)
    place.router.start()
    time.sleep(2)
    single = people.do("first", people.devices[MANY:], to=PORTAL, port=80, clicks=1)["ms"]
    say(f"one by one, ms: {single}")
    many = people.do("flows", people.devices[:MANY], to=PORTAL, port=80, at_once=AT_ONCE)
    say(f"{MANY} people, {AT_ONCE} clicking at a time: {many}")
    people.close()
    return (
        of_total("seconds_1000", many["seconds"], many["let_in"], MANY)
        | of_tries("first_packet_ms_p50", single)
        | of_tries("first_packet_ms_p95", single, 0.95)
    )


def _peer() -> Figures:
    with single_router() as place:
        place.forward_plainly()
        people = place.crowd(PEER_ONE_BY_ONE + 1)
        with opennds.running(place.lab, place.router.place, people.devices) as peer:
            peer.wait_until_it_captures(people)
            clicking = people.devices[1:]
            single = people.do("first", clicking, to=PORTAL, port=opennds.PORT, clicks=PEER_CLICKS)["ms"]
            say(f"openNDS, one by one, ms: {single}")
            people.close()
    return of_tries("peer_first_packet_ms_p50", single)


def measure() -> Figures:
    with single_router() as place:
        found = _ours(place)
    return found | opennds.beside(["peer_first_packet_ms_p50"], _peer)
