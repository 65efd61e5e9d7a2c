"""Metrics as text, for programs that collect them: Prometheus' text format 0.0.4, and OpenMetrics 1.0.0."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

Exposition = Literal["text", "openmetrics"]

CONTENT_TYPES: dict[Exposition, str] = {
    "text": "text/plain; version=0.0.4; charset=utf-8",
    "openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
ACCEPT_CHARS_MAX = 1_000
"""Of an Accept header; one that is longer is not read."""
TOTAL = "_total"
"""Suffix of the name of every counter, and of no other metric."""
_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its name, what it means, and the names of its labels."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    """One sentence, without a full stop."""
    labels: tuple[str, ...] = ()


class MetricSample(NamedTuple):
    """A value, and the values of the labels of its metric, in their order."""

    value: float
    labels: tuple[str, ...] = ()


def exposition(metrics: Iterable[tuple[Metric, Iterable[MetricSample]]], written: Exposition = "text") -> str:
    """The text of these metrics. One without samples is left out."""
    lines: list[str] = []
    for metric, samples in metrics:
        shown = [_line(metric, sample) for sample in samples]
        if shown:
            lines += (*_head(metric, written), *shown)
    if written == "openmetrics":
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def exposition_for(accept: str) -> Exposition:
    """The format for a client with this Accept header (RFC 9110, section 12.5.1): OpenMetrics where it is named and no less
    welcome than the text format, which every client reads."""
    if len(accept) > ACCEPT_CHARS_MAX:
        return "text"
    wanted = {"text": 0.0, "openmetrics": 0.0}
    for media_type, parameters in map(_media_range, accept.split(",")):
        quality = _quality(parameters.get("q", "1"))
        if media_type == "application/openmetrics-text" and parameters.get("version", "1.0.0") == "1.0.0":
            wanted["openmetrics"] = max(wanted["openmetrics"], quality)
        elif media_type == "text/plain" and parameters.get("version", "0.0.4") == "0.0.4":
            wanted["text"] = max(wanted["text"], quality)
    is_wanted = wanted["openmetrics"] > 0 and wanted["openmetrics"] >= wanted["text"]
    return "openmetrics" if is_wanted else "text"


def escaped(text: str) -> str:
    """A label's value as it stands between its quotation marks."""
    # A lone surrogate has no UTF-8.
    plain = text.encode("utf-8", "replace").decode()
    return plain.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _head(metric: Metric, written: Exposition) -> Iterator[str]:
    name = metric.name.removesuffix(TOTAL) if written == "openmetrics" else metric.name
    yield f"# HELP {name} {metric.help}"
    yield f"# TYPE {name} {metric.kind}"


def _line(metric: Metric, sample: MetricSample) -> str:
    assert len(metric.labels) == len(sample.labels), metric.name
    pairs = zip(metric.labels, sample.labels, strict=True)
    labels = ",".join(f'{name}="{escaped(value)}"' for name, value in pairs)
    return f"{metric.name}{{{labels}}} {sample.value!r}" if labels else f"{metric.name} {sample.value!r}"


def _media_range(text: str) -> tuple[str, dict[str, str]]:
    """Media type and parameters, in lower case."""
    media_type, *parameters = (part.strip() for part in text.lower().split(";"))
    pairs = (part.partition("=") for part in parameters)
    return media_type, {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _quality(text: str) -> float:
    """0 for what is no quality value."""
    return float(text) if _QUALITY.fullmatch(text) else 0.0
