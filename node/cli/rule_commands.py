"""Commands about rules: check, compare, preview, observe and adopt.

What only they need is imported when they run, as in `node.cli.commands`.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from node import console
from node.cli import output
from node.cli.arguments import EXIT_NO, EXIT_YES
from node.cli.commands import CommandContext, answer_to, ask_node, read_config, read_file, tell
from node.errors import Finding, InvalidFile, NodeError
from node.translator import LazyText

if TYPE_CHECKING:
    from node.governance.members import MemberDirectory
    from node.governance.replay import Interval
    from node.governance.rules import Ruleset

ADOPTION_S = 60.0
"""Large rules are checked for a while, and a slow kernel takes its time."""


def rules_check(context: CommandContext) -> int:
    """Uses the members file of this machine's node, if there is one, to check groups, and what that node knows:
    the names of nodes, what its line carried, and how many admins it has."""
    from node.control.active_ruleset import examine, fingerprint  # noqa: PLC0415
    from node.governance.canonical_form import meaning_fingerprint  # noqa: PLC0415
    from node.governance.members import NO_MEMBERS  # noqa: PLC0415
    from node.governance.sentences import describe  # noqa: PLC0415

    path = Path(context.asked["file"])
    text = read_file(path)
    members = _member_directory(context) or NO_MEMBERS
    ruleset, found = examine(text, members, _uplink(context))
    sentences = () if ruleset is None else describe(ruleset)
    if ruleset is not None:
        found += _local_findings(context, ruleset, members)
    as_json = {
        "ok": ruleset is not None,
        "file": str(path),
        "fingerprint": fingerprint(text),
        "meaning": "" if ruleset is None else meaning_fingerprint(ruleset),
        "findings": [_finding_json(finding) for finding in found],
        "uplinks": [] if ruleset is None else list(ruleset.uplink_names),
        "sentences": list(sentences),
    }
    lines = [f"  {sentence}" for sentence in sentences]
    context.answer(
        as_json, [*lines, *([""] if lines else []), *output.findings(str(path), found, context.terminal)]
    )
    return EXIT_NO if ruleset is None else EXIT_YES


def _local_findings(
    context: CommandContext, ruleset: "Ruleset", members: "MemberDirectory"
) -> tuple[Finding, ...]:
    """What depends on this machine's node; the names of all nodes are asked of it, if it runs."""
    from node.clock import SystemClock  # noqa: PLC0415
    from node.doctor.rule_facts import findings_on_disk  # noqa: PLC0415
    from node.governance.local_findings import unknown_nodes  # noqa: PLC0415

    names: tuple[str, ...] | None = None
    with contextlib.suppress(NodeError):
        names = tuple(answer_to(context, {"ask": "rules"}).get("node_names", ()))
    try:
        config = read_config(context.config_path)
    except InvalidFile:
        return tuple(unknown_nodes(ruleset, names or ()))
    clock = SystemClock(config.clock.source)
    today = None if clock.state() == "unknown" else clock.civil().date()
    return findings_on_disk(config, ruleset, members, today, names)


def _finding_json(finding: Finding) -> dict[str, object]:
    message = finding.message
    parameters = message.parameters if isinstance(message, LazyText) else {}
    return {**asdict(finding), "parameters": parameters}


def rules_compare(context: CommandContext) -> int:
    """Uses the members file of this machine's node, if there is one. Without errors in either file the answer is yes,
    whether something changes or not."""
    from node.control.active_ruleset import examine  # noqa: PLC0415
    from node.governance.canonical_form import meaning_fingerprint  # noqa: PLC0415
    from node.governance.change_impact import change_impact  # noqa: PLC0415
    from node.governance.change_sentences import change_sentences, verdict_sentence  # noqa: PLC0415
    from node.governance.members import NO_MEMBERS  # noqa: PLC0415

    known = _member_directory(context)
    members, path = known or NO_MEMBERS, Path(context.asked["file"])
    after, found = examine(read_file(path), members, _uplink(context))
    if after is None:
        as_json = {"ok": False, "file": str(path), "findings": [_finding_json(finding) for finding in found]}
        context.answer(as_json, output.findings(str(path), found, context.terminal))
        return EXIT_NO
    against, before = _rules_to_compare_with(context)
    impact = change_impact(before, after, members.units)
    answer = {
        "ok": True,
        "file": str(path),
        "against": against,
        "is_nothing": impact.is_nothing,
        "is_complete": impact.is_complete,
        "meanings": [meaning_fingerprint(before), meaning_fingerprint(after)],
        "verdict": verdict_sentence(impact),
        "accounts": None if known is None else len(known.units),
        "changes": [asdict(each) for each in change_sentences(impact)],
    }
    return tell(context, answer, output.comparison)


def rules_preview(context: CommandContext) -> int:
    """Reads the database itself, so that a running node is not slower meanwhile."""
    from node.control.active_ruleset import examine  # noqa: PLC0415
    from node.governance.members import NO_MEMBERS  # noqa: PLC0415
    from node.governance.replay import TooFewAccounts, why_no_preview  # noqa: PLC0415
    from node.governance.replay_sentences import replay_sentences  # noqa: PLC0415
    from node.governance.rule_effects import preview_draft  # noqa: PLC0415

    members, path = _member_directory(context) or NO_MEMBERS, Path(context.asked["file"])
    after, found = examine(read_file(path), members, _uplink(context))
    if after is None:
        as_json = {"ok": False, "file": str(path), "findings": [_finding_json(finding) for finding in found]}
        context.answer(as_json, output.findings(str(path), found, context.terminal))
        return EXIT_NO
    before = _own_ruleset_in_force(context)
    days, name = _usage(context)
    try:
        own = after.of_uplink(_uplink(context) or "")
        replayed, found = preview_draft(days, before, own, members.unit_on, name)
    except TooFewAccounts as error:
        raise NodeError(*why_no_preview(before)) from error
    sentences = replay_sentences(replayed)
    as_json = {
        "ok": True,
        "file": str(path),
        "sentences": list(sentences),
        "replay": asdict(replayed),
        "findings": [_finding_json(finding) for finding in found],
    }
    lines = [f"  {each}" for each in sentences]
    lines += ["", *output.findings(str(path), found, context.terminal)] if found else []
    context.answer(json.loads(json.dumps(as_json, default=str)), lines)
    return EXIT_YES


def rules_observe(context: CommandContext) -> int:
    """Reads the database itself, so that a running node is not slower meanwhile."""
    from node.governance.members import NO_MEMBERS  # noqa: PLC0415
    from node.governance.observed_sentences import observed_sentence  # noqa: PLC0415
    from node.governance.replay import TooFewAccounts, why_no_preview  # noqa: PLC0415
    from node.governance.rule_effects import count_observed  # noqa: PLC0415
    from node.governance.sentences import sentence  # noqa: PLC0415

    members, ruleset = _member_directory(context) or NO_MEMBERS, _own_ruleset_in_force(context)
    days, name = _usage(context) if ruleset.observed else ((), "")
    try:
        counts = count_observed(days, ruleset, members.unit_on, name)
    except TooFewAccounts as error:
        raise NodeError(*why_no_preview(ruleset)) from error
    sentences = {rule.id: sentence(rule, ruleset) for rule in ruleset.observed}
    rules = [
        {
            **asdict(each),
            "sentences": [sentences[name] for name in each.rules],
            "count": observed_sentence(each),
        }
        for each in counts
    ]
    return tell(context, json.loads(json.dumps({"ok": True, "rules": rules}, default=str)), output.observed)


def _usage(context: CommandContext) -> "tuple[Iterator[Interval], str]":
    """What accounts used in the intervals that are kept, and the name of this node."""
    from node.accounting.intervals import kept_times  # noqa: PLC0415
    from node.backup.contents import DATABASE  # noqa: PLC0415
    from node.storage.repository import IntervalArchive  # noqa: PLC0415

    node = read_config(context.config_path).node
    archive = IntervalArchive(Path(node.data_dir) / DATABASE)
    return archive.read_local(*kept_times(int(time.time()))), node.name


def _uplink(context: CommandContext) -> str | None:
    """The line of this machine's node, as its settings say; None without valid settings."""
    with contextlib.suppress(InvalidFile):
        return read_config(context.config_path).uplink.name
    return None


def _own_ruleset_in_force(context: CommandContext) -> "Ruleset":
    """Of the line of this node."""
    from node.governance.parse import parse_ruleset  # noqa: PLC0415

    ruleset, refused = parse_ruleset(_rules_in_force(context))
    if ruleset is None:
        raise InvalidFile("the rules in force", refused)
    return ruleset.of_uplink(_uplink(context) or "")


def _rules_to_compare_with(context: CommandContext) -> tuple[str, "Ruleset"]:
    """A file, or the rules in force: those of the running node, or of its last run."""
    from node.governance.parse import parse_ruleset  # noqa: PLC0415

    path = context.asked["with"]
    name, text = (path, read_file(Path(path))) if path else ("the rules in force", _rules_in_force(context))
    ruleset, found = parse_ruleset(text)
    if ruleset is None:
        raise InvalidFile(name, found)
    return name, ruleset


def _rules_in_force(context: CommandContext) -> str:
    from node.control.active_ruleset import RULES_COPY  # noqa: PLC0415

    try:
        return str(answer_to(context, {"ask": "rules"})["text"])
    except console.NoRunningNode:
        copy = Path(read_config(context.config_path).node.data_dir) / RULES_COPY
        if not copy.is_file():
            raise
        return read_file(copy)


def _member_directory(context: CommandContext) -> "MemberDirectory | None":
    """Of this machine's node; None without a members file that can be used."""
    from node.governance.members import parse_members  # noqa: PLC0415

    path = _members_file(context)
    return None if path is None else parse_members(read_file(path))[0]


def _members_file(context: CommandContext) -> Path | None:
    """The members file of this machine's node; None without a valid configuration or without the file."""
    with contextlib.suppress(InvalidFile):
        members = Path(read_config(context.config_path).members.file)
        return members if members.is_file() else None
    return None


def rules_show(context: CommandContext) -> int:
    return ask_node(context, {"ask": "rules"}, output.rules)


def _rules_text(path: Path) -> str:
    from node.governance.parse import FILE_BYTES_MAX as RULES_BYTES_MAX  # noqa: PLC0415

    text = read_file(path)
    if len(text.encode()) > RULES_BYTES_MAX:  # the node would not even read the question
        raise NodeError(f"{path} is longer than {RULES_BYTES_MAX} bytes", "shorten it")
    return text


def rules_draft(context: CommandContext) -> int:
    path = Path(context.asked["file"])
    return _adoption(context, {"ask": "rules-draft", "text": _rules_text(path)}, str(path))


def rules_withdraw(context: CommandContext) -> int:
    return _adoption(context, {"ask": "rules-withdraw", "version": context.asked["version"]})


def rules_adopt(context: CommandContext) -> int:
    path, asked = Path(context.asked["file"]), context.asked
    text = _rules_text(path)
    question = {"text": text, "at": asked["at"] or "", "no_trial": asked["no_trial"]}
    return _adoption(context, {"ask": "rules-adopt", **question}, str(path))


def rules_confirm(context: CommandContext) -> int:
    return _adoption(context, {"ask": "rules-confirm", "version": context.asked["version"] or ""})


def rules_rollback(context: CommandContext) -> int:
    return _adoption(context, {"ask": "rules-rollback", "version": context.asked["version"] or ""})


def _adoption(context: CommandContext, question: Mapping[str, Any], name: str = "") -> int:
    answer = answer_to(context, question, ADOPTION_S)
    is_refused = answer["outcome"] == "refused"
    lines = [] if context.wants_json else output.adoption(answer, name, context.terminal)
    context.answer({**answer, "ok": not is_refused}, lines)
    return EXIT_NO if is_refused else EXIT_YES


def rules_log(context: CommandContext) -> int:
    return ask_node(context, {"ask": "rules-log"}, output.rules_log)


RULE_COMMANDS: Mapping[str, Callable[[CommandContext], int]] = {
    "rules check": rules_check,
    "rules compare": rules_compare,
    "rules preview": rules_preview,
    "rules observe": rules_observe,
    "rules show": rules_show,
    "rules adopt": rules_adopt,
    "rules confirm": rules_confirm,
    "rules rollback": rules_rollback,
    "rules draft": rules_draft,
    "rules withdraw": rules_withdraw,
    "rules log": rules_log,
}
