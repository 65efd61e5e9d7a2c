"""The history of one node: its recorder, with everything that is recorded."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo

from node.app.history_recorder import HistoryArchive, HistoryRecorder
from node.app.history_values import CountedEvents, HistoryValues, MeshView, limits_use
from node.control.ports import Clock
from node.control.reconciler import Reconciler
from node.governance.rules import Rule
from node.history.series import rule_series


class ErrorCount(logging.Handler):
    """How many errors were logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.count = 0

    def emit(self, _record: logging.LogRecord) -> None:
        self.count += 1


def node_history(
    archive: HistoryArchive,
    clock: Clock,
    reconciler: Reconciler,
    *,
    zone: tzinfo,
    published: Mapping[str, int],
    refused: Mapping[str, int],
    read_sensors: Callable[[], Mapping[str, int]],
    last_backup: Callable[[], datetime | None],
    mesh: MeshView | None,
) -> HistoryRecorder:
    """`published`: events so far by name; `refused`: refused attempts to join so far, by way. `read_sensors` and
    `last_backup` block."""
    errors = ErrorCount()
    logging.getLogger().addHandler(errors)

    def counts() -> Mapping[str, int]:
        by_way = {f"refusals_{way}": refused.get(way, 0) for way in ("voucher", "card", "passphrase")}
        total = sum(refused.values())
        return {
            "admissions": published.get("admitted", 0),
            "errors": errors.count,
            "refusals": total,
        } | by_way

    def read_machine() -> Mapping[str, int]:
        made, now = last_backup(), clock.civil()
        is_known = made is not None and made.tzinfo is not None and clock.state() != "unknown"
        age = {"backup_age": max(0, int((now - made).total_seconds()))} if made and is_known else {}
        return {**read_sensors(), **age}

    def rules() -> tuple[Rule, ...]:
        return tuple(filter(limits_use, reconciler.active_ruleset.own.rules))

    values = HistoryValues(reconciler, CountedEvents(counts), now=clock.monotonic, mesh=mesh, rules=rules)
    return HistoryRecorder(
        archive,
        clock,
        zone=zone,
        each_second=values.each_second,
        each_step=values.each_step,
        read_machine=read_machine,
        rules=lambda: rule_series([each.id for each in rules()]),
    )
