"""The README's first screen shows the demo and two commands, its commands run, and the figures of the benchmarks are those
of the bench."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.bench.table import ROWS, wanted
from tests.docs.test_promises import NUMBERS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
BENCHMARKS = (ROOT / "deploy" / "BENCHMARKS.md").read_text()
FIRST_SCREEN = "\n".join(README.splitlines()[:24])
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def test_the_first_screen_has_a_description_a_picture_and_two_commands():
    assert "community network" in FIRST_SCREEN
    assert re.search(r"!\[.+\]\(deploy/pictures/demo\.svg\)", FIRST_SCREEN)
    assert ["deploy/demo", "deploy/check"] == COMMANDS[:2]
    assert "deploy/check" in FIRST_SCREEN


def test_every_command_can_be_started():
    for command in COMMANDS:
        program = ROOT / command.split()[0]
        assert program.is_file(), command
        assert os.access(program, os.X_OK), command


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.endswith("--help")])
def test_the_help_commands_run(command):
    done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert 0 == done.returncode, done.stderr
    assert "usage" in done.stdout


def test_the_demo_explains_itself():
    argv = [".venv/bin/python", "-m", "tests.lab.demo", "--help"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert 0 == done.returncode
    assert {"--seconds", "--json"} <= set(re.findall(r"--\w+", done.stdout))


def test_the_picture_shows_the_demo():
    svg = (ROOT / "deploy" / "pictures" / "demo.svg").read_text()
    assert svg.startswith("<svg")
    for word in ("square", "hills", "online", "Mbit/s", "limited by"):
        assert word in svg


FIGURES = [
    [cell.strip() for cell in line.split("|")[1:-1]]
    for line in BENCHMARKS.partition("| what | procomu |")[2].partition("\n\n")[0].splitlines()[2:]
]


def test_the_table_has_the_figures_and_targets_of_the_bench_in_its_order():
    assert [(row.says, wanted(row)) for row in ROWS] == [(says, target) for says, _, target, _ in FIGURES]


def test_as_many_figures_miss_their_target_as_the_text_says():
    missed = [
        says
        for row, (says, value, _, _) in zip(ROWS, FIGURES, strict=True)
        if row.bound is not None
        and (found := float(value.split()[0].replace(",", ""))) != row.bound
        and (found < row.bound) == row.at_least
    ]
    said = re.search(r"(\w+) figures miss their target", BENCHMARKS)
    assert said is not None
    assert NUMBERS[said[1].lower()] == len(missed), missed
