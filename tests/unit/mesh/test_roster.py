"""The digest by which neighbours compare their lists of nodes."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.roster import nodes_digest
from node.units import NodeId


@given(st.sets(st.text("abc", min_size=1)), st.sets(st.text("abc", min_size=1)))
def test_equal_lists_have_equal_digests_and_others_do_not(one: set[str], other: set[str]) -> None:
    digests = nodes_digest(map(NodeId, one)), nodes_digest(map(NodeId, sorted(other)))
    assert (one == other) == (digests[0] == digests[1])
