"""How fast the line is: from which server of this machine's packages a large file is loaded, and what its arrival says."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_interface

from node.units import BitsPerSecond, Bytes, Milliseconds

FILE = "main/Contents-all.gz"
"""Of a Debian archive: some 40 MB, which no machine has loaded already."""
FILE_BYTES_MIN = 1_000_000
"""A smaller file is not enough to measure with."""
MIRRORS_MAX = 4
"""Servers that are tried, at most."""
SLOW_START_MS = 2_000
"""What arrives in this time is not counted, and never more than half of the time: TCP has to find the line's speed first."""
SECONDS_COUNTED_MIN = 1
"""A line that needs less for all that may be loaded is at least as fast as what was measured."""
COUNTED_BYTES_MIN = 64_000
"""With less there is no result."""
VARIES_FROM = 1.5
"""A line varies when its best second had this many times the bytes of its worst one."""
_HTTP = re.compile(r"https?://[\w.-]+(:\d{1,5})?(/|$)", re.ASCII)
_FRAME_BYTES, _DATA_BYTES = 1514, 1448
"""Of a full packet: all that is shaped, and what a program gets of it (Ethernet, IPv4, TCP with timestamps)."""


@dataclass(frozen=True, slots=True)
class LineSpeed:
    """What was measured."""

    down: BitsPerSecond
    """With the headers of the packets."""
    host: str
    """The server that sent."""
    loaded: Bytes
    took_ms: Milliseconds
    worst: BitsPerSecond
    best: BitsPerSecond
    """Of single seconds; both are `down` where not so many were counted."""
    is_at_least: bool = False
    """Whether the line was too fast for what may be loaded."""

    @property
    def varies(self) -> bool:
        return self.best >= VARIES_FROM * self.worst


def line_speed(host: str, arrived: Sequence[tuple[Milliseconds, Bytes]]) -> LineSpeed | None:
    """From readings of the clock and of all bytes that had arrived until then, in order; None when they are too few."""
    if len(arrived) < 2:
        return None
    (began, _), (ended, loaded) = arrived[0], arrived[-1]
    from_ms = began + min(SLOW_START_MS, (ended - began) // 2)
    counted = [each for each in arrived if each[0] >= from_ms]
    if len(counted) < 2 or loaded - counted[0][1] < COUNTED_BYTES_MIN:
        return None
    seconds = _by_second(counted)
    down = _rate(counted[0], counted[-1])
    return LineSpeed(
        down=down,
        host=host,
        loaded=loaded,
        took_ms=Milliseconds(ended - began),
        worst=min(seconds, default=down),
        best=max(seconds, default=down),
        is_at_least=counted[-1][0] - counted[0][0] < SECONDS_COUNTED_MIN * 1_000,
    )


def _by_second(counted: Sequence[tuple[Milliseconds, Bytes]]) -> list[BitsPerSecond]:
    rates, first = [], counted[0]
    for each in counted:
        if each[0] - first[0] >= 1_000:
            rates.append(_rate(first, each))
            first = each
    return rates


def _rate(first: tuple[Milliseconds, Bytes], last: tuple[Milliseconds, Bytes]) -> BitsPerSecond:
    """Rounded to three digits."""
    milliseconds, data = max(1, last[0] - first[0]), last[1] - first[1]
    exact = data * 8_000 * _FRAME_BYTES // (_DATA_BYTES * milliseconds)
    unit = 10 ** max(0, len(str(exact)) - 3)
    return BitsPerSecond((exact + unit // 2) // unit * unit)


def is_own_network(address: str, own: Iterable[str]) -> bool:
    """Whether `address` is reached without the line: it is this machine's, or in a network of one of the interface addresses
    `own`, such as ``192.0.2.7/24``."""
    other = ip_address(address.partition("%")[0])
    if isinstance(other, IPv6Address) and other.ipv4_mapped:
        other = other.ipv4_mapped
    if other.is_loopback or other.is_unspecified:
        return True
    return any(other in ip_interface(each).network for each in own)


# --- sources.list(5) ---


@dataclass(frozen=True, slots=True)
class _Source:
    uri: str
    suite: str
    components: tuple[str, ...]


def mirror_files(texts: Mapping[str, str]) -> tuple[str, ...]:
    """URLs of a large file on the servers that these files of apt name, by path; the best first. None of CD-ROMs, folders,
    other programs' archives, servers that want a password, and what apt does not use."""
    sources = [
        source
        for path, text in texts.items()
        for source in (_stanzas(text) if path.endswith(".sources") else _lines(text))
        if _HTTP.match(source.uri) and "main" in source.components
    ]
    # Those of updates have no such file, or a small one.
    sources.sort(key=lambda source: "-" in source.suite or "/" in source.suite)
    urls = (f"{source.uri.rstrip('/')}/dists/{source.suite.strip('/')}/{FILE}" for source in sources)
    return tuple(dict.fromkeys(urls))[:MIRRORS_MAX]


def _lines(text: str) -> Iterable[_Source]:
    """``deb [options] URI suite component...``"""
    for line in text.splitlines():
        kind, rest = (*line.partition("#")[0].split(maxsplit=1), "", "")[:2]
        if rest.startswith("["):
            rest = rest.partition("]")[2]
        words = rest.split()
        if kind == "deb" and len(words) >= 2:
            yield _Source(words[0], words[1], tuple(words[2:]))


def _stanzas(text: str) -> Iterable[_Source]:
    """deb822(5): fields with several values, in stanzas with an empty line between them."""
    fields: dict[str, list[str]] = {}
    name = ""
    for line in (*text.splitlines(), ""):
        if line.startswith("#"):
            continue
        if not line.strip():
            yield from _of_stanza(fields)
            fields, name = {}, ""
        elif line[0].isspace():
            fields.setdefault(name, []).extend(line.split())
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.split()


def _of_stanza(fields: Mapping[str, list[str]]) -> Iterable[_Source]:
    if "deb" not in fields.get("types", ()) or fields.get("enabled") in (["no"], ["false"]):
        return
    for uri in fields.get("uris", ()):
        for suite in fields.get("suites", ()):
            yield _Source(uri, suite, tuple(fields.get("components", ())))
