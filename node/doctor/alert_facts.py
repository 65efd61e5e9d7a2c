"""Whether what the ways out for alerts need is there: their secrets. Nothing is sent."""

from pathlib import Path

from node.alert_ways.secret import read_secret
from node.config import NodeConfig
from node.doctor.symptoms import AlertsSeen
from node.errors import NodeError


def alerts_seen(config: NodeConfig) -> AlertsSeen:
    alerts = config.alerts
    ways = (
        ("mail", alerts.mail_server, alerts.mail_password_file),
        ("matrix", alerts.matrix_server, alerts.matrix_token_file),
        ("webhook", alerts.webhook, alerts.webhook_key_file),
        ("file", alerts.file, None),
    )
    troubles = []
    for _, _, secret in ways:
        try:
            if secret is not None:
                read_secret(Path(secret))
        except NodeError as error:
            troubles.append((error.message, error.fix))
    return AlertsSeen(tuple(way for way, setting, _ in ways if setting is not None), tuple(troubles))
