"""Ladders as whole sentences, as people vote on them."""

from node.governance.expressions import among_words, duration_words, most_words, volume_words
from node.governance.ladders import LADDER_NOTICE_HOURS, ladder_of, step_of
from node.governance.rules import Ceiling, Ladder, LadderStep, Ruleset, Share, Trigger
from node.translator import ENGLISH, Translator
from node.units import Milliseconds


def ladder_sentence(
    ladder: Ladder, ruleset: Ruleset, words: Translator = ENGLISH, *, with_decision: bool = True
) -> str:
    """When there can be a case, what each one brings, how it ends, the reason and the decision."""
    charter = ruleset.charter
    ends = words.ngettext(
        "A step begins {hours} hours after the person was told, and ends by itself. An objection suspends it until an admin "
        "answers; without an answer for {number} day it is lifted. Everyone keeps the lifeline.",
        "A step begins {hours} hours after the person was told, and ends by itself. An objection suspends it until an admin "
        "answers; without an answer for {number} days it is lifted. Everyone keeps the lifeline.",
        charter.answer_days,
    )
    parts = [
        _cases(ladder, words),
        _steps(ladder, words),
        ends.format(hours=LADDER_NOTICE_HOURS, number=charter.answer_days),
    ]
    if ladder.why and with_decision:
        parts.append(words.gettext("Why: {reason}.").format(reason=ladder.why.rstrip(".")))
    if with_decision:
        parts.append(words.gettext("Decided in {decision}.").format(decision=ladder.by))
    return " ".join(parts)


def ladder_sentences(
    ruleset: Ruleset, words: Translator = ENGLISH, *, with_decision: bool = True
) -> tuple[str, ...]:
    """All of them, in the order of the file."""
    return tuple(
        ladder_sentence(each, ruleset, words, with_decision=with_decision) for each in ruleset.ladders
    )


def _cases(ladder: Ladder, words: Translator) -> str:
    people = among_words(ladder.who, words)
    if ladder.trigger is None:
        text = words.gettext(
            "Ladder {ladder}, among {people}: an admin can open a case of an account, and says the reason."
        )
        return text.format(ladder=ladder.id, people=people)
    text = words.gettext(
        "Ladder {ladder}, among {people}: an admin can open a case of an account that used more than {volume}, or of "
        "another one, and then says the reason."
    )
    return text.format(ladder=ladder.id, people=people, volume=trigger_words(ladder.trigger, words))


def _steps(ladder: Ladder, words: Translator) -> str:
    numbered = words.gettext("{number}. {step}")
    steps = [
        numbered.format(number=number, step=step_words(each, words))
        for number, each in enumerate(ladder.steps, 1)
    ]
    text = words.ngettext(
        "Each case brings the next step, or the first one after {number} day without a case: {steps}.",
        "Each case brings the next step, or the first one after {number} days without a case: {steps}.",
        ladder.decay_days,
    )
    return text.format(number=ladder.decay_days, steps="; ".join(steps))


def trigger_words(trigger: Trigger, words: Translator = ENGLISH) -> str:
    """``120 GB a month while the line is busy``"""
    volume = volume_words(trigger.volume, trigger.period, words)
    if trigger.counts == "uplink while busy":
        return words.gettext("{volume} while the line is busy").format(volume=volume)
    return volume


def step_words(step: LadderStep, words: Translator = ENGLISH) -> str:
    """``at most half a share for 7 days``"""
    if not isinstance(step.effect, Share | Ceiling):
        return words.gettext("a word with the person, and no limit")
    text = words.gettext("at most {most} for {time}")
    return text.format(
        most=most_words(step.effect, words), time=duration_words(Milliseconds(step.days * 86_400_000), words)
    )


def step_name(rule: str, words: Translator = ENGLISH) -> str:
    """How people call the rule of a step; another rule by its id."""
    found = step_of(rule)
    if found is None:
        return rule
    return words.gettext("step {number} of the ladder {ladder}").format(ladder=found[0], number=found[1])


def step_in(ruleset: Ruleset, rule: str) -> LadderStep | None:
    """The step that a rule's id names; None where the rules have no such step."""
    found = step_of(rule)
    ladder = None if found is None else ladder_of(ruleset, found[0])
    if found is None or ladder is None or not 0 < found[1] <= len(ladder.steps):
        return None
    return ladder.steps[found[1] - 1]
