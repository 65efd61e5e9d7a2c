"""What a replay found, in sentences that people can read before they decide, in every language."""

from datetime import datetime

from node.accounting.intervals import KEEP_INTERVALS_DAYS
from node.governance.account_classes import GROUP_MIN
from node.governance.expressions import duration_words, moment_words, rate_words, rates_words
from node.governance.replay import AccountReplay, Effects, HourUse, Replay
from node.governance.times import civil_minute
from node.translator import ENGLISH, Translator, amount_words, day_words, number_words
from node.units import BitsPerSecond, Milliseconds, Rates

DIGITS = 3
"""Of a rate."""
TOLD_DAYS = KEEP_INTERVALS_DAYS + 1
"""Previews of so many days can have counted the same usage."""
ROUNDED_S = 2 * 3600
"""From here on a time is given in whole hours."""


def replay_sentences(
    found: Replay, words: Translator = ENGLISH, *, has_stand_ins: bool = False
) -> tuple[str, ...]:
    """How many are affected, the busiest hour, the largest gains and losses, and what is left above the lifelines.
    `has_stand_ins`: some accounts are counted as others."""
    days = words.gettext("Accounts that were active from {first} to {last}: {accounts}.")
    said = [
        days.format(
            first=day_words(found.first, words), last=day_words(found.last, words), accounts=found.accounts
        )
    ]
    if has_stand_ins:
        text = words.gettext(
            "These rules, alone or together with a preview of the last {days} days, treat fewer than {number} accounts "
            "apart from all others. These are counted as if they got what most others get, so that previews do not show "
            "what one household used."
        )
        said.append(text.format(number=GROUP_MIN, days=TOLD_DAYS))
    if found.is_nothing:
        said.append(words.gettext("With these rules nobody would have had another speed in these days."))
    else:
        said.append(_affected(found, words))
    if found.busiest_before is not None:
        hour, rates = found.busiest_before, found.busiest_before.before
        text = words.gettext("Busiest hour: {moment}, {rates} on average.")
        said.append(text.format(moment=_moment(hour.begun, words), rates=_rates(rates, words)))
    if not found.is_nothing:
        said += [*_busiest_after(found.busiest_after, words), *_changes(found, words)]
    return (*said, *_margin(found, words))


def account_replay_sentences(line: AccountReplay, words: Translator = ENGLISH) -> tuple[str, ...]:
    """What one account used against what it could have had, for its own people."""

    def shown(rate: BitsPerSecond) -> str:
        return amount_words(rate_words(rounded(rate)), words)

    length_s = line.active_s if line.active_s < ROUNDED_S else line.active_s // 3600 * 3600
    used = words.gettext(
        "In the last days you were active for {time}. Download and upload together, you used {rate} on average."
    )
    said = [used.format(time=duration_words(Milliseconds(length_s * 1000), words), rate=shown(line.used))]
    if line.used_after != line.used:
        text = words.gettext(
            "With these rules it would have been {rate}, if nobody wanted more than they used."
        )
        said.append(text.format(rate=shown(line.used_after)))
    else:
        said.append(words.gettext("With these rules it would have been the same."))
    if line.could_have is not None:
        before, after = (shown(rate) for rate in line.could_have)
        text = words.gettext(
            "If everybody who was active had wanted as much as possible, you could have had {after} with these rules, and "
            "{before} with the rules in force."
        )
        said.append(text.format(after=after, before=before))
    return tuple(said)


def _affected(found: Replay, words: Translator) -> str:
    low = _count(found.low, words)
    if found.high is None:
        text = words.gettext(
            "Accounts with another speed: {low}, if nobody wanted more than they used. More is not known, because the "
            "rules do not state the speed of the line."
        )
        return text.format(low=low)
    text = words.gettext(
        "Accounts with another speed: {low} if nobody wanted more than they used, {high} if everybody who was active wanted "
        "as much as possible."
    )
    return text.format(low=low, high=_count(found.high, words))


def _count(effects: Effects, words: Translator) -> str:
    if effects.affected is None:
        return words.gettext("fewer than {number}").format(number=GROUP_MIN)
    return str(effects.affected)


def _busiest_after(hour: HourUse | None, words: Translator) -> list[str]:
    if hour is None or hour.after is None:
        return []
    text = words.gettext(
        "Busiest hour with these rules: {moment}, {rates} on average, if nobody wanted more than they used."
    )
    return [text.format(moment=_moment(hour.begun, words), rates=_rates(hour.after, words))]


def _changes(found: Replay, words: Translator) -> list[str]:
    said = []
    if found.low.losses:
        text = words.gettext("Largest losses, in parts of what these accounts used: {parts}.")
        said.append(text.format(parts=_parts(found.low.losses, words)))
    if found.high is not None and found.high.losses:
        text = words.gettext("Largest losses, in parts of what these accounts could have had: {parts}.")
        said.append(text.format(parts=_parts(found.high.losses, words)))
    if found.high is not None and found.high.gains:
        text = words.gettext("Largest gains, in parts of what these accounts could have had: {parts}.")
        said.append(text.format(parts=_parts(found.high.gains, words)))
    text = words.gettext("What fewer than {number} accounts gain or lose is not shown.")
    return [*said, text.format(number=GROUP_MIN)]


def _parts(changes: tuple[int, ...], words: Translator) -> str:
    percents = [
        words.gettext("{number} percent").format(number=number_words(f"{each / 10:.1f}", words))
        for each in changes
    ]
    return " · ".join(percents)


def _margin(found: Replay, words: Translator) -> list[str]:
    before, after = found.margins
    if before is None or after is None:
        return []
    text = words.gettext(
        "Even if everybody who was active had wanted as much as possible, everybody would have had at least {after} times "
        "the lifeline. With the rules in force: {before} times."
    )
    return [text.format(after=_times(after, words), before=_times(before, words))]


def _times(permille: int, words: Translator) -> str:
    return number_words(f"{permille / 1000:.1f}", words)


def _moment(begun: datetime, words: Translator) -> str:
    return moment_words(civil_minute(begun), words, is_dated=True)


def _rates(rates: Rates, words: Translator) -> str:
    return rates_words(Rates(rounded(rates.down), rounded(rates.up)), words)


def rounded(rate: BitsPerSecond) -> BitsPerSecond:
    """With as many digits as people read."""
    unit = 10 ** max(0, len(str(rate)) - DIGITS)
    return BitsPerSecond(int(rate / unit + 0.5) * unit)
