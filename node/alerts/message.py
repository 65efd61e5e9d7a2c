"""Messages about alerts, in the community's language: for people and for programs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from node.alerts.alert_list import BY_NAME, Alert, AlertKey
from node.alerts.states import AlertChange, AlertState
from node.translator import LazyText, Translator, day_words, gettext_lazy, translate

TEXT_CHARS_MAX = 4_000
DIGEST_LINES_MAX = 40


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """What is sent. A message that is sent again has the same id."""

    id: str
    subject: str
    """One line."""
    text: str
    kind: str
    """``raised``, ``cleared``, ``digest`` or ``test``."""
    name: str = ""
    """Of the alert; empty for a digest and a test."""
    node: str = ""
    """Id of the node that the alert is about; empty for the one that sends it."""
    at_s: int | None = None
    """Unix time; None while the clock was not known."""
    since_s: int | None = None
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class MessageOrigin:
    """Where messages come from, and how they are written."""

    community: str
    node: str
    words: Translator
    zone: tzinfo


def title_of(alert: Alert, subject_name: str) -> LazyText:
    """With the name of the node that it is about."""
    if not subject_name:
        return alert.title
    return gettext_lazy("{what}: {node}", what=alert.title, node=subject_name)


def change_message(change: AlertChange, origin: MessageOrigin, id_: str) -> AlertMessage:
    """One alert that was raised or is over."""
    alert, words = BY_NAME[change.name], origin.words
    title = translate(title_of(alert, change.subject_name), words)
    if not change.is_raised:
        title = words.gettext("Over: {what}").format(what=title)
    lines = [f"{title}.", *_times(change, origin)]
    if change.is_raised:
        lines.append(translate(alert.fix, words))
    return AlertMessage(
        id=id_,
        subject=_subject(origin, title),
        text="\n".join(lines)[:TEXT_CHARS_MAX],
        kind="raised" if change.is_raised else "cleared",
        name=change.name,
        node=change.subject,
        at_s=change.at_s,
        since_s=change.since_s,
        is_urgent=alert.is_urgent,
    )


def digest_message(
    changes: Iterable[AlertChange],
    states: Mapping[AlertKey, AlertState],
    origin: MessageOrigin,
    *,
    id_: str,
    now_s: int,
) -> AlertMessage:
    """What has changed since the digest before, and what is still so."""
    words = origin.words
    lines = [_line(each, origin) for each in changes]
    still = [
        f"- {translate(title_of(BY_NAME[name], state.subject_name), words)}. {translate(BY_NAME[name].fix, words)}"
        for (name, _), state in sorted(states.items())
        if state.is_raised
    ]
    text = [words.gettext("Since the last digest:"), *_short(lines, words), ""]
    if still:
        text += [words.gettext("What needs attention now:"), *_short(still, words)]
    else:
        text.append(words.gettext("Nothing needs attention now."))
    return AlertMessage(
        id=id_,
        subject=_subject(origin, words.gettext("What happened at the node")),
        text="\n".join(text)[:TEXT_CHARS_MAX],
        kind="digest",
        at_s=now_s,
    )


def trial_message(origin: MessageOrigin, id_: str, now_s: int | None) -> AlertMessage:
    """Says that messages arrive."""
    words = origin.words
    return AlertMessage(
        id=id_,
        subject=_subject(origin, words.gettext("A test")),
        text=words.gettext("This is a test: alerts of this node arrive here."),
        kind="test",
        at_s=now_s,
    )


def document_of(message: AlertMessage, origin: MessageOrigin) -> dict[str, object]:
    """For programs."""
    return {
        "id": message.id,
        "kind": message.kind,
        "alert": message.name,
        "about_node": message.node,
        "urgent": message.is_urgent,
        "at": _iso(message.at_s, origin.zone),
        "since": _iso(message.since_s, origin.zone),
        "community": origin.community,
        "node": origin.node,
        "subject": message.subject,
        "text": message.text,
    }


def moment_words(at_s: int, origin: MessageOrigin) -> str:
    """``30 November 2026, 18:20``."""
    at = datetime.fromtimestamp(at_s, origin.zone)
    return origin.words.gettext("%(day)s, %(time)s") % {
        "day": day_words(at.date(), origin.words),
        "time": f"{at:%H:%M}",
    }


def _times(change: AlertChange, origin: MessageOrigin) -> Iterable[str]:
    words = origin.words
    if change.since_s is not None:
        yield words.gettext("Since: {time}").format(time=moment_words(change.since_s, origin))
    if not change.is_raised and change.at_s is not None:
        yield words.gettext("Until: {time}").format(time=moment_words(change.at_s, origin))


def _line(change: AlertChange, origin: MessageOrigin) -> str:
    title = translate(title_of(BY_NAME[change.name], change.subject_name), origin.words)
    if not change.is_raised:
        title = origin.words.gettext("Over: {what}").format(what=title)
    if change.at_s is None:
        return f"- {title}"
    return f"- {moment_words(change.at_s, origin)}: {title}"


def _short(lines: list[str], words: Translator) -> list[str]:
    left = len(lines) - DIGEST_LINES_MAX
    if left <= 0:
        return lines
    more = words.ngettext("And {number} more.", "And {number} more.", left).format(number=left)
    return [*lines[:DIGEST_LINES_MAX], more]


def _subject(origin: MessageOrigin, title: str) -> str:
    return " ".join(f"[{origin.community}, {origin.node}] {title}".split())


def _iso(at_s: int | None, zone: tzinfo) -> str | None:
    return None if at_s is None else datetime.fromtimestamp(at_s, zone).isoformat()
