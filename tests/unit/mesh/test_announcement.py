"""What nodes announce on a link (DNS-SD); no announcement is trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import TXT_BYTES_MAX, Announcement, announce, instance_name, read_announcement
from mesh.node_certificates import community_mark
from mesh.page_format import Malformed
from tests.fakes.neighbours import id_of

HILL = id_of("hill")


def items_of(**changed: str) -> dict[bytes, bytes | None]:
    items = announce(community="the-village", node=HILL, port=7400, boot="0123456789abcdef") | changed
    return {key.encode(): value.encode() for key, value in items.items()}


def test_a_node_hears_what_another_announces() -> None:
    said = read_announcement(instance_name(HILL), items_of())
    assert Announcement(community_mark("the-village"), HILL, 7400) == said


def test_an_announcement_is_small_and_names_no_community() -> None:
    items = items_of()
    assert sum(len(key) + len(value or b"") + 2 for key, value in items.items()) <= TXT_BYTES_MAX
    assert not any(b"village" in (value or b"") for value in items.values())


def test_names_are_unique_for_each_node_and_fit_a_dns_label() -> None:
    assert instance_name(HILL) != instance_name(id_of("valley"))
    assert 16 == len(instance_name(HILL).split(".")[0])


@pytest.mark.parametrize(
    "changed",
    [{"v": "2"}, {"c": "short"}, {"p": "0"}, {"p": "65536"}, {"p": "07411"}, {"id": "nobody"}, {"id": id_of("valley")},
     {"more": "x" * 200}],
)  # fmt: skip
def test_an_invalid_announcement_is_ignored(changed: dict[str, str]) -> None:
    assert isinstance(read_announcement(instance_name(HILL), items_of(**changed)), Malformed)


@given(
    st.text(max_size=80),
    st.dictionaries(st.binary(max_size=9), st.none() | st.binary(max_size=99), max_size=20),
)
def test_no_announcement_raises(name: str, items: dict[bytes, bytes | None]) -> None:
    assert isinstance(read_announcement(name, items), Malformed)
