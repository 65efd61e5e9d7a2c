"""A member node that lies: whatever a record says, nothing is raised, the next one is applied, and joins stay joins."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.registry_kind import is_value, registry_part
from node.accounts.registry_record import RegistryRecord, value_text
from node.app.roaming_service import RoamingService
from node.app.shared_erasures import SharedErasures
from tests.contracts.test_reconciler import until
from tests.examples import examples
from tests.fakes.neighbours import id_of
from tests.fakes.roaming_nodes import names
from tests.unit.node.app.test_shared_registry import SharingFixture

EVE = id_of("eve")
FIELDS = (
    "hash", "day", "below", "account", "rule", "text", "answer", "answered_day", "way", "terms", "end", "node",
    "ended", "host", "because", "batch", "used", "revoked", "until", "start", "ends", "group", "note", "lasts_ms",
)  # fmt: skip
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
keys = st.sampled_from(["ana", "guest-01", "0" * 32, "f" * 32, "00ff00ff00ff00ff-hill", "é", "a/b", "1"])


def everything() -> SharingFixture:
    """A node with every kind of record."""
    node = SharingFixture()
    SharedErasures(node.loop, node.shared).names = names()
    RoamingService(node.loop, node.shared, names(), node.clock, own=id_of("hill"), terms_version=lambda: "1")
    return node


KINDS = everything().shared.kinds


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), keys, st.integers(1, 3), values), max_size=12))
def test_whatever_records_say_all_are_applied_and_nothing_is_raised(
    said: list[tuple[str, str, int, dict[str, Any]]],
) -> None:
    async def story() -> None:
        node = everything()
        await node.start()
        for kind, key, version, value in said:
            record = RegistryRecord(kind, key, version, "", value)
            node.shared.take(EVE, registry_part(kind, key), [record])
            await node.shared._apply_all()
        assert not node.shared._unapplied
        assert not node.shared._unstored
        await until(lambda: len(asyncio.all_tasks()) == 1)
        again = everything()
        again.disk.registry = node.disk.registry
        await again.start()
        await again.shared._apply_all()

    asyncio.run(story())


@settings(max_examples=examples(300), deadline=None)
@given(st.sampled_from(KINDS), values, values, values)
def test_of_hostile_values_of_one_version_the_same_holds_in_any_order(
    kind: str, one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    join = everything().shared._joins[kind]
    if join is None:
        return
    assert value_text(join(one, two)) == value_text(join(two, one))
    assert value_text(join(join(one, two), three)) == value_text(join(one, join(two, three)))
    assert value_text(join(one, one)) == value_text(one)
    assert is_value(join(one, two))
