"""The commands about gateways: each asks the running node."""

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.commands import CommandContext, ask_node
from node.cli.terminal import Column, Terminal, clean, table
from node.units import Bytes, NodeId, show_volume


def gateways_list(context: CommandContext) -> int:
    return ask_node(context, {"ask": "gateways-list"}, _list)


def gateways_add(context: CommandContext) -> int:
    question = {"ask": "gateways-add", "name": context.asked["name"], "kind": context.asked["kind"] or ""}
    return ask_node(context, question, _configuration)


def gateways_accept(context: CommandContext) -> int:
    asked = context.asked
    question = {"ask": "gateways-accept", "gateway": asked["gateway"], "name": asked["name"]}
    return ask_node(context, question, _configuration)


def gateways_refuse(context: CommandContext) -> int:
    return ask_node(context, {"ask": "gateways-refuse", "gateway": context.asked["gateway"]}, _refused)


def gateways_remove(context: CommandContext) -> int:
    return ask_node(context, {"ask": "gateways-remove", "gateway": context.asked["gateway"]}, _removed)


def gateways_config(context: CommandContext) -> int:
    question = {"ask": "gateways-config", "gateway": context.asked["gateway"]}
    return ask_node(context, question, _configuration)


def _list(answer: Mapping[str, Any], terminal: Terminal) -> list[str]:
    from node.identity import human_form  # noqa: PLC0415 - it loads cryptography, which other commands do not need

    """Answer to ``gateways-list``."""
    columns = [Column("GATEWAY"), Column("NAME"), Column("PROGRAM"), Column("STATE"), Column("ROUTER")]
    columns += [Column("ADDRESS"), Column("HEARD", True), Column("PEOPLE", True), Column("COUNTED", True)]
    rows = [
        (
            each["gateway"],
            clean(each["name"]) or "-",
            each["kind"],
            each["trouble"] or each["state"],
            clean(each["detail"] or each["called"]) or "-",
            clean(each["address"]) or "-",
            "-" if each["heard_s"] is None else f"{each['heard_s']} s",
            "-" if each["people"] is None else each["people"],
            show_volume(Bytes(sum(each["used_bytes"].values()))),
        )
        for each in answer["gateways"]
    ]
    told = [
        (
            each["gateway"],
            clean(each["name"]),
            each["kind"],
            f"of {human_form(NodeId(each['node']))}",
            clean(each["called"]) or "-",
            "-",
            "-",
            each["people"],
            show_volume(Bytes(sum(each["used_bytes"].values()))),
        )
        for each in answer.get("told", ())
    ]
    rows += told
    second = []
    if answer.get("second"):
        node = (
            human_form(NodeId(answer["second_node"])) if answer["second_node"] else "no node of the community"
        )
        second = ["", f"Second node: {answer['second']}, {node}."]
        second += [
            f'If {human_form(NodeId(each))} is yours, write second_node = "{NodeId(each)}" below [gateways].'
            for each in answer.get("second_candidates", ())
        ]
    off = [] if answer["listens"] else ["No router can reach this node: set listen below [gateways].", ""]
    return [*off, *(table(columns, rows, terminal) if rows else ["There is no gateway."]), *second]


def _configuration(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    return [f"# {answer['gateway']}: {clean(answer['name'])}", *answer["configuration"].splitlines()]


def _refused(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    return [f"The router {answer['gateway']} is refused."]


def _removed(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    return [f"The gateway {answer['gateway']} is removed."]


GATEWAY_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "gateways list": gateways_list,
    "gateways add": gateways_add,
    "gateways accept": gateways_accept,
    "gateways refuse": gateways_refuse,
    "gateways remove": gateways_remove,
    "gateways config": gateways_config,
}
