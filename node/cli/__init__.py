"""The command line: verbs for the people who look after a node. `words` lists them, `verbs` does them.

Start-up stays quick: what only one verb needs is imported by that verb.
"""

from node.cli.entry import main

__all__ = ["main"]
