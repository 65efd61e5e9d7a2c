"""A preview of proposed rules, or why there is none."""

from collections.abc import Iterator

import pytest

from node.app.rule_preview import preview
from node.errors import StorageTrouble
from node.governance.members import NO_MEMBERS
from node.governance.replay import Interval
from tests.unit.node.governance.test_replay import HEAD, HOMES, ceiling, hour, ruleset

GUESTS = [f"guest-{home}" for home in HOMES]


def unreadable() -> Iterator[Interval]:
    raise StorageTrouble("the database cannot be read", "run it as root")
    yield


def test_it_says_what_the_second_rules_would_have_changed() -> None:
    rulesets = ruleset(), ruleset(ceiling(1, '"tier:guest"'))
    found, classes = preview(
        lambda: iter(hour(dict.fromkeys(GUESTS, 2))), rulesets, NO_MEMBERS, "library", told={}
    )
    assert dict.fromkeys(GUESTS, 0) == classes
    assert found.replay is not None
    assert 8 == found.replay.low.affected
    assert (True, "", "") == (bool(found.sentences), found.reason, found.fix)


def test_without_anything_to_replay_it_says_why_and_what_to_do() -> None:
    off, classes = preview(lambda: iter(()), (ruleset(), ruleset()), NO_MEMBERS, "library", told={})
    assert {} == classes
    assert (None, (), "Nothing is kept to preview rules with.") == (off.replay, off.sentences, off.reason)
    assert off.fix.startswith("Let the community decide")
    on = ruleset(head=HEAD + '[preview]\nby = "D-1"\n')
    few, _ = preview(lambda: iter(()), (on, on), NO_MEMBERS, "library", told={})
    assert few.reason.startswith("Fewer than 5 accounts were active")
    with pytest.raises(StorageTrouble):
        preview(unreadable, (on, on), NO_MEMBERS, "library", told={})
