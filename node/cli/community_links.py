"""What the links to neighbouring nodes carried, as `procomu community show` prints it."""

from collections.abc import Mapping
from typing import Any

from node.cli.commands import CommandContext
from node.cli.terminal import Column, clean, table
from node.identity import human_form
from node.units import Bytes, NodeId, show_volume

VERDICTS = {
    "agrees": "fits",
    "less": "much more was sent than its pages say",
    "more": "cannot be: its pages say more than was sent to it, on {day}",
    "line": "has a line of its own, or does not say otherwise: nothing follows",
    "gap": "nothing follows before three days in a row were counted as a whole",
}


def shown_links(
    context: CommandContext, answer: Mapping[str, Any], labels: Mapping[NodeId, str]
) -> list[str]:
    """Nothing without links that are counted."""
    rows = [
        (
            labels.get(each["node"], "") or human_form(each["node"]),
            f"{_volume(each['sent'])} to it, {_volume(each['received'])} from it",
            f"{_volume(each['said_down'])} down, {_volume(each['said_up'])} up",
            VERDICTS.get(each["verdict"], clean(each["verdict"])).format(day=clean(each["day"])),
        )
        for each in answer["links"]
    ]
    columns = (Column("neighbour"), Column("carried in 7 days"), Column("said by its pages"), Column(""))
    return ["", *table(columns, rows, context.terminal)] if rows else []


def _volume(value: int) -> str:
    return show_volume(Bytes(value))
