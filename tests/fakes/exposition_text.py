"""Reads the text format of Prometheus (0.0.4) and OpenMetrics, strictly, as a collector does."""

import re
from dataclasses import dataclass, field

NAME, LABEL = r"[a-zA-Z_:][a-zA-Z0-9_:]*", r"[a-zA-Z_][a-zA-Z0-9_]*"
_PAIR = re.compile(rf'({LABEL})="((?:[^"\\\n]|\\["\\n])*)"(?:,|(?=}}))')
_SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (-?[0-9.]+(?:e[-+]?[0-9]+)?)")
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass
class ReadMetrics:
    """What a text says."""

    kinds: dict[str, str] = field(default_factory=dict)
    helps: dict[str, str] = field(default_factory=dict)
    series: dict[tuple[str, tuple[tuple[str, str], ...]], float] = field(default_factory=dict)
    is_ended: bool = False

    def value(self, name: str, /, **labels: str) -> float:
        return self.series[name, tuple(sorted(labels.items()))]


def read_exposition(text: str) -> ReadMetrics:
    """Raises AssertionError at the first line that is not valid."""
    found = ReadMetrics()
    assert text.endswith("\n")
    for line in text.removesuffix("\n").split("\n"):
        assert not found.is_ended, "there is text after the end"
        if line.startswith("# HELP "):
            _, _, name, said = line.split(" ", 3)
            assert name not in found.helps
            found.helps[name] = said
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name in found.helps
            assert name not in found.kinds
            found.kinds[name] = kind
        elif line == "# EOF":
            found.is_ended = True
        else:
            _read_sample(line, found)
    return found


def _read_sample(line: str, found: ReadMetrics) -> None:
    match = _SAMPLE.fullmatch(line)
    assert match is not None, line
    name, inside, value = match[1], match[2] or "", float(match[3])
    pairs, at = {}, 0
    while at < len(inside):
        pair = _PAIR.match(inside + "}", at)
        assert pair is not None, line
        assert pair[1] not in pairs
        pairs[pair[1]] = re.sub(r'\\["\\n]', lambda each: _ESCAPES[each[0]], pair[2])
        at = pair.end()
    assert {name, name.removesuffix("_total")} & found.kinds.keys(), f"{name} has no type"
    key = name, tuple(sorted(pairs.items()))
    assert key not in found.series, f"{key} is there twice"
    found.series[key] = value
