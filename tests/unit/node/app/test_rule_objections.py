"""Objections as the adoption of rules counts and stores them."""

import pytest

from node.app.rule_objections import ObjectionCount, ObjectionCounter
from node.governance.rule_history import RuleVersion
from node.units import AccountId
from tests.fakes.use_cases import AppFixture

WAITING = RuleVersion(4, "2026-11-24T12:00", "admin Ana", "f4", "waiting")
ANA, CARME, GONE = (AccountId(name) for name in ("ana", "carme", "gone"))


@pytest.mark.parametrize(
    ("objections", "accounts", "is_enough"), [(1, 1, False), (2, 10, True), (2, 11, False), (3, 11, True)]
)
def test_a_fifth_is_enough(objections: int, accounts: int, is_enough: bool) -> None:
    assert is_enough == ObjectionCount(objections, accounts).is_enough


async def test_only_members_count_and_everybody_who_wrote_is_read() -> None:
    async with AppFixture().life() as app:
        counter = ObjectionCounter(app.loop)
        for account, text in ((CARME, "b"), (ANA, "a"), (GONE, "")):
            assert "done" == await counter.object(account, WAITING, text)
        assert (ObjectionCount(2, 2), ("a", "b")) == (counter.count(WAITING), counter.texts(WAITING))
        assert "done" == await counter.take_back(ANA, WAITING)
        assert ObjectionCount(1, 2) == counter.count(WAITING)
        assert (ObjectionCount(0, 2), ()) == (counter.count(None), counter.texts(None))
        counter.forget_over([WAITING], "2026-11-24")
        assert ObjectionCount(1, 2) == counter.count(WAITING)
        counter.forget_over([], "2026-11-24")
        assert () == app.loop.registry.rule_objections.all()


async def test_objections_to_a_draft_count_for_the_version_that_it_became_and_each_account_once() -> None:
    draft = RuleVersion(4, "2026-11-24T12:00", "admin Ana", "f4", "superseded", is_draft=True, decided_as=6)
    other = RuleVersion(5, "2026-11-24T12:00", "admin Ana", "f5", "draft", is_draft=True)
    decided = RuleVersion(6, "2026-11-25T12:00", "admin Ana", "f6", "waiting", draft=4)
    async with AppFixture().life() as app:
        counter = ObjectionCounter(app.loop, {4: draft, 5: other}.get)
        for account, version, text in ((ANA, draft, "a"), (CARME, other, "c"), (ANA, decided, "A!")):
            assert "done" == await counter.object(account, version, text)
        assert (1, 1) == (counter.count(decided).objections, counter.count(other).objections)
        assert ("A!",) == counter.texts(decided), "what they wrote last"
        counter.forget_over([draft, other, decided], "2026-11-25")
        assert 3 == len(app.loop.registry.rule_objections.all())
        assert "done" == await counter.take_back(ANA, decided)
        assert 0 == counter.count(decided).objections, "also what was carried over"
        assert 1 == counter.count(other).objections
