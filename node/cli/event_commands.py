"""The command that reads events of a running node."""

from collections.abc import Callable, Mapping

from node.cli.arguments import EXIT_YES
from node.cli.commands import CommandContext, answer_to
from node.cli.history_commands import seconds_of
from node.cli.terminal import Column, clean, table

LAST_DEFAULT = "7d"
_COLUMNS = ("WHEN", "WHO", "WHAT", "ACCOUNT", "ABOUT", "WHY")


def events(context: CommandContext) -> int:
    """Lists what admins did, the newest first."""
    asked = context.asked
    seconds = seconds_of(asked["last"] or LAST_DEFAULT)
    answer = answer_to(context, {"ask": "events", "search": asked["search"] or "", "seconds": seconds})
    rows = [[clean(cell) for cell in _cells(each)] for each in answer["events"]]
    lines = table([Column(each) for each in _COLUMNS], rows, context.terminal) if rows else ["No events."]
    if answer["more"]:
        lines = [*lines, "There are more: search for some, or ask for a shorter time with --last."]
    context.answer(answer, lines)
    return EXIT_YES


def _cells(each: Mapping[str, object]) -> tuple[object, ...]:
    what = each["what"] if each["count"] == 1 else f"{each['what']} ({each['count']})"
    return each["at"], each["by"], what, each["account"], each["about"], each["reason"]


EVENT_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {"events": events}
