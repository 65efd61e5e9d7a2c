"""Rule files, members and times for tests: the worked example of a community of 44 households."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from node.governance.allowance import Allowance, Moment, Unit
from node.governance.parse import parse_ruleset
from node.governance.rule_evaluation import NO_DAYS, Evaluator
from node.governance.rules import Ruleset
from node.units import AccountId, Bytes

EXAMPLE = (Path(__file__).parents[2] / "deploy" / "rules.example.toml").read_text(encoding="utf-8")

HEAD = """
[ruleset]
community = "vall-baixa"
version = 1
decision = "D-1"
[uplink.main]
down = "46 Mbit/s"
up = "9200 kbit/s"
usable_percent = 80
[charter]
lifeline = "256 kbit/s down, 96 kbit/s up"
guest_lifeline = "1 Mbit/s down, 256 kbit/s up"
max_weight_ratio = 4
"""
SUMMER = timezone(timedelta(hours=2))
GB = 10**9

MEMBER = Unit(AccountId("household-17"), "member")
GUEST = Unit(AccountId("guest-7k3m9q2w4x1z"), "guest")
SCHOOL = Unit(AccountId("school"), "member", frozenset({"school"}))


def village(households: int = 44) -> tuple[Unit, ...]:
    """One school, three mast hosts, and households."""
    groups = [{"school"}, {"mast-host"}, {"mast-host"}, {"mast-host"}]
    return tuple(
        Unit(AccountId(f"household-{n}"), "member", frozenset(groups[n] if n < len(groups) else ()))
        for n in range(households)
    )


def rule(name: str, body: str, who: str = '"tier:member"') -> str:
    """One rule table; `body` is its effect and further keys. A quota or credit does not end, unless the body says when."""
    people = f"who = {who}\n" if who else ""
    end = 'expires = "never"\n' if re.search("^(quota|credit) =", body, re.MULTILINE) else ""
    return f'[[rule]]\nid = "{name}"\nby = "D-1"\n{people}{body}\n{"" if "expires" in body else end}'


def file_with(*rules: str) -> str:
    return HEAD + "".join(rules)


def rules_of(*rules: str, tail: str = "") -> Ruleset:
    """The ruleset of a file that must have no errors; `tail` is the end of the file, such as its calendar."""
    ruleset, findings = parse_ruleset(file_with(*rules) + tail)
    assert ruleset is not None, findings
    return ruleset


def example() -> Ruleset:
    ruleset, findings = parse_ruleset(EXAMPLE)
    assert ruleset is not None, findings
    return ruleset


def on(text: str, clock: str = "synced") -> Moment:
    """``fri 21:00`` in the week of Monday 1 June 2026."""
    day, hour = text.split()
    monday = datetime(2026, 6, 1, tzinfo=SUMMER)
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun").index(day)
    hours, minutes = map(int, hour.split(":"))
    return Moment(monday + timedelta(days=days, hours=hours, minutes=minutes), clock)  # type: ignore[arg-type]


def used(gigabytes: float, quota: str = "busy-volume") -> dict[str, Bytes]:
    return {quota: Bytes(int(gigabytes * GB))}


def evaluate(
    unit: Unit,
    moment: Moment,
    used: Mapping[str, Bytes],
    ruleset: Ruleset,
    free_on: Mapping[str, date] = NO_DAYS,
) -> Allowance:
    """What the page shows to `unit` at `moment`, once it is sure that the kernel enforces the same."""
    evaluator = Evaluator(ruleset)
    found, enforced = (
        evaluator.evaluate(unit, moment, used, free_on),
        evaluator.policy_for(unit, moment, used),
    )
    # What is only shown: quotas, and until when a used-up one of the last days counts.
    ceiling = found.ceiling and enforced.ceiling and replace(found.ceiling, until=enforced.ceiling.until)
    share = replace(found.share, until=enforced.share.until)
    assert enforced == replace(found, quotas=(), share=share, ceiling=ceiling)
    return found


MINUTES = """
[decisions."D-9"]
day = "2026-03-08"
present = 31
yes = 27
no = 2
signers = ["Ana Pons", "Ben Riu"]
"""
"""Of an assembly, for the rules that say `by = \"D-9\"`."""
