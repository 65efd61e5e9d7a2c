"""How results of the virtual machine are judged, stored and shown."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vm.record import (
    CIRCUMSTANCES,
    PARTS,
    circumstances,
    read_record,
    result,
    rows,
    store,
    unmet,
)

GOOD: dict[str, dict[str, float]] = {
    "kernel": {"passed": 200, "failed": 0, "repeated": 1, "skipped": 3, "left_out": 9},
    "demo": {"weighted_jain": 0.9991, "uplink_use_percent": 98.5},
    "latency": {
        "own_added_ms_p50": 4.2,
        "own_added_ms_p95": 12.0,
        "own_lost": 0,
        "other_added_ms_p95": 3.1,
        "use_percent": 99.0,
        "memory_mb_1000_shaped": 1_100.5,
    },
    "wifi": {
        "associated_s": 1.2,
        "captured": 1,
        "online": 1,
        "fq_codel_own_added_ms_p95": 12.0,
        "fq_codel_other_added_ms_p95": 4.5,
        "fifo_own_added_ms_p95": 900.0,
        "fifo_other_added_ms_p95": 300.0,
        "came_back": 1,
        "access_point_restarted": 1,
    },
    "mesh": {
        "ieee80211s_found_s": 5.0,
        "ieee80211s_agreed_s": 1.0,
        "batman_found_s": 6.0,
        "batman_agreed_s": 2.0,
    },
    "power": {
        "cuts": 50,
        "not_back": 0,
        "corrupt": 0,
        "people": 60,
        "signed_in_again": 0,
        "addresses_twice": 0,
        "lost_s_max": 31.0,
        "back_s_p50": 44.0,
        "transferred_mb": 80,
    },
    "image": {
        "amd64_mb": 500,
        "amd64_online_s": 90.0,
        "amd64_disk_used_percent": 92,
        "arm64_mb": 510,
        "arm64_online_s": 120.0,
        "arm64_disk_used_percent": 92,
    },
}


def made(part: str, **other: Any) -> dict[str, Any]:
    return result(
        part,
        {**GOOD[part], **other},
        date="2026-11-29",
        commit="abc1234",
        linux="6.12.1-amd64",
        accelerator="tcg",
        load=0.5,
        seconds=119,
    )


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_figures_with_targets(part: str) -> None:
    assert any(figure.met for figure in PARTS[part])
    assert all(bool(figure.met) == bool(figure.wanted) for figure in PARTS[part])
    assert GOOD[part].keys() == {figure.key for figure in PARTS[part]}


def test_a_figure_beyond_its_target_is_named_with_it() -> None:
    assert [] == unmet("demo", GOOD["demo"])
    assert ["weighted_jain is 0.97 (wanted: ≥ 0.98)"] == unmet(
        "demo", {**GOOD["demo"], "weighted_jain": 0.97}
    )
    assert ["memory_mb_1000_shaped is 1100.5 (wanted: ≤ 160)"] == unmet("latency", GOOD["latency"])


def test_a_figure_that_is_missing_is_not_met_even_without_a_target() -> None:
    figures = {**GOOD["kernel"], "skipped": None}
    assert ["skipped was not taken"] == unmet("kernel", figures)
    assert made("kernel", failed=None)["ok"] is False


def test_a_part_without_any_test_that_passed_has_not_passed() -> None:
    assert made("kernel", passed=0)["ok"] is False


def test_the_result_of_one_part_leaves_those_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    store("latency", made("latency"), file)
    store("kernel", made("kernel"), file)
    store("kernel", made("kernel", passed=201), file)
    record = read_record(file.read_text())
    assert ["kernel", "latency"] == list(record)
    assert 201 == record["kernel"]["figures"]["passed"]
    assert [file] == list(tmp_path.iterdir())


def test_results_with_figures_of_an_earlier_version_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    old = {**made("latency"), "figures": {"own_lost": 0}}
    file.write_text(json.dumps({"kernel": {}, "latency": old, "radio": {}}))
    store("demo", made("demo"), file)
    assert {"demo": made("demo")} == read_record(file.read_text())


def test_what_another_part_printed_beside_is_not_stored() -> None:
    assert list(GOOD["demo"]) == list(made("demo", admit_ms_p50=300)["figures"])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"commit": 7}, "commit is no str"),
        ({"ok": 1}, "ok is no bool"),
        ({"ok": False}, "ok says something else"),
        ({"figures": {}}, "other figures"),
        ({"figures": {**GOOD["demo"], "weighted_jain": "fair"}}, "no number"),
        ({"figures": {**GOOD["demo"], "weighted_jain": True}}, "no number"),
        ({"figures": None}, "other figures"),
        ({"host": "x"}, "other keys"),
        ({"load": "high"}, "load is no float"),
        ({"date": None, "not_taken": {"date": "lost"}}, "date is no str"),
        ({"load": None}, "not_taken has other keys than what is missing: load"),
        ({"load": None, "not_taken": {"load": ""}}, "no text"),
        ({"not_taken": {"weighted_jain": "broken"}}, "not_taken has other keys"),
        ({"not_taken": None}, "not_taken has other keys"),
    ],
)
def test_a_record_of_another_shape_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_record(json.dumps({"demo": {**made("demo"), **change}}))


@pytest.mark.parametrize("text", ["", "[]", '{"radio": {}}', '{"demo": []}', '{"demo": {}}'])
def test_other_documents_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"the parts are|other keys|Expecting value"):
        read_record(text)


def test_the_rows_show_each_figure_with_its_unit_and_target() -> None:
    record = {"latency": made("latency", own_added_ms_p95=None)}
    shown = rows(record)
    assert len(PARTS["latency"]) == len(shown)
    assert shown[0].endswith("| 4.2 ms | ≤ 10 |")
    assert shown[1].endswith("| not taken | ≤ 30 |")
    assert shown[-1].endswith("| 1,100.5 MB | ≤ 160 |")


def test_the_circumstances_say_what_was_tested_where() -> None:
    record = {"demo": made("demo"), "kernel": {**made("kernel"), "accelerator": "kvm", "seconds": 5}}
    assert [
        "- `demo`: 2026-11-29, commit abc1234, Linux 6.12.1-amd64, 119 seconds, emulated, beside a load of 0.5",
        "- `kernel`: 2026-11-29, commit abc1234, Linux 6.12.1-amd64, 5 seconds, with KVM, beside a load of 0.5",
    ] == circumstances(record)
    assert [*CIRCUMSTANCES, "figures", "not_taken"] == list(record["demo"])


def test_what_was_not_taken_is_stored_and_said_with_its_reason() -> None:
    late = made("mesh", batman_found_s=None, batman_found_s_reason="not within 15 s")
    assert {"batman_found_s": "not within 15 s"} == late["not_taken"]
    assert {"own_lost": "no reason given"} == made("latency", own_lost=None)["not_taken"]
    reasons = {"load": "read by hand", "seconds": "read by hand"}
    by_hand = {**made("demo"), "load": None, "seconds": None, "not_taken": reasons}
    record = read_record(json.dumps({"demo": by_hand, "mesh": late}))
    assert [
        "- `demo`: 2026-11-29, commit abc1234, Linux 6.12.1-amd64, emulated",
        "- `load` of `demo` was not taken: read by hand",
        "- `seconds` of `demo` was not taken: read by hand",
        "- `mesh`: 2026-11-29, commit abc1234, Linux 6.12.1-amd64, 119 seconds, emulated, beside a load of 0.5",
        "- `batman_found_s` of `mesh` was not taken: not within 15 s",
    ] == circumstances(record)
