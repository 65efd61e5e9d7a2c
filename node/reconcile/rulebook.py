"""The rules in force and the file they came from; a bad file never replaces a good one."""

import hashlib
from dataclasses import dataclass, replace

from node.errors import Finding
from node.governance.checks import check
from node.governance.parse import parse_ruleset
from node.governance.roll import Roll
from node.governance.rules import Ruleset


@dataclass(frozen=True, slots=True)
class Rulebook:
    """What holds now, and what the file says if that is something else."""

    ruleset: Ruleset
    text: str
    fingerprint: str
    warnings: tuple[Finding, ...] = ()
    rejected: tuple[Finding, ...] = ()
    """Why the file as it stands now is not in force; empty when it is."""
    rejected_fingerprint: str = ""

    @property
    def seen(self) -> str:
        """Fingerprint of the file that was looked at last, good or bad."""
        return self.rejected_fingerprint or self.fingerprint


def fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def examine(text: str, roll: Roll) -> tuple[Ruleset | None, tuple[Finding, ...]]:
    """Parse and check a rule file for this community: all findings, and the ruleset unless one is an error."""
    ruleset, findings = parse_ruleset(text)
    if ruleset is None:
        return None, findings
    findings += check(ruleset, roll.units)
    return (None if any(f.is_error for f in findings) else ruleset), findings


def open_rulebook(text: str, roll: Roll) -> Rulebook | tuple[Finding, ...]:
    """The first rulebook of a node's life, or all that is wrong with the file."""
    ruleset, findings = examine(text, roll)
    return findings if ruleset is None else Rulebook(ruleset, text, fingerprint(text), warnings=findings)


def consider(book: Rulebook, text: str, roll: Roll) -> Rulebook:
    """The rulebook after the file has become `text`: the new rules, or the old ones and why."""
    ruleset, findings = examine(text, roll)
    if ruleset is None:
        return replace(book, rejected=findings, rejected_fingerprint=fingerprint(text))
    return Rulebook(ruleset, text, fingerprint(text), warnings=findings)
