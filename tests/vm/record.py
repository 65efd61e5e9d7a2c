"""The last result of each part of ``deploy/lab``: its figures with their targets, how they are stored in
``deploy/lab.json``, and the rows of the table in the benchmarks."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.internet import ROOT

FILE = ROOT / "deploy" / "lab.json"
FEATURES = ("fq_codel", "cake", "flowtable")
"""What Debian's kernel has beyond what the node needs; the tests run with all of it."""


@dataclass(frozen=True, slots=True)
class LabFigure:
    """A figure of a part. `met` is its target, which `wanted` says; None for a figure without one."""

    key: str
    says: str
    unit: str = ""
    wanted: str = ""
    met: Callable[[float], bool] | None = None


def at_least(bound: float) -> Callable[[float], bool]:
    return lambda value: value >= bound


def at_most(bound: float) -> Callable[[float], bool]:
    return lambda value: value <= bound


PARTS: Mapping[str, tuple[LabFigure, ...]] = {
    "kernel": (
        LabFigure("passed", "tests on real packets that passed", "", "≥ 1", at_least(1)),
        LabFigure("failed", "that failed", "", "≤ 0", at_most(0)),
        LabFigure("repeated", "that passed only the second time, with nothing beside them"),
        LabFigure("skipped", "that this machine skips"),
        LabFigure("left_out", "left out, because they measure time"),
    ),
    "demo": (
        LabFigure("weighted_jain", "the demonstration: fairness by weight", "", "≥ 0.98", at_least(0.98)),
        LabFigure("uplink_use_percent", "of what is shared in use", "%", "≥ 97", at_least(97)),
    ),
    "latency": (
        LabFigure(
            "own_added_ms_p50",
            "4 Mbit/s, 8 downloads of one device: delay added to its own calls, median",
            "ms",
            "≤ 10",
            at_most(10),
        ),
        LabFigure("own_added_ms_p95", "the same, 95 of 100", "ms", "≤ 30", at_most(30)),
        LabFigure("own_lost", "packets of its calls that were lost", "", "≤ 0", at_most(0)),
        LabFigure("other_added_ms_p95", "added to another device, 95 of 100", "ms"),
        LabFigure("use_percent", "of what is shared in use meanwhile", "%"),
        LabFigure(
            "memory_mb_1000_shaped",
            "memory of the node and the kernel for 1,000 accounts with queues of their own",
            "MB",
            "≤ 160",
            at_most(160),
        ),
    ),
}
CIRCUMSTANCES = {
    "date": str,
    "commit": str,
    "linux": str,
    "accelerator": str,
    "load": float,
    "seconds": int,
    "ok": bool,
}
"""Of each part's result, beside its figures; `load` is the machine's load average before it, which is other work."""


def unmet(part: str, figures: Mapping[str, Any]) -> list[str]:
    """Sentences for the targets that were not met, and for figures that are missing."""
    found = []
    for figure in PARTS[part]:
        value = figures.get(figure.key)
        if value is None:
            found.append(f"{figure.key} was not measured")
        elif figure.met is not None and not figure.met(value):
            found.append(f"{figure.key} is {value} (wanted: {figure.wanted})")
    return found


def read_record(text: str) -> dict[str, dict[str, Any]]:
    """The stored results by part. Raises ValueError with what is wrong."""
    document = json.loads(text)
    if not isinstance(document, dict) or not document.keys() <= PARTS.keys():
        raise ValueError(f"the parts are {', '.join(PARTS)}")
    for part, result in document.items():
        _check(part, result)
    return document


def _check(part: str, result: Any) -> None:
    keys = [figure.key for figure in PARTS[part]]
    if not isinstance(result, dict) or list(result) != [*CIRCUMSTANCES, "figures"]:
        raise ValueError(f"{part} has other keys than {', '.join(CIRCUMSTANCES)}, figures")
    for key, kind in CIRCUMSTANCES.items():
        if type(result[key]) is not kind:
            raise ValueError(f"{part}: {key} is no {kind.__name__}")
    figures = result["figures"]
    if not isinstance(figures, dict) or list(figures) != keys:
        raise ValueError(f"{part} has other figures than {', '.join(keys)}")
    if not all(value is None or type(value) in {int, float} for value in figures.values()):
        raise ValueError(f"{part} has a figure that is no number")
    if result["ok"] != (not unmet(part, figures)):
        raise ValueError(f"{part}: ok says something else than its figures")


def result(
    part: str,
    figures: Mapping[str, Any],
    *,
    date: str,
    commit: str,
    linux: str,
    accelerator: str,
    load: float,
    seconds: int,
) -> dict[str, Any]:
    """As it is stored; figures that the part did not measure are None."""
    return {
        "date": date,
        "commit": commit,
        "linux": linux,
        "accelerator": accelerator,
        "load": load,
        "seconds": seconds,
        "ok": not unmet(part, figures),
        "figures": {figure.key: figures.get(figure.key) for figure in PARTS[part]},
    }


def store(part: str, made: Mapping[str, Any], file: Path = FILE) -> None:
    """Replaces the last result of one part; those of the others stay, if they still have the figures of today."""
    before = json.loads(file.read_text()) if file.exists() else {}
    before = {name: each for name, each in before.items() if name in PARTS and not _wrong(name, each)}
    results = {**before, part: made}
    ordered = {name: results[name] for name in PARTS if name in results}
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(ordered, indent=2) + "\n")
    draft.replace(file)


def rows(record: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The lines of the table in the benchmarks."""
    return [
        f"| {figure.says} | {_shown(record[part]['figures'][figure.key], figure.unit)} | {figure.wanted} |"
        for part, figures in PARTS.items()
        if part in record
        for figure in figures
    ]


def circumstances(record: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A line of the benchmarks for each part: when, of which commit, on which kernel, and how long it took."""
    return [
        f"- `{part}`: {each['date']}, commit {each['commit']}, Linux {each['linux']}, {each['seconds']} seconds, "
        f"{'with KVM' if each['accelerator'] == 'kvm' else 'emulated'}, beside a load of {each['load']}"
        for part, each in record.items()
    ]


def _wrong(part: str, result: Any) -> bool:
    try:
        _check(part, result)
    except ValueError:
        return True
    return False


def _shown(value: float | None, unit: str) -> str:
    return "not measured" if value is None else f"{value:,} {unit}".strip()
