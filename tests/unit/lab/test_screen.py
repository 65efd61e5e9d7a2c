"""The live view of the demonstration on small terminals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.cli.terminal import width
from tests.lab.screen import BOLD, COLOUR, DIM, RESET, cut, fitted

URLS = {
    "welcome page": "http://127.0.0.1:40123/",
    "admins' page": "http://127.0.0.1:40124/session?token=" + "k" * 64,
}


def plain(line: str) -> str:
    return COLOUR.sub("", line)


def table(name: str, rows: int) -> list[str]:
    return [
        f"{BOLD}{name}{RESET}  line 12.0 Mbit/s down",
        *(f"  {DIM}visitor-{n}{RESET} online" for n in range(rows)),
    ]


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (60, 20), (40, 12)])
@pytest.mark.parametrize("people", [0, 3, 30])
@pytest.mark.parametrize("told", [0, 1, 8])
def test_title_addresses_and_last_event_are_seen_on_a_small_terminal(
    columns: int, rows: int, people: int, told: int
) -> None:
    events = [
        f"  {n}.0 s  something happened to ana and to ben and to everyone else here, number {n}"
        for n in range(told)
    ]
    lines = fitted([table("square", people), table("hill", people)], events, URLS, columns, rows)
    text = [plain(line) for line in lines]
    assert len(lines) <= rows
    assert all(width(line) <= columns for line in text)
    assert text[0].startswith("procomú")
    assert text[-1].startswith("Ctrl-C ends")
    joined = "".join(text)
    assert all(url in joined for url in URLS.values())
    assert not told or any(line.startswith(f"  {told - 1}.0 s") for line in text)
    assert any(line.startswith("square") for line in text)
    assert any(line.startswith("hill") for line in text)


def test_a_large_terminal_shows_everything() -> None:
    events = [f"event {n}" for n in range(8)]
    lines = fitted([table("square", 12), table("hill", 12)], events, URLS, 200, 60)
    text = [plain(line) for line in lines]
    assert {f"event {n}" for n in range(8)} <= set(text)
    assert 24 == sum("visitor-" in line for line in text)


@given(st.text(st.sampled_from("ab é漢"), max_size=30), st.integers(0, 40))
def test_a_line_is_cut_to_its_cells_and_keeps_its_colours(text: str, columns: int) -> None:
    line = f"{BOLD}{text}{RESET}"
    found = cut(line, columns)
    assert width(plain(found)) <= columns
    assert text.startswith(plain(found))
    assert found.startswith(BOLD)
    assert found.endswith(RESET)
