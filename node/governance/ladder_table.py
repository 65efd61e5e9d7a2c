"""Parses one ``[[ladder]]`` of a rule file: E08, and E03 and E05 for a step that the charter or a floor does not allow."""

import re
from collections.abc import Sequence
from functools import partial

from node.errors import Finding, InvalidValue
from node.governance.document import TomlTable, tables, write
from node.governance.expressions import rates_words
from node.governance.ladders import LADDERS_MAX, STEPS_MAX, is_milder
from node.governance.rule_evaluation import CODE_LIFELINE, lifeline
from node.governance.rule_selection import selects
from node.governance.rule_table import read_who
from node.governance.rules import (
    GUEST_TIER,
    MEMBER_TIER,
    ONLY_GUESTS,
    Ceiling,
    Charter,
    Consequence,
    Floor,
    Ladder,
    LadderStep,
    Rule,
    Share,
    Trigger,
    UsageAlert,
    Who,
)
from node.governance.value_syntax import (
    DECISION_WANTED,
    NAME_WANTED,
    SHARE_MAX,
    format_rates,
    parse_decision,
    parse_name,
    parse_quota,
)
from node.toml_reader import TomlDocument
from node.translator import gettext_lazy
from node.units import Rates, highest, parse_one_or_two_rates

ID_CHARS_MAX = 30
"""So that the rule of a step is no longer than any rule in an objection."""
DAYS_MAX = 400
DECAY_DAYS = 90
KEYS = ("id", "by", "why", "who", "except", "trigger", "steps", "decay")

STEPS_WANTED = gettext_lazy(
    "what each further case brings, such as {example}",
    example='["tell", "share 50 for 7 days", "ceiling 1 Mbit/s for 14 days"]',
)
TRIGGER_WANTED = gettext_lazy(
    "how much an account may use before, such as {one} or {other}",
    one='"120 GB per month while busy"',
    other='"150 GB per month"',
)
DECAY_WANTED = gettext_lazy("a number of days, such as {example}", example='"90 days"')
_WHILE_BUSY = " while busy"
_STEP = re.compile(r"(?P<effect>.{1,90}?)(?: for (?P<days>\d{1,9}) days?)?", re.ASCII)
_DAYS = re.compile(r"(\d{1,9}) days?", re.ASCII)


def read_ladders(
    document: TomlDocument, findings: list[Finding], charter: Charter, rules: Sequence[Rule]
) -> tuple[Ladder, ...]:
    """The ladders without errors of their own; all errors are added to `findings`. `rules`: those in force, whose floors no
    step may contradict."""
    found: list[Ladder] = []
    names: dict[str, int] = {}
    for table in tables(document, "ladder", LADDERS_MAX, findings):
        ladder = _ladder(table, charter)
        name = table.data.get("id")
        if isinstance(name, str) and names.setdefault(name, table.line("id")) != table.line("id"):
            message = gettext_lazy(
                "{name} is the id of two ladders, first on line {line}.",
                name=f"{name!r:.60}",
                line=names[name],
            )
            table.refuse("id", message, gettext_lazy("give it another id"))
        elif ladder is not None:
            findings += _contradictions(ladder, charter, rules)
            found.append(ladder)
    return tuple(found)


def _ladder(table: TomlTable, charter: Charter) -> Ladder | None:
    table.known(KEYS)
    name = table.required("id", NAME_WANTED, _name)
    by = table.required("by", DECISION_WANTED, parse_decision, "E07")
    why = table.text("why", gettext_lazy("the reason in a few words"))
    who = _who(table)
    trigger = table.value("trigger", TRIGGER_WANTED, _trigger)
    decay = table.value("decay", DECAY_WANTED, _days)
    steps = _steps(table, charter)
    if name is None or by is None or who is None or not steps:
        return None
    return Ladder(
        name, who, steps, by, trigger, DECAY_DAYS if decay is None else decay, why or "", table.line()
    )


def _name(text: str) -> str:
    if len(parse_name(text)) > ID_CHARS_MAX:
        raise InvalidValue(
            gettext_lazy("{text} is longer than {most} characters", text=repr(text), most=ID_CHARS_MAX),
            gettext_lazy("shorten it"),
        )
    return text


def _who(table: TomlTable) -> Who | None:
    if "who" in table.data:
        return read_who(table)
    fix = gettext_lazy("add {example}, or a tier or group", example='who = "everyone"')
    table.refuse("", gettext_lazy("This ladder does not say who it is for."), fix)
    return None


def _trigger(text: str) -> Trigger:
    """Raises InvalidValue."""
    amount = text.strip()
    if amount.endswith(_WHILE_BUSY):
        return Trigger(*parse_quota(amount.removesuffix(_WHILE_BUSY)), "uplink while busy")
    return Trigger(*parse_quota(amount), "uplink")


def _days(text: str) -> int:
    """Raises InvalidValue."""
    match = _DAYS.fullmatch(text.strip())
    if match is None or not 1 <= int(match[1]) <= DAYS_MAX:
        wrong = gettext_lazy("{text} is not from 1 to {most} days", text=f"{text!r:.60}", most=DAYS_MAX)
        raise InvalidValue(wrong, wanted=DECAY_WANTED)
    return int(match[1])


def _steps(table: TomlTable, charter: Charter) -> tuple[LadderStep, ...]:
    """Empty when there are none, or one of them is refused."""
    texts = table.texts("steps", STEPS_WANTED)
    if "steps" not in table.data or texts == []:
        fix = gettext_lazy("add {key} = {wanted}", key="steps", wanted=STEPS_WANTED)
        key = "steps" if "steps" in table.data else ""
        table.refuse(key, gettext_lazy("This ladder has no steps."), fix, "E08")
    if texts and len(texts) > STEPS_MAX:
        message = gettext_lazy(
            "This ladder has {number} steps; at most {most} are read.", number=len(texts), most=STEPS_MAX
        )
        table.refuse("steps", message, gettext_lazy("leave out some of them"))
        return ()
    found: list[LadderStep] = []
    for number, text in enumerate(texts or (), start=1):
        step = _step(table, number, text, charter)
        if step is None or not _follows(table, number, step, found):
            return ()
        found.append(step)
    return tuple(found)


def _step(table: TomlTable, number: int, text: str, charter: Charter) -> LadderStep | None:
    match = _STEP.fullmatch(text.strip())
    try:
        effect = _effect(text if match is None else match["effect"])
    except InvalidValue as error:
        table.refuse_value("steps", error, STEPS_WANTED)
        return None
    days = match["days"] if match is not None else None
    if isinstance(effect, UsageAlert):
        if days is None:
            return LadderStep(effect)
        message = gettext_lazy("Step {number} limits nothing, so it does not last.", number=number)
        table.refuse("steps", message, write('"tell"'), "E08")
        return None
    if days is None:
        message = gettext_lazy("Step {number} does not say for how many days it holds.", number=number)
        fix = gettext_lazy("write {text}", text=f'"{text.strip():.90} for 7 days"')
        table.refuse("steps", message, fix, "E08")
        return None
    if not 1 <= int(days) <= charter.step_max_days:
        message = gettext_lazy(
            "Step {number} holds for {days} days; the charter allows from 1 to {most}.",
            number=number,
            days=int(days),
            most=charter.step_max_days,
        )
        fix = gettext_lazy(
            "write at most {most}, or change {key}", most=charter.step_max_days, key="step_max_days"
        )
        table.refuse("steps", message, fix, "E08")
        return None
    return LadderStep(effect, int(days))


def _follows(table: TomlTable, number: int, step: LadderStep, before: Sequence[LadderStep]) -> bool:
    """Whether the step can come after those before it."""
    if not before and not isinstance(step.effect, UsageAlert):
        message = gettext_lazy("The first step of a ladder is a word with the person.")
        table.refuse("steps", message, gettext_lazy("write {text} before it", text='"tell"'), "E08")
        return False
    if before and is_milder(step, before[-1]):
        message = gettext_lazy("Step {number} is milder than the one before it.", number=number)
        fix = gettext_lazy("put the milder steps first: a share, then a lower one, then a ceiling")
        table.refuse("steps", message, fix, "E08")
        return False
    return True


def _effect(text: str) -> Consequence:
    """Raises InvalidValue."""
    kind, _, value = text.strip().partition(" ")
    if text.strip() == "tell":
        return UsageAlert()
    if kind == "share" and value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= SHARE_MAX:
        return Share(int(value))
    if kind == "ceiling" and value:
        return Ceiling(parse_one_or_two_rates(value))
    wrong = gettext_lazy("{text} is not a step of a ladder; nobody is ever cut off", text=f"{text!r:.60}")
    raise InvalidValue(wrong, wanted=STEPS_WANTED)


def _contradictions(ladder: Ladder, charter: Charter, rules: Sequence[Rule]) -> list[Finding]:
    """E03: a step below the lifeline; E05: one below what a floor promises to the same people."""
    ceilings = [
        (number, step.effect.rates)
        for number, step in enumerate(ladder.steps, start=1)
        if isinstance(step.effect, Ceiling) and step.effect.rates is not None
    ]
    least, found = CODE_LIFELINE if ladder.who == ONLY_GUESTS else lifeline(charter), list[Finding]()
    for number, rates in ceilings:
        if highest(rates, least) == rates:
            continue
        message = gettext_lazy(
            "Step {number} of {ladder} leaves {rates}, less than the lifeline of {least}.",
            number=number,
            ladder=ladder.id,
            rates=partial(rates_words, rates),
            least=partial(rates_words, least),
        )
        fix = gettext_lazy("write at least {text}", text=f'"{format_rates(highest(rates, least))}"')
        found.append(Finding("E03", ladder.line, message, fix))
    return [*found, *_below_floors(ladder, ceilings, rules)]


def _below_floors(
    ladder: Ladder, ceilings: Sequence[tuple[int, Rates]], rules: Sequence[Rule]
) -> list[Finding]:
    found = []
    for rule in rules:
        if not isinstance(rule.effect, Floor) or rule.together or not _meet(rule.who, ladder.who):
            continue
        floor = rule.effect.rates
        number, rates = next((each for each in ceilings if highest(each[1], floor) != each[1]), (0, floor))
        if not number:
            continue
        message = gettext_lazy(
            "{floor} promises {rates}, but step {number} of {ladder} allows at most {most}.",
            floor=rule.id,
            rates=partial(rates_words, floor),
            number=number,
            ladder=ladder.id,
            most=partial(rates_words, rates),
        )
        fix = gettext_lazy("leave these people out with {key}, or raise the step", key="except")
        found.append(Finding("E05", ladder.line, message, fix))
    return found


def _meet(floor: Who, ladder: Who) -> bool:
    """Whether a unit with one tier and all the groups of both can be selected by both. Guests have no floor of their own."""
    groups = (floor.groups | ladder.groups) - floor.excluded_groups - ladder.excluded_groups
    tiers = (floor.tiers | ladder.tiers | {MEMBER_TIER}) - {GUEST_TIER}
    return any(
        selects(floor, tier, some) and selects(ladder, tier, some)
        for tier in tiers
        for some in (groups, frozenset[str]())
    )
