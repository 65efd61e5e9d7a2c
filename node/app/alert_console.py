"""Query and command of the control socket about alerts."""

from collections.abc import Mapping
from typing import Any

from node.alerts.alert_list import ALERTS
from node.app.alert_service import AlertService
from node.console import Answer

WAY_CHARS_MAX = 40


class AlertCommands:
    """Each method answers one question."""

    def __init__(self, alerts: AlertService) -> None:
        self._alerts = alerts

    def all(self) -> Mapping[str, Answer]:
        return {"alerts": self.list, "alerts-test": self.test}

    def list(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """Alerts that are raised, the list of all, and the ways out."""
        raised = [
            {
                "name": each.alert.name,
                "node": each.node,
                "title": str(each.title),
                "fix": str(each.alert.fix),
                "urgent": each.alert.is_urgent,
                "since": each.since,
            }
            for each in self._alerts.raised()
        ]
        known = [
            {
                "name": each.name,
                "title": str(each.title),
                "urgent": each.is_urgent,
                "raise_after_s": each.raise_after // 1_000,
                "clear_after_s": each.clear_after // 1_000,
            }
            for each in ALERTS
        ]
        ways = [
            {"name": way, "waiting": waiting, "left_out": left_out, "trouble": trouble}
            for way, (waiting, left_out, trouble) in self._alerts.waiting().items()
        ]
        return {"raised": raised, "known": known, "ways": ways}

    async def test(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Sends a test message. Raises NodeError with what happened."""
        way = str(question.get("way") or "")[:WAY_CHARS_MAX]
        await self._alerts.test(way)
        return {"way": way}
