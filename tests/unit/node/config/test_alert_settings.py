"""The settings of [alerts], read together."""

import pytest

from node.config import SETTINGS, parse_config
from node.config.alert_settings import ALERT_SETTINGS

MINIMAL = """
[node]
name = "library"
[community]
name = "Vall"
[lan]
interface = "lan0"
[uplink]
interface = "up0"
"""
WHOLE = """
[alerts]
digest = "07:30"
mail_to = ["ana@vall.example"]
mail_from = "node@vall.example"
mail_server = "smtp.vall.example"
mail_user = "node"
mail_password_file = "/etc/procomu/mail.secret"
matrix_server = "https://matrix.vall.example"
matrix_room = "!abc:vall.example"
matrix_token_file = "/etc/procomu/matrix.secret"
webhook = "https://alerts.vall.example/"
webhook_key_file = "/etc/procomu/webhook.secret"
file = "/var/lib/procomu/alerts.jsonl"
"""


def test_nothing_is_sent_unless_it_is_set() -> None:
    config, _ = parse_config(MINIMAL)
    assert config is not None
    alerts = config.alerts
    assert (480, (), None, None, None, None) == (
        alerts.digest,
        alerts.mail_to,
        alerts.mail_server,
        alerts.matrix_server,
        alerts.webhook,
        alerts.file,
    )


def test_all_of_them_together_are_fine() -> None:
    config, findings = parse_config(MINIMAL + WHOLE)
    assert config is not None, findings
    assert (450, "starttls", 587) == (
        config.alerts.digest,
        config.alerts.mail_security,
        config.alerts.mail_port,
    )


@pytest.mark.parametrize(
    "left_out",
    [
        "mail_from",
        "mail_server",
        "mail_to",
        "mail_user",
        "mail_password_file",
        "matrix_server",
        "matrix_room",
        "matrix_token_file",
        "webhook_key_file",
    ],
)
def test_what_belongs_together_is_asked_for(left_out: str) -> None:
    lines = [line for line in WHOLE.splitlines() if not line.startswith(f"{left_out} ")]
    config, findings = parse_config(MINIMAL + "\n".join(lines))
    assert config is None
    assert any(f"without alerts.{left_out}" in finding.message for finding in findings)
    assert all(finding.line for finding in findings)


def test_a_password_without_encryption_is_refused() -> None:
    config, (finding,) = parse_config(MINIMAL + WHOLE + 'mail_security = "none"\n')
    assert config is None
    assert "without encryption" in finding.message


def test_they_are_settings_like_all_others() -> None:
    assert set(ALERT_SETTINGS) <= set(SETTINGS)
    assert {"alerts"} == {each.section for each in ALERT_SETTINGS}
