"""What of this node's notices goes to others, and by which name theirs are shown."""

from dataclasses import replace
from datetime import timedelta

import pytest

from node.accounts.notices import Notice, NoticeText
from node.app.shared_notices import NAMES_LOOK_MS, NoticeSharing
from tests.fakes.neighbours import id_of
from tests.fakes.sharing_fixture import SharingFixture

HILL = id_of("hill")
NOTICE = Notice(0, "network", "everyone", "", "", is_urgent=False, texts=(NoticeText("en", "Hello", ""),))


@pytest.fixture
async def node() -> SharingFixture:
    fixture = SharingFixture()
    await fixture.start()
    return fixture


def notices_of(node: SharingFixture) -> NoticeSharing:
    assert isinstance(node.shared.notices, NoticeSharing)
    return node.shared.notices


async def test_only_what_is_for_other_nodes_and_not_over_is_said(node: SharingFixture) -> None:
    today = node.clock.wall.date()
    yesterday, tomorrow = str(today - timedelta(days=1)), str(today + timedelta(days=1))
    wishes = {
        "everywhere": NOTICE,
        "in the zone": replace(NOTICE, where="zone:valley"),
        "here": replace(NOTICE, where="here"),
        "by name": replace(NOTICE, where="node:hill"),
        "over": replace(NOTICE, last_day=yesterday),
        "later": replace(NOTICE, first_day=tomorrow),
    }
    for title, wish in wishes.items():
        node.loop.registry.notices.put_up(replace(wish, texts=(NoticeText("en", title, ""),)))
    own = {each.texts[0].title for each in notices_of(node).own()}
    assert {"everywhere", "in the zone", "later"} == own


async def test_the_name_of_a_node_is_looked_up_now_and_then(node: SharingFixture) -> None:
    shared, asked = notices_of(node), []
    node.shared.name_of_node = lambda each: asked.append(each) or f"name {len(asked)}"  # type: ignore[func-returns-value]
    shared.hear(HILL, 0, NOTICE)
    heard = node.loop.registry.heard_notices
    assert ["name 1"] * 3 == [heard.all()[0].node for _ in range(3)]
    node.clock.pass_time(NAMES_LOOK_MS)
    assert "name 2" == heard.all()[0].node
    shared.drop(HILL)
    assert () == heard.all()
