"""``python -m tests.vm PART [--rebuild]``: the machine's output on stdout, progress on stderr, then the figures, which are
kept in ``deploy/lab.json``. Exit code 0 if all targets are met."""

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
from typing import Any

from tests.lab.internet import ROOT
from tests.lab.netns import terminate_as_interrupt
from tests.vm import record
from tests.vm.machine import LabFailed, missing_for_machine, run_part, say

MINUTES_MAX = {"kernel": 40, "demo": 20, "latency": 20}
"""A machine that takes longer is ended."""


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


def checked(part: str, *, rebuild: bool, accelerator: str) -> bool:
    """Runs a part, stores its result, and says whether it met its targets. Raises LabFailed."""
    tested, began, output = commit(), time.monotonic(), list[str]()
    load = round(os.getloadavg()[0], 1)

    def show(line: str) -> None:
        print(line, flush=True)
        output.append(line)

    say(f"{part} begins on a processor that is {'emulated' if accelerator == 'tcg' else 'shared by KVM'}")
    code = run_part(part, rebuild=rebuild, accelerator=accelerator, seconds=60 * MINUTES_MAX[part], show=show)
    found = report_of(output)
    if found is None:
        raise LabFailed(f"{part} failed before it had figures (exit code {code})")
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
    asked = parser.parse_args()
    if reason := missing_for_machine():
        say(reason)
        return 1
    terminate_as_interrupt()
    parts = list(record.PARTS) if asked.part == "all" else [asked.part]
    try:
        accelerator = "kvm" if asked.kvm else "tcg"
        met = [
            checked(part, rebuild=asked.rebuild and part == parts[0], accelerator=accelerator)
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
