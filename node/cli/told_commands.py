"""The command that shows what nodes tell each other about people."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from node.cli.arguments import EXIT_YES
from node.cli.commands import CommandContext, answer_to
from node.cli.terminal import Column, clean, table

VALUE_CHARS_MAX = 60


def told(context: CommandContext) -> int:
    """The facts about an account, or all, each with the node that says it."""
    answer = answer_to(context, {"ask": "community-told", "who": context.asked["who"] or ""})
    lines = ["Nothing is told about this account." if context.asked["who"] else "Nothing is told."]
    if answer["records"]:
        columns = [Column(each) for each in ("KIND", "ABOUT", "VERSION", "UNTIL", "TOLD BY", "SAYS")]
        lines = table(columns, [_row(each) for each in answer["records"]], context.terminal)
    if answer["more"]:
        lines += ["", f"and {answer['more']} more: name an account"]
    context.answer({"ok": True, **answer}, lines)
    return EXIT_YES


def _row(record: Mapping[str, Any]) -> list[object]:
    said = (
        clean(json.dumps(record["value"], ensure_ascii=False, sort_keys=True)) if record["value"] else "ended"
    )
    shown = said if len(said) <= VALUE_CHARS_MAX else f"{said[: VALUE_CHARS_MAX - 1]}…"
    by = ", ".join(record["told_by"]) or "no node now"
    return [record["kind"], record["key"], record["version"], record["until"] or "-", by, shown]


TOLD_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {"community told": told}
