"""What changed since an agreement is known exactly, or said not to be known."""

from hypothesis import given
from hypothesis import strategies as st

from mesh import agreements
from mesh.agreements import CHANGES_MAX, NEIGHBOURS_MAX, ROOTS_MAX, Agreements
from mesh.messages import NAMES_PER_MESSAGE_MAX
from node.units import NodeId
from tests.fakes.neighbours import id_of

HILL = id_of("hill")
STEPS = st.lists(st.one_of(st.integers(0, 20), st.sampled_from(["agree"])), max_size=60)


@given(STEPS)
def test_the_pages_that_changed_since_each_agreement_are_those(steps: list[int | str]) -> None:
    made: Agreements[int] = Agreements()
    since: dict[str, set[int]] = {}
    for number, step in enumerate(steps):
        if isinstance(step, str):
            made.agreed(HILL, f"root {number}")
            since[f"root {number}"] = set()
        else:
            made.changed(step)
            for changed in since.values():
                changed.add(step)
    for place, (root, changed) in enumerate(reversed(since.items())):
        found = made.since(HILL, root)
        assert (None if place >= ROOTS_MAX else changed) == (None if found is None else set(found))
        assert found is None or len(found) == len(changed)
    assert made.last(HILL) == (list(since)[-1] if since else None)


def test_what_was_never_agreed_on_is_not_known() -> None:
    made: Agreements[str] = Agreements()
    assert (None, None) == (made.last(HILL), made.since(HILL, "root"))
    made.agreed(HILL, "root")
    assert [] == made.since(HILL, "root")
    assert None is made.since(id_of("valley"), "root")
    made.clear()
    assert (None, None) == (made.last(HILL), made.since(HILL, "root"))


def test_more_changes_than_fit_are_not_listed() -> None:
    made: Agreements[int] = Agreements()
    made.agreed(HILL, "root")
    for number in range(NAMES_PER_MESSAGE_MAX):
        made.changed(number)
    assert NAMES_PER_MESSAGE_MAX == len(made.since(HILL, "root") or ())
    made.changed(-1)
    assert None is made.since(HILL, "root")


def test_changes_that_were_forgotten_make_an_agreement_useless_and_later_ones_not() -> None:
    made: Agreements[int] = Agreements()
    made.agreed(HILL, "old")
    for number in range(CHANGES_MAX):
        made.changed(number)
    made.agreed(HILL, "new")
    made.changed(0)
    assert [0] == made.since(HILL, "new")
    for number in range(CHANGES_MAX, CHANGES_MAX + 3):
        made.changed(number)
    assert None is made.since(HILL, "old")
    assert 4 == len(made.since(HILL, "new") or ())


def test_it_takes_bounded_memory() -> None:
    made: Agreements[int] = Agreements()
    for number in range(3 * max(CHANGES_MAX, NEIGHBOURS_MAX)):
        made.changed(number)
        made.agreed(NodeId(f"{number}"), "root")
        made.agreed(HILL, f"root {number}")
    assert (CHANGES_MAX, NEIGHBOURS_MAX) == (len(made._changes), len(made._agreed))
    assert ROOTS_MAX == len(made._agreed[HILL])
    assert agreements.CHANGES_MAX > NAMES_PER_MESSAGE_MAX
