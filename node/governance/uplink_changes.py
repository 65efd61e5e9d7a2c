"""Compares two files line by line, where a community has several: what differs on all lines is said once."""

from collections.abc import Callable, Hashable, Mapping

from node.governance.rules import Rule, Ruleset

type Compare[C] = Callable[[Ruleset, Ruleset], tuple[tuple[C, ...], bool]]
"""The changes between the rules of one line before and after, and whether they are complete."""


def on_each_uplink[C: Hashable](
    before: Ruleset, after: Ruleset, compare: Compare[C]
) -> tuple[Mapping[C, tuple[str, ...] | None], bool]:
    """The changes on each line that either file has, with the names of these lines; None for all. Lines that have the same
    rules before and after are compared once."""
    if not (before.is_of_several or after.is_of_several):
        changes, is_complete = compare(before, after)
        return dict.fromkeys(changes), is_complete
    names = tuple(dict.fromkeys((*before.uplink_names, *after.uplink_names)))
    known: dict[tuple[tuple[Rule, ...], tuple[Rule, ...]], tuple[tuple[C, ...], bool]] = {}
    lines: dict[C, list[str]] = {}
    for name in names:
        old, new = before.of_uplink(name), after.of_uplink(name)
        key = old.rules, new.rules
        if key not in known:
            known[key] = compare(old, new)
        for change in known[key][0]:
            lines.setdefault(change, []).append(name)
    found = {change: None if len(on) == len(names) else tuple(on) for change, on in lines.items()}
    return found, all(is_complete for _, is_complete in known.values())
