"""Two and three real nodes: a notice for all nodes is shown at each, with the name of its node, until that withdraws it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from mesh import registry_pages
from mesh.notice_kind import NoticeContent, notice_body, notice_label
from node.accounts.notices import Notice, NoticeText
from node.app.admin_content import AdminContentService, fingerprint
from node.app.admin_sessions import Signed
from tests.fakes.neighbours import id_of
from tests.fakes.reconciler_fixture import until
from tests.fakes.shared_node import SharedNode
from tests.fakes.use_cases import parsed_settings

ANA = Signed("admin", "Ana")
TEXTS = (
    NoticeText("ca", "Dimarts no hi ha línia", "Es repara el pal."),
    NoticeText("es", "El martes no hay línea", "Se repara el mástil."),
    NoticeText("en", "The line is down on Tuesday", "The mast is repaired.\nBring a book."),
    NoticeText("fr", "Pas de ligne mardi", "On répare le mât."),
    NoticeText("ar", "ينقطع الخط يوم الثلاثاء", "يُصلَح البرج."),
)
NOTICE = Notice(0, "network", "everyone", "", "", is_urgent=True, texts=TEXTS)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.replicator.LOOK_AT_REGISTRY_S", 0.2)
    monkeypatch.setattr(registry_pages, "REST_EVERY_S", 0.5)


def content(node: SharedNode) -> AdminContentService:
    return AdminContentService(node.loop, parsed_settings())


def heard(node: SharedNode) -> set[Notice]:
    return set(content(node).heard_notices())


def told(notice: Notice, node: str) -> Notice:
    """As other nodes show it."""
    return replace(notice, number=0, by="", node=node)


async def save(node: SharedNode, notice: Notice = NOTICE) -> None:
    assert () == await content(node).save_notice(ANA, notice)


async def take_down(node: SharedNode) -> None:
    (notice,) = content(node).notices()
    assert notice == await content(node).take_down(notice.number, fingerprint(notice))


def pair(tmp_path: Path) -> tuple[SharedNode, SharedNode]:
    return SharedNode("hill", tmp_path, "valley"), SharedNode("valley", tmp_path, "hill")


def name(node: SharedNode) -> None:
    """As the daemon does."""
    node.shared.name_of_node = {id_of("hill"): "hill", id_of("valley"): "valley"}.__getitem__


async def test_a_notice_for_all_nodes_is_shown_at_the_other_in_all_its_languages_until_it_is_withdrawn(
    tmp_path: Path,
) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        name(valley)
        await save(hill)
        await save(hill, replace(NOTICE, where="here", is_urgent=False))
        await until(lambda: bool(heard(valley)))
        assert {told(NOTICE, "hill")} == heard(valley)
        assert () == content(valley).notices(), "nobody changes it there"
        assert set() == heard(hill)
    async with valley.running():
        name(valley)
        await until(lambda: {told(NOTICE, "hill")} == heard(valley))
    async with hill.running(), valley.running(hill):
        local = next(each for each in content(hill).notices() if each.where == "here")
        await content(hill).take_down(local.number, fingerprint(local))
        await take_down(hill)
        await until(lambda: not heard(valley))


async def test_a_changed_notice_takes_the_place_of_what_was_said_before(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        name(valley)
        await save(hill)
        await until(lambda: bool(heard(valley)))
        (before,) = content(hill).notices()
        changed = replace(before, is_urgent=False, last_day="2099-12-31")
        assert () == await content(hill).save_notice(ANA, changed, fingerprint(before))
        await until(lambda: {told(changed, "hill")} == heard(valley))
        (before,) = content(hill).notices()
        assert () == await content(hill).save_notice(ANA, replace(before, where="here"), fingerprint(before))
        await until(lambda: not heard(valley))


@pytest.mark.thorough
async def test_the_notices_of_a_node_that_was_removed_are_gone(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        await save(hill)
        await until(lambda: bool(heard(valley)))
        valley.roster = frozenset({id_of("valley")})
        await until(lambda: not heard(valley))
        valley.roster = frozenset({id_of("valley"), id_of("hill")})
        await until(lambda: bool(heard(valley)))


async def test_a_notice_passes_through_a_node_in_between(tmp_path: Path) -> None:
    hill = SharedNode("hill", tmp_path, "valley", "coast")
    valley = SharedNode("valley", tmp_path, "hill", "coast")
    coast = SharedNode("coast", tmp_path, "hill", "valley")
    async with hill.running() as there, valley.running(there):
        await save(hill)
        await until(lambda: bool(heard(valley)))
    async with valley.running() as there:
        await until(lambda: bool(heard(valley)))  # from its disk
        async with coast.running(there):
            await until(lambda: bool(heard(coast)))


@pytest.mark.thorough
async def test_a_node_that_lost_its_database_withdraws_what_it_does_not_know(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with valley.running() as there:
        async with hill.running(there):
            await save(hill)
            await until(lambda: bool(heard(valley)))
        hill.lose_data()
        async with hill.running(there):
            await until(lambda: len(content(hill).notices()) == len(heard(valley)))
            await asyncio.sleep(1.5)
            assert len(content(hill).notices()) == len(heard(valley))


async def test_a_notice_that_was_stored_before_a_kill_is_told_after_it(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with valley.running() as there:
        async with hill.running():
            await save(hill)
            hill.kill()  # its row is stored, its page is not
        async with hill.running(there):
            await until(lambda: bool(heard(valley)))
            await take_down(hill)
            hill.kill()
        async with hill.running(there):
            await until(lambda: not heard(valley))


async def test_what_a_hostile_member_says_is_shown_nowhere_and_stops_nothing(tmp_path: Path) -> None:
    hill, valley = pair(tmp_path)
    async with hill.running(), valley.running(hill):
        await until(lambda: bool(valley.mesh._links))
        replica = hill.mesh._replica
        good = notice_body(NoticeContent("2026-11-24", told(NOTICE, "")))
        bodies = [
            good.replace(b'"network"', b'"here"'),
            good.replace(b'"everyone"', b'"group:<script>"'),
            good.replace(b'"ca"', b'"<script>"'),
            good.replace(b'"2026-11-24"', b'"0000-00-00"'),
            b"{}",
            b"[" * 30_000,
            b'{"day":"","notice":' + b'{"a":' * 2000 + b"1" + b"}" * 2001,
            good.replace(b"The mast is repaired.", b"x" * 20_000),
            good.replace(b"Es repara", rb"\ud800"),
        ]
        for part, body in enumerate(bodies):
            await replica._write_part("notice", part, body)
        await replica._write_part("notice", 900, good)
        await replica._write_part("notice", 15, good.replace(b"Es repara", rb"\u202e\u001b[2J"))
        await until(lambda: bool(heard(valley)))
        (only,) = heard(valley)
        assert only.texts[0].text.isprintable()
        only.texts[0].text.encode()
        raw = valley.mesh._replica.exchange.other_of(id_of("hill"), notice_label(7))
        assert raw is not None, "it is kept and passed on as any page"
