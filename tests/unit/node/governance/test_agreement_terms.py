"""What is the same for everybody, compared."""

import pytest

from node.governance.agreement_terms import changed_terms
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset
from tests.fakes.rule_files import HEAD, file_with, rule

BUSY = rule("b", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"\nwhile = "busy"')
LATE = rule("l", 'ceiling = "2 Mbit/s down, 1 Mbit/s up"', '"dues:late"')
LADDER = """[[ladder]]
id = "big-users"
by = "D-1"
who = "tier:member"
trigger = "120 GB per month while busy"
steps = ["tell"]
"""
MILL = '[uplink.mill]\ndown = "20 Mbit/s"\nup = "5 Mbit/s"\n'


def read(text: str) -> Ruleset:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset


@pytest.mark.parametrize(
    ("before", "after", "terms"),
    [
        (HEAD, HEAD, ()),
        (HEAD, HEAD.replace("46 Mbit/s", "47 Mbit/s"), ("line",)),
        (HEAD, HEAD + MILL, ("line",)),
        (HEAD + MILL, HEAD + MILL.replace("mill", "river"), ("line",)),
        (HEAD, HEAD.replace("uplink.main", "uplink.north"), ()),
        (HEAD, HEAD.replace("ratio = 4", "ratio = 5\napprovals = 2"), ("max_weight_ratio", "approvals")),
        (HEAD, HEAD + "busy_above = 90\n", ()),
        (HEAD + BUSY, HEAD + "busy_above = 90\n" + BUSY, ("busy",)),
        (HEAD + LADDER, HEAD + "busy_above = 90\n" + LADDER, ("busy",)),
        (
            HEAD + LADDER.replace(" while busy", ""),
            HEAD + "busy_above = 90\n" + LADDER.replace(" while busy", ""),
            (),
        ),
        (file_with(), file_with() + "[dues]\ngrace_days = 3\n", ()),
        (file_with(LATE), file_with(LATE) + "[dues]\ngrace_days = 3\n", ("grace_days",)),
    ],
)
def test_what_differs_for_everybody_is_named_unless_nothing_depends_on_it(before, after, terms):
    assert terms == changed_terms(read(before), read(after)) == changed_terms(read(after), read(before))
