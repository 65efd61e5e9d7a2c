"""Join methods in the rule file, and the tree of exceptions."""

import pytest

from node.governance.parse import parse_ruleset
from node.governance.rule_selection import exception_chains
from node.governance.rules import DEFAULT_JOIN_METHODS, WAYS, JoinMethods
from tests.fakes.rule_files import HEAD, rule, rules_of


def read(body: str):
    return parse_ruleset(f"{HEAD}[joining]\n{body}\n")


def test_every_join_method_is_open_when_the_file_says_nothing():
    assert DEFAULT_JOIN_METHODS == rules_of().joining
    assert WAYS == DEFAULT_JOIN_METHODS.ways


def test_join_methods_are_shown_in_the_order_of_the_file():
    ruleset, _ = read('ways = ["voucher", "terms"]\nwhen_full = "ask"\nby = "D-2026-001"')
    assert JoinMethods(("voucher", "terms"), "ask", "D-2026-001") == ruleset.joining


def test_a_single_join_method_may_be_written_without_a_list():
    assert ("voucher",) == read('ways = "voucher"\nby = "D-2"')[0].joining.ways


@pytest.mark.parametrize(
    ("body", "code", "fix"),
    [
        ('ways = []\nby = "D-2"', "E01", "terms"),
        ('ways = ["vouchers"]\nby = "D-2"', "E01", "did you mean voucher?"),
        ('ways = ["terms", "terms"]\nby = "D-2"', "E01", "keep it once"),
        ('ways = 3\nby = "D-2"', "E01", "terms"),
        ('when_full = "newest"\nby = "D-2"', "E01", "oldest"),
        ('way = ["terms"]\nby = "D-2"', "E01", "did you mean ways?"),
        ('ways = ["terms"]', "E07", "by"),
    ],
)
def test_an_invalid_join_method_is_refused_with_what_to_write(body, code, fix):
    ruleset, (finding,) = read(body)
    assert ruleset is None
    assert code == finding.code
    assert fix in finding.fix


def test_exceptions_are_shown_as_the_paths_of_their_tree():
    ceiling = 'ceiling = "{0} Mbit/s down, 1 Mbit/s up"'.format
    ruleset = rules_of(
        rule("top", ceiling(3)),
        rule("night", ceiling(4) + '\nwhen = "daily 00:00-06:00"\nexception_to = "top"', who=""),
        rule("sunday", ceiling(5) + '\nwhen = "sun 00:00-06:00"\nexception_to = "night"', who=""),
        rule("noon", ceiling(6) + '\nwhen = "daily 12:00-13:00"\nexception_to = "top"', who=""),
        rule("alone", "devices = 3"),
    )
    assert ("top <- night <- sunday", "top <- noon") == exception_chains(ruleset.rules)
    assert () == exception_chains(ruleset.rules[-1:])
