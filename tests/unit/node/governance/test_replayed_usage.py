"""Usage in a replay is counted by quotas as the ledger counts it."""

from datetime import date, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from node.accounting.intervals import IntervalUsage
from node.accounting.ledger import Ledger, UsageKey
from node.governance.parse import parse_ruleset
from node.governance.replayed_usage import ReplayedUsage
from node.governance.rule_evaluation import Evaluator
from node.governance.rules import Quota
from node.units import AccountId, Bytes, NodeId, Usage
from tests.fakes.rule_files import rule
from tests.unit.node.governance.test_replay import HEAD

ACCOUNTS = tuple(map(AccountId, ("ana", "ben")))
FIRST = date(2026, 11, 27)
PERIODS = ("day", "week", "month", "3 days", "31 days")
COUNTS = ("uplink", "uplink while busy")
QUOTAS = "".join(
    rule(
        f"q{number}-{period.replace(' ', '-')}",
        f'quota = "1 GB per {period}"\ncounts = "{counts}"\nthen = "share 10 until reset"',
        '"everyone"',
    )
    for number, counts in enumerate(COUNTS)
    for period in PERIODS
)
usages = st.dictionaries(
    st.sampled_from(ACCOUNTS),
    st.builds(
        IntervalUsage,
        st.builds(Usage, st.integers(0, 9).map(Bytes), st.integers(0, 9).map(Bytes)),
        st.booleans(),
    ),
)


USED = IntervalUsage(Usage(Bytes(5), Bytes(2)), is_busy=True)


@example([(0, False, {ACCOUNTS[0]: USED}), (0, True, {}), (1, True, {ACCOUNTS[0]: USED})])
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), usages), max_size=20))
def test_quotas_count_what_the_ledger_counts(
    steps: list[tuple[int, bool, dict[AccountId, IntervalUsage]]],
) -> None:
    """Asked before some intervals, as a replay does at each full hour."""
    ruleset, findings = parse_ruleset(HEAD + QUOTAS)
    assert ruleset is not None, findings
    quotas = {each.id: each.effect for each in ruleset.rules if isinstance(each.effect, Quota)}
    assert len(PERIODS) * len(COUNTS) == len(quotas)
    evaluator, replayed, ledger, day = Evaluator(ruleset), ReplayedUsage(), Ledger(), FIRST
    for later, is_asked, usage in steps:
        day += timedelta(days=later)
        for account in ACCOUNTS if is_asked else ():
            counted = {name: replayed.total(account, quota, str(day)) for name, quota in quotas.items()}
            assert evaluator.quotas_used(ledger, account, str(day)) == counted
        replayed.add(str(day), usage)
        for account, (used, is_busy) in usage.items():
            ledger.add(UsageKey(NodeId("n"), "1", account, str(day)), used, busy=is_busy)
