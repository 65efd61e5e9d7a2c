"""Steps of a ladder as rules for a group of people that the node computes, `ladder:ID:N` for those with a case in step N. No
group of a members' file has a colon, so nobody else can be in it."""

from dataclasses import replace

from node.governance.rules import (
    LADDER,
    Ceiling,
    Ladder,
    LadderStep,
    Rule,
    Ruleset,
    Share,
    ShareLimit,
    UsageAlert,
    Who,
)
from node.governance.value_syntax import format_rates

LADDERS_MAX, STEPS_MAX = 8, 6
LADDER_NOTICE_HOURS = 24
"""From the opening of a case to the beginning of its step."""


def step_group(ladder: str, step: int) -> str:
    """The group of people in this step, and the id of its rule. Steps are numbered from 1."""
    return f"{LADDER}:{ladder}:{step}"


def step_of(group: str) -> tuple[str, int] | None:
    """The ladder and the step that a group, or the rule of an objection, names; None for any other."""
    kind, _, rest = group.partition(":")
    ladder, _, number = rest.rpartition(":")
    if kind != LADDER or not ladder or not (number.isascii() and number.isdigit()) or len(number) > 2:
        return None
    return ladder, int(number)


def ladder_of(ruleset: Ruleset, name: str) -> Ladder | None:
    return next((each for each in ruleset.ladders if each.id == name), None)


def step_groups(ruleset: Ruleset) -> tuple[str, ...]:
    """Of all steps of all ladders."""
    return tuple(
        step_group(ladder.id, number)
        for ladder in ruleset.ladders
        for number in range(1, len(ladder.steps) + 1)
    )


def with_steps(ruleset: Ruleset) -> Ruleset:
    """The rules with those of all steps. Where no unit is in the group of a step, it gives everybody the same."""
    if not ruleset.ladders:
        return ruleset
    steps = [rule for ladder in ruleset.ladders for rule in step_rules(ladder)]
    return replace(ruleset, rules=(*ruleset.rules, *steps), ladders=())


def step_rules(ladder: Ladder) -> tuple[Rule, ...]:
    """The rule of each step that limits anything."""
    found = []
    for number, step in enumerate(ladder.steps, start=1):
        effect = _effect(step)
        if effect is not None:
            name = step_group(ladder.id, number)
            who = Who(groups=frozenset({name}))
            found.append(Rule(name, who, effect, ladder.by, why=ladder.why, line=ladder.line))
    return tuple(found)


def _effect(step: LadderStep) -> ShareLimit | Ceiling | None:
    match step.effect:
        case Share(weight):
            return ShareLimit(weight)
        case UsageAlert():
            return None
        case Ceiling():
            return step.effect


def step_text(step: LadderStep) -> str:
    """The step as a file says it."""
    match step.effect:
        case Share(weight):
            return f"share {weight} for {step.days} days"
        case Ceiling(rates) if rates is not None:
            return f"ceiling {format_rates(rates)} for {step.days} days"
    return "tell"


def steps_said(ruleset: Ruleset) -> dict[str, str]:
    """What the rules say of the step of each group."""
    return {
        step_group(ladder.id, number): step_text(step)
        for ladder in ruleset.ladders
        for number, step in enumerate(ladder.steps, start=1)
    }


def ladder_essence(ladder: Ladder) -> Ladder:
    """The ladder without what nobody's rights depend on."""
    return replace(ladder, by="", why="", line=0)


def is_milder(step: LadderStep, before: LadderStep) -> bool:
    """Whether a step allows more than the one before it, or lasts less long with the same limit."""
    match step.effect, before.effect:
        case Ceiling(rates), Ceiling(others) if rates is not None and others is not None:
            return rates.down > others.down or rates.up > others.up or _is_shorter(step, before)
        case Share(weight), Share(other):
            return weight > other or _is_shorter(step, before)
    return _rank(step) < _rank(before)


def _is_shorter(step: LadderStep, before: LadderStep) -> bool:
    return step.effect == before.effect and step.days < before.days


def _rank(step: LadderStep) -> int:
    return (UsageAlert, Share, Ceiling).index(type(step.effect))
