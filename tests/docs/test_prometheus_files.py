"""Alerts and the dashboard for nodes: Prometheus' own tool takes them, each alert fires and clears, their metrics exist."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from node.alerts.alert_list import (
    ALERTS,
    BACKUP_OLD_S,
    BATTERY_LOW_PERMILLE,
    CERTIFICATE_ENDS_S,
    DAY_S,
    DISK_LOW_PERMILLE,
    Alert,
)
from node.app.metrics import ACCOUNT_KINDS, ENDS, STATES
from node.app.views import JoinFailure
from node.app.warning_codes import WarningCode
from node.export.exposition import exposition
from node.export.node_metrics import DIRECTIONS, KNOWN, NODE_METRICS, samples_of
from node.export.node_readings import LinkReadings, MeshReadings
from node.units import NodeId
from tests.docs.generated import ROOT
from tests.unit.node.export.test_node_metrics import EVERYTHING

RULES = ROOT / "deploy/prometheus/procomu.rules.yml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/procomu.json").read_text())
METRICS = {each.metric.name: each.metric for each in NODE_METRICS}
VALUES: Mapping[str, set[str]] = {
    "code": set(get_args(WarningCode)),
    "reason": set(get_args(JoinFailure)) | set(ENDS.values()),
    "direction": set(DIRECTIONS),
    "how": set(KNOWN),
    "kind": set(ACCOUNT_KINDS),
    "state": {*STATES.values(), "waiting", "online", "offline"},
}
AT = '{instance="library",job="procomu"}'
COLUMNS = 24
"""Width of a dashboard of Grafana."""
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs promtool (deploy/setup check installs it)"
)


@dataclass(frozen=True)
class AlertCase:
    """Values of series, one a minute, or a step: when the alert fires, and when it is over."""

    series: Mapping[str, str]
    fires_at: str
    cleared_at: str
    step: str = "1m"


def warning(code: str) -> AlertCase:
    return AlertCase({f'procomu_warnings{{code="{code}",{AT[1:]}': "1x120 0x60"}, "110m", "150m")


def low(*series: str) -> AlertCase:
    """Of values for two hours and then for one; the first of several is the one that is low."""
    return AlertCase(dict(each.split(" = ") for each in series), "110m", "150m")


CASES: Mapping[str, AlertCase] = {
    "ProcomuNodeSilent": low(f"up{AT} = 0x120 1x60"),
    "ProcomuLineDead": low(f"procomu_uplink_up{AT} = 0x120 1x60"),
    "ProcomuLineFull": AlertCase({f"procomu_uplink_busy{AT}": "1x300 0x60"}, "290m", "350m"),
    "ProcomuLineQueue": low(f"procomu_uplink_queue_seconds{AT} = 0.2x120 0x60"),
    "ProcomuLineUnmeasured": warning("line_unmeasured"),
    "ProcomuLifelinesNotKept": low(f"procomu_lifelines_kept_ratio{AT} = 0.8x120 1x60"),
    "ProcomuFloorsNotKept": low(f"procomu_floors_kept_ratio{AT} = 0.8x120 1x60"),
    "ProcomuClockUnknown": low(f"procomu_clock_known{AT} = 0x120 1x60"),
    "ProcomuStorageFails": warning("storage"),
    "ProcomuBookingOld": low(f"procomu_booking_age_seconds{AT} = 900x120 30x60"),
    "ProcomuDataLost": warning("data_lost"),
    "ProcomuDiskLow": low(
        f"procomu_disk_free_bytes{AT} = 40x120 400x60", f"procomu_disk_bytes{AT} = 1000x180"
    ),
    "ProcomuDiskFills": AlertCase(
        {f"procomu_disk_free_bytes{AT}": "100000-100x600 40000x900"}, "590m", "1400m"
    ),
    "ProcomuBackupOld": low(
        f"procomu_backup_age_seconds{AT} = 2700000x120 60x60", f"procomu_backup_key{AT} = 1x180"
    ),
    "ProcomuBackupMissing": AlertCase(
        {
            f"procomu_backup_key{AT}": "1x3600",
            f"procomu_clock_known{AT}": "1x3600",
            f"procomu_backup_age_seconds{AT}": "_x3000 60x600",
        },
        "195h",
        "230h",
        "4m",
    ),
    "ProcomuCertificateEnds": low(f"procomu_certificate_end_time_seconds{AT} = 86400x120 8640000x60"),
    "ProcomuKernelRefuses": warning("kernel"),
    "ProcomuPartFails": AlertCase(
        {f'procomu_part_restarts_total{{part="mesh",{AT[1:]}': "0+1x60 60x120"}, "50m", "170m"
    ),
    "ProcomuRulesRejected": warning("rules_rejected"),
    "ProcomuForeignServer": warning("foreign_servers"),
    "ProcomuGuessing": AlertCase(
        {f'procomu_admissions_refused_total{{reason="too-many-guesses",{AT[1:]}': "0+10x60 600x60"},
        "50m",
        "100m",
    ),
    "ProcomuNodesMissing": low(f'procomu_mesh_nodes{{state="offline",{AT[1:]} = 1x120 0x60'),
    "ProcomuLinkPoor": low(f'procomu_mesh_loss_ratio{{node="n",name="hills",{AT[1:]} = 0.2x120 0x60'),
    "ProcomuMemoryLow": low(
        f"procomu_machine_memory_available_bytes{AT} = 1x120 500x60",
        f"procomu_machine_memory_bytes{AT} = 1000x180",
    ),
    "ProcomuHot": low(f"procomu_machine_temperature_celsius{AT} = 90x120 60x60"),
    "ProcomuBatteryLow": low(f"procomu_machine_battery_ratio{AT} = 0.1x120 0.9x60"),
}


def alerts() -> dict[str, str]:
    """Expression by name."""
    pairs = re.findall(r"- alert: (\w+)\n +expr: (.+)", RULES.read_text())
    assert len(pairs) == RULES.read_text().count("alert:")
    return dict(pairs)


def promtool(*words: str, stdin: str | None = None) -> None:
    done = subprocess.run(
        ["promtool", *words], input=stdin, capture_output=True, text=True, check=False, timeout=120
    )
    assert 0 == done.returncode, done.stdout + done.stderr


@needs_promtool
def test_promtool_accepts_the_rules() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


@needs_promtool
def test_promtool_accepts_all_metrics_whatever_a_neighbour_is_called() -> None:
    names = ('"', "\\", "\n", '\\"\n', "{}=,#", "# EOF", "\u2028\x00\x7f", "مرحبا")
    links = tuple(LinkReadings(NodeId(f"{n:052}"[::-1]), name, n, n) for n, name in enumerate(names))
    text = exposition(samples_of(replace(EVERYTHING, mesh=MeshReadings(links))))
    assert len(names) == text.count("procomu_mesh_loss_ratio{")
    promtool("check", "metrics", stdin=text)


@needs_promtool
def test_each_alert_fires_and_clears(tmp_path: Path) -> None:
    """Each alone with its series, because every rule is evaluated at each minute."""
    assert alerts().keys() == CASES.keys()
    head, *rules = re.split(r"(?=^      - alert: )", RULES.read_text(), flags=re.MULTILINE)
    files = []
    for rule in rules:
        name = rule.split()[2]
        alone = tmp_path / f"{name}.rules.yml"
        alone.write_text(head + rule)
        tested = {"rule_files": [str(alone)], "evaluation_interval": "1m", "tests": [promtool_case(name)]}
        files.append(tmp_path / f"{name}.yml")
        files[-1].write_text(json.dumps(tested))  # JSON is YAML
    promtool("test", "rules", *map(str, files))


def promtool_case(name: str) -> dict[str, Any]:
    """That exactly one series of the alert fires, whatever its texts say, and later none."""
    case = CASES[name]
    firing = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    return {
        "interval": case.step,
        "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
        "promql_expr_test": [
            {"expr": firing, "eval_time": case.fires_at, "exp_samples": [{"labels": "{}", "value": 1}]},
            {"expr": firing, "eval_time": case.cleared_at, "exp_samples": []},
        ],
    }


def test_each_alert_says_what_to_do() -> None:
    text = RULES.read_text()
    assert len(alerts()) == text.count("summary: ") == text.count("description: ") == text.count("severity: ")
    assert set(re.findall(r"severity: (\w+)", text)) == {"critical", "warning"}


def named(expression: str) -> set[str]:
    return set(re.findall(r"\bprocomu_[a-z_]+", expression))


def assert_labels_exist(expression: str) -> None:
    """Labels of metrics in selectors, and values of closed lists."""
    for name, selector in re.findall(r"(procomu_[a-z_]+)\{([^}]*)\}", expression):
        for label, operator, value in re.findall(r'(\w+)(=~|!=|!~|=)"([^"]*)"', selector):
            if label in {"instance", "job"}:
                continue
            assert label in METRICS[name].labels, f"{name} has no label {label}"
            if operator in {"=", "!="} and label in VALUES:
                assert value in VALUES[label], f"{value} is no {label}"


@pytest.mark.parametrize("name", CASES)
def test_alerts_name_metrics_that_exist(name: str) -> None:
    expression = alerts()[name]
    assert named(expression) <= METRICS.keys()
    assert_labels_exist(expression)


# --- the dashboard ---


def panels() -> list[dict[str, Any]]:
    return [each for each in DASHBOARD["panels"] if each["type"] != "row"]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def test_the_dashboard_has_what_grafana_needs() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time", "tags"} <= DASHBOARD.keys()
    assert DASHBOARD["id"] is None, "Grafana gives it one"
    assert DASHBOARD["schemaVersion"] >= 36
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert {"datasource", "instance"} == {each["name"] for each in DASHBOARD["templating"]["list"]}
    for panel in panels():
        assert panel["title"]
        assert panel["description"]
        assert panel["type"] in {"timeseries", "stat", "table"}
        assert {"type": "prometheus", "uid": "${datasource}"} == panel["datasource"]
        references = [target["refId"] for target in panel["targets"]]
        assert references
        assert len(set(references)) == len(references)
        assert panel["fieldConfig"]["defaults"]["unit"]


def test_no_panel_covers_another_one() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} covers {taken[x, y]}"
                taken[x, y] = panel["title"]


def test_the_dashboard_names_metrics_that_exist() -> None:
    for expression in expressions():
        assert named(expression)
        assert named(expression) <= METRICS.keys(), expression
        assert_labels_exist(expression)
        assert '{instance=~"$instance"' in expression
    for counter in (each for each in METRICS if each.endswith("_total")):
        assert not any(re.search(rf"(?<!\()\b{counter}\b", each) for each in expressions()), counter


@needs_promtool
def test_prometheus_can_read_each_expression(tmp_path: Path) -> None:
    rules = [
        {
            "record": f"panel:{number}",
            "expr": each.replace("$__rate_interval", "5m").replace("$__range", "1h"),
        }
        for number, each in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", str(file))


@pytest.mark.parametrize("alert", [each for each in ALERTS if each.rule], ids=lambda each: each.name)
def test_the_node_itself_tells_the_same_at_the_same_time(alert: Alert) -> None:
    """Duration and urgency; thresholds are in the expression."""
    text = RULES.read_text()
    rule = text.partition(f"- alert: {alert.rule}\n")[2].partition("- alert:")[0]
    minutes = {"m": 1, "h": 60}
    wait = re.search(r"for: (\d+)([mh])\n", rule)
    assert wait is not None, alert.rule
    assert alert.raise_after == int(wait[1]) * minutes[wait[2]] * 60_000
    assert ("severity: critical" in rule) == alert.is_urgent


def test_thresholds_are_those_of_the_node() -> None:
    text = RULES.read_text()
    for expression in (
        f"procomu_disk_free_bytes / procomu_disk_bytes < {DISK_LOW_PERMILLE / 1_000:g}",
        f"procomu_machine_battery_ratio < {BATTERY_LOW_PERMILLE / 1_000:g}",
        f"procomu_backup_age_seconds > {BACKUP_OLD_S // DAY_S} * 86400",
        f"procomu_certificate_end_time_seconds - time() < {CERTIFICATE_ENDS_S // DAY_S} * 86400",
    ):
        assert expression in text
