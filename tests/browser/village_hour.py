"""``python -m tests.browser.village_hour [MINUTES]``: a picture of what a real node kept of a real village.

The village is in network namespaces: the Internet behind a line of 25 Mbit/s, a router that runs the real daemon, and people
who accept the terms and download, each as it comes to them. At the end an admin opens the page History at the router.
An hour takes an hour; the page shows what it was like in steps of ten seconds, however long it ran.
"""

import json
import random
import sys
import time
from pathlib import Path

from tests.browser.chromium import Browser, Look
from tests.browser.driver import missing_for_browser, opened
from tests.browser.pictures import BYTES_MAX, FOLDER, ROOT, webp
from tests.lab.agreement import MACS
from tests.lab.netns import missing_for_namespaces
from tests.lab.people import Person, Wish
from tests.lab.village import Village, village

PICTURE = FOLDER / "village-hour.webp"
SEED, VISITORS = 20_261_130, range(40, 48)
PAUSE_S, LASTS_S, FLOWS_MAX = (10.0, 90.0), (5.0, 60.0), 3
LOOK_S = 0.5
SCREEN = Look(1100, 760)


def come(made: Village) -> list[Person]:
    """Households and visitors, who have addresses and accepted the terms."""
    for number, name in enumerate(("phone", "laptop", "tablet", "bea"), start=21):
        made.settle(name, made.square, number, MACS[name])
    made.square.start()
    people = [*made.people.values(), *made.settle_crowd(made.square, VISITORS)]
    for person, process in [(person, person.begin_dhcp()) for person in people]:
        person.finish_dhcp(process)
    for person in people:
        person.do("accept")
    return people


def live(people: list[Person], minutes: float) -> None:
    """Each downloads for a while, rests for a while, and so on; the same each time this runs."""
    chance, ends = random.Random(SEED), time.monotonic() + 60 * minutes
    due = {person: time.monotonic() + chance.uniform(0, PAUSE_S[1]) for person in people}
    running: dict[Person, Wish] = {}
    while (now := time.monotonic()) < ends:
        for person in people:
            if person in running and running[person].is_done():
                running.pop(person).result()
                due[person] = now + chance.uniform(*PAUSE_S)
            elif person not in running and due[person] <= now:
                seconds = min(chance.uniform(*LASTS_S), max(1.0, ends - now))
                flows = chance.randint(1, FLOWS_MAX)
                running[person] = person.wish("download", seconds=seconds, flows=flows)
        time.sleep(LOOK_S)
    for wish in running.values():
        wish.result(LASTS_S[1] + 30)


def shown(made: Village, folder: Path) -> bytes:
    """The page History of the last hour, as its admin sees it."""
    router = made.square
    address = json.loads(router.cli("admin", "link", "--json").stdout)["url"]
    with opened(folder, place=router.place, hosts={}) as browser:
        return _taken(browser, address)


def _taken(browser: Browser, address: str) -> bytes:
    browser.look(SCREEN)
    browser.open(address)
    browser.tap("main form button")
    browser.open(f"{address.partition('/sign-in')[0]}/history?series=line_down&last=1h")
    return browser.picture(whole=False)


def main(words: list[str]) -> int:
    for missing in (missing_for_namespaces(), missing_for_browser()):
        if missing is not None:
            print(missing, file=sys.stderr)
            return 1
    minutes = float(words[0]) if words else 60.0
    with village("hour") as made:
        people = come(made)
        print(f"{len(people)} people for {minutes:g} minutes", file=sys.stderr)
        live(people, minutes)
        time.sleep(10)  # until the last step is over
        PICTURE.write_bytes(webp(shown(made, made.lab.folder / "chromium-hour")))
    assert PICTURE.stat().st_size <= BYTES_MAX
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
