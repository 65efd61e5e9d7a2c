"""What the arrival of a file says about a line, and which servers of apt's sources have one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.setup.line_speed import (
    MIRRORS_MAX,
    is_own_network,
    line_speed,
    mirror_files,
)

LIST, SOURCES = "/etc/apt/sources.list", "/etc/apt/sources.list.d/debian.sources"
FILE = "http://mirror.example/debian/dists/trixie/main/Contents-all.gz"


def arrived(*rates: int, every_ms: int = 100) -> list[tuple[int, int]]:
    """Readings of a line that carries these bytes in each second."""
    readings, data = [(0, 0)], 0
    for second, rate in enumerate(rates):
        for part in range(1, 1_000 // every_ms + 1):
            data += rate * every_ms // 1_000
            readings.append((second * 1_000 + part * every_ms, data))
    return readings


def test_a_line_is_as_fast_as_its_packets_with_their_headers() -> None:
    speed = line_speed("a", arrived(*[1_448_000] * 8))
    assert speed is not None
    assert speed.down == 12_100_000  # 1514 bytes for each 1448
    assert not speed.varies
    assert not speed.is_at_least
    assert (speed.loaded, speed.took_ms) == (8 * 1_448_000, 8_000)


def test_the_slow_start_is_not_counted() -> None:
    slow = line_speed("a", arrived(100_000, 500_000, *[1_448_000] * 6))
    assert slow is not None
    assert slow.down == 12_100_000


def test_a_line_that_needs_less_than_two_seconds_is_at_least_as_fast_as_measured() -> None:
    speed = line_speed("a", arrived(40_000_000))
    assert speed is not None
    assert speed.is_at_least
    assert speed.down == pytest.approx(40_000_000 * 8 * 1514 / 1448, rel=0.01)


def test_a_line_that_changes_varies() -> None:
    speed = line_speed("a", arrived(*[2_000_000] * 4, *[1_000_000] * 4))
    assert speed is not None
    assert speed.varies
    assert speed.worst < speed.down < speed.best


@pytest.mark.parametrize("readings", [[], [(0, 5)], [(0, 0), (12_000, 20_000)], [(0, 9), (0, 9)]])
def test_too_little_says_nothing(readings: list[tuple[int, int]]) -> None:
    assert line_speed("a", readings) is None


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 10**8)), max_size=200))
def test_any_readings_give_a_rate_within_what_arrived(steps: list[tuple[int, int]]) -> None:
    readings, at, data = [], 0, 0
    for pause, more in steps:
        at, data = at + pause, data + more
        readings.append((at, data))
    speed = line_speed("a", readings)
    if speed is not None:
        assert 0 < speed.down
        assert speed.worst <= speed.best
        assert speed.took_ms >= 0


# --- apt's sources ---


def test_the_archive_itself_comes_before_its_updates() -> None:
    text = """\
# A comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: trixie-updates trixie
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb
URIs: https://updates.example/debian-security/
Suites: trixie-security
Components: main
"""
    assert mirror_files({SOURCES: text}) == (
        FILE,
        "http://mirror.example/debian/dists/trixie-updates/main/Contents-all.gz",
        "https://updates.example/debian-security/dists/trixie-security/main/Contents-all.gz",
    )


@pytest.mark.parametrize(
    "line",
    [
        "deb http://mirror.example/debian trixie main",
        "deb [arch=amd64 signed-by=/a/b.pgp] http://mirror.example/debian/ trixie main contrib # ours",
        "  deb   http://mirror.example/debian   trixie   main",
        "deb\t[arch=amd64]\thttp://mirror.example/debian\ttrixie\tmain",
    ],
)
def test_lines_of_the_older_format_are_read(line: str) -> None:
    assert mirror_files({LIST: f"# {line}\n{line}\n{line}\n"}) == (FILE,)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (LIST, "deb-src http://mirror.example/debian trixie main"),
        (LIST, "deb cdrom:[Debian 13]/ trixie main"),
        (LIST, "deb file:/srv/debian trixie main"),
        (LIST, "deb mirror+http://mirrors.example.org/list trixie main"),
        (LIST, "deb https://containers.example/linux/debian trixie stable"),
        (LIST, "deb http://ana:secret@packages.example.org/debian trixie main"),
        (LIST, "deb http://[::1 trixie main"),
        (LIST, "deb http://example.org/flat ./"),
        (LIST, "deb"),
        (
            SOURCES,
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\nEnabled: no\n",
        ),
        (SOURCES, "URIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n"),
        (SOURCES, " continued before any field\nTypes: deb"),
        (SOURCES, ""),
    ],
)
def test_what_is_no_server_of_debian_packages_is_left_out(path: str, text: str) -> None:
    assert mirror_files({path: text}) == ()


def test_a_long_list_is_cut() -> None:
    lines = [f"deb http://m{number}.example.org/debian trixie main" for number in range(50)]
    assert len(mirror_files({LIST: "\n".join(lines)})) == MIRRORS_MAX


@given(st.text(), st.sampled_from([LIST, SOURCES]))
def test_any_text_is_read(text: str, path: str) -> None:
    assert isinstance(mirror_files({path: text}), tuple)


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("::", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", True),
        ("192.0.2.200", True),
        ("198.51.100.1", False),
        ("2001:db8::5", True),
        ("fe80::1%eth0", True),
        ("2001:db8:1::5", False),
    ],
)
def test_a_server_in_the_own_network_is_recognized(address: str, is_own: bool) -> None:
    assert is_own_network(address, ("192.0.2.7/24", "2001:db8::7/64", "fe80::7/64")) == is_own
