"""Queries and commands of the control socket about metrics for other programs."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from node.app.metrics_token import MetricsToken
from node.console import Answer


class MetricsAccess(Protocol):
    """The token, and where it is sent: `node.app.admin.AdminService`."""

    metrics_token: MetricsToken
    fingerprint: Callable[[], str]
    """Of a self-signed certificate; an empty text without one."""

    def address(self) -> str:
        """URL of the admin pages, without a path."""


class MetricsCommands:
    """`text` returns all metrics."""

    def __init__(self, access: MetricsAccess, text: Callable[[], Awaitable[str]]) -> None:
        self._access, self._token, self._text = access, access.metrics_token, text

    def all(self) -> Mapping[str, Answer]:
        return {"metrics": self.metrics, "metrics-token": self.make, "metrics-revoke": self.revoke}

    async def metrics(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        return {"document": await self._text()}

    async def make(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """The token is in this response only."""
        had_one = self._token.state.exists
        return {
            "token": await self._token.make(),
            "url": f"{self._access.address()}/metrics",
            "fingerprint": self._access.fingerprint(),
            "replaced": had_one,
        }

    async def revoke(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        return {"revoked": await self._token.revoke()}
