"""The commands about cases of ladders: each asks the running node."""

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.commands import CommandContext, ask_node
from node.cli.terminal import Column, Terminal, clean, table
from node.units import Bytes, show_volume

_REASON_CHARS_MAX = 50


def ladder_list(context: CommandContext) -> int:
    return ask_node(context, {"ask": "ladder-list"}, _list)


def ladder_open(context: CommandContext) -> int:
    asked = context.asked
    question = {"account": asked["account"], "ladder": asked["ladder"], "reason": asked["reason"] or ""}
    return ask_node(context, {"ask": "ladder-open", **question}, _opened)


def ladder_lift(context: CommandContext) -> int:
    return ask_node(context, {"ask": "ladder-lift", "number": context.asked["number"]}, _lifted)


def ladder_answer(context: CommandContext) -> int:
    asked = context.asked
    question = {"ask": "ladder-answer", "number": asked["number"], "text": asked["text"]}
    return ask_node(context, question, _answered)


def _list(answer: Mapping[str, Any], terminal: Terminal) -> list[str]:
    """Answer to ``ladder-list``: {"ladders": LadderView list, "cases": CaseView list}."""
    lines = []
    for ladder in answer["ladders"]:
        lines.append(clean(ladder["sentence"]))
        for each in ladder["over"]:
            note = ", which has an open case" if each["has_case"] else ""
            lines.append(f"  {clean(each['account'])} used {show_volume(Bytes(each['used']))}{note}")
        lines.append("")
    if not answer["ladders"]:
        lines += ["The rules have no ladder.", ""]
    columns = [
        Column("CASE", True),
        Column("ACCOUNT"),
        Column("LADDER"),
        Column("STEP", True),
        Column("STATE"),
    ]
    columns += [Column("UNTIL"), Column("BY"), Column("REASON")]
    rows = [
        (
            case["number"],
            clean(case["account"]),
            case["ladder"],
            case["step"],
            case["ending"] or case["phase"],
            case["until"][:16].replace("T", " "),
            clean(case["by"]),
            clean(case["reason"])[:_REASON_CHARS_MAX] or "-",
        )
        for case in answer["cases"]
    ]
    return [*lines, *(table(columns, rows, terminal) if rows else ["There is no case."])]


def _opened(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    case = answer["case"]
    begins, until = (case[key][:16].replace("T", " ") for key in ("begins", "until"))
    time = "nothing is limited" if case["is_word"] else f"from {begins} until {until}"
    return [
        f"Case {case['number']} of {clean(case['account'])}: step {case['step']} of the ladder {case['ladder']}, "
        f"{clean(case['what'])}; {time}. They read it on their page."
    ]


def _lifted(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    return [f"Case {answer['case']['number']} is lifted."]


def _answered(answer: Mapping[str, Any], _terminal: Terminal) -> list[str]:
    return [f"The objection in case {answer['case']['number']} is answered; the step goes on."]


LADDER_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "ladder list": ladder_list,
    "ladder open": ladder_open,
    "ladder lift": ladder_lift,
    "ladder answer": ladder_answer,
}
