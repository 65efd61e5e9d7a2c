"""The closed list of series: what the node keeps a history of, and one for each rule in force. Nothing in it is about a
person."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from node.history.window import Unit
from node.translator import LazyText, gettext_lazy

Combine = Literal["mean", "sum"]
"""How the raw values of a step become one number: by their mean, beside the least and the most; or by their sum, where they
are events or seconds."""


@dataclass(frozen=True, slots=True)
class Series:
    """One number that the node looks at again and again."""

    name: str
    unit: Unit
    title: LazyText
    combine: Combine = "mean"


BOUND_KINDS = ("share", "ceiling", "pool", "quota")
"""What limited an account: its share of the line, a ceiling, the pool of a rule, or a used-up quota."""

SERIES: tuple[Series, ...] = (
    Series("line_down", "bit_per_s", gettext_lazy("Use of the line, download")),
    Series("line_up", "bit_per_s", gettext_lazy("Use of the line, upload")),
    Series("line_rate_down", "bit_per_s", gettext_lazy("What the line carries, download")),
    Series("line_rate_up", "bit_per_s", gettext_lazy("What the line carries, upload")),
    Series("line_delay", "ms", gettext_lazy("Delay of the line")),
    Series("line_loss", "permille", gettext_lazy("Probes of the line that were lost")),
    Series("line_full", "s", gettext_lazy("Time in which the line was full"), "sum"),
    Series("devices", "count", gettext_lazy("Devices online")),
    Series("accounts", "count", gettext_lazy("Accounts online")),
    Series("guests", "count", gettext_lazy("Guests online")),
    Series("lifelines_held", "permille", gettext_lazy("Time in which all lifelines were held")),
    Series("bound_share", "s", gettext_lazy("Time in which shares limited somebody"), "sum"),
    Series("bound_ceiling", "s", gettext_lazy("Time in which ceilings limited somebody"), "sum"),
    Series("bound_pool", "s", gettext_lazy("Time in which pools limited somebody"), "sum"),
    Series("bound_quota", "s", gettext_lazy("Time in which used-up volumes limited somebody"), "sum"),
    Series("admissions", "count", gettext_lazy("Devices that were let in"), "sum"),
    Series("refusals", "count", gettext_lazy("Refused attempts to join"), "sum"),
    Series("refusals_voucher", "count", gettext_lazy("Refused vouchers"), "sum"),
    Series("refusals_card", "count", gettext_lazy("Refused cards"), "sum"),
    Series("refusals_passphrase", "count", gettext_lazy("Refused passphrases"), "sum"),
    Series("errors", "count", gettext_lazy("Errors in the node’s log"), "sum"),
    Series("neighbours", "count", gettext_lazy("Connected nodes")),
    Series("neighbours_delay", "ms", gettext_lazy("Delay to connected nodes")),
    Series("neighbours_loss", "permille", gettext_lazy("Packets to connected nodes that were lost")),
    Series("processor", "permille", gettext_lazy("Use of the processor")),
    Series("memory", "permille", gettext_lazy("Memory in use")),
    Series("node_memory", "bytes", gettext_lazy("Memory of the node’s program")),
    Series("disk_free", "bytes", gettext_lazy("Free space on the disk")),
    Series("temperature", "celsius_milli", gettext_lazy("Temperature of the board")),
    Series("battery", "permille", gettext_lazy("Charge of the battery")),
    Series("books_age", "s", gettext_lazy("Age of the last stored counts")),
    Series("backup_age", "s", gettext_lazy("Age of the last backup")),
)
BY_NAME = {each.name: each for each in SERIES}
LINE_RATES = {"line_down": "line_rate_down", "line_up": "line_rate_up"}
"""What the line carries, for each series of its use."""

OPEN_SERIES = frozenset(
    {each for each in BY_NAME if each.startswith(("line_", "neighbours"))} | {"lifelines_held"}
)
"""What everybody may see where the settings open plots: how the line and the links are, and not how many people are there
or what they may do."""

RULES_MAX = 32
"""Rules with a series of their own, in the order of the file; the others have one together."""
RULE_PREFIX = "rule_"
OTHER_RULES = Series(
    "rules_other", "s", gettext_lazy("Time in which one of the other rules limited somebody"), "sum"
)
_PLAIN = re.compile(r"[a-z0-9-]{1,30}")


def rule_series_name(rule: str) -> str:
    """The same for as long as the rule has this id."""
    if _PLAIN.fullmatch(rule):
        return f"{RULE_PREFIX}{rule}"
    return f"{RULE_PREFIX}~{hashlib.sha256(rule.encode()).hexdigest()[:16]}"


def rule_series(rules: Sequence[str]) -> tuple[Series, ...]:
    """Those of the rules in force, by their ids; of a rule that ended there is none any longer."""
    own = [
        Series(
            rule_series_name(rule),
            "s",
            gettext_lazy("Time in which the rule {rule} limited somebody", rule=rule),
            "sum",
        )
        for rule in rules[:RULES_MAX]
    ]
    return (*own, OTHER_RULES) if len(rules) > RULES_MAX else tuple(own)


def combine_of(name: str) -> Combine:
    """Of a series with this name, also of a rule that ended."""
    if name in BY_NAME:
        return BY_NAME[name].combine
    return "sum" if name.startswith(RULE_PREFIX) or name == OTHER_RULES.name else "mean"
