"""What the doctor sees of the ways out for alerts, in real files."""

from dataclasses import replace
from pathlib import Path

from node.config import parse_config
from node.doctor.alert_facts import alerts_seen
from tests.unit.node.config.test_alert_settings import MINIMAL


def test_secrets_are_looked_at_and_nothing_is_sent(tmp_path: Path) -> None:
    config, _ = parse_config(MINIMAL)
    assert config is not None
    assert ((), ()) == (alerts_seen(config).ways, alerts_seen(config).troubles)
    key = tmp_path / "key"
    key.write_text("s3cret\n")
    key.chmod(0o644)
    alerts = replace(
        config.alerts,
        webhook="http://127.0.0.1:9/",
        webhook_key_file=str(key),
        mail_server="localhost",
        mail_password_file=str(tmp_path / "none"),
        file=str(tmp_path / "alerts.jsonl"),
    )
    seen = alerts_seen(replace(config, alerts=alerts))
    assert ("mail", "webhook", "file") == seen.ways
    assert ["cannot be read", "others can read"] == [
        next(part for part in ("cannot be read", "others can read") if part in message)
        for message, _ in seen.troubles
    ]
    key.chmod(0o600)
    assert 1 == len(alerts_seen(replace(config, alerts=alerts)).troubles)
    assert not (tmp_path / "alerts.jsonl").exists()
