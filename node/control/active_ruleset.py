"""The rules in force and the file they came from; a bad file never replaces a good one.

Rules are judged with the members of the day on which they are adopted. Who joins or leaves later never takes them out
of force: what does not fit any more stands as a warning (`ActiveRuleset.strained`) until somebody mends it.
"""

import hashlib
from dataclasses import dataclass, replace

from node.errors import Finding
from node.governance.checks import check, softened
from node.governance.members import MemberDirectory
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset

RULES_COPY, MEMBERS_COPY = "adopted.rules.toml", "adopted.members.toml"
"""In the data folder: the rules and the members as they were last in force."""


@dataclass(frozen=True, slots=True)
class ActiveRuleset:
    """What holds now, and what the file says if that is something else."""

    ruleset: Ruleset
    text: str
    fingerprint: str
    warnings: tuple[Finding, ...] = ()
    strained: tuple[Finding, ...] = ()
    """What does not fit the members any more, with what mends it; the rules are in force all the same."""
    rejected: tuple[Finding, ...] = ()
    """Why the file as it stands now is not in force; empty when it is."""
    rejected_fingerprint: str = ""

    @property
    def seen(self) -> str:
        """Fingerprint of the file that was looked at last, good or bad."""
        return self.rejected_fingerprint or self.fingerprint


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def examine(text: str, member_directory: MemberDirectory) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """Parse and check a rule file for this community: all findings, and the ruleset unless one is an error."""
    ruleset, findings = parse_ruleset(text)
    if ruleset is None:
        return None, findings
    findings += check(ruleset, member_directory.units)
    return (None if any(f.is_error for f in findings) else ruleset), findings


def load_active_ruleset(text: str, member_directory: MemberDirectory) -> ActiveRuleset | tuple[Finding, ...]:
    """The first rulebook of a node's life, or all that is wrong with the file."""
    ruleset, findings = examine(text, member_directory)
    return findings if ruleset is None else ActiveRuleset(ruleset, text, fingerprint(text), warnings=findings)


def reload_active_ruleset(adopted: str, member_directory: MemberDirectory) -> ActiveRuleset | None:
    """The rulebook of a text that was adopted before, whatever the members are now; None when this text cannot be read
    as rules."""
    ruleset, _ = parse_ruleset(adopted)
    return (
        None
        if ruleset is None
        else strained(ActiveRuleset(ruleset, adopted, fingerprint(adopted)), member_directory)
    )


def strained(book: ActiveRuleset, member_directory: MemberDirectory) -> ActiveRuleset:
    """The same rules, looked at with these members."""
    findings = check(book.ruleset, member_directory.units)
    errors = tuple(f for f in findings if f.is_error)
    return replace(book, warnings=tuple(f for f in findings if not f.is_error), strained=errors)


def consider(book: ActiveRuleset, text: str, member_directory: MemberDirectory) -> ActiveRuleset:
    """The active ruleset after the file has become `text`: the new rules, or the old ones and why."""
    book = strained(replace(book, rejected=(), rejected_fingerprint=""), member_directory)
    mark = fingerprint(text)
    if mark == book.fingerprint:
        return book
    ruleset, findings = amend(book, text, member_directory)
    if ruleset is None:
        errors = tuple(f for f in findings if f.is_error)
        return replace(book, rejected=errors, rejected_fingerprint=mark)
    return strained(ActiveRuleset(ruleset, text, mark), member_directory)


def amend(
    book: ActiveRuleset, text: str, member_directory: MemberDirectory
) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """As `examine`, for a text that is to take the place of the rules in force. What does not fit the members, and does
    not with the rules in force either, is no error then but W14: a community whose line is too slow for all who joined
    can still mend one rule after another."""
    ruleset, findings = parse_ruleset(text)
    if ruleset is None:
        return None, findings
    findings += check(ruleset, member_directory.units)
    standing = {f.code for f in strained(book, member_directory).strained}
    own = {f.code for f in check(ruleset, ()) if f.is_error} if standing else set[str]()
    findings = tuple(
        softened(f) if f.is_error and f.code in standing and f.code not in own else f for f in findings
    )
    return (None if any(f.is_error for f in findings) else ruleset), findings


def new_strains(book: ActiveRuleset, member_directory: MemberDirectory) -> tuple[Finding, ...]:
    """What would not fit any more if the members became `member_directory`, beyond what does not now."""
    known = {_about(finding) for finding in book.strained}
    return tuple(f for f in strained(book, member_directory).strained if _about(f) not in known)


def _about(finding: Finding) -> tuple[str, int, str]:
    """Figures in a message change with each member; E04 is one for each direction."""
    return finding.code, finding.line, finding.message.split(":", 1)[0] if finding.code == "E04" else ""
