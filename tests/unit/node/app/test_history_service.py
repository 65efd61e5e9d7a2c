"""The recorder of one node, with everything that is recorded."""

import logging
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from node.app.history_service import ErrorCount, node_history
from tests.fakes.repository import FakeClock
from tests.unit.node.app.test_history_values import FakeNode, FakePolicy, a_rule


class NoHistory:
    """Nothing is stored."""

    def load(self, _hours: object) -> Mapping[int, Any]:
        return {}

    def store(self, *_all: object) -> None: ...

    def read(self, *_all: object) -> Any: ...


class NodeWithRules(FakeNode):
    """In force is one rule."""

    active_ruleset = SimpleNamespace(own=SimpleNamespace(rules=(a_rule("top"),)))


def recorder(clock: FakeClock, made: datetime | None, refused: Counter[str]) -> Any:
    return node_history(
        NoHistory(),
        clock,
        cast(Any, NodeWithRules(FakePolicy())),
        zone=UTC,
        published={"admitted": 3},
        refused=refused,
        read_sensors=lambda: {"processor": 7},
        last_backup=lambda: made,
        mesh=None,
    )


@pytest.fixture(autouse=True)
def other_handlers_stay() -> Any:
    before = list(logging.getLogger().handlers)
    yield
    logging.getLogger().handlers[:] = before


def test_the_age_of_a_backup_is_told_while_both_times_are_known() -> None:
    clock, refused = FakeClock(), Counter[str]()
    made = clock.civil() - timedelta(days=2)
    assert {"processor": 7, "backup_age": 2 * 86_400} == recorder(clock, made, refused)._read_machine()
    ahead = clock.civil() + timedelta(days=2)
    assert 0 == recorder(clock, ahead, refused)._read_machine()["backup_age"]
    for unknown in (None, made.replace(tzinfo=None)):
        assert {"processor": 7} == recorder(clock, unknown, refused)._read_machine()
    clock.trust = "unknown"
    assert {"processor": 7} == recorder(clock, made, refused)._read_machine()


def test_refusals_are_counted_by_what_was_shown_and_together() -> None:
    refused = Counter({"card": 1})
    kept = recorder(FakeClock(), None, refused)
    refused.update({"voucher": 2, "terms": 1, "card": 1})
    found = dict(kept._each_step(10))
    assert 0 == found["rule_top"]
    assert ["Time in which the rule top limited somebody"] == [str(each.title) for each in kept.series()[-1:]]
    assert (4, 2, 1, 0) == tuple(found[f"refusals{end}"] for end in ("", "_voucher", "_card", "_passphrase"))
    assert 0 == found["admissions"]


def test_errors_are_counted_and_warnings_are_not() -> None:
    log, errors = logging.getLogger("tests.of.errors"), ErrorCount()
    log.addHandler(errors)
    for level in (logging.WARNING, logging.ERROR, logging.CRITICAL):
        log.log(level, "said")
    log.removeHandler(errors)
    assert 2 == errors.count
