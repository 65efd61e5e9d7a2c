"""The ruleset in force and the text it came from. A bad file never replaces a good one.

Rules are checked against the member directory at the time they are adopted. Members who join or leave later never put
rules out of force: what no longer fits is reported in `ActiveRuleset.strained` until the rules are fixed.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from node.errors import Finding
from node.governance.checks import check, check_file
from node.governance.guarantees import measured_findings
from node.governance.local_findings import softened
from node.governance.members import MemberDirectory
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import Direction
from node.governance.rules import ActiveRuleset, Ruleset
from node.governance.uplink_findings import on_lines, unknown_uplink
from node.units import BitsPerSecond

RULES_COPY, MEMBERS_COPY = "adopted.rules.toml", "adopted.members.toml"
"""File names in the data folder: copies of the rules and the member directory last in force."""

REJECTED, EARLIER = ".rejected", ".before"
"""Added to the name of a rule or members file for one that was replaced: the last with errors, and the last good one that
the version in its place did not know."""

NOT_MEASURED: Mapping[Direction, BitsPerSecond] = MappingProxyType({})


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def examine(
    text: str, member_directory: MemberDirectory, uplink: str | None = ""
) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """Parse and check a rule file against these members. Returns all findings, and the
    ruleset unless one is an error. `uplink`: the line of this node, as its settings say; None for no node."""
    ruleset, findings = check_file(text, member_directory.units)
    if ruleset is None or uplink is None or not (unknown := tuple(unknown_uplink(ruleset, uplink))):
        return ruleset, findings
    return None, (*unknown, *findings)


def load_active_ruleset(
    text: str, member_directory: MemberDirectory, uplink: str = ""
) -> ActiveRuleset | tuple[Finding, ...]:
    """The ruleset of a node that has none yet, or all findings if the text is not valid."""
    ruleset, findings = examine(text, member_directory, uplink)
    if ruleset is None:
        return findings
    return ActiveRuleset(ruleset, text, fingerprint(text), warnings=findings, uplink_name=uplink)


def reload_active_ruleset(
    adopted: str, member_directory: MemberDirectory, uplink: str = ""
) -> ActiveRuleset | None:
    """The ruleset of a text adopted earlier, even if it does not fit the members or the settings now; None
    when the text cannot be parsed."""
    ruleset, _ = parse_ruleset(adopted)
    if ruleset is None:
        return None
    active = ActiveRuleset(ruleset, adopted, fingerprint(adopted), uplink_name=uplink)
    return strained(active, member_directory)


def strained(active: ActiveRuleset, member_directory: MemberDirectory) -> ActiveRuleset:
    """The same ruleset, with `warnings` and `strained` for these members."""
    findings = (
        *unknown_uplink(active.ruleset, active.uplink_name),
        *check(active.ruleset, member_directory.units),
    )
    errors = tuple(f for f in findings if f.is_error)
    return replace(active, warnings=tuple(f for f in findings if not f.is_error), strained=errors)


def consider(active: ActiveRuleset, text: str, member_directory: MemberDirectory) -> ActiveRuleset:
    """The active ruleset after the file changed to `text`: the new rules, or the old ones
    with the reasons for rejection."""
    active = strained(replace(active, rejected=(), rejected_fingerprint=""), member_directory)
    mark = fingerprint(text)
    if mark == active.fingerprint:
        return active
    ruleset, findings = amend(active, text, member_directory)
    if ruleset is None:
        errors = tuple(f for f in findings if f.is_error)
        return replace(active, rejected=errors, rejected_fingerprint=mark)
    return strained(ActiveRuleset(ruleset, text, mark, uplink_name=active.uplink_name), member_directory)


def amend(
    active: ActiveRuleset,
    text: str,
    member_directory: MemberDirectory,
    slowest: Mapping[Direction, BitsPerSecond] = NOT_MEASURED,
) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """As `examine`, for a text that replaces the rules in force. An error about the members that the
    rules in force have too is lowered to warning W14, so that a community with too slow an uplink can
    still fix one rule after another. `slowest`: what this node's line carried in its slowest tenth."""
    ruleset, findings = parse_ruleset(text)
    if ruleset is None:
        return None, findings
    findings += (*unknown_uplink(ruleset, active.uplink_name), *check(ruleset, member_directory.units))
    if any(f.is_error for f in findings) and strained(active, member_directory).strained:
        findings = _soften(active.ruleset, ruleset, findings, member_directory)
    if any(f.is_error for f in findings):
        return None, findings
    own = ruleset.of_uplink(active.uplink_name)
    measured = measured_findings(own, member_directory.units, slowest)
    return ruleset, (*findings, *(_of_own(finding, own) for finding in measured))


def _of_own(finding: Finding, own: Ruleset) -> Finding:
    """About the line of this node."""
    return on_lines(finding, [own.uplink_name]) if own.uplinks else finding


def _soften(
    active: Ruleset, draft: Ruleset, findings: tuple[Finding, ...], member_directory: MemberDirectory
) -> tuple[Finding, ...]:
    """What only observed rules have wrong excuses no error of rules that would be in force."""
    units = member_directory.units
    own = _error_codes(check(draft, ()))
    standing = _error_codes(check(active, units)) - own
    binding = _error_codes(check(replace(active, observed=()), units)) - own
    in_force = {(f.code, f.line) for f in check(replace(draft, observed=()), units)}
    return tuple(
        softened(f) if f.code in (binding if (f.code, f.line) in in_force else standing) else f
        for f in findings
    )


def _error_codes(findings: Iterable[Finding]) -> set[str]:
    return {finding.code for finding in findings if finding.is_error}


def new_strains(active: ActiveRuleset, member_directory: MemberDirectory) -> tuple[Finding, ...]:
    """Findings that the active ruleset would have with these members and does not have now."""
    known = {_about(finding) for finding in active.strained}
    return tuple(f for f in strained(active, member_directory).strained if _about(f) not in known)


def _about(finding: Finding) -> tuple[str, int, str]:
    """Key that identifies a finding. Numbers in messages change with each member, so only E04 keeps the start of its
    message, which names the line and the direction."""
    about = finding.message.split(": lifelines", 1)[0] if finding.code == "E04" else ""
    return finding.code, finding.line, about
