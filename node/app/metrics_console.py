"""Queries and commands of the control socket about metrics for other programs."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from node.app.metrics_token import MetricsToken
from node.console import Answer


class MetricsCommands:
    """`text` returns all metrics; `address` the URL of the admin pages, without a path; `fingerprint` that of their
    self-signed certificate, or an empty text."""

    def __init__(
        self,
        token: MetricsToken,
        text: Callable[[], Awaitable[str]],
        address: Callable[[], str],
        fingerprint: Callable[[], str],
    ) -> None:
        self._token, self._text = token, text
        self._address, self._fingerprint = address, fingerprint

    def all(self) -> Mapping[str, Answer]:
        return {"metrics": self.metrics, "metrics-token": self.make, "metrics-revoke": self.revoke}

    async def metrics(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        return {"document": await self._text()}

    async def make(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """The token is in this response only."""
        had_one = self._token.state.exists
        return {
            "token": await self._token.make(),
            "url": f"{self._address()}/metrics",
            "fingerprint": self._fingerprint(),
            "replaced": had_one,
        }

    async def revoke(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        return {"revoked": await self._token.revoke()}
