"""The commands about metrics for other programs: each asks the running node."""

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.commands import CommandContext, ask_node
from node.cli.terminal import Terminal


def metrics_token(context: CommandContext) -> int:
    return ask_node(context, {"ask": "metrics-token"}, _made)


def metrics_revoke(context: CommandContext) -> int:
    return ask_node(context, {"ask": "metrics-revoke"}, _revoked)


def _made(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    lines = [
        answer["token"],
        "",
        f"This token is shown only now. Prometheus sends it to {answer['url']}",
        "as 'Authorization: Bearer'. The handbook has the lines for its settings.",
    ]
    if answer["replaced"]:
        lines.append("The token before it no longer works.")
    if answer["fingerprint"]:
        lines.append(f"SHA-256 fingerprint of the node's certificate: {answer['fingerprint']}")
    return lines


def _revoked(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    if answer["revoked"]:
        return ["The token is revoked: nobody gets metrics until another one is made."]
    return ["There is no token: nobody gets metrics."]


METRICS_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "metrics token": metrics_token,
    "metrics revoke": metrics_revoke,
}
