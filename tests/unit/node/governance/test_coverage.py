"""Enumeration of every situation that rules can meet."""

from node.governance.coverage import kinds, minute_words, situations, stretches
from node.governance.rules import GUEST_TIER, applying, selects
from tests.fakes.rule_files import example, rule, rules_of, village


def test_every_tier_of_the_members_file_is_covered_and_guests_and_everybody_the_rules_name():
    ruleset = rules_of(rule("a", "share = 100", '["tier:service", "group:clinic"]'))
    found = {(kind.words, kind.count) for kind in kinds(ruleset, village(10))}
    expected = {
        ("member", 6), ("member in school", 1), ("member in mast-host", 3),
        ("guest", 0), ("service", 0), ("member in clinic", 0),
    }  # fmt: skip
    assert expected == found


def test_no_set_of_rules_that_can_apply_at_once_is_skipped():
    """Compared with going through the week minute by minute, for each kind of account."""
    ruleset = rules_of(
        rule("a", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhen = "daily 22:00-06:00"', '"everyone"'),
        rule("b", 'ceiling = "8 Mbit/s down, 8 Mbit/s up"\nwhen = "mon-fri 05:30-08:00"'),
        rule("c", 'ceiling = "none"\nwhen = "sun 23:00-01:00"\nexception_to = "a"', who=""),
        rule("d", 'floor = "1 Mbit/s down, 1 Mbit/s up"\nwhen = "tue 07:59-08:01"', '"group:school"'),
    )
    among = kinds(ruleset, village())
    expected = set()
    for kind in among:
        chosen = [r for r in ruleset.rules if selects(r.who, kind.unit.tier, kind.unit.groups)]
        for minute in range(7 * 1440):
            expected.add((frozenset(r.id for r in applying(chosen, minute)), kind.unit.tier == GUEST_TIER))
    met = [
        (frozenset(r.id for r in s.applying), s.kind.unit.tier == GUEST_TIER)
        for s in situations(ruleset, among)
    ]
    assert expected == set(met)
    assert len(met) < 40


def test_kinds_in_the_members_file_come_first():
    among = kinds(example(), village())
    exists = [situation.kind.exists for situation in situations(example(), among)]
    assert sorted(exists, reverse=True) == exists


def test_each_time_slice_is_represented_by_its_first_minute():
    ruleset = rules_of(rule("a", 'ceiling = "9 Mbit/s down, 9 Mbit/s up"\nwhen = "mon-fri 08:00-16:00"'))
    assert ((0, 0), (480, 1)) == stretches(ruleset.rules)
    assert "mon 08:00" == minute_words(480)


def test_each_quota_is_covered_in_its_exhausted_state():
    quota = 'quota = "1 GB per day"\nthen = "share 50 until reset"'
    ruleset = rules_of(rule("p", quota), rule("q", quota))
    situation = next(s for s in situations(ruleset, kinds(ruleset, ())) if s.rules)
    assert [frozenset(), {"p"}, {"q"}] == list(situation.exhaustions())
