"""Power cuts: boards with the image of ``deploy/image`` lose their power again and again, while they start, and while people
join and transfer. Everybody who was admitted must be online again without doing anything, and the database be whole."""

import contextlib
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.bench.figures import Figures, missing
from tests.lab.people import Person
from tests.vm.board import HOUSEHOLDS, EmulatedBoard, Image, board, by_kernel, is_online, joins, online
from tests.vm.disk_check import stored
from tests.vm.machine import say

CUTS, BOARDS = 50, 2
"""Of all boards together, which know nothing of each other. Most of a start is work of one core: two at once take less time
than one after the other."""
STARTING_EVERY, LONG_EVERY, LONG_AT = 4, 10, 5
"""Each fourth cut comes while the board starts. Before one of ten the load lasts for more than a minute, within which
the node must have stored what it counted."""
STARTING_S, LOADED_S, LONG_S = (3.0, 30.0), (5.0, 15.0), (65.0, 80.0)
"""From the start, or from the moment at which the board is back."""
BACK_S, RECOVERED_S = 900.0, 60.0
"""What is waited for at most: until the board is back, and from then on until the last person is online."""
SAMPLE_S = 0.5
MINUTES = 60
"""No further cut after so long, unless asked for more: a busy machine makes fewer of them, which is not met."""
PEOPLE_MAX = 120
SEED = 20_261_129


@dataclass
class Outcome:
    """What the cuts showed so far."""

    cuts: int = 0
    not_back: int = 0
    corrupt: int = 0
    signed_in_again: int = 0
    addresses_twice: int = 0
    back_s: list[float] = field(default_factory=list)
    lost_s: list[float] = field(default_factory=list)
    transferred: int = 0

    def add(self, other: "Outcome") -> None:
        self.cuts += other.cuts
        self.not_back += other.not_back
        self.corrupt += other.corrupt
        self.signed_in_again += other.signed_in_again
        self.addresses_twice += other.addresses_twice
        self.back_s += other.back_s
        self.lost_s += other.lost_s
        self.transferred += other.transferred

    def figures(self, people: int) -> Figures:
        found: Figures = {
            "cuts": self.cuts,
            "not_back": self.not_back,
            "corrupt": self.corrupt,
            "people": people,
            "signed_in_again": self.signed_in_again,
            "addresses_twice": self.addresses_twice,
            "lost_s_max": round(max(self.lost_s), 1) if self.lost_s else None,
            "back_s_p50": round(statistics.median(self.back_s), 1) if self.back_s else None,
            "transferred_mb": round(self.transferred / 1e6),
        }
        for key, reason in (("lost_s_max", "no cut under load"), ("back_s_p50", "the board was never back")):
            if found[key] is None:
                found |= missing([key], reason)
        return found


class HouseholdDownloads:
    """The households' downloads, and what arrived so far, in samples of a time and the sum of all."""

    def __init__(self, households: Sequence[Person]) -> None:
        self._households = households
        self._ended = threading.Event()
        self.samples: list[tuple[float, int]] = []
        self._before = self._received()
        self._sampler = threading.Thread(target=self._sample, daemon=True)
        for person in households:
            person.wish("download", seconds=300, flows=2)
        self._sampler.start()

    def end(self) -> list[tuple[float, int]]:
        self._ended.set()
        self._sampler.join()
        return self.samples

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.samples.append((time.monotonic(), self._received() - self._before))

    def _received(self) -> int:
        """IP bytes, without the headers of Ethernet."""
        place = self._households[0].place
        links = {
            each["ifname"]: each["stats64"]["rx"] for each in json.loads(place.run("ip", "-j", "-s", "link"))
        }
        found = [links[person.interface] for person in self._households]
        return sum(each["bytes"] - 14 * each["packets"] for each in found)


def lost_seconds(samples: Sequence[tuple[float, int]], cut: float, counted: int) -> float:
    """How long before the cut everything was counted that is in the database; bytes that wait in a queue, and headers of
    packets that the kernel had merged when they were counted, make it look longer."""
    known = [at for at, arrived in samples if arrived <= counted]
    return cut - known[-1] if known else cut - samples[0][0] if samples else 0.0


class PowerCuts:
    """Those of one board."""

    def __init__(self, place: EmulatedBoard, board_number: int) -> None:
        self._board, self._board_number = place, board_number
        self._random = random.Random(SEED + board_number)
        self._is_stopped = threading.Event()
        self.outcome = Outcome()
        self.admitted: list[Person] = []
        self._counted = 0
        """Bytes of the households in the database at the last start."""
        self._samples: list[tuple[float, int]] = []
        self._cut_at = 0.0

    def run(self, numbers: Iterator[int], ends: float) -> None:
        """Takes the next number for each cut, until there is none or the time is over."""
        for number in numbers:
            if self._is_stopped.is_set():
                return
            if time.monotonic() > ends:
                self._say(f"there was no time for cut {number}")
                break
            if self.admitted and number % STARTING_EVERY == 0:
                self._cut_while_starting()
            elif not self._cut_under_load(long=number % LONG_EVERY == LONG_AT):
                break
        if not self.outcome.not_back and not self._is_stopped.is_set():
            self._start()
        self._board.cut_power()

    def _say(self, text: str) -> None:
        say(f"board {self._board_number}: {text}")

    def stop(self) -> None:
        """For another thread: the run ends at once; its outcome means nothing."""
        self._is_stopped.set()
        self._board.cut_power()

    def _cut_while_starting(self) -> None:
        self._board.power_on()
        after = self._random.uniform(*STARTING_S)
        time.sleep(after)
        self._board.cut_power()
        self._say(f"power for {after:.1f} s")
        self._check_disk()

    def _cut_under_load(self, *, long: bool) -> bool:
        """Whether the board was back before."""
        if not self._start():
            return False
        households = self.admitted[: len(HOUSEHOLDS)]
        load = HouseholdDownloads(households)
        ends = time.monotonic() + self._random.uniform(*(LONG_S if long else LOADED_S))
        # A person who waits for an answer when the power goes waits for it beside the next start.
        threading.Thread(target=self._admit_until, args=(ends,), daemon=True).start()
        time.sleep(max(0.0, ends - time.monotonic()))
        self._cut_at = time.monotonic()
        self._board.cut_power()
        self._samples = load.end()
        self._say(f"power for {self._cut_at - self._board.began:.1f} s; {len(self.admitted)} people")
        self._check_disk()
        return True

    def _admit_until(self, ends: float) -> None:
        """One person after the other; who has no confirmation before the cut does not count."""
        while time.monotonic() < ends and len(self.admitted) < PEOPLE_MAX:
            person = self._board.next_person()
            if joins(person) and time.monotonic() < ends:
                self.outcome.addresses_twice += person.address_v4 in {
                    each.address_v4 for each in self.admitted
                }
                self.admitted.append(person)

    def _start(self) -> bool:
        """The board starts; whether it is back. All that is known of the last cut is checked."""
        self._board.power_on()
        if not self.admitted:
            return self._first_start()
        back = self._board.until(lambda: is_online(self.admitted[0]), BACK_S)
        if back is None:
            self.outcome.not_back += 1
            self._say(f"not back: {self._board.serial()[-2000:]}")
            return False
        self.outcome.back_s.append(back)
        missing = self._missing(time.monotonic() + RECOVERED_S)
        self.outcome.signed_in_again += len(missing)
        for person in missing:
            self._say(f"{person} is not online any more")
            self.admitted.remove(person)
        self._say(f"back after {back} s; all online after {time.monotonic() - self._board.began:.1f} s")
        return True

    def _check_disk(self) -> None:
        """After each cut."""
        with tempfile.TemporaryDirectory(dir=self._board.lab.folder) as folder:
            found = stored(self._board.disk, Path(folder))
        self.outcome.cuts += 1
        self.outcome.corrupt += found.is_corrupt
        counted = sum(found.down.get(name, 0) for name in HOUSEHOLDS)
        lost = "nothing was used"
        if self._samples:
            self.outcome.lost_s.append(lost_seconds(self._samples, self._cut_at, counted - self._counted))
            self.outcome.transferred += self._samples[-1][1]
            lost = f"the last {self.outcome.lost_s[-1]:.1f} s of {self._samples[-1][1]} bytes are not counted"
            self._samples = []
        self._counted = counted
        system = "whole" if found.file_system_is_whole else "damaged"
        self._say(
            f"cut {self.outcome.cuts}: file system {system}, database {found.integrity}, {found.files}; {lost}; "
            f"addresses given twice so far: {self.outcome.addresses_twice}"
        )

    def _first_start(self) -> bool:
        """The households are admitted, too; the node knows their devices."""
        households = [self._board.next_person() for _ in HOUSEHOLDS]
        for person in households:
            if self._board.until(lambda person=person: joins(person), BACK_S) is None:
                self.outcome.not_back += 1
                self._say(f"no first start: {person}: {self._board.serial()[-3000:]}")
                return False
        self.admitted = households
        self._say(
            f"first start: {time.monotonic() - self._board.began:.0f} s until all households were online"
        )
        return True

    def _missing(self, until: float) -> list[Person]:
        """Those who were admitted and are not online again by then."""
        waiting = list(self.admitted)
        while True:
            back = online(waiting)
            waiting = [each for each in waiting if each not in back]
            if not waiting or time.monotonic() > until:
                return waiting


def power(image: Image, minutes: int) -> Figures:
    """No further cut after so many minutes."""
    ends, numbers = time.monotonic() + 60 * minutes, iter(range(1, CUTS + 1))
    with contextlib.ExitStack() as boards:
        places = [
            boards.enter_context(board(image, "amd64", lambda folder: by_kernel(image, folder)))
            for _ in range(BOARDS)
        ]
        runs = [PowerCuts(place, number) for number, place in enumerate(places, start=1)]
        run_together(runs, numbers, ends)
    whole = Outcome()
    for each in runs:
        whole.add(each.outcome)
    return whole.figures(sum(len(each.admitted) for each in runs))


class Cuttable(Protocol):
    """What `run_together` needs of `PowerCuts`."""

    def run(self, numbers: Iterator[int], ends: float) -> None: ...
    def stop(self) -> None: ...


def run_together(runs: Sequence[Cuttable], numbers: Iterator[int], ends: float) -> None:
    """Each in a thread of its own, until all have ended; if one fails, all are stopped."""
    with ThreadPoolExecutor(len(runs)) as pool:
        pending = [pool.submit(each.run, numbers, ends) for each in runs]
        try:
            for each in as_completed(pending):
                each.result()
        except BaseException:
            for run in runs:
                run.stop()
            raise
