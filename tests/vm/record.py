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
    "wifi": (
        LabFigure("associated_s", "a phone by Wi-Fi (wpa_supplicant, hostapd): until it is associated", "s"),
        LabFigure("captured", "it and another one see the portal (1: yes)", "", "≥ 1", at_least(1)),
        LabFigure("online", "and the Internet once they accepted", "", "≥ 1", at_least(1)),
        LabFigure(
            "fq_codel_own_added_ms_p95",
            "4 Mbit/s, 8 downloads of the phone, fq_codel: delay added to its own calls, 95 of 100",
            "ms",
            "≤ 30",
            at_most(30),
        ),
        LabFigure("fq_codel_other_added_ms_p95", "and to the other's", "ms", "≤ 30", at_most(30)),
        LabFigure("fifo_own_added_ms_p95", "the same with a FIFO of a second: added to its own", "ms"),
        LabFigure("fifo_other_added_ms_p95", "and to the other's", "ms"),
        LabFigure("came_back", "it leaves, comes back and is still online", "", "≥ 1", at_least(1)),
        LabFigure(
            "access_point_restarted",
            "and after hostapd was restarted",
            "",
            "≥ 1",
            at_least(1),
        ),
    ),
    "mesh": (
        LabFigure(
            "ieee80211s_found_s",
            "two nodes on an 802.11s mesh, just started: until they trust each other",
            "s",
            "≤ 30",
            at_most(30),
        ),
        LabFigure(
            "ieee80211s_agreed_s", "until one counts what was used on the other", "s", "≤ 30", at_most(30)
        ),
        LabFigure("batman_found_s", "the same with batman-adv: trust", "s", "≤ 30", at_most(30)),
        LabFigure("batman_agreed_s", "and agreement", "s", "≤ 30", at_most(30)),
    ),
    "power": (
        LabFigure("cuts", "power cuts, a quarter of them while the board started", "", "≥ 50", at_least(50)),
        LabFigure("not_back", "after which the board was not back", "", "≤ 0", at_most(0)),
        LabFigure("corrupt", "after which its file system or database was damaged", "", "≤ 0", at_most(0)),
        LabFigure("people", "people who were admitted"),
        LabFigure("signed_in_again", "of them who had to sign in again", "", "≤ 0", at_most(0)),
        LabFigure("addresses_twice", "who were given an address that somebody had", "", "≤ 0", at_most(0)),
        LabFigure(
            "lost_s_max", "most of what was used that was not counted afterwards", "s", "≤ 60", at_most(60)
        ),
        LabFigure(
            "back_s_p50", "from power until the first household is online again, emulated, median", "s"
        ),
        LabFigure("transferred_mb", "transferred meanwhile", "MB"),
    ),
    "image": (
        LabFigure("amd64_mb", "the image of `deploy/image` for amd64", "MB"),
        LabFigure(
            "amd64_online_s",
            "a board with it, emulated: from power by UEFI until the first person is online",
            "s",
            "≤ 300",
            at_most(300),
        ),
        LabFigure(
            "amd64_disk_used_percent", "of a larger disk that is its own then", "%", "≥ 85", at_least(85)
        ),
        LabFigure("arm64_mb", "the image for arm64", "MB"),
        LabFigure(
            "arm64_online_s", "a board with it: until the first person is online", "s", "≤ 300", at_most(300)
        ),
        LabFigure("arm64_disk_used_percent", "of its disk", "%", "≥ 85", at_least(85)),
    ),
}
CIRCUMSTANCES: Mapping[str, type] = {
    "date": str,
    "commit": str,
    "linux": str,
    "accelerator": str,
    "load": float,
    "seconds": int,
    "ok": bool,
}
"""Of each part's result, beside its figures; `load` is the machine's load average before it, which is other work."""
MAY_BE_MISSING = ("load", "seconds")
"""Circumstances that may be None, as figures may; the reason for each is in the result's `not_taken`."""


def unmet(part: str, figures: Mapping[str, Any]) -> list[str]:
    """Sentences for the targets that were not met, and for figures that are missing."""
    found = []
    for figure in PARTS[part]:
        value = figures.get(figure.key)
        if value is None:
            found.append(f"{figure.key} was not taken")
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
    if not isinstance(result, dict) or list(result) != [*CIRCUMSTANCES, "figures", "not_taken"]:
        raise ValueError(f"{part} has other keys than {', '.join(CIRCUMSTANCES)}, figures, not_taken")
    for key, kind in CIRCUMSTANCES.items():
        if type(result[key]) is not kind and not (result[key] is None and key in MAY_BE_MISSING):
            raise ValueError(f"{part}: {key} is no {kind.__name__}")
    figures = result["figures"]
    if not isinstance(figures, dict) or list(figures) != keys:
        raise ValueError(f"{part} has other figures than {', '.join(keys)}")
    if not all(value is None or type(value) in {int, float} for value in figures.values()):
        raise ValueError(f"{part} has a figure that is no number")
    _check_reasons(part, result["not_taken"], _missing({**result, **figures}))
    if result["ok"] != (not unmet(part, figures)):
        raise ValueError(f"{part}: ok says something else than its figures")


def _check_reasons(part: str, reasons: Any, missing: list[str]) -> None:
    if not isinstance(reasons, dict) or list(reasons) != missing:
        raise ValueError(f"{part}: not_taken has other keys than what is missing: {', '.join(missing)}")
    if not all(isinstance(reason, str) and reason for reason in reasons.values()):
        raise ValueError(f"{part}: not_taken has a reason that is no text")


def _missing(values: Mapping[str, Any]) -> list[str]:
    return [key for key, value in values.items() if value is None]


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
    """As it is stored; a figure that the part did not measure is None, with the part's ``KEY_reason``."""
    taken = {figure.key: figures.get(figure.key) for figure in PARTS[part]}
    return {
        "date": date,
        "commit": commit,
        "linux": linux,
        "accelerator": accelerator,
        "load": load,
        "seconds": seconds,
        "ok": not unmet(part, figures),
        "figures": taken,
        "not_taken": {key: figures.get(f"{key}_reason", "no reason given") for key in _missing(taken)},
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
    """A line of the benchmarks for each part: when, of which commit, on which kernel, and how long it took; then one for all
    that was not taken, with the reason."""
    lines = []
    for part, each in record.items():
        known = [each["date"], f"commit {each['commit']}", f"Linux {each['linux']}"]
        known += [] if each["seconds"] is None else [f"{each['seconds']} seconds"]
        known += ["with KVM" if each["accelerator"] == "kvm" else "emulated"]
        known += [] if each["load"] is None else [f"beside a load of {each['load']}"]
        lines.append(f"- `{part}`: {', '.join(known)}")
        lines += [f"- `{key}` of `{part}` was not taken: {why}" for key, why in each["not_taken"].items()]
    return lines


def _wrong(part: str, result: Any) -> bool:
    try:
        _check(part, result)
    except ValueError:
        return True
    return False


def _shown(value: float | None, unit: str) -> str:
    return "not taken" if value is None else f"{value:,} {unit}".strip()
