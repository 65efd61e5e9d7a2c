"""A way out for messages."""

from typing import Protocol

from node.alerts.message import AlertMessage


class AlertWay(Protocol):
    """One of mail, Matrix, a webhook or a file."""

    async def send(self, message: AlertMessage) -> None:
        """Returns when the message has arrived. Ends by itself within SEND_S; raises NodeError with what went wrong. May be
        called again with the same message."""


SEND_S = 60.0
"""The longest that a way can take; each has shorter limits of its own."""
