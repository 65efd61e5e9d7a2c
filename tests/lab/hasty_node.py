"""The node's program with a clock of alerts that runs 240 times as fast: what takes five minutes takes a second and a bit.

Run as a module in place of ``node``, by tests that wait for real alerts. Its civil clock is the machine's, or that which a
test sets (see `tests.lab.set_clock`).
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

from node.alerts.alert_list import BY_NAME
from node.app import alert_sources
from node.app.alert_service import AlertService
from node.cli.entry import main
from node.units import Milliseconds
from tests.lab import set_clock

TIMES = 240
LOOK_EVERY_S = 0.5


def hasten() -> None:
    for name, alert in BY_NAME.items():
        BY_NAME[name] = replace(
            alert,
            raise_after=Milliseconds(alert.raise_after // TIMES),
            clear_after=Milliseconds(alert.clear_after // TIMES),
        )
    defaults = AlertService.__init__.__kwdefaults__
    assert defaults is not None
    defaults["look_every_s"] = LOOK_EVERY_S
    alert_sources.EVENINGS_EVERY_MS //= TIMES


if __name__ == "__main__":
    hasten()
    if file := os.environ.get(set_clock.VARIABLE):
        set_clock.follow(Path(file))
    sys.exit(main())
