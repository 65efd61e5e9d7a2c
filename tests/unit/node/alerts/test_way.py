"""The limit of time of a way."""

from node.alert_ways.http_request import REQUEST_S
from node.alert_ways.mail import STEP_S
from node.alerts.way import SEND_S


def test_the_limits_of_the_ways_themselves_are_shorter() -> None:
    assert max(REQUEST_S, STEP_S) < SEND_S
