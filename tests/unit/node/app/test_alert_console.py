"""Alerts on the control socket."""

import pytest

from node.alerts.alert_list import ALERTS
from node.alerts.readings import AlertReadings
from node.app.alert_console import AlertCommands
from node.errors import NodeError
from tests.fakes.alert_ways import AlertNode, watch


async def test_the_list_says_what_is_raised_what_there_is_and_how_sending_goes() -> None:
    node = AlertNode("mail")
    node.readings = AlertReadings(line_answers=False)
    service = node.service()
    await watch(service, 330)
    answer = AlertCommands(service).list({})
    (raised,) = answer["raised"]
    assert ("line_dead", True, "") == (raised["name"], raised["urgent"], raised["node"])
    assert [each.name for each in ALERTS] == [each["name"] for each in answer["known"]]
    assert [{"name": "mail", "waiting": 1, "left_out": 0, "trouble": ""}] == answer["ways"]


async def test_a_test_goes_out_by_the_way_that_is_named() -> None:
    node = AlertNode("mail")
    commands = AlertCommands(node.service()).all()
    assert {"way": "mail"} == await commands["alerts-test"]({"way": "mail"})
    for way in (None, "", "m" * 10_000, ["mail"], 7):
        with pytest.raises(NodeError, match="not sent by"):
            await commands["alerts-test"]({"way": way})
    assert 1 == len(node.ways["mail"].arrived)
