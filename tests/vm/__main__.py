"""``python -m tests.vm PART [--rebuild]``: the machine's output on stdout, progress on stderr, then the figures, which are
kept in ``deploy/lab.json``. Exit code 0 if all targets are met."""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.lab.internet import ROOT
from tests.lab.netns import terminate_as_interrupt
from tests.vm import record
from tests.vm.board import MACHINES, build_image, files, starts
from tests.vm.machine import LabFailed, missing_for_machine, run_part, say
from tests.vm.power import MINUTES, power

MINUTES_MAX = {"kernel": 40, "demo": 20, "latency": 20, "wifi": 30, "mesh": 20}
"""A machine that takes longer is ended. The board's parts have limits for each start."""

BOARD_PARTS = ("power", "image")
"""Run around a board with the image of ``deploy/image`` instead of inside the machine."""


def commit() -> str:
    """Of the tree that is tested; with a plus sign if something has changed since."""
    git = ["git", "-c", f"safe.directory={ROOT}"]
    head = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if head.returncode:
        return "unknown"
    changed = [*git, "status", "--porcelain", "--", ".", f":!{record.FILE.relative_to(ROOT)}"]
    status = subprocess.run(changed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return head.stdout.strip() + ("+" if status else "")


def report_of(output: list[str]) -> dict[str, Any] | None:
    """The figures that a part printed last; None if it failed before."""
    try:
        found = json.loads(output[-1])
    except (IndexError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() == {"linux", "figures"} else None


def on_board(part: str, minutes: int) -> dict[str, Any]:
    """The report of a part that runs here, around an emulated board; no power cut after so many minutes. Raises
    LabFailed."""
    with tempfile.TemporaryDirectory(prefix="procomu-lab-image-") as folder:
        overlay = files(Path(folder, "files"))
        if part == "power":
            image = build_image(Path(folder), "amd64", overlay)
            return {"linux": image.linux, "figures": power(image, minutes)}
        figures: dict[str, Any] = {}
        for arch in MACHINES:
            image = build_image(Path(folder), arch, overlay)
            figures |= starts(image, arch)
        return {"linux": image.linux, "figures": figures}


def in_machine(part: str, *, rebuild: bool, accelerator: str) -> dict[str, Any]:
    """The report of a part that runs inside the virtual machine. Raises LabFailed."""
    output = list[str]()

    def show(line: str) -> None:
        print(line, flush=True)
        output.append(line)

    code = run_part(part, rebuild=rebuild, accelerator=accelerator, seconds=60 * MINUTES_MAX[part], show=show)
    found = report_of(output)
    if found is None:
        raise LabFailed(f"{part} failed before it had figures (exit code {code})")
    return found


def checked(part: str, *, rebuild: bool, accelerator: str, minutes: int) -> bool:
    """Runs a part, stores its result, and says whether it met its targets. Raises LabFailed."""
    tested, began = commit(), time.monotonic()
    load = round(os.getloadavg()[0], 1)
    accelerator = "tcg" if part in BOARD_PARTS else accelerator
    say(f"{part} begins on a processor that is {'emulated' if accelerator == 'tcg' else 'shared by KVM'}")
    found = (
        on_board(part, minutes)
        if part in BOARD_PARTS
        else in_machine(part, rebuild=rebuild, accelerator=accelerator)
    )
    made = record.result(
        part,
        found["figures"],
        date=datetime.date.today().isoformat(),
        commit=tested,
        linux=found["linux"],
        accelerator=accelerator,
        load=load,
        seconds=round(time.monotonic() - began),
    )
    record.store(part, made)
    for sentence in record.unmet(part, found["figures"]):
        say(f"{part}: not met: {sentence}")
    return bool(made["ok"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="deploy/lab", description="The node on Debian's own kernel.")
    parser.add_argument("part", choices=[*record.PARTS, "all"])
    parser.add_argument(
        "--rebuild", action="store_true", help="make the image again, with the newest packages"
    )
    parser.add_argument(
        "--kvm",
        action="store_true",
        help="use KVM instead of emulating the processor (not run to its end anywhere yet)",
    )
    parser.add_argument(
        "--minutes", type=int, default=MINUTES, help=f"of power: no further cut after so long ({MINUTES})"
    )
    asked = parser.parse_args()
    if reason := missing_for_machine():
        say(reason)
        return 1
    terminate_as_interrupt()
    parts = list(record.PARTS) if asked.part == "all" else [asked.part]
    try:
        accelerator = "kvm" if asked.kvm else "tcg"
        met = [
            checked(
                part,
                rebuild=asked.rebuild and part == parts[0],
                accelerator=accelerator,
                minutes=asked.minutes,
            )
            for part in parts
        ]
    except LabFailed as failure:
        say(str(failure))
        return 1
    except KeyboardInterrupt:
        say("ended; nothing was left behind")
        return 130
    kept = record.read_record(record.FILE.read_text())
    print("\n".join([*record.rows(kept), "", *record.circumstances(kept)]))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
