"""Each step of an adoption is an event: the same record has the same one, however often it is stored."""

import pytest

from node.app.adoption_events import events_of
from node.governance.adoption import AdoptionRecord, RecordKind

WHEN = "2026-11-24T12:00:00+01:00"


@pytest.mark.parametrize(
    ("kind", "subject", "recorded"),
    [
        ("adopted", 0, ("rules-adopted", "7")),
        ("edited", 0, ("rules-adopted", "7")),
        ("draft", 0, ("rules-proposed", "7")),
        ("scheduled", 0, ("rules-proposed", "7")),
        ("approved", 5, ("rules-approved", "5")),
        ("confirmed", 5, ("rules-confirmed", "5")),
        ("reverted", 5, ("rules-ended", "5")),
        ("withdrawn", 5, ("rules-withdrawn", "5")),
    ],
)
def test_a_record_is_the_event_of_its_version(
    kind: RecordKind, subject: int, recorded: tuple[str, str]
) -> None:
    (event,) = events_of(AdoptionRecord(kind, WHEN, "admin Ana", "f", "text", subject), 7)
    assert recorded == (event.kind, event.about)
    assert ("admin Ana", "2026-11-24", 1_795_518_000) == (event.by, event.day, event.at_s)
    assert "" == event.text


def test_what_was_there_before_is_no_event():
    for kind in ("before", "checkpoint"):
        assert () == events_of(AdoptionRecord(kind, WHEN, "admin"), 1)  # type: ignore[arg-type]


def test_a_record_that_is_stored_again_is_the_same_event_and_another_is_not():
    record = AdoptionRecord("approved", WHEN, "admin Ana", subject=5)
    assert events_of(record, 0) == events_of(record, 0)
    other = AdoptionRecord("approved", WHEN, "admin Pere", subject=5)
    assert events_of(record, 0)[0].key != events_of(other, 0)[0].key


def test_a_clock_that_was_not_known_gives_no_time():
    (event,) = events_of(AdoptionRecord("edited", "1970-01-01T00:00:09+00:00", "x"), 0)
    assert (0, "", "") == (event.at_s, event.day, event.about)
