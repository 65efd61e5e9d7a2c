"""Figures by name, and the reason for each that could not be measured."""

import sys
from collections.abc import Callable, Iterable, Sequence
from subprocess import SubprocessError

from node.errors import NodeError

Figure = float | int | None
Figures = dict[str, Figure | str]
BROKE_OFF = (RuntimeError, OSError, ValueError, SubprocessError, NodeError, ExceptionGroup)
"""Exceptions of a bench that fails."""
REASON_MAX = 500


def say(text: str) -> None:
    """Prints progress."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()


def missing(keys: Iterable[str], reason: str) -> Figures:
    """None for each key, with its reason."""
    return {name: value for key in keys for name, value in ((key, None), (f"{key}_reason", reason))}


def of_tries(key: str, tries: Sequence[float | None], part: float = 0.5) -> Figures:
    """The median (or another quantile) of the tries that succeeded; ``KEY_failed`` is the number of the others. Missing
    only if none succeeded."""
    came = [value for value in tries if value is not None]
    failed: Figures = {f"{key}_failed": len(tries) - len(came)}
    if not came:
        return missing([key], f"none of {len(tries)} tries was answered") | failed
    return {key: quantile(came, part)} | failed


def of_total(key: str, value: float, answered: int, tries: int) -> Figures:
    """A figure of all tries together, such as a rate: failures are counted, and it is missing if no try succeeded."""
    failed: Figures = {f"{key}_failed": tries - answered}
    return (missing([key], f"none of {tries} tries was answered") if not answered else {key: value}) | failed


def taken(keys: Sequence[str], take: Callable[[], Figures]) -> Figures:
    """The figures that `take` returns; each key that it does not reach is missing with the reason, also after an
    exception."""
    try:
        found = take()
    except BROKE_OFF as failure:
        say(f"broke off: {failure!r}")
        return missing(keys, f"{type(failure).__name__}: {failure}"[:REASON_MAX])
    return missing([key for key in keys if key not in found], "this run did not come to it") | found


def ratios(ours: Sequence[float], plain: Sequence[float]) -> list[float]:
    """Ratio to plain forwarding in each round; both values of a round are measured one directly after the other."""
    return [round(a / b, 3) for a, b in zip(ours, plain, strict=True)]


def quantile(values: Sequence[float], part: float) -> float:
    """The value that the share `part` of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(part * len(ordered)) - 1))]


def jain(values: Sequence[float]) -> float:
    """Jain's index: 1 if all are equal, 1/n if one has everything."""
    squares = sum(value * value for value in values)
    return round(sum(values) ** 2 / (len(values) * squares), 4) if squares else 0.0
