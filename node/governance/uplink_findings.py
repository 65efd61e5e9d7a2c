"""Findings where a community has several lines: each is checked alone, and what is found on all is said once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from node.errors import Finding
from node.governance.document import suggestion
from node.governance.rules import MAIN_UPLINK, Ruleset
from node.translator import gettext_lazy

UNKNOWN_UPLINK = "E13"
_OF_THE_LINE = frozenset({"E04", "W08", "W11", "W13", "W15", "W21"})
"""Codes of findings about what a line carries: they name it unless they are the same for all."""
_ON_ALL = frozenset({"W01", "W02"})
"""Codes of warnings that a rule does nothing: it is enough that it does something on one line."""


def merged(ruleset: Ruleset, found: Mapping[str, Sequence[Finding]]) -> list[Finding]:
    """`found`: the findings on each line of the ruleset, by its name. A finding of some lines only names them."""
    if not ruleset.is_of_several:
        return [finding for findings in found.values() for finding in findings]
    holding = {rule.line: set(rule.uplinks or found) for rule in ruleset.every_rule}
    idle = _on_each(found, holding)
    lines_of: dict[Finding, list[str]] = {}
    first: dict[tuple[str, int, str], Finding] = {}
    for name, findings in found.items():
        for finding in findings:
            if finding.code in _ON_ALL and (finding.code, finding.line) not in idle:
                continue
            text = "" if finding.code in _ON_ALL else str(finding.text)
            same = first.setdefault((finding.code, finding.line, text), finding)
            lines_of.setdefault(same, []).append(name)
    return [_named(finding, names, holding, found) for finding, names in lines_of.items()]


def _on_each(
    found: Mapping[str, Sequence[Finding]], holding: Mapping[int, Collection[str]]
) -> set[tuple[str, int]]:
    """Code and place of the warnings that a rule does nothing on any line on which it holds; of two codes the first."""
    idle: dict[int, dict[str, str]] = {}
    for name, findings in found.items():
        for finding in findings:
            if finding.code in _ON_ALL:
                idle.setdefault(finding.line, {})[name] = finding.code
    return {
        (min(codes.values()), line)
        for line, codes in idle.items()
        if codes.keys() >= set(holding.get(line, found))
    }


def _named(
    finding: Finding, names: Sequence[str], holding: Mapping[int, Collection[str]], among: Collection[str]
) -> Finding:
    """With the lines on which it was found, unless these are all."""
    possible = among if finding.code in _OF_THE_LINE else holding.get(finding.line, among)
    if len(names) >= len(possible) or finding.code in _ON_ALL:
        return finding
    return on_lines(finding, names)


def on_lines(finding: Finding, names: Sequence[str]) -> Finding:
    """The same finding, with the names of these lines."""
    message = gettext_lazy("On the line {name}: {finding}", name=", ".join(names), finding=finding.message)
    return replace(finding, message=message)


def unknown_uplink(ruleset: Ruleset, name: str) -> Iterable[Finding]:
    """E13: the rules do not have the line of which this node is the gateway. `name`: as its settings say; empty where they
    do not, which is enough where there is one line. Nothing for rules that state no line."""
    names = ruleset.uplink_names
    wanted = name or (names[0] if len(names) == 1 else MAIN_UPLINK)
    if not names or wanted in names:
        return
    known = ", ".join(names)
    message = gettext_lazy(
        "This node is the gateway of the line {name}, and these rules have only {names}.",
        name=wanted,
        names=known,
    )
    fix = gettext_lazy(
        "correct {key} in {file} ({fix}), or write {table} with {examples}",
        key="uplink.name",
        file="node.toml",
        fix=suggestion(wanted, names),
        table=f"[uplink.{wanted}]",
        examples="down, up",
    )
    if not name:
        message = gettext_lazy(
            "These rules have several lines ({names}), and this node does not say of which it is the gateway.",
            names=known,
        )
        fix = gettext_lazy(
            "write {example} in {file}", example=f'uplink.name = "{names[0]}"', file="node.toml"
        )
    yield Finding(UNKNOWN_UPLINK, 0, message, fix)
