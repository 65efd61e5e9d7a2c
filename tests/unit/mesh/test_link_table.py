"""Which connections stay, in any order: a copied disk and its twin never take each other's."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mesh.link_table import MACHINES_MAX, LinkAccepted, LinkEnd, LinkTable
from tests.fakes.neighbours import id_of

OWN = sorted(map(id_of, ("hill", "valley", "coast")))[1]
LOWER, HIGHER = (min(map(id_of, ("hill", "valley", "coast"))), max(map(id_of, ("hill", "valley", "coast"))))
HERE, COPY = (
    LinkEnd(HIGHER, "a" * 16, "1" * 16, dialled=False),
    LinkEnd(HIGHER, "b" * 16, "2" * 16, dialled=False),
)


def test_a_copied_disk_takes_no_connection_and_gets_one_of_its_own() -> None:
    table: LinkTable[str] = LinkTable(OWN)
    assert LinkAccepted(None) == table.introduce("original", HERE)
    assert LinkAccepted(None) == table.introduce("copy", COPY)
    assert ["original", "copy"] == table.of(HIGHER)
    assert [HIGHER] == table.copied()


def test_after_a_restart_the_newer_connection_of_the_same_machine_stays() -> None:
    table: LinkTable[str] = LinkTable(OWN)
    table.introduce("before", HERE)
    assert LinkAccepted("before") == table.introduce("after", replace(HERE, boot="3" * 16))
    assert ["after"] == list(table)
    assert [] == table.copied()


def test_of_two_that_were_opened_at_once_the_one_of_the_smaller_id_stays_on_both_sides() -> None:
    for node in (LOWER, HIGHER):
        table: LinkTable[str] = LinkTable(OWN)
        ours, theirs = (replace(HERE, node=node, dialled=dialled) for dialled in (True, False))
        table.introduce("ours", ours)
        kept = table.introduce("theirs", theirs)
        assert (kept == LinkAccepted("ours")) == (node < OWN)
        assert ["theirs" if node < OWN else "ours"] == list(table)


def test_an_update_of_a_node_that_did_not_name_its_machine_is_no_copy() -> None:
    table: LinkTable[str] = LinkTable(OWN)
    table.introduce("before", replace(HERE, machine=""))
    assert LinkAccepted("before") == table.introduce("after", replace(HERE, boot="3" * 16))
    assert ([], ["after"]) == (table.copied(), list(table))


def test_a_stolen_key_cannot_open_any_number_of_connections() -> None:
    table: LinkTable[int] = LinkTable(OWN)
    kept = [table.introduce(number, replace(HERE, machine=f"{number:016x}")) for number in range(50)]
    assert [LinkAccepted(None)] * MACHINES_MAX + [None] * (50 - MACHINES_MAX) == kept


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["introduce", "introduce", "remove"]),
        st.sampled_from([LOWER, HIGHER]),
        st.sampled_from(["", "a" * 16, "b" * 16]),
        st.sampled_from(["1" * 16, "2" * 16]),
        st.booleans(),
    ),
    max_size=40,
)


@given(STEPS)
def test_no_machine_ever_loses_its_connection_to_another_one(
    steps: list[tuple[str, str, str, str, bool]],
) -> None:
    """Any order of connections and ends, by two nodes and their copies."""
    table: LinkTable[int] = LinkTable(OWN)
    ends: dict[int, LinkEnd] = {}
    for number, (action, node, machine, boot, dialled) in enumerate(steps):
        end = LinkEnd(type(OWN)(node), machine, boot, dialled)
        before = set(table)
        if action == "remove":
            gone = [link for link in before if ends[link] == end]
            assert all(table.remove(link) and not table.remove(link) for link in gone)
            assert set(table) == before - set(gone)
            continue
        ends[number] = end
        kept = table.introduce(number, end)
        lost = before - set(table)
        assert lost == ({kept.instead_of} - {None} if kept is not None else set())
        assert all(ends[link].node == end.node and ends[link].machine in {"", end.machine} for link in lost)
        assert (number in table) == (kept is not None)
        here = [(ends[link].node, ends[link].machine) for link in table]
        assert len(here) == len(set(here)), "one connection for each machine"
