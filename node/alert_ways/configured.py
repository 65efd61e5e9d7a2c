"""The ways that the settings name."""

from collections.abc import Callable, Mapping
from pathlib import Path

from node.alert_ways.log_file import AlertFile
from node.alert_ways.matrix import MatrixRoom
from node.alert_ways.webhook import Webhook
from node.alerts.message import AlertMessage
from node.alerts.outbox import WayName
from node.alerts.way import AlertWay
from node.config.model import AlertsSection

Document = Callable[[AlertMessage], Mapping[str, object]]


def configured_ways(alerts: AlertsSection, document: Document) -> Mapping[WayName, AlertWay]:
    """`document`: what programs get of a message."""
    ways: dict[WayName, AlertWay] = {}
    if alerts.mail_to and alerts.mail_server is not None and alerts.mail_from is not None:
        from node.alert_ways.mail import MailRelay, MailWay  # noqa: PLC0415 - smtplib is for those who mail

        ways["mail"] = MailWay(
            MailRelay(
                alerts.mail_server,
                alerts.mail_port,
                alerts.mail_security,
                alerts.mail_from,
                alerts.mail_to,
                alerts.mail_user,
                _path(alerts.mail_password_file),
            )
        )
    if alerts.matrix_server is not None and alerts.matrix_room is not None and alerts.matrix_token_file:
        ways["matrix"] = MatrixRoom(alerts.matrix_server, alerts.matrix_room, Path(alerts.matrix_token_file))
    if alerts.webhook is not None and alerts.webhook_key_file is not None:
        ways["webhook"] = Webhook(alerts.webhook, Path(alerts.webhook_key_file), document)
    if alerts.file is not None:
        ways["file"] = AlertFile(Path(alerts.file), document)
    return ways


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
