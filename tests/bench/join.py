"""A thousand people join by voucher within ten seconds, as at the start of an event."""

import time

from tests.bench.figures import Figures, of_tries, say
from tests.bench.single_router import PORTAL, SingleRouter, single_router

KEYS = ("admitted", "errors", "p50_ms", "p99_ms", "seconds")
MANY, SECONDS, AT_ONCE = 1_000, 10.0, 200


def measure() -> Figures:
    with single_router() as place:
        return _measure(place)


def _measure(place: SingleRouter) -> Figures:
    place.furnish()
    people = place.crowd(MANY)
    place.router.start()
    time.sleep(2)
    codes = _issue(place, MANY)
    came = people.do(
        "join",
        people.devices,
        to=PORTAL,
        port=80,
        at_once=AT_ONCE,
        seconds=SECONDS,
        codes=codes,
        field="code",
        action="/join/code",
    )
    say(f"{MANY} people with a voucher each over {SECONDS:g} s, refused: {came['first_refusal'] or 'nobody'}")
    admitted = sum(row["state"] == "admitted" for row in place.router.ask("devices")["devices"])
    people.close()
    return (
        {"admitted": admitted, "errors": sum(ms is None for ms in came["ms"]), "seconds": came["seconds"]}
        | of_tries("p50_ms", came["ms"])
        | of_tries("p99_ms", came["ms"], 0.99)
    )


def _issue(place: SingleRouter, count: int) -> list[str]:
    codes: list[str] = []
    while len(codes) < count:
        answer = place.router.ask(
            "vouchers-issue",
            count=str(min(500, count - len(codes))),
            group="feast",
            lasts="1 day",
            devices="3",
        )
        codes += answer["codes"]
    return codes
