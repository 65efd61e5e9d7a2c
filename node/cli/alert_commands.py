"""The command about alerts: it asks the running node."""

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.commands import CommandContext, ask_node
from node.cli.terminal import Column, Terminal, clean, table
from node.errors import NodeError


def alerts(context: CommandContext) -> int:
    """The alerts, or a test message by one way."""
    what, way = context.asked["what"], context.asked["way"]
    if what is None:
        return ask_node(context, {"ask": "alerts"}, _list)
    if what != "test" or way is None:
        raise NodeError(
            f"this is no command of alerts: {what:.40}",
            "write 'procomu alerts test' and mail, matrix, webhook or file; or 'procomu alerts' alone",
        )
    return ask_node(context, {"ask": "alerts-test", "way": way}, _sent)


def _list(answer: Mapping[str, Any], terminal: Terminal) -> list[str]:
    lines = []
    for each in answer["raised"]:
        since = f", since {each['since'][:16].replace('T', ' ')}" if each["since"] else ""
        lines += [f"{clean(each['title'])}{since}", f"  {clean(each['fix'])}"]
    if not answer["raised"]:
        lines.append("No alert is raised.")
    rows = [
        (each["name"], each["waiting"], each["left_out"], clean(each["trouble"]) or "-")
        for each in answer["ways"]
    ]
    columns = [Column("WAY"), Column("WAITING", True), Column("LEFT OUT", True), Column("LAST FAILURE")]
    none = "Alerts are sent nowhere: [alerts] in node.toml names mail, Matrix, a webhook or a file."
    return [*lines, "", *(table(columns, rows, terminal) if rows else [none])]


def _sent(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    return [f"The test message was sent by {clean(answer['way'])}: see whether it arrived."]


ALERT_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {"alerts": alerts}
