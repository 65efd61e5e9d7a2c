"""One job of one hostile device, as a program."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from tests.bench.attacks import far, forge, garbage, held_flows, many_macs, names
from tests.bench.slowloris import Slowloris

Job = dict[str, Any]
JOBS: dict[str, Callable[[Job], dict[str, Any]]] = {
    "faces": lambda job: many_macs.ManyMacs(job).run(),
    "far": far.run,
    "forge": lambda job: forge.Forger(job).run(),
    "garbage": lambda job: garbage.Garbage(job).run(),
    "holding": lambda job: held_flows.HeldFlows(job).run(),
    "idle": lambda job: Slowloris(job).run(),
    "names": lambda job: names.DeadNames(job).run(),
}
NICE = 15
"""Lowest priority, because attackers share the cores with the node and the clients here, and not on a real network."""


def main() -> None:
    os.nice(NICE)
    print(json.dumps(JOBS[sys.argv[1]](json.loads(sys.argv[2]))), flush=True)


if __name__ == "__main__":
    main()
