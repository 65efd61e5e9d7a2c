"""Real Prometheus collects a real node's metrics by https, with the token that the node made."""

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from node.export.node_metrics import NODE_METRICS
from tests.docs.generated import ROOT
from tests.lab import eventually

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(
        shutil.which("prometheus") is None, reason="needs prometheus (deploy/setup check installs it)"
    ),
]
PORT, API = 2444, "127.0.0.1:9090"
ADMIN = f"""
[admin]
lan = true
https_port = {PORT}
"""
PATIENCE_S = 60


@pytest.fixture
def square(place):
    settings = place.square.settings
    place.square.furnish(settings.nodes, settings.community_key_file, more=ADMIN)
    place.square.start()
    return place.square


class RealPrometheus:
    """Prometheus on a computer of the LAN, with the settings of the handbook."""

    def __init__(self, place, folder: Path, target: str, certificate: str, token: str) -> None:
        self.place, self.token_file = place, folder / "procomu.token"
        self.token_file.write_text(token)
        (folder / "procomu.crt").write_text(certificate)
        shutil.copy(ROOT / "deploy/prometheus/procomu.rules.yml", folder)
        settings = folder / "prometheus.yml"
        settings.write_text("global: {scrape_interval: 1s, evaluation_interval: 1s}\n" + of_handbook(target))
        subprocess.run(["promtool", "check", "config", str(settings)], check=True, capture_output=True)
        self.program = place.start(
            "prometheus",
            f"--config.file={settings}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
            f"--web.listen-address={API}",
        )

    def value(self, expression: str) -> float | None:
        """Of the only series that the query finds; None without one."""
        found = self._ask(f"/api/v1/query?query={quote(expression)}")
        results = found["data"]["result"] if found else []
        return float(results[0]["value"][1]) if len(results) == 1 else None

    def error(self) -> str:
        found = self._ask("/api/v1/targets")
        (target,) = found["data"]["activeTargets"] if found else [{"lastError": ""}]
        return str(target["lastError"])

    def _ask(self, path: str) -> dict[str, Any] | None:
        with self.place.entered():
            try:
                with socket.create_connection(("127.0.0.1", 9090), timeout=5) as asked:
                    asked.sendall(f"GET {path} HTTP/1.0\r\nHost: {API}\r\n\r\n".encode())
                    answer = b"".join(iter(lambda: asked.recv(65_536), b""))
            except OSError:
                return None
        head, _, body = answer.partition(b"\r\n\r\n")
        return json.loads(body) if b" 200 " in head[:20] else None


def of_handbook(target: str) -> str:
    """The lines for prometheus.yml that the handbook has, for this node."""
    text = (ROOT / "deploy/HANDBOOK.md").read_text()
    found = re.search(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert found is not None
    assert found[1].count("10.77.0.1:2444") == 1
    return found[1].replace("10.77.0.1:2444", target)


def certificate_of(square) -> str:
    """What the handbook says to copy: the first part of the file, without the key."""
    (found,) = square.folder.rglob("admin-certificate.pem")
    end = "-----END CERTIFICATE-----"
    return found.read_text().partition(end)[0] + end + "\n"


def test_prometheus_collects_a_node_with_its_token_and_without_it_nothing(square, comes, tmp_path):
    computer = comes("phone")
    made = square.told("metrics", "token")
    assert made["url"] == f"https://{square.site.lan_v4}:{PORT}/metrics"
    target = f"{square.site.lan_v4}:{PORT}"
    assert eventually(lambda: list(square.folder.rglob("admin-certificate.pem")), 10)
    prometheus = RealPrometheus(computer.place, tmp_path, target, certificate_of(square), made["token"])
    up = f'up{{job="procomu",instance="{target}"}}'
    assert eventually(lambda: prometheus.value(up) == 1, PATIENCE_S), prometheus.program.output()[-2000:]
    assert prometheus.value("procomu_clock_known") is not None
    assert prometheus.value("procomu_people_bytes_total{direction='down'}") is not None
    assert eventually(lambda: prometheus.value("procomu_booking_age_seconds") is not None, PATIENCE_S)

    # The same numbers without Prometheus.
    exported = square.cli("export", "prometheus").stdout
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=exported, capture_output=True, text=True, check=False
    )
    assert (0, "") == (checked.returncode, checked.stdout + checked.stderr)
    assert exported.count("# TYPE ") <= len(NODE_METRICS)

    # With an old token there is nothing, and with the new one there is again, without waiting.
    token = square.told("metrics", "token")["token"]
    assert eventually(lambda: prometheus.value(up) == 0, PATIENCE_S)
    assert "401" in prometheus.error()
    silent = 'ALERTS{alertname="ProcomuNodeSilent"}'
    assert eventually(lambda: prometheus.value(silent) == 1, PATIENCE_S)
    prometheus.token_file.write_text(token)
    assert eventually(lambda: prometheus.value(up) == 1, PATIENCE_S)
    assert eventually(lambda: prometheus.value(silent) is None, PATIENCE_S)
    assert square.told("metrics", "revoke")["revoked"]
    assert eventually(lambda: "404" in prometheus.error(), PATIENCE_S)
