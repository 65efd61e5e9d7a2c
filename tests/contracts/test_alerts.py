"""Alerts of a node from what it sees to what is sent, with ways that fail, restarts, full disks and wrong clocks."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from node.alerts.alert_list import ALERTS
from node.alerts.message import AlertMessage
from node.alerts.outbox import WAITING_MAX
from node.alerts.readings import AlertReadings
from node.app import alert_service
from node.app.alert_service import RECALL_S, AlertService
from node.errors import NodeError
from tests.fakes.alert_ways import LOOK_MS, AlertNode, FakeWay, running, until, watch
from tests.unit.node.alerts.test_readings import BAD, GOOD

DEAD, UP = AlertReadings(line_answers=False), AlertReadings(line_answers=True)
OLD = AlertReadings(backup_age_s=40 * 86_400)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_service, "pause_s", lambda failures: 0.002 * failures)


async def recalled(node: AlertNode) -> AlertService:
    service = node.service()
    assert await service._recall()
    return service


async def test_each_alert_fires_once_and_clears_once() -> None:
    node = AlertNode("webhook")
    service = node.service()
    async with running(service):
        node.readings = replace(BAD, is_clock_known=True)
        await until(lambda: len(service.raised()) == len(ALERTS) - 2)
        node.clock.wall += timedelta(days=1)
        await until(lambda: len(service.raised()) == len(ALERTS) - 1)
        node.readings = GOOD
        await until(lambda: not service.raised())
        node.clock.trust = "unknown"
        node.readings = replace(GOOD, is_clock_known=False)
        await until(lambda: len(service.raised()) == 1)
        node.clock.trust, node.readings = "synced", GOOD
        await until(lambda: not service.raised() and len(node.ways["webhook"].arrived) >= 2 * len(ALERTS))
    kinds = node.ways["webhook"].kinds
    assert len(kinds) == len(set(kinds))
    assert {(kind, each.name) for each in ALERTS for kind in ("raised", "cleared")} <= set(kinds)


async def test_a_clock_that_somebody_sets_is_an_alert_for_an_hour_and_one_that_a_time_server_sets_is_none() -> (
    None
):
    node = AlertNode("webhook")
    service = await recalled(node)
    node.clock.trust = "holdover"
    await watch(service, 60)
    node.clock.wall += timedelta(days=3)
    node.clock.trust = "synced"
    await watch(service, 60)
    assert () == service.raised()
    for jump in (timedelta(days=-3_650), timedelta(days=3_650)):
        node.clock.wall += jump
        await watch(service, 15)
        assert ["clock_jumped"] == [each.alert.name for each in service.raised()]
    await watch(service, 3_600 - LOOK_MS // 1_000)
    assert ["clock_jumped"] == [each.alert.name for each in service.raised()]
    await watch(service, 60)
    assert () == service.raised()


@pytest.mark.parametrize("year", [1970, 2099])
async def test_a_clock_in_another_century_is_no_error(year: int) -> None:
    node = AlertNode("mail", "file")
    node.clock.wall = datetime(year, 1, 1, 12, tzinfo=UTC)
    service = node.service()
    async with running(service):
        node.readings = DEAD
        await until(lambda: ("raised", "line_dead") in node.ways["mail"].kinds)
    assert [year] == [each.since.year for each in service.raised() if each.since is not None]


async def test_urgent_ones_come_at_once_and_the_others_with_the_digest_of_the_day() -> None:
    node = AlertNode("mail", "webhook")
    node.clock.wall = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)
    service = node.service()
    async with running(service):
        node.readings = replace(OLD, line_answers=False)
        await until(lambda: ("raised", "backup_old") in node.ways["webhook"].kinds)
        await until(lambda: [("raised", "line_dead")] == node.ways["mail"].kinds)
        await until(lambda: len(node.ways["mail"].arrived) == 2)
    digest = node.ways["mail"].arrived[1]
    assert "digest" == digest.kind
    assert "No backup has been made for 30 days" in digest.text
    assert datetime(2026, 11, 24, 8, tzinfo=UTC).timestamp() <= (digest.at_s or 0)
    assert "digest" not in [each.kind for each in node.ways["webhook"].arrived]


async def test_nothing_to_tell_is_no_digest() -> None:
    node = AlertNode("mail")
    node.readings = GOOD
    service = await recalled(node)
    await watch(service, 86_400)
    assert {} == service._kept.outbox.waiting
    assert "2026-11-25" == service._kept.digest.last_day


async def test_a_restart_tells_nothing_twice_and_loses_nothing() -> None:
    node = AlertNode("mail", "file")
    node.readings = DEAD
    async with running(node.service()):
        await until(lambda: len(node.ways["mail"].arrived) == 1 and len(node.ways["file"].arrived) == 1)
    for _ in range(3):
        service = node.service()
        async with running(service):
            await until(lambda service=service: bool(service.raised()))
            await asyncio.sleep(0.05)
    assert [("raised", "line_dead")] == node.ways["mail"].kinds
    node.readings = UP
    async with running(node.service()):
        await until(lambda: len(node.ways["mail"].arrived) == 2)
    assert [("raised", "line_dead"), ("cleared", "line_dead")] == node.ways["mail"].kinds


async def test_one_killed_between_storing_and_sending_sends_it_with_the_same_id() -> None:
    node = AlertNode("webhook")
    node.readings, node.ways["webhook"].hangs = DEAD, True
    service = await recalled(node)
    await watch(service, 330)  # stored, and nothing was sent: as after kill -9
    (waiting,) = node.stored()["waiting"]["webhook"]
    node.ways["webhook"].hangs = False
    async with running(node.service()):
        await until(lambda: len(node.ways["webhook"].arrived) == 1)
        await asyncio.sleep(0.02)
    assert [waiting["id"]] == [each.id for each in node.ways["webhook"].arrived]


async def test_nothing_is_sent_before_it_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a node that is killed then would tell it again with another id."""
    node, unstored = AlertNode("webhook"), list[str]()
    save_state, send = node.archive.save_state, node.ways["webhook"].send

    async def save_slowly(name: str, value: str) -> None:
        await asyncio.sleep(0.002)
        await save_state(name, value)

    async def send_what_is_stored(message: AlertMessage) -> None:
        if message.id not in json.dumps(node.stored()):
            unstored.append(message.subject)
        await send(message)

    monkeypatch.setattr(node.archive, "save_state", save_slowly)
    monkeypatch.setattr(node.ways["webhook"], "send", send_what_is_stored)
    async with running(node.service()):
        async with asyncio.timeout(60):
            while len(node.ways["webhook"].arrived) <= 2 * len(ALERTS):
                node.readings = GOOD if node.readings is BAD else BAD
                await asyncio.sleep(0.1)
    assert [] == unstored


async def test_one_killed_after_sending_sends_it_again_with_the_same_id() -> None:
    node = AlertNode("webhook")
    node.readings = DEAD
    service = await recalled(node)
    await watch(service, 330)
    before = dict(node.repository.facts)
    async with running(node.service()):
        await until(lambda: len(node.ways["webhook"].arrived) == 1)
    node.repository.facts = before  # what was stored after it had arrived is lost
    async with running(node.service()):
        await until(lambda: len(node.ways["webhook"].arrived) == 2)
    assert 1 == len({each.id for each in node.ways["webhook"].arrived})


async def test_a_way_that_hangs_or_fails_delays_no_other_and_no_look() -> None:
    node = AlertNode("mail", "matrix", "webhook", "file")
    node.ways["mail"].hangs, node.ways["matrix"].fails = True, True
    service = node.service()
    async with running(service):
        for readings, count in ((DEAD, 1), (UP, 2)):
            node.readings = readings
            await until(
                lambda count=count: all(len(node.ways[way].arrived) == count for way in ("webhook", "file"))
            )
        await until(lambda: node.ways["matrix"].attempts > 3)
        assert 1 == node.ways["mail"].attempts
        (warning,) = service.warnings()
        assert "matrix: the server answered 500" in warning
        waiting = service.waiting()
        assert [2, 2, 0, 0] == [waiting[way][0] for way in ("mail", "matrix", "webhook", "file")]
        node.ways["matrix"].fails = False
        await until(lambda: len(node.ways["matrix"].arrived) == 2)
        assert () == service.warnings()
    assert ["raised", "cleared"] == [each.kind for each in node.ways["matrix"].arrived]


async def test_a_way_that_hangs_is_given_up_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_service, "SEND_S", 0.02)
    node = AlertNode("webhook")
    node.readings, node.ways["webhook"].hangs = DEAD, True
    service = node.service()
    async with running(service):
        await until(lambda: node.ways["webhook"].attempts > 2)
        assert "no answer in time." == service.waiting()["webhook"][2]
        with pytest.raises(NodeError, match="did not answer"):
            await service.test("webhook")


async def test_a_way_that_fails_for_weeks_keeps_the_newest() -> None:
    node = AlertNode("webhook")
    node.ways["webhook"].fails = True
    service = await recalled(node)
    for _ in range(WAITING_MAX):
        node.readings = DEAD
        await watch(service, 400)
        node.readings = UP
        await watch(service, 200)
    assert (WAITING_MAX, WAITING_MAX) == service.waiting()["webhook"][:2]
    assert len(node.repository.facts[alert_service.STATE]) < 100_000


async def test_a_full_disk_is_told_although_nothing_can_be_stored() -> None:
    node = AlertNode("webhook")
    node.readings = AlertReadings(disk_free_permille=3)
    service = node.service()
    async with running(service):
        await until(lambda: service._is_recalled)
        node.repository.full = True
        await until(lambda: len(node.ways["webhook"].arrived) == 1)
        node.repository.full = False
        await until(lambda: bool(node.stored().get("states")))
    async with running(node.service()):
        await asyncio.sleep(0.05)
    assert [("raised", "disk_low")] == node.ways["webhook"].kinds


async def test_a_disk_that_cannot_be_read_at_the_start_is_waited_for_and_then_told_anyway() -> None:
    node = AlertNode("webhook")
    node.repository.full, node.readings = True, AlertReadings(disk_free_permille=3)
    service = node.service()
    assert not await service._recall()
    node.clock.pass_time(RECALL_S * 1_000)
    async with running(service):
        await until(lambda: len(node.ways["webhook"].arrived) == 1)


async def test_what_waits_for_a_way_that_was_taken_out_of_the_settings_is_gone() -> None:
    node = AlertNode("mail")
    node.readings = DEAD
    await watch(await recalled(node), 330)
    del node.ways["mail"]
    assert {} == (await recalled(node))._kept.outbox.waiting


async def test_a_test_says_what_happened() -> None:
    node = AlertNode("mail", "matrix")
    node.ways["matrix"].fails = True
    service = node.service()
    await service.test("mail")
    assert ["test"] == [each.kind for each in node.ways["mail"].arrived]
    with pytest.raises(NodeError, match="answered 500"):
        await service.test("matrix")
    with pytest.raises(NodeError, match=r"not sent by 'pigeon'.*set: mail, matrix"):
        await service.test("pigeon")


async def test_no_alert_names_a_person() -> None:
    """Each text is made of the list, of names of nodes, and of times."""
    node = AlertNode("webhook")
    service = node.service()
    async with running(service):
        node.readings = replace(BAD, is_clock_known=True)
        await until(lambda: len(node.ways["webhook"].arrived) >= len(ALERTS) - 2)
    known = {str(each.title) for each in ALERTS} | {str(each.fix) for each in ALERTS}
    for message in node.ways["webhook"].arrived:
        title, *times, fix = message.text.splitlines()
        assert title.removesuffix(".") in known
        assert fix in known
        assert all(line.startswith("Since: ") for line in times)
    assert json.dumps(node.stored())


async def test_a_bug_in_one_way_stops_no_other() -> None:
    class BrokenWay(FakeWay):
        async def send(self, message: AlertMessage) -> None:
            raise ZeroDivisionError("a bug")

    node = AlertNode("webhook", "file")
    node.ways["webhook"], node.readings = BrokenWay(), DEAD
    service = node.service()
    async with running(service):
        await until(lambda: len(node.ways["file"].arrived) == 1)
        await until(lambda: "ZeroDivisionError" in service.waiting()["webhook"][2])
