"""A node whose clock shows a later time: ``python -m tests.lab.later_node SECONDS run --config FILE``."""

import sys

from node.cli import main
from tests.lab.set_clock import move_clock

if __name__ == "__main__":
    seconds = int(sys.argv[1])
    move_clock(lambda: seconds)
    raise SystemExit(main(sys.argv[2:]))
