"""The stored keys of admins: each one is kept, damaged ones are left out, and what cannot be read is not overwritten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.member_passphrases import SALT_BYTES
from node.app.admin_keys import ADMIN_KEYS, KEYS_MAX, AdminKeys, AdminKeyStore, from_text, to_text
from node.app.locked_key import LockedKey, lock_key
from node.errors import NodeError
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.repository import FakeArchive, FakeRepository
from tests.fakes.use_cases import make_passphrases_cheap

with pytest.MonkeyPatch.context() as _monkeypatch:
    make_passphrases_cheap(_monkeypatch)
    LOCKED, NEXT = (
        lock_key(key_of(name), "four plain old words", b"s" * SALT_BYTES) for name in ("rosa", "pau")
    )


@pytest.fixture
def archive() -> FakeArchive:
    return FakeArchive(FakeRepository())


KEYS = st.dictionaries(
    st.text(max_size=20),
    st.builds(AdminKeys, st.sampled_from([LOCKED, NEXT]), st.sampled_from([None, LOCKED, NEXT])),
    max_size=5,
)


@given(KEYS)
def test_what_is_written_is_read(keys: dict[str, AdminKeys]) -> None:
    assert keys == from_text(to_text(keys))


@given(st.text(max_size=200))
def test_whatever_is_stored_never_raises(text: str) -> None:
    found = from_text(text)
    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize("entry", ["x", [], [["x", "y"], None], [[LOCKED.key, "box"], None], [7, 7]])
def test_a_damaged_key_is_left_out_and_the_others_stay(entry: object) -> None:
    import json

    stored = json.loads(to_text({"ana": AdminKeys(LOCKED)})) | {"pau": entry}
    assert {"ana": AdminKeys(LOCKED)} == from_text(json.dumps(stored))


async def test_names_are_one_in_capitals_and_spaces(archive: FakeArchive) -> None:
    store = AdminKeyStore(archive)
    await store.save("Ana  Puig", AdminKeys(LOCKED), [])
    assert AdminKeys(LOCKED) == await store.of(" ana puig ")
    assert await store.of("Pau") is None


async def test_what_cannot_be_read_is_not_overwritten(archive: FakeArchive) -> None:
    await archive.save_state(ADMIN_KEYS, "half a te")
    store = AdminKeyStore(archive)
    with pytest.raises(NodeError, match="cannot be read"):
        await store.save("Ana", AdminKeys(LOCKED), [])
    assert "half a te" == await archive.state(ADMIN_KEYS)


async def test_keys_that_nobody_needs_are_forgotten_only_when_there_are_too_many(
    archive: FakeArchive,
) -> None:
    store = AdminKeyStore(archive)
    for number in range(KEYS_MAX):
        await store.save(f"gone {number}", AdminKeys(LOCKED), [])
    assert KEYS_MAX == len(await store.all())
    await store.save("Ana", AdminKeys(LOCKED), ["gone 7"])
    assert {"ana", "gone 7"} == set(await store.all())


def test_the_key_that_signs_while_another_takes_its_place() -> None:
    keys = AdminKeys(LOCKED, NEXT)
    rosa, pau = id_of("rosa"), id_of("pau")
    in_force: list[LockedKey] = [
        keys.in_force(frozenset(admins)) for admins in ({rosa}, {rosa, pau}, {pau}, set())
    ]
    assert [LOCKED, LOCKED, NEXT, LOCKED] == in_force
