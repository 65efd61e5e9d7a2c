"""The burst of a ceiling in a rule file, and whether the line carries it."""

from collections.abc import Iterator
from functools import partial

from node.errors import Finding
from node.governance.burst import (
    BURST_WANTED,
    SAVED_MAX,
    SECOND_MS,
    Burst,
    format_burst,
    length_at_most,
    parse_burst,
    within,
)
from node.governance.document import TomlTable, write
from node.governance.expressions import rates_words
from node.governance.rules import Ruleset, burst_of, limit_of
from node.translator import gettext_lazy
from node.units import Rates, lowest


def read_burst(table: TomlTable, ceiling: Rates | None) -> Burst | None:
    """E02 where it is not above the ceiling, or takes too long to be saved up."""
    burst = table.value("burst", BURST_WANTED, parse_burst)
    if burst is None or ceiling is None:
        return None
    if lowest(burst.rates, ceiling) != ceiling or burst.rates == ceiling:
        message = gettext_lazy(
            "The burst is not above the ceiling of {rates}.", rates=partial(rates_words, ceiling)
        )
        fix = gettext_lazy("write a higher speed, or remove {key}", key="burst")
        table.refuse("burst", message, fix, "E02")
        return None
    if burst.length > (longest := length_at_most(ceiling, burst.rates)):
        message = gettext_lazy(
            "Below this ceiling it takes longer than {minutes} minutes to save up such a burst.",
            minutes=SAVED_MAX // (60 * SECOND_MS),
        )
        fix = gettext_lazy("write a lower speed")
        if longest:
            shorter = format_burst(Burst(burst.rates, longest))
            fix = gettext_lazy("write at most {text}, or a lower speed", text=f'burst = "{shorter}"')
        table.refuse("burst", message, fix, "E02")
        return None
    return burst


def refuse_burst(table: TomlTable, effect: str) -> None:
    """For a rule with another effect than a ceiling."""
    if "burst" in table.data:
        message = gettext_lazy(
            "{key} belongs to a ceiling, and this rule has {effect}.", key="burst", effect=effect
        )
        table.refuse("burst", message, gettext_lazy("take it out"), "E02")


def refuse_burst_without_ceiling(table: TomlTable) -> None:
    """For an exception without a limit."""
    if "burst" in table.data:
        message = gettext_lazy("This rule lifts a ceiling, so there is nothing that a burst could go above.")
        table.refuse("burst", message, gettext_lazy("remove {key}", key="burst"), "E02")


def bursts_above_the_line(ruleset: Ruleset) -> Iterator[Finding]:
    """E04 for each burst with more than the whole line; nothing when the line's speed is not stated."""
    if ruleset.uplink is None:
        return
    line = ruleset.uplink if ruleset.measured is None else ruleset.measured.most
    for rule in ruleset.every_rule:
        burst = burst_of(rule)
        if burst is None or lowest(burst.rates, line) == burst.rates:
            continue
        message = gettext_lazy(
            "The burst of {rule} is more than the line has, {rates}.",
            rule=rule.id,
            rates=partial(rates_words, line),
        )
        fits, ceiling = within(burst, line), limit_of(rule)
        fix = gettext_lazy("remove {key}", key="burst")
        if ceiling is not None and lowest(fits.rates, ceiling) == ceiling != fits.rates:
            fix = write(f'burst = "{format_burst(fits)}"')
        yield Finding("E04", rule.line, message, fix)
