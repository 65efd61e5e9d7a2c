"""What a node says of itself: what is written is read again, and nothing else is read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.announcement import Address
from mesh.node_kind import ADDRESSES_MAX, LINKS_MAX, NODE_KIND, NodeFacts, NodeLink, node_body, node_facts
from mesh.page_format import NUMBER_MAX, Malformed
from mesh.page_kind import OTHER, Unread
from mesh.page_kinds import page_content
from tests.fakes.mesh_exchange import an_other_page
from tests.fakes.neighbours import id_of

NODES = sorted(id_of(str(number)) for number in range(LINKS_MAX))
FACTS = NodeFacts(
    "Ermita de dalt",
    "1.2.0",
    (Address("10.0.0.1", 7400), Address("fd00::1", 7400)),
    ("main", "down"),
    50,
    (NodeLink(NODES[0], 20, 1), NodeLink(NODES[1])),
    1_795_600_000,
)
BODY = json.loads(node_body(FACTS))

hosts = st.ip_addresses().filter(lambda each: "%" not in str(each)).map(str)
known = st.none() | st.integers(0, 100)
facts = st.builds(
    NodeFacts,
    name=st.sampled_from(["Ermita", "Família Puig", "ح", "x" * 64]),
    version=st.sampled_from(["", "1.2.0", "9" * 32]),
    addresses=st.lists(st.builds(Address, hosts, st.integers(1, 65_535)), max_size=ADDRESSES_MAX).map(tuple),
    uplink=st.none() | st.tuples(st.sampled_from(["main", "línia"]), st.sampled_from(["up", "down"])),
    load_percent=st.none() | st.integers(0, 1_000),
    links=st.lists(st.sampled_from(NODES), unique=True).flatmap(
        lambda nodes: st.tuples(*(st.builds(NodeLink, st.just(node), known, known) for node in sorted(nodes)))
    ),
    made_s=st.integers(0, NUMBER_MAX),
    through=st.none() | st.tuples(st.sampled_from(NODES), st.integers(0, 2**53 - 1)),
)


@given(facts)
def test_what_is_written_is_read_again(said: NodeFacts) -> None:
    assert said == node_facts(node_body(said))


@given(
    st.binary(max_size=64)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=4) | st.floats(allow_nan=False),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*BODY, "x"]), inner, max_size=6)
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_a_page_says_reading_it_does_not_raise(body: bytes) -> None:
    assert isinstance(node_facts(body), NodeFacts | Malformed)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", None),
        ("name", ""),
        ("name", "a\nb"),
        ("name", 7),
        ("version", "9" * 33),
        ("version", None),
        ("addresses", [["10.0.0.1", 7400]] * (ADDRESSES_MAX + 1)),
        ("addresses", [["router.example", 7400]]),
        ("addresses", [["10.0.0.1", 0]]),
        ("addresses", [["10.0.0.1", 65_536]]),
        ("addresses", [["10.0.0.1", True]]),
        ("addresses", [["10.0.0.01", 7400]]),
        ("addresses", [["fe80::1%eth0", 7400]]),
        ("addresses", [["10.0.0.1"]]),
        ("addresses", "10.0.0.1"),
        ("uplink", ["main"]),
        ("uplink", ["main", "fast"]),
        ("uplink", ["", "up"]),
        ("load", -1),
        ("load", 1_001),
        ("load", "50"),
        ("links", [[NODES[0], 20, 1], [NODES[0], 20, 1]]),
        ("links", [[NODES[1], 20, 1], [NODES[0], 20, 1]]),
        ("links", [[node, 1, 1] for node in NODES] + [["z" * 52, 1, 1]]),
        ("links", [["hill", 20, 1]]),
        ("links", [[NODES[0], -2, 1]]),
        ("links", [[NODES[0], 20, 101]]),
        ("links", [[NODES[0], 20.5, 1]]),
        ("links", {}),
        ("through", "hill"),
        ("through", NODES[0]),
        ("through", [NODES[0]]),
        ("through", [NODES[0], -1]),
        ("through", [NODES[0], 1, 2]),
        ("through", [7, 1]),
        ("through", ["z" * 52]),
        ("through", 7),
        ("made", -1),
        ("made", "now"),
    ],
)
def test_a_page_with_a_value_that_is_none_of_this_kind_is_not_read(field: str, value: object) -> None:
    assert isinstance(node_facts(json.dumps({**BODY, field: value}).encode()), Malformed)


def test_fields_of_later_versions_are_ignored() -> None:
    assert FACTS == node_facts(json.dumps({**BODY, "roof": "flat"}).encode())


def test_only_the_first_part_of_the_period_now_is_read_and_every_page_is_kept() -> None:
    """A node of an earlier version keeps them all, and both must hold the same pages."""
    roster = frozenset({id_of("hill")})
    body = node_body(FACTS)
    assert FACTS == page_content(an_other_page(kind="node", period="now", body=body), roster)
    for page in (
        an_other_page(kind="node", period="then", body=body),
        an_other_page(kind="node", period="now", part=1, body=body),
        an_other_page(kind="node", period="now", body=b"[]"),
    ):
        assert Unread() == page_content(page, roster)
    assert Unread() == page_content(an_other_page(kind="node", period="now", body=body), frozenset())
    assert all(NODE_KIND.is_period(each) == OTHER.is_period(each) for each in ("now", "2026-w48", "A", None))
