"""What a node lists beside its records is published together; batches take what room notices leave."""

from mesh.list_pages import ListPages
from mesh.notice_kind import NoticeContent, notice_content
from node.accounts.notices import Notice, NoticeText
from tests.fakes.held_other_pages import HeldOtherPages
from tests.fakes.neighbours import id_of
from tests.fakes.sharing_fixture import SharingFixture

OWN = id_of("hill")
NOTICE = Notice(0, "network", "everyone", "", "", is_urgent=False, texts=(NoticeText("en", "Hello", ""),))


async def test_a_change_wakes_and_is_published_by_its_kind() -> None:
    node = SharingFixture()
    await node.start()
    calls: list[int] = []
    held = HeldOtherPages("notice")
    lists = ListPages(OWN, node.shared, held, lambda: frozenset({OWN}), lambda: calls.append(1))
    assert [] == [*lists.due(0.0)]
    node.loop.registry.notices.put_up(NOTICE)
    assert [] == [*lists.due(1.0)], "not before it is stored"
    node.loop.registry.notices.stored()
    assert [1] == calls
    ((kind, part, body),) = lists.due(2.0)
    assert ("notice", 0) == (kind, part)
    assert lists._batches._changed, "batches have another room now"
    assert NoticeContent(node.shared.today(), NOTICE) == notice_content(body)
    lists.accept(held.hold("hill", part, body))
    assert [] == [*lists.due(3.0)]
    assert () == lists.warnings()


def test_without_shared_records_nothing_happens() -> None:
    lists = ListPages(OWN, None, HeldOtherPages("notice"), lambda: frozenset({OWN}), lambda: None)
    lists.evicted(OWN, ["x"])
    assert [] == [*lists.due(0.0)]
