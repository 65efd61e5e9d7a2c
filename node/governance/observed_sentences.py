"""What observed rules would have limited, in sentences for those who decide, in every language."""

from node.governance.account_classes import GROUP_MIN
from node.governance.rule_effects import ObservedCount
from node.translator import ENGLISH, Translator, day_words

MINUTE_S, HOUR_S = 60, 3600


def observed_sentence(count: ObservedCount, words: Translator = ENGLISH) -> str:
    """How many accounts, for how long, and what the count does not know."""
    days = {"first": day_words(count.first, words), "last": day_words(count.last, words)}
    if not count.is_here:
        text = words.gettext("It does not hold at this node from {first} to {last}, so nothing was counted.")
        return text.format(**days)
    said = [_limited(count, words)]
    if count.low:
        text = words.gettext("Added up over these accounts, at least {time}.")
        said.append(text.format(time=_time(count.low_s, words)))
    said.append(words.gettext("Counted from {first} to {last}.").format(**days))
    if count.has_quota:
        said.append(
            words.gettext("What was used before these days is not known, and counts towards no quota.")
        )
    if not count.has_high:
        said.append(words.gettext("More is not known: the rules do not state the speed of the line."))
    return " ".join(said)


def _limited(count: ObservedCount, words: Translator) -> str:
    text = words.gettext(
        "Would have limited {low} of {accounts} active accounts if nobody wanted more than they used."
    )
    if count.has_high:
        text = words.gettext(
            "Would have limited {low} of {accounts} active accounts if nobody wanted more than they used, {high} if all "
            "wanted as much as possible."
        )
    return text.format(
        low=_number(count.low, words, are_many=count.are_low_many),
        high=_number(count.high, words, are_many=count.are_high_many),
        accounts=count.accounts,
    )


def _number(accounts: int | None, words: Translator, *, are_many: bool) -> str:
    if accounts is not None:
        return str(accounts)
    text = words.gettext("at least {number}") if are_many else words.gettext("fewer than {number}")
    return text.format(number=GROUP_MIN)


def _time(seconds: int, words: Translator) -> str:
    if seconds < HOUR_S:
        number = seconds // MINUTE_S
        return words.ngettext("{number} minute", "{number} minutes", number).format(number=number)
    number = seconds // HOUR_S
    return words.ngettext("{number} hour", "{number} hours", number).format(number=number)
