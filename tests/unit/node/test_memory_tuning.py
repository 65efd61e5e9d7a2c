"""Garbage collection of the node: at any time it leaves old objects alone, and each cycle is freed within a day."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import FrozenInstanceError, dataclass, field, replace
from itertools import repeat

import pytest

from node import memory_tuning

TURNS_A_DAY = 6


@dataclass(frozen=True, slots=True)
class SharedMethods:
    """A dataclass as most of the node's are."""

    number: int


class OfSharedMethods(SharedMethods):
    """A class below it, with a dictionary."""


class SelfReference:
    """An object that refers to itself, which only a collection frees."""

    def __init__(self) -> None:
        self.me = self


@contextmanager
def collections_noted() -> Iterator[list[int]]:
    """The generation of each collection that a program asked for or that began by itself."""
    noted: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            noted.append(info["generation"])

    gc.callbacks.append(note)
    before, switch = gc.get_threshold(), memory_tuning.sys.getswitchinterval()
    try:
        yield noted
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
        memory_tuning.sys.setswitchinterval(switch)
        gc.unfreeze()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_tuning, "TRIM_AFTER_S", tuple(repeat(0, TURNS_A_DAY)))
    monkeypatch.setattr(memory_tuning, "FULL_AFTER_TURNS", TURNS_A_DAY)


async def _turns(count: int) -> None:
    tuning = asyncio.get_running_loop().create_task(memory_tuning.trim_regularly())
    for _ in range(count + 1):
        await asyncio.sleep(0)
    tuning.cancel()
    with suppress(asyncio.CancelledError):
        await tuning


@pytest.mark.usefixtures("quick")
async def test_all_objects_are_looked_at_when_it_starts_and_then_once_a_day() -> None:
    with collections_noted() as noted:
        await _turns(TURNS_A_DAY - 1)
        assert [2, *repeat(1, TURNS_A_DAY - 1)] == noted
        noted.clear()
        await _turns(TURNS_A_DAY)
        assert [2, *repeat(1, TURNS_A_DAY - 1), 2] == noted


@pytest.mark.thorough
@pytest.mark.usefixtures("quick")
async def test_a_cycle_that_was_alive_when_all_was_looked_at_is_freed_within_a_day() -> None:
    with collections_noted():
        alive = SelfReference()
        gone = weakref.ref(alive)
        memory_tuning.collect_all()
        del alive
        assert gone() is not None
        await _turns(TURNS_A_DAY)
        assert gone() is None


@pytest.mark.thorough
async def test_all_objects_are_looked_at_earlier_when_memory_has_grown(monkeypatch) -> None:
    """Strangers can leave cycles behind that lived through the younger collections."""
    grown = memory_tuning.GROWN_BYTES
    sizes = iter([0, grown - 1, grown, grown, 2 * grown - 1, 2 * grown, grown])
    monkeypatch.setattr(memory_tuning, "TRIM_AFTER_S", ())
    monkeypatch.setattr(memory_tuning, "TRIM_EVERY_S", 0)
    monkeypatch.setattr(memory_tuning, "peak_bytes", lambda: next(sizes))
    with collections_noted() as noted:
        await _turns(4)
    assert [2, 1, 2, 1, 2] == noted


def test_its_own_memory_is_known() -> None:
    assert 10_000_000 < memory_tuning.peak_bytes() < 2**40


def test_when_people_join_all_at_once_no_collection_looks_at_many_objects() -> None:
    """Each of 10,000 leaves some; a collection blocks all threads while it looks at them."""
    looked_at: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            looked_at.append(
                sum(len(gc.get_objects(generation=each)) for each in range(info["generation"] + 1))
            )

    with collections_noted():
        memory_tuning.tune_interpreter()
        memory_tuning.collect_all()
        gc.callbacks.append(note)
        try:
            kept = [[number] for number in range(100_000)]
        finally:
            gc.callbacks.remove(note)
    assert 100_000 == len(kept)
    assert len(looked_at) >= 15
    assert max(looked_at) <= 10_100


def _classes(name: str) -> int:
    gc.collect()
    return sum(isinstance(each, type) and each.__name__ == name for each in gc.get_objects())


def test_a_frozen_dataclass_is_in_memory_once_and_is_as_frozen_as_before() -> None:
    memory_tuning.share_methods(("tests",))
    assert 1 == _classes("SharedMethods")
    kept = SharedMethods(1)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'number'"):
        kept.number = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'other'"):
        kept.other = 2  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'number'"):
        del kept.number  # type: ignore[misc]
    assert (SharedMethods(1), SharedMethods(3)) == (kept, replace(kept, number=3))
    assert {kept} == {SharedMethods(1)}


def test_a_class_below_a_frozen_one_has_attributes_of_its_own_and_the_same_frozen_fields() -> None:
    memory_tuning.share_methods(("tests",))
    below = OfSharedMethods(1)
    below.also = 2  # type: ignore[attr-defined]
    assert 2 == below.also  # type: ignore[attr-defined]
    del below.also  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        below.number = 2  # type: ignore[misc]


def test_methods_written_by_hand_stay() -> None:
    class OwnRefusal:
        def __setattr__(self, name: str, value: object) -> None:
            raise TypeError(name)

    OwnRefusal.__module__ = "tests.own"
    memory_tuning.share_methods(("tests",))
    with pytest.raises(TypeError):
        OwnRefusal().any = 1  # type: ignore[attr-defined]


def test_a_class_that_hides_its_module_stays() -> None:
    hides = type("HidesItsModule", (), {"__module__": property(str)})
    memory_tuning.share_methods(("tests",))
    assert hides.__setattr__ is object.__setattr__


@dataclass(frozen=True, slots=True)
class SharedRepresentation:
    """A dataclass whose secret is not shown, and that can contain itself."""

    number: int
    secret: str = field(default="hidden", repr=False)
    inner: "list[SharedRepresentation]" = field(default_factory=list)


def test_dataclasses_are_shown_as_before() -> None:
    kept = SharedRepresentation(1, inner=[SharedRepresentation(2)])
    kept.inner.append(kept)
    before = repr(kept)
    memory_tuning.share_methods(("tests",))
    assert before == repr(kept) == str(kept)
    assert "hidden" not in before
    assert SharedRepresentation.__repr__ is SharedMethods.__repr__
