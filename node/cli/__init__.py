"""Command line of the node: `arguments` lists the commands, `commands` implements them.

Modules that only one command needs are imported in that command, so that start-up is fast.
"""

from node.cli.entry import main

__all__ = ["main"]
