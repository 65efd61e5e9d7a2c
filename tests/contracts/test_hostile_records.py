"""A member node that lies: whatever a record says, nothing is raised, the next one is applied, and joins stay joins."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.registry_kind import is_value, registry_part
from node.accounts.registry_record import RegistryRecord, value_text
from tests.examples import examples
from tests.fakes.hostile_records import FIELDS, KEYS, node_with_every_record
from tests.fakes.neighbours import id_of
from tests.fakes.reconciler_fixture import until

EVE = id_of("eve")
scalars = (
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from([2**31, 2**53, 10**30, -(10**30)])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "ana", "terms", "2026-11-24", "9999-12-31", "0000-00-00", "x" * 500, "\u202e", "a\nb", "é"])
)  # fmt: skip
values = st.dictionaries(
    st.sampled_from(FIELDS),
    scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.just("x"), scalars),
    max_size=8,
).filter(is_value)
keys = st.sampled_from(KEYS)


KINDS = node_with_every_record().shared.kinds


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), keys, st.integers(1, 3), values), max_size=12))
def test_whatever_records_say_all_are_applied_and_nothing_is_raised(
    said: list[tuple[str, str, int, dict[str, Any]]],
) -> None:
    async def story() -> None:
        node = node_with_every_record()
        await node.start()
        for kind, key, version, value in said:
            record = RegistryRecord(kind, key, version, "", value)
            node.shared.take(EVE, registry_part(kind, key), [record])
            await node.shared._apply_all()
        assert not node.shared._unapplied
        assert not node.shared._unstored
        await until(lambda: len(asyncio.all_tasks()) == 1)
        again = node_with_every_record()
        again.disk.registry = node.disk.registry
        await again.start()
        await again.shared._apply_all()

    asyncio.run(story())


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(KINDS), values, values, values)
def test_of_hostile_values_of_one_version_the_same_holds_in_any_order(
    kind: str, one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    join = node_with_every_record().shared._joins[kind]
    if join is None:
        return
    assert value_text(join(one, two)) == value_text(join(two, one))
    assert value_text(join(join(one, two), three)) == value_text(join(one, join(two, three)))
    assert value_text(join(one, one)) == value_text(one)
    assert is_value(join(one, two))
