"""``python -m tests.bench NAME [--json]``: progress on stderr, the figures on stdout, JSON as the last line."""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType

from tests.bench import (
    admit,
    churn,
    fairness,
    footprint,
    forward,
    gateways,
    history,
    hours,
    install,
    join,
    latency,
    mesh,
    meter,
    metrics,
    portal,
    rules,
    siege,
    table,
    variable,
    written,
)
from tests.bench.figures import Figures, missing, say, taken
from tests.lab.netns import missing_for_namespaces

BENCHES: dict[str, ModuleType] = {
    "forward": forward,
    "churn": churn,
    "meter": meter,
    "admit": admit,
    "fairness": fairness,
    "latency": latency,
    "variable": variable,
    "portal": portal,
    "join": join,
    "footprint": footprint,
    "install": install,
    "written": written,
    "siege": siege,
    "rules": rules,
    "mesh": mesh,
    "metrics": metrics,
    "hours": hours,
    "history": history,
    "gateways": gateways,
}
LONG = ("latency", "mesh")
"""Those that can take longer."""


def measured(name: str, *, is_long: bool = False) -> Figures:
    """Every key of one bench; what could not be measured is None, with the reason. `is_long` is for `latency` and `mesh`."""
    keys: tuple[str, ...] = BENCHES[name].KEYS
    reason = None if name in {"rules", "mesh", "metrics", "history", "gateways"} else missing_for_namespaces()
    if reason is not None:
        return missing(keys, reason)
    measure: Callable[[], Figures] = BENCHES[name].measure
    if is_long and name in LONG:
        measure = partial(BENCHES[name].measure, is_long=True)
    say(f"{name} begins")
    # A bench that fails still reports the reason, and the others run.
    return taken(keys, measure)


def main() -> int:
    parser = argparse.ArgumentParser(prog="deploy/bench", description=__doc__)
    parser.add_argument("name", choices=[*BENCHES, "all"])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument(
        "--long",
        action="store_true",
        help="latency: ten minutes of control packets, not two; mesh: ten minutes of attacks, not one",
    )
    asked = parser.parse_args()
    names = list(BENCHES) if asked.name == "all" else [asked.name]
    figures = {name: measured(name, is_long=asked.long) for name in names}
    if not asked.json:
        sys.stdout.write(table.markdown(figures))
    elif asked.name == "all":
        sys.stdout.write(json.dumps(figures) + "\n")
    else:
        sys.stdout.write(json.dumps(figures[asked.name]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
