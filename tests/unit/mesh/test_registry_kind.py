"""Registry pages: what is written is read again, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.page_format import ACCOUNT_BYTES_MAX, NUMBER_MAX, Malformed, Page, canonical
from mesh.page_kind import OTHER, Priority, Unread
from mesh.page_kinds import page_content
from mesh.registry_kind import (
    REGISTRY_KIND,
    REGISTRY_PARTS,
    VALUE_BYTES_MAX,
    VALUE_DEPTH_MAX,
    RegistryContent,
    is_record_key,
    is_value,
    part_of_label,
    registry_body,
    registry_content,
    registry_label,
    registry_part,
)
from mesh.usage_kind import USAGE
from node.accounts.registry_record import RegistryRecord
from tests.fakes.mesh_exchange import an_other_page

ROW = ["cards", "ana", 1, "", {"below": 7}]

values = st.dictionaries(
    st.text("abc", max_size=3), st.none() | st.booleans() | st.integers() | st.text(max_size=5), max_size=3
).filter(is_value)
records = st.builds(
    RegistryRecord,
    kind=st.text("abcxyz", min_size=1, max_size=16),
    key=st.sampled_from(["ana", "Família Puig", "ح", "x" * 64, '"\\']),
    version=st.integers(1, NUMBER_MAX),
    until=st.dates().map(str) | st.just(""),
    value=values,
)


@given(st.lists(records, max_size=5, unique_by=lambda each: (each.kind, each.key)))
def test_what_is_written_is_read_again_in_order(said: list[RegistryRecord]) -> None:
    read = registry_content(registry_body(said))
    assert RegistryContent(tuple(sorted(said, key=lambda each: (each.kind, each.key)))) == read


@given(
    st.binary(max_size=64)
    | st.lists(
        st.tuples(*(st.sampled_from([value, None, -1, True, [], "\ud800", 2**70, 1e300]) for value in ROW)),
        max_size=3,
    ).map(lambda rows: json.dumps({"rows": rows}).encode())
)
def test_whatever_a_page_says_reading_it_does_not_raise(body: bytes) -> None:
    assert isinstance(registry_content(body), RegistryContent | Malformed)


@pytest.mark.parametrize(
    "row",
    [["Cards", *ROW[1:]], ["", *ROW[1:]], ["cards", "", *ROW[2:]], ["cards", "a\n", *ROW[2:]],
     ["cards", "x" * (ACCOUNT_BYTES_MAX + 1), *ROW[2:]], ["cards", "ana", 0, *ROW[3:]],
     ["cards", "ana", True, *ROW[3:]], ["cards", "ana", NUMBER_MAX + 1, *ROW[3:]],
     [*ROW[:3], "unknown", {}], [*ROW[:3], "2026-02-30", {}], [*ROW[:3], None, {}], [*ROW[:4], []],
     [*ROW[:4], {"x": "y" * VALUE_BYTES_MAX}], [*ROW[:4], {"x": "\ud800"}], ROW[:4], [*ROW, 1], "row", None],
)  # fmt: skip
def test_a_row_that_says_something_else_makes_the_page_malformed(row: object) -> None:
    body = json.dumps({"rows": [row]}).encode()
    assert isinstance(registry_content(body), Malformed)


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{}", canonical({"rows": [ROW, ROW]}), canonical({"rows": [["cards", "b", *ROW[2:]], ROW]}),
     canonical({"rows": [[f"a{'b' * n}", "a", 1, "", {}] for n in range(1001)]})],
)  # fmt: skip
def test_rows_are_sorted_each_once_and_not_too_many(body: bytes) -> None:
    assert isinstance(registry_content(body), Malformed)


def test_a_nested_value_is_refused_and_not_followed_down() -> None:
    body = b'{"rows":[["cards","ana",1,"",{"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}]]}"
    assert isinstance(registry_content(body), Malformed)


@pytest.mark.parametrize(("depth", "is_read"), [(VALUE_DEPTH_MAX, True), (VALUE_DEPTH_MAX + 1, False)])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_value_is_nested_so_deep_and_no_deeper(
    opening: str, closing: str, depth: int, is_read: bool
) -> None:
    inner = opening * (depth - 1) + "7" + closing * (depth - 1)
    body = f'{{"rows":[["cards","ana",1,"",{{"x":{inner}}}]]}}'.encode()
    assert is_read == isinstance(registry_content(body), RegistryContent)


def registry_page(part: int, body: bytes) -> Page:
    return an_other_page(kind="registry", period="now", part=part, body=body)


def test_a_record_is_read_only_in_its_own_part() -> None:
    body = canonical({"rows": [ROW]})
    part = registry_part("cards", "ana")
    assert isinstance(page_content(registry_page(part, body)), RegistryContent)
    for wrong in (
        registry_page((part + 1) % REGISTRY_PARTS, body),
        registry_page(part + REGISTRY_PARTS, body),
    ):
        assert Unread() == page_content(wrong)
    assert Unread() == page_content(an_other_page(kind="registry", period="then", part=part, body=body))


def test_pages_are_kept_as_by_nodes_that_do_not_know_the_kind_and_go_before_usage() -> None:
    assert (OTHER.replaces, OTHER.limit) == (REGISTRY_KIND.replaces, REGISTRY_KIND.limit)
    assert all(OTHER.is_period(each) == REGISTRY_KIND.is_period(each) for each in ("now", "a-1", "", "A", 7))
    assert Priority.MEMBERSHIP < REGISTRY_KIND.priority < USAGE.priority
    assert Priority.REGISTRY == REGISTRY_KIND.priority < Priority.USAGE_NEAR


@given(st.integers(0, REGISTRY_PARTS - 1))
def test_a_label_names_its_part(part: int) -> None:
    assert part == part_of_label(registry_label(part))


@pytest.mark.parametrize("label", ["node/now/0000", "registry/then/0001", "registry/now/0064"])
def test_other_labels_name_none(label: str) -> None:
    assert part_of_label(label) is None


def test_keys_are_short_texts() -> None:
    assert is_record_key("ana")
    assert not any(map(is_record_key, ["", "a\x00", "é" * 33, 7, None, "e\u0301"]))
