"""A node whose clock shows a later time: ``python -m tests.lab.later_node SECONDS run --config FILE``."""

import sys
from datetime import datetime, timedelta

from node.cli import main
from node.clock import SystemClock

if __name__ == "__main__":
    later, civil = timedelta(seconds=int(sys.argv[1])), SystemClock.civil

    def shifted(clock: SystemClock) -> datetime:
        return civil(clock) + later

    SystemClock.civil = shifted  # type: ignore[method-assign]
    raise SystemExit(main(sys.argv[2:]))
