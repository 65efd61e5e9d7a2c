"""Commands about the files of a community: its rules and its members, as versions that admins sign."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mesh.community_changes import shared_file
from mesh.community_state import CommunityState
from mesh.file_version import (
    FILES,
    REASON_CHARS_MAX,
    Decision,
    FileName,
    is_printable,
    text_hash,
    unpacked,
    votes_needed,
)
from mesh.page_format import Malformed
from mesh.signed_statement import read_statement
from node.cli.arguments import EXIT_YES
from node.cli.commands import CommandContext, answer_to
from node.cli.community_commands import ADMIN_KEY, ADMIN_LABEL, admin_key, followed, tell_node
from node.cli.terminal import Column, clean, table
from node.errors import NodeError
from node.identity import own_node_id

STATES = {
    "no record": "this node follows no community record: see 'procomu community show'",
    "not shared": "no admin has shared them: 'procomu community share {file}' on the node that has the right ones",
    "same": "this node has the community's",
    "behind": "this node takes the community's now",
    "differs": "this node's differ: 'procomu community share {file}' shares them, 'procomu community take {file}' "
    "takes the community's",
    "split": "several were signed apart: 'procomu community share {file} --use HASH' chooses one of them",
}


def share(context: CommandContext) -> int:
    """Signs a text of a file for all nodes: that of this node, an earlier one, or one of several that were signed apart."""
    file, reason = _file(context), context.asked["reason"] or ""
    if not is_printable(reason, REASON_CHARS_MAX):
        raise NodeError(
            f"the reason is no line of at most {REASON_CHARS_MAX} characters",
            "write it in one line, and shorter",
        )
    path = Path(context.asked["key"] or context.config_path.parent / ADMIN_KEY)
    state, key, answer = followed(context), admin_key(path), answer_to(context, {"ask": "community-versions"})
    _add_files(state, answer)
    text = _text(context, file, state)
    head = state.head
    label = next((each.label for each in head.admins if each.key == own_node_id(key)), "") if head else ""
    made = shared_file(state, (key,), file, text, Decision(label or ADMIN_LABEL, reason, answer["today"]))
    if made is None:
        context.answer({"ok": True, "changed": False}, [f"These {file} are the community's already."])
        return EXIT_YES
    tell_node(context, {"ask": "community-add"}, (made,))
    state.add(made)
    view = state.file(file)
    number = next(each.version.number for each in view.held if each.statement.hash == made.hash)
    counts = any(each.statement.hash == made.hash for each in view.heads)
    lines = [f"Version {number} of the {file} is the community's. The other nodes take it within seconds."]
    if not counts and head is not None:
        missing = votes_needed(file, head) - head.votes_of(made.signers)
        lines = [
            f"Version {number} of the {file} has your signature, and lacks {missing} vote{'' if missing == 1 else 's'}.",
            f"Another admin signs it with: procomu community share {file} --use {text_hash(text)}",
        ]
    context.answer({"ok": True, "changed": True, "number": number, "in_force": counts}, lines)
    return EXIT_YES


def take(context: CommandContext) -> int:
    """The community's version of a file, in place of this node's."""
    file = _file(context)
    number = answer_to(context, {"ask": "community-take", "file": file})["number"]
    context.answer(
        {"ok": True, "number": number},
        [f"Version {number} of the community's {file} is in force on this node."],
    )
    return EXIT_YES


def versions(context: CommandContext) -> int:
    """What admins signed of each file, and whether this node has it."""
    answer = answer_to(context, {"ask": "community-versions"})
    as_json: dict[str, Any] = {
        name: {each: value for each, value in answer[name].items() if each != "statements"} for name in FILES
    }
    lines = [line for name in FILES for line in _described(context, name, answer[name])]
    context.answer({"ok": True, **as_json}, lines)
    return EXIT_YES


def _described(context: CommandContext, file: FileName, found: Mapping[str, Any]) -> list[str]:
    lines = [context.terminal.bold(file), STATES[found["state"]].format(file=file)]
    rows = [
        (each["number"], each["day"], each["by"], waits, each["hash"], each["reason"])
        for group, waits in (("versions", ""), ("waiting", "needs more votes"))
        for each in found[group]
    ]
    if rows:
        columns = (Column("version", is_number=True), *map(Column, ("day", "by", "", "hash", "reason")))
        lines += table(columns, rows, context.terminal)
    lines += [f"not in force here: {clean(each)}" for each in found["refused"]]
    lines += [f"not in force here: {clean(found['trouble'])}"] if found["trouble"] else []
    return [*lines, ""]


def _file(context: CommandContext) -> FileName:
    asked = context.asked["file"]
    found = next((each for each in FILES if each == asked), None)
    if found is None:
        raise NodeError(f"{clean(asked)} is no file of a community", "write rules or members")
    return found


def _text(context: CommandContext, file: FileName, state: CommunityState) -> str:
    asked = context.asked
    if asked["use"] is not None and asked["version"] is not None:
        raise NodeError("--use and --version exclude each other", "give one of them")
    if asked["use"] is not None:
        return _text_of(file, state, asked["use"].strip())
    number = asked["version"]
    if number is not None and not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise NodeError("--version is not a number", "write one that 'procomu rules log' lists")
    question = {"ask": "community-text", "file": file}
    return str(
        answer_to(context, question if number is None else {**question, "number": int(number)})["text"]
    )


def _text_of(file: FileName, state: CommunityState, wanted: str) -> str:
    found = [each for each in state.file(file).held if each.version.hash == wanted]
    text = unpacked(found[0].version) if found else None
    if text is None:
        raise NodeError(
            f"no version of the {file} has the hash {clean(wanted)}",
            "copy it from 'procomu community versions'",
        )
    return text


def _add_files(state: CommunityState, answer: Mapping[str, Any]) -> None:
    for file in FILES:
        for statement in map(read_statement, answer[file]["statements"]):
            if not isinstance(statement, Malformed):
                state.add(statement)


FILE_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "community share": share,
    "community take": take,
    "community versions": versions,
}
