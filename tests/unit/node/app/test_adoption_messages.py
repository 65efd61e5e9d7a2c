"""What people read about versions of the rules."""

from typing import get_args

import pytest

from node.app.adoption_messages import became
from node.governance.adoption import Reason, VersionState
from node.governance.rule_history import RuleVersion


def text_of(state: VersionState, reason: Reason = "") -> str:
    version = RuleVersion(3, "2026-11-24T12:00", "admin Ana", "f", state, reason, due="2026-12-01T06:00")
    return became(version)


@pytest.mark.parametrize("state", get_args(VersionState))
def test_each_state_but_that_of_replaced_rules_has_a_text(state: VersionState) -> None:
    assert bool(text_of(state)) == (state != "superseded")


def test_the_time_for_which_rules_wait_is_named() -> None:
    assert "2026-12-01 06:00" in text_of("waiting")


def test_different_reasons_have_different_texts() -> None:
    reverted = {
        reason: text_of("reverted", reason)
        for reason in get_args(Reason)
        if reason not in {"", "invalid", "objections"}
    }
    assert len(reverted) == len(set(reverted.values()))
    withdrawn = {text_of("withdrawn", reason) for reason in ("admin", "newer", "invalid", "objections")}
    assert 4 == len(withdrawn)


def test_how_many_objected_is_said() -> None:
    version = RuleVersion(
        3, "2026-11-24T12:00", "admin Ana", "f", "withdrawn", "objections", objections=2, accounts=8
    )
    assert "withdrawn: of 8 members, 2 objected" == became(version)
