"""Commands that read the history of a running node."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from node.cli.arguments import EXIT_YES
from node.cli.commands import CommandContext, answer_to
from node.cli.terminal import Column, clean, table
from node.errors import NodeError
from node.history.series import LINE_RATES
from node.history.window import LONGEST_S, HistoryWindow, Point
from node.translator import ENGLISH

LAST_DEFAULT = "24h"
_SPAN = re.compile(r"(\d{1,5})([mhdwy])", re.ASCII)
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400, "y": 366 * 86_400}
_LEVELS = "▁▂▃▄▅▆▇█"
CELLS_MAX = 72


def seconds_of(text: str) -> int:
    """``30d``, ``12h``, ``90m``, ``2w`` or ``3y``. Raises NodeError."""
    match = _SPAN.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise NodeError(f"{text!r:.40} is no length of time", "write it as 90m, 12h, 30d, 2w or 3y")
    return min(int(match[1]) * _SECONDS[match[2]], LONGEST_S)


def history(context: CommandContext) -> int:
    """The list of series, or one of them as a picture in words and bars."""
    asked = context.asked
    if not asked["series"]:
        answer = answer_to(context, {"ask": "history"})
        rows = [[each["name"], each["unit"], each["title"]] for each in answer["list"]]
        context.answer(
            answer, table([Column(each) for each in ("SERIES", "UNIT", "IS")], rows, context.terminal)
        )
        return EXIT_YES
    seconds = seconds_of(asked["last"] or LAST_DEFAULT)
    answer = _ask(context, asked["series"], seconds)
    if context.wants_json:
        context.answer(answer, [])
        return EXIT_YES
    window, rate = window_of(answer), LINE_RATES.get(asked["series"])
    carried = None if rate is None else window_of(_ask(context, rate, seconds)).mean
    context.answer(answer, [clean(line) for line in lines_of(window, answer["title"], carried)])
    return EXIT_YES


def export_history(context: CommandContext) -> int:
    """Three years of all series as CSV, by days."""
    from node.plots.point_table import points_csv  # noqa: PLC0415

    listed = answer_to(context, {"ask": "history"})["list"]
    answers = [_ask(context, each["name"], LONGEST_S) for each in listed]
    if context.wants_json:
        series = [{key: value for key, value in each.items() if key != "ok"} for each in answers]
        context.answer({"ok": True, "series": series}, [])
        return EXIT_YES
    for number, answer in enumerate(answers):
        head, _, rows = points_csv(window_of(answer), None).partition("\n")
        context.out.write(rows if number else f"{head}\n{rows}")
    return EXIT_YES


def lines_of(window: HistoryWindow, title: str, carried: int | None) -> Iterator[str]:
    """`carried`: the rate of the line, if the window is its use."""
    from node.plots.amounts import amount_text  # noqa: PLC0415
    from node.plots.plot_words import sentences  # noqa: PLC0415
    from node.plots.point_groups import decimated  # noqa: PLC0415

    yield title
    means = [None if each is None else each.mean for each in decimated(window.points, CELLS_MAX)]
    most = max((each for each in means if each is not None), default=0)
    if not window.is_empty:
        yield ""
        yield picture(means, most)
        yield f"The highest bar is {amount_text(most, window.unit, ENGLISH)}; where there is none, nothing is known."
    yield ""
    yield from sentences(window, None, ENGLISH, full_at=carried)


def picture(values: Sequence[int | None], most: int) -> str:
    """A bar for each value; a space for a gap."""
    top = len(_LEVELS) - 1
    return "".join(
        " " if each is None else _LEVELS[max(0, min(top, each * top // most)) if most > 0 else 0]
        for each in values
    )


def window_of(answer: Mapping[str, Any]) -> HistoryWindow:
    """Of an answer to ``history``."""
    points = tuple(None if each is None else Point(*each) for each in answer["points"])
    return HistoryWindow(answer["series"], answer["unit"], answer["begin_s"], answer["step_s"], points)


def _ask(context: CommandContext, series: str, seconds: int) -> Mapping[str, Any]:
    return answer_to(context, {"ask": "history", "series": series, "seconds": seconds})


HISTORY_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {"history": history}
