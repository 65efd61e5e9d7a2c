"""The command about the other nodes of a running node."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from node.cli import output
from node.cli.arguments import EXIT_YES
from node.cli.commands import CommandContext, answer_to
from node.cli.history_commands import picture
from node.cli.terminal import Column, Terminal, table
from node.errors import NodeError
from node.units import BitsPerSecond, Bytes, show_rate, show_volume


def peers(context: CommandContext) -> int:
    """Neighbours, and what all nodes were like in their last five minutes."""
    found = {**answer_to(context, {"ask": "peers"}), "nodes": _nodes(context)}
    context.answer(
        found, [*output.peers(found, context.terminal), *summary_lines(found["nodes"], context.terminal)]
    )
    return EXIT_YES


def _nodes(context: CommandContext) -> Sequence[Mapping[str, Any]]:
    try:
        nodes: Sequence[Mapping[str, Any]] = answer_to(context, {"ask": "network"})["nodes"]
    except NodeError:
        return ()  # the running node is of an earlier version
    return nodes


def summary_lines(nodes: Sequence[Mapping[str, Any]], terminal: Terminal) -> list[str]:
    """Nothing where no node has a summary."""
    told = [each for each in nodes if "age_s" in each]
    if not told:
        return []
    names = (
        "NODE",
        "DOWN",
        "UP",
        "DELAY",
        "LOSS",
        "DEVICES",
        "LIFELINES",
        "CPU",
        "MEMORY",
        "FREE",
        "LAST HOUR",
        "AGE",
    )
    columns = [Column(name) for name in names]
    silent = sum(each["online"] and "age_s" not in each for each in nodes)
    lines = [
        "",
        terminal.bold("In their last five minutes:"),
        *table(columns, [_row(each) for each in told], terminal),
    ]
    return [*lines, f"{silent} more did not answer yet."] if silent else lines


def _row(said: Mapping[str, Any]) -> list[str]:
    return [
        said["name"],
        _use(said["used_down_percent"], said["carries_down_kbit_per_s"]),
        _use(said["used_up_percent"], said["carries_up_kbit_per_s"]),
        _with_unit(said["delay_ms"], "ms"),
        _with_unit(said["loss_percent"], "%"),
        _people(said["devices"]),
        _with_unit(said["lifelines_percent"], "%"),
        _with_unit(said["processor_percent"], "%"),
        _with_unit(said["memory_percent"], "%"),
        "-" if said["disk_free_mb"] is None else show_volume(Bytes(said["disk_free_mb"] * 10**6)),
        picture(said["hour_percent"], 100),
        output.span(said["age_s"]),
    ]


def _use(percent: int | None, kbit_per_s: int | None) -> str:
    if kbit_per_s is None:
        return "-"
    rate = show_rate(BitsPerSecond(kbit_per_s * 1_000))
    return f"of {rate}" if percent is None else f"{percent} % of {rate}"


def _with_unit(value: int | None, unit: str) -> str:
    return "-" if value is None else f"{value} {unit}"


def _people(devices: int | None) -> str:
    if devices is None:
        return "-"
    # It loads cryptography, which takes a while on a small board.
    from mesh.node_summary import FEW_DEVICES  # noqa: PLC0415

    return str(devices) if devices else f"<{FEW_DEVICES}"


NODE_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {"peers": peers}
