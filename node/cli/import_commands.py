"""The commands that bring in what another portal had: each reads its file, and orders what comes in from the running node.

A second import of the same file brings nothing twice: the note of each batch says what it came from.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from node.accounts.vouchers import BATCH_MAX
from node.cli.arguments import EXIT_NO, EXIT_YES
from node.cli.commands import CommandContext, answer_to
from node.cli.terminal import Column, Terminal, clean, table
from node.errors import InvalidValue, NodeError
from node.gateways.foreign_files import (
    FILE_BYTES_MAX,
    SKIPPED_SHOWN_MAX,
    ForeignFile,
    ForeignKind,
    ForeignVoucher,
    SkippedRow,
    read_foreign,
)

ISSUE_TIMEOUT_S = 120.0
WHY = {
    "ended": "it has ended, or ends too soon",
    "unreadable": "it cannot be read",
    "repeated": "it is in the file already",
    "too-long": "it lasts longer than 400 days",
}


def import_vouchers(context: CommandContext) -> int:
    """New vouchers for those of the file, with the time that each has left."""
    found, trouble = _read(context), None
    done = frozenset() if context.asked["dry_run"] else _notes(context)
    issued: list[dict[str, Any]] = []
    for note, vouchers in () if context.asked["dry_run"] else _batches(found):
        if note in done:
            continue
        try:
            issued += _issue(context, note, vouchers)
        except NodeError as error:
            if not issued:
                raise
            # The codes that were made are shown, or they would be lost.
            trouble = error
            break
    answer = {
        "ok": trouble is None,
        "dry_run": bool(context.asked["dry_run"]),
        "vouchers": [{"name": each.name, "lasts_s": each.lasts_s} for each in found.vouchers],
        "issued": issued,
        "already_there": sum(len(vouchers) for note, vouchers in _batches(found) if note in done),
        "skipped": _skipped(found),
    }
    if trouble is not None:
        answer |= {
            "message": str(trouble),
            "fix": "when that is put right, import the file again for the rest",
        }
    context.answer(answer, _voucher_lines(answer, found))
    return EXIT_YES if trouble is None else EXIT_NO


def _issue(context: CommandContext, note: str, vouchers: tuple[ForeignVoucher, ...]) -> list[dict[str, Any]]:
    """One batch."""
    question = {
        "ask": "vouchers-issue",
        "count": str(len(vouchers)),
        "group": context.asked["group"] or "day-pass",
        "lasts": f"{-(-vouchers[0].lasts_s // 60)} minutes",
        "devices": context.asked["devices"] or "0",
        "note": note,
    }
    codes = answer_to(context, question, ISSUE_TIMEOUT_S)["codes"]
    made = [
        {"name": voucher.name, "code": code, "lasts_s": voucher.lasts_s}
        for voucher, code in zip(vouchers, codes, strict=True)
    ]
    if not context.wants_json:
        context.answer({}, _code_lines(made, context.terminal))
    return made


def list_wifidog(context: CommandContext) -> int:
    """The hotspots and users of a WiFiDog server, as they can be entered here."""
    found = _read(context)
    answer = {
        "ok": True,
        "hotspots": [{"id": each.id, "name": each.name} for each in found.hotspots],
        "users": [{"id": each.id, "name": each.name} for each in found.users],
        "skipped": _skipped(found),
    }
    lines = [f"{len(found.hotspots)} hotspots and {len(found.users)} users would come in.", ""]
    lines += table(
        (Column("gw_id"), Column("hotspot")), [(h.id, h.name) for h in found.hotspots], context.terminal
    )
    lines += [
        "",
        "Each hotspot is accepted when it asks this node for the first time: it calls itself by its gw_id.",
    ]
    lines += ["", "Users, for members.toml:"]
    lines += [clean(f"[[account]]  id = {_toml(each.name)}") for each in found.users]
    context.answer(answer, [*lines, *_skipped_lines(found)])
    return EXIT_YES


def _read(context: CommandContext) -> ForeignFile:
    kind, path = context.asked["kind"], context.asked["file"]
    if kind not in get_args(ForeignKind):
        raise NodeError(
            f"{clean(kind)!r} is no kind of file", f"write one of: {', '.join(get_args(ForeignKind))}"
        )
    try:
        with Path(path).open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise NodeError(
            f"{path} cannot be read: {(error.strerror or str(error)).lower()}",
            "give the path of the exported file",
        ) from error
    try:
        return read_foreign(kind, raw, now_s=int(time.time()))
    except InvalidValue as refused:
        fix = str(refused.fix) if refused.fix is not None else "export it again"
        raise NodeError(f"{path}: {refused.message}", fix) from refused


def _notes(context: CommandContext) -> frozenset[str]:
    """Of all batches that this node knows."""
    batches = answer_to(context, {"ask": "vouchers-list"})["batches"]
    return frozenset(str(each["batch"]["note"]) for each in batches)


def _batches(found: ForeignFile) -> Iterator[tuple[str, tuple[ForeignVoucher, ...]]]:
    """The note of each batch, and its vouchers. Notes are the same in a second import, also of a file in another order, and
    when less time is left."""
    for name, every in found.batches.items():
        vouchers = sorted(every, key=lambda voucher: voucher.name)
        for start in range(0, len(vouchers), BATCH_MAX):
            note = f"from {found.kind} {found.mark} {name} {start}"
            yield note, tuple(vouchers[start : start + BATCH_MAX])


def _code_lines(made: list[dict[str, Any]], terminal: Terminal) -> list[str]:
    rows = [(each["name"], each["code"], f"{-(-each['lasts_s'] // 3_600)} h") for each in made]
    return table((Column("before"), Column("new code"), Column("lasts", is_number=True)), rows, terminal)


def _voucher_lines(answer: Mapping[str, Any], found: ForeignFile) -> list[str]:
    if answer["dry_run"]:
        lines = [
            f"{len(found.vouchers)} vouchers would come in, as new ones with the time that they have left:"
        ]
        lines += [
            f"  {len(each)} for {-(-lasts // 3_600)} hours" for lasts, each in found.by_duration.items()
        ]
    else:
        lines = [f"{len(answer['issued'])} vouchers came in."]
        if answer["issued"]:
            lines.append("Print or copy the codes now: the node does not keep them.")
        if not answer["ok"]:
            lines.append(f"The others did not: {clean(answer['message'])}. {answer['fix'].capitalize()}.")
        if answer["already_there"]:
            lines.append(f"{answer['already_there']} came in with an earlier import of this file.")
    return ["", *lines, *_skipped_lines(found)]


def _skipped(found: ForeignFile) -> list[dict[str, Any]]:
    return [{"place": each.place, "reason": each.reason} for each in found.skipped]


def _skipped_lines(found: ForeignFile) -> list[str]:
    shown: tuple[SkippedRow, ...] = found.skipped[:SKIPPED_SHOWN_MAX]
    lines = [f"  place {each.place}: {WHY[each.reason]}" for each in shown]
    if len(found.skipped) > len(shown):
        lines.append(f"  and {len(found.skipped) - len(shown)} more")
    return ["", f"{len(found.skipped)} do not come in:", *lines] if lines else []


def _toml(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def bring_in(context: CommandContext) -> int:
    """What the kind of file says."""
    return list_wifidog(context) if context.asked["kind"] == "wifidog" else import_vouchers(context)


IMPORT_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {"import": bring_in}
