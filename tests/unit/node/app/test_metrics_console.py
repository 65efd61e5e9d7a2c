"""Metrics on the control socket."""

import secrets

from node.app.metrics_console import MetricsCommands
from node.app.metrics_token import MetricsToken
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository


class FakeMetricsAccess:
    """Implements `MetricsAccess`."""

    def __init__(self) -> None:
        self.metrics_token = MetricsToken(FakeArchive(FakeRepository()), FakeClock(), secrets.token_bytes)
        self.fingerprint = lambda: "AB:CD"

    def address(self) -> str:
        return "https://10.0.0.1:2444"


async def test_a_token_is_made_replaced_and_revoked() -> None:
    async def text() -> str:
        return "procomu_clock_known 1\n"

    access = FakeMetricsAccess()
    token, commands = access.metrics_token, MetricsCommands(access, text).all()
    first, second = await commands["metrics-token"]({}), await commands["metrics-token"]({})
    assert (False, True) == (first["replaced"], second["replaced"])
    assert ("https://10.0.0.1:2444/metrics", "AB:CD") == (second["url"], second["fingerprint"])
    assert ["wrong", "right"] == [token.check(each["token"], "").verdict for each in (first, second)]
    assert "procomu_clock_known 1\n" == (await commands["metrics"]({}))["document"]
    assert [True, False] == [(await commands["metrics-revoke"]({}))["revoked"] for _ in range(2)]
