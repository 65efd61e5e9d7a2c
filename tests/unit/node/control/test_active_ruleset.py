"""Rules are checked when they are adopted; members who join later never take them out of force."""

import pytest

from node.control.active_ruleset import (
    amend,
    consider,
    fingerprint,
    load_active_ruleset,
    new_strains,
    reload_active_ruleset,
    strained,
)
from node.errors import Finding
from node.governance.members import MemberDirectory, make_member_directory
from node.governance.rules import ActiveRuleset
from tests.fakes.rule_files import EXAMPLE, file_with, rule, village


def households(count: int) -> MemberDirectory:
    return make_member_directory(village(count))


def adopted(text: str = EXAMPLE, count: int = 44) -> ActiveRuleset:
    book = load_active_ruleset(text, households(count))
    assert isinstance(book, ActiveRuleset), book
    return book


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("count", "expected"), [(44, set()), (45, {"E12"}), (70, {"E04", "E12"}), (200, {"E04", "E12"})]
)
def test_the_example_stays_in_force_for_any_new_member_and_conflicts_are_reported_with_their_fix(
    count, expected
):
    book = consider(adopted(), EXAMPLE, households(count))
    assert (fingerprint(EXAMPLE), (), "") == (book.fingerprint, book.rejected, book.rejected_fingerprint)
    assert expected == set(codes(book.strained))
    assert all(finding.fix for finding in book.strained)
    assert not any(finding.is_error for finding in book.warnings)


def test_a_resolved_conflict_is_no_longer_reported():
    book = consider(adopted(), EXAMPLE, households(70))
    assert () == consider(book, EXAMPLE, households(44)).strained


def test_a_first_start_needs_rules_that_fit():
    assert "E04" in codes(load_active_ruleset(EXAMPLE, households(70)))  # type: ignore[arg-type]


def test_adopted_rules_are_loaded_again_for_any_members_and_others_are_not():
    book = reload_active_ruleset(EXAMPLE, households(70))
    assert book is not None
    assert {"E04", "E12"} == set(codes(book.strained))
    assert None is reload_active_ruleset("not [[rules", households(1))


@pytest.mark.parametrize("text", ["not [[rules", EXAMPLE.replace("share = 100", "shore = 100"), ""])
def test_an_edit_with_errors_of_its_own_is_refused_and_the_rules_in_force_stay(text):
    for count in (44, 60):
        book = consider(adopted(), text, households(count))
        assert (fingerprint(EXAMPLE), fingerprint(text)) == (book.fingerprint, book.rejected_fingerprint)
        assert book.rejected
        assert all(finding.is_error for finding in book.rejected)
        assert (count == 60) == bool(book.strained)


def test_an_edit_that_would_overcommit_the_uplink_is_refused_while_it_is_not_overcommitted():
    more = EXAMPLE.replace('floor = "4 Mbit/s down', 'floor = "30 Mbit/s down')
    assert ["E04"] == codes(consider(adopted(), more, households(44)).rejected)


def test_where_the_uplink_is_too_slow_rules_may_be_fixed_one_after_another():
    """E04 and E12 are present; a change that fixes one of them is adopted, and one with an error of its own is
    not.
    """
    book = consider(adopted(), EXAMPLE, households(70))
    less = EXAMPLE.replace('expect = "down >= 370 kbit/s"', 'expect = "down >= 256 kbit/s"')
    ruleset, findings = amend(book, less, households(70))
    assert ruleset is not None
    assert "W14" in codes(findings)
    assert any(
        "E04 applies here as it does with the rules in force" in finding.message for finding in findings
    )
    after = consider(book, less, households(70))
    assert len(after.strained) < len(book.strained)
    assert (fingerprint(less), "E04") == (after.fingerprint, after.strained[0].code)
    low = less + rule("slow", 'ceiling = "64 kbit/s down, 32 kbit/s up"')
    assert ["E03"] == [code for code in codes(consider(after, low, households(70)).rejected) if code == "E03"]
    own = less.replace("down >= 256 kbit/s", "down >= 90 Mbit/s")
    assert "E12" in codes(consider(book, own, households(70)).rejected), "this test never holds"


def test_a_new_conflict_is_reported_once_and_not_for_each_new_member():
    book = adopted(file_with(), 70)
    assert ["E04"] == codes(new_strains(book, households(80)))
    assert () == new_strains(strained(book, households(80)), households(81))
    assert () == new_strains(book, households(71))


def test_adopted_rules_stay_in_force_also_where_later_checks_would_refuse_them():
    """An upgraded node may know one more error than the version that adopted them."""
    text = file_with(rule("slow", 'ceiling = "64 kbit/s down, 32 kbit/s up"'))
    assert "E03" in codes(load_active_ruleset(text, households(3)))  # type: ignore[arg-type]
    book = reload_active_ruleset(text, households(3))
    assert book is not None
    after = consider(book, text, households(4))
    assert (fingerprint(text), (), ["E03"]) == (after.fingerprint, after.rejected, codes(after.strained))


def test_an_error_of_rules_that_are_only_observed_lets_no_rule_in_force():
    floor = 'floor = "300 kbit/s down, 110 kbit/s up"'
    observed = file_with(rule("least", f'{floor}\nobserve = true\nexpires = "2027-03-31"'))
    book = consider(adopted(observed, 60), observed, households(70))
    assert ["E04"] == codes(book.strained)
    in_force = file_with(rule("least", floor))
    assert "E04" in codes(consider(book, in_force, households(70)).rejected)
    both = file_with(rule("least", floor), rule("other", f'{floor}\nobserve = true\nexpires = "2027-03-31"'))
    assert "E04" in codes(consider(book, both, households(70)).rejected)
    still = observed + rule("slow", 'ceiling = "5 Mbit/s down, 1 Mbit/s up"')
    assert () == consider(book, still, households(70)).rejected, "it may still be fixed later"
    fewer = consider(strained(adopted(in_force, 60), households(70)), observed, households(70))
    assert (fingerprint(observed), ()) == (fewer.fingerprint, fewer.rejected)
