"""The local time at which scheduled rules come into force, as people write and read it."""

from datetime import datetime, timedelta

from node.app.adoption_messages import WrongTime
from node.translator import gettext_lazy

DUE_MAX = timedelta(days=366)
_TEXT = "%Y-%m-%d %H:%M"


def due_text(due: datetime) -> str:
    return due.strftime(_TEXT)


def read_due(text: str, now: datetime, *, knows_time: bool) -> datetime:
    """The time that `text` names, also with a ``T`` between day and time. Raises WrongTime for one that is not within the
    next year, and while the node does not know the time."""
    fix = gettext_lazy(
        "give a day and a time within the next year, such as {example}", example="2026-12-01 06:00"
    )
    try:
        at = datetime.strptime(" ".join(text.replace("T", " ").split()), _TEXT)  # noqa: DTZ007 - local
    except ValueError as error:
        raise WrongTime(gettext_lazy("{text} is not a day and a time", text=f"{text!r:.40}"), fix) from error
    if not knows_time:
        raise WrongTime(
            gettext_lazy("this node does not know the time"),
            gettext_lazy("set its clock, or adopt the rules now"),
        )
    if not now < at <= now + DUE_MAX:
        raise WrongTime(gettext_lazy("{text} is not within the next year", text=due_text(at)), fix)
    return at
