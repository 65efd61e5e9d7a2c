"""The live view on a terminal: which devices are captive or online, their rates, and the rule that limits each. Plain
lines without a terminal."""

import re
import shutil
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, TextIO

from node.cli.terminal import width
from node.console import NoRunningNode
from tests.lab.village import Router, Village

BOLD, DIM, RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
GREEN, YELLOW, BLUE, RED = "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[31m"
COLOURS = {"waiting": YELLOW, "admitted": GREEN, "expired": DIM, "removed": RED}
WORDS = {"waiting": "captured", "admitted": "online", "expired": "time is up", "removed": "removed"}
COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
TITLE = f"{BOLD}procomú{RESET}  a village shares one line to the Internet by its own rules"
END = f"{DIM}Ctrl-C ends the village and leaves nothing behind{RESET}"
REFRESH_S = 0.5
LINES_KEPT = 8
BAR_BITS = 25_000_000
BAR_CHARS = 20
VISITORS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One device as the table shows it."""

    person: str
    state: str
    rate_down: int
    rate_up: int
    used: int
    rule: str


class Lines:
    """Prints events, one line each, for logs and pipes."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._began = time.monotonic()

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=self._out, flush=True)

    def show_village(self, village: Village) -> None:
        return

    def show_windows(self, urls: dict[str, str]) -> None:
        for name, url in urls.items():
            self.say(f"{name}: {url}")


class Screen:
    """Draws the village twice a second in a thread of its own; a context manager."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._began = time.monotonic()
        self._events: deque[str] = deque(maxlen=LINES_KEPT)
        self._village: Village | None = None
        self._urls: dict[str, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._paint_on, name="lab-screen")

    def __enter__(self) -> "Screen":
        self._out.write("\x1b[?1049h\x1b[?25l")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._out.write("\x1b[?25h\x1b[?1049l")
        self._out.flush()

    def say(self, text: str) -> None:
        self._events.append(f"{DIM}{time.monotonic() - self._began:6.1f} s{RESET}  {text}")

    def show_village(self, village: Village) -> None:
        self._village = village

    def show_windows(self, urls: dict[str, str]) -> None:
        self._urls = urls

    def frame(self, columns: int, rows: int) -> list[str]:
        """The lines of the current view, with colours, for a terminal of this size."""
        routers: list[list[str]] = []
        if self._village is not None:
            names = names_of(self._village)
            routers = [router_lines(router, names) for router in self._village.routers.values()]
        return fitted(routers, list(self._events), self._urls, columns, rows)

    def _paint_on(self) -> None:
        while not self._over.wait(REFRESH_S):
            size = shutil.get_terminal_size()
            body = "\x1b[K\n".join(self.frame(size.columns, size.lines - 1))
            self._out.write(f"\x1b[H{body}\x1b[K\n\x1b[J")
            self._out.flush()


def fitted(
    routers: list[list[str]], events: list[str], urls: dict[str, str], columns: int, rows: int
) -> list[str]:
    """At most `rows` lines of at most `columns` cells. The title, the last event, the addresses (broken over lines where
    they are longer) and how to end it are always there; then come the routers, and earlier events."""
    addresses = [part for name, url in urls.items() for part in _address_lines(name, url, columns)]
    room = rows - 2 - len(addresses) - len(events[-1:])
    village = _village_lines(routers, max(0, room - 1))
    earlier = max(0, room - len(village) - 2)
    parts = [[TITLE], village, events[-1 - earlier :], [*addresses, END]]
    lines = [line for part in parts if part for line in (*part, "")][:-1]
    while len(lines) > rows and "" in lines:
        lines.remove("")
    return [cut(line, columns) for line in lines[:rows]]


def _village_lines(routers: list[list[str]], room: int) -> list[str]:
    """Each router's own line, then as many of their tables as there is room for, shared between them."""
    each = max(1, room // max(1, len(routers)))
    ellipsis = [f"  {DIM}…{RESET}"] if each > 1 else []
    shown = [
        lines if len(lines) <= each else [*lines[: each - len(ellipsis)], *ellipsis] for lines in routers
    ]
    return [line for lines in shown for line in lines][:room]


def _address_lines(name: str, url: str, columns: int) -> list[str]:
    """The address on the line of its name if it fits, otherwise below it, in full."""
    if len(name) + 2 + len(url) <= columns:
        return [f"{BOLD}{name}{RESET}  {url}"]
    return [f"{BOLD}{name}{RESET}", *(url[at : at + columns] for at in range(0, len(url), columns))]


def cut(line: str, columns: int) -> str:
    """The beginning of a line that fits; colours take no cell."""
    shown, used = "", 0
    for part in COLOUR.split(line):
        if COLOUR.fullmatch(part):
            shown += part
            continue
        for char in part:
            if used + width(char) > columns:
                return shown + RESET
            shown, used = shown + char, used + width(char)
    return shown


def names_of(village: Village) -> dict[str, str]:
    return {person.mac: person.name for person in village.people.values()}


def router_lines(router: Router, names: dict[str, str]) -> list[str]:
    """The part of one router."""
    title = f"{BLUE}{BOLD}{router.site.name}{RESET}"
    if router.daemon is None:
        return [f"{title}  {DIM}not started{RESET}"]
    try:
        status, devices = router.overview(), router.ask("devices")["devices"]
    except NoRunningNode:
        if not router.was_ready:
            return [f"{title}  {DIM}starting{RESET}"]
        return [f"{title}  {RED}the daemon is not running; the kernel keeps people online{RESET}"]
    rates = status["uplink_rate"]
    line = f"{title}  line {_rate(rates['down'])} down, {_rate(rates['up'])} up  {_bar(rates['down'])}"
    peers = ", ".join(f"{peer['name'] or 'a node'} {peer['state']}" for peer in status["peers"])
    rows = [_row(device, names) for device in devices]
    return [line + (f"  {DIM}neighbour: {peers}{RESET}" if peers else ""), *table_lines(rows)]


def table_lines(rows: list[Row]) -> list[str]:
    """Known people first, then the visitors with most traffic, the rest as one line."""
    known = sorted((row for row in rows if not row.person.startswith("visitor")), key=lambda row: row.person)
    visitors = [row for row in rows if row.person.startswith("visitor")]
    visitors.sort(key=lambda row: -row.rate_down)
    lines = [f"  {DIM}{'who':<12}{'':<11}{'down':>12}{'up':>12}{'used':>10}  limited by{RESET}"]
    lines += [_row_line(row) for row in known + visitors[:VISITORS_SHOWN]]
    if len(visitors) > VISITORS_SHOWN:
        online = sum(row.state == "admitted" for row in visitors)
        lines.append(
            f"  {DIM}and {len(visitors) - VISITORS_SHOWN} more visitors ({online} of all online){RESET}"
        )
    return lines


def _row(device: dict[str, Any], names: dict[str, str]) -> Row:
    return Row(
        person=names.get(device["mac"], device["mac"]),
        state=device["state"],
        rate_down=device["rate_down"],
        rate_up=device["rate_up"],
        used=device["down"] + device["up"],
        rule=device["rule"],
    )


def _row_line(row: Row) -> str:
    state = f"{COLOURS.get(row.state, '')}{WORDS.get(row.state, row.state):<11}{RESET}"
    used = f"{row.used / 1e6:.1f} MB"
    rule = f"  {row.rule}" if row.state == "admitted" else ""
    return f"  {row.person:<12}{state}{_rate(row.rate_down):>12}{_rate(row.rate_up):>12}{used:>10}{rule}"


def _rate(bits: int) -> str:
    return f"{bits / 1e6:.1f} Mbit/s"


def _bar(bits: int) -> str:
    full = min(BAR_CHARS, round(bits / BAR_BITS * BAR_CHARS))
    return f"{GREEN}{'█' * full}{DIM}{'░' * (BAR_CHARS - full)}{RESET}"
