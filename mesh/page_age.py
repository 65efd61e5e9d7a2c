"""How long ago a page with a day was true: ISO days, empty while one is not known."""

from datetime import date

SAID_AGAIN_DAYS = 5
"""A page that says the same is published again after so many days, with the day: others must know that it is still true."""


def is_to_be_said_again(day: str, today: str) -> bool:
    """Whether a page of this node with that day is published again. Also for a day in the future, from a wrong clock."""
    if not day or not today:
        return day != today and bool(today)
    return not 0 <= _days(day, today) < SAID_AGAIN_DAYS


def is_older(day: str, today: str, days: int) -> bool:
    """Whether a page with that day is more than so many days old. False while one of the days is not known, or the author's
    clock is ahead."""
    return bool(day and today) and _days(day, today) > days


def _days(day: str, today: str) -> int:
    return (date.fromisoformat(today) - date.fromisoformat(day)).days
