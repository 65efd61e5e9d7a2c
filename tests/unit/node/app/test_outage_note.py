"""What an admin tells people while the line is down."""

from datetime import timedelta

import pytest

from node.app.outage_note import GONE_AFTER_MS, KNOWN_TO_CHARS_MAX, OutageNote, OutageNotes
from node.app.views import Outage
from node.errors import StorageTrouble
from tests.fakes.alert_ways import AlertNode


def notes(node: AlertNode) -> OutageNotes:
    return OutageNotes(node.archive, node.clock, lambda: node.outage, node.told.append)


def local(node: AlertNode, hours: int) -> str:
    return (node.clock.civil().astimezone() + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M")


async def test_it_is_told_stored_and_taken_back() -> None:
    node = AlertNode()
    node.outage = Outage(None)
    assert None is await notes(node).save(" The  assembly ", local(node, 3))
    after_restart = notes(node)
    await after_restart.look()
    note = after_restart.note
    assert note is not None
    assert "The assembly" == note.known_to
    assert node.told[-1] == note == node.told[0]
    await after_restart.clear()
    later = notes(node)
    await later.look()
    assert None is later.note is node.told[-1]


@pytest.mark.parametrize(
    ("known_to", "until"),
    [
        ("", ""),
        ("x" * (KNOWN_TO_CHARS_MAX + 1), ""),
        ("bad\u202ename", ""),
        ("assembly", "yesterday"),
        ("assembly", "9999-99-99T00:00"),
        ("assembly", "0001-01-01T00:00"),
        ("assembly", "2026-11-24T11:00"),
        ("assembly", "2027-11-24T11:00"),
    ],
)
async def test_what_cannot_be_told_is_refused_with_what_to_write(known_to: str, until: str) -> None:
    node = AlertNode()
    found = await notes(node).save(known_to, until)
    assert found is not None
    assert found.fix
    assert [] == node.told


async def test_a_time_that_is_over_is_no_longer_told() -> None:
    node = AlertNode()
    node.outage = Outage(None)
    both, only_time = notes(node), notes(AlertNode())
    assert None is await both.save("the provider", local(node, 2))
    node.clock.pass_time(2 * 3_600_000)
    await both.look()
    assert OutageNote("the provider") == both.note
    assert None is only_time.note
    assert None is await both.save("", local(node, 1))
    node.clock.pass_time(3_600_000)
    await both.look()
    assert None is both.note


async def test_it_ends_when_the_line_has_answered_for_two_minutes_and_not_before() -> None:
    node = AlertNode()
    found = notes(node)
    node.outage = Outage(None)
    await found.save("the provider", "")
    for outage in (None, Outage(None), None):
        node.outage = outage
        await found.look()
        node.clock.pass_time(GONE_AFTER_MS - 1)
        await found.look()
        assert found.note is not None
    node.clock.pass_time(1)
    await found.look()
    assert None is found.note


async def test_a_full_disk_is_said_and_people_are_told_all_the_same() -> None:
    node = AlertNode()
    found = notes(node)
    node.repository.full = True
    with pytest.raises(StorageTrouble):
        await found.save("the provider", "")
    assert OutageNote("the provider") == found.note
    await found.clear()
    assert None is found.note


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"known_to": 3, "until_s": null}', '{"known_to": "a", "until_s": 1e40}']
)
async def test_a_note_that_was_damaged_is_none(text: str) -> None:
    node = AlertNode()
    node.repository.facts["outage_note"] = text
    found = notes(node)
    await found.look()
    assert None is found.note
