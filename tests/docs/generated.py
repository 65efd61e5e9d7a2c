"""Generates documents from lists in the code: ``python -m tests.docs.generated`` writes them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from node import config
from node.alerts import alert_reference
from node.cli import arguments
from node.export import node_metrics

ROOT = Path(__file__).parents[2]
GENERATED: Mapping[str, Callable[[], str]] = {
    "deploy/node.example.toml": config.example,
    "deploy/SETTINGS.md": config.reference,
    "deploy/COMMANDS.md": arguments.reference,
    "deploy/ALERTS.md": alert_reference.reference,
    "deploy/METRICS.md": node_metrics.reference,
}

if __name__ == "__main__":
    for name, text in GENERATED.items():
        (ROOT / name).write_text(text())
