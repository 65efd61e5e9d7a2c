"""Times as yanic writes them, which meshviewer and readers of nodelist.json expect."""

from datetime import UTC, datetime

UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)


def yanic_time(at: datetime | None) -> str:
    """For example ``2026-11-24T18:03:00+0000``; None is the beginning of 1970, because the formats need a time."""
    return (at or UNKNOWN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S%z")
