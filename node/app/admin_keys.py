"""The admins' keys for the community that this node keeps, each encrypted with the passphrase of its account."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.community_state import CommunityState
from node.app.admin_sessions import name_key
from node.app.locked_key import LockedKey, is_locked_key
from node.control.ports import StateArchive
from node.errors import NodeError
from node.identity import own_node_id
from node.units import NodeId

ADMIN_KEYS = "community_admin_keys"
"""Name in the node state."""
KEYS_MAX = 128
"""Twice the accounts: also keys of accounts that were removed, while the community has them as admins."""


@dataclass(frozen=True, slots=True)
class AdminKeys:
    """The key of one account."""

    current: LockedKey
    following: LockedKey | None = None
    """The key that is being put in its place; None while none is."""

    def in_force(self, admins: frozenset[NodeId]) -> LockedKey:
        """The one that signs: `following` once the community has it as an admin and the other one no longer."""
        following = self.following
        if following is not None and following.key in admins and self.current.key not in admins:
            return following
        return self.current


class AdminKeyStore:
    """Reads and writes at each call: what is stored decides, also after a failure. For one caller at a time."""

    def __init__(self, archive: StateArchive) -> None:
        self._archive = archive

    async def of(self, name: str) -> AdminKeys | None:
        """The key of the account of this name. Raises NodeError."""
        return (await self.all()).get(name_key(name))

    async def save(self, name: str, keys: AdminKeys, needed: Iterable[str]) -> None:
        """On disk when this returns. Keys of names that are not `needed` are forgotten when there are too many. Raises
        NodeError."""
        kept = await self.all()
        kept[name_key(name)] = keys
        if len(kept) > KEYS_MAX:
            names = {name_key(name), *map(name_key, needed)}
            kept = {each: one for each, one in kept.items() if each in names}
        await self._archive.save_state(ADMIN_KEYS, to_text(kept))

    async def all(self) -> dict[str, AdminKeys]:
        """By the names of the accounts, as `name_key` writes them. Raises NodeError."""
        text = await self._archive.state(ADMIN_KEYS)
        found = from_text(text)
        if found is None:
            raise NodeError(
                "the admins' keys of this node cannot be read",
                f"restore a backup, or sign with 'procomu community' on the machine of an admin ({ADMIN_KEYS})",
            )
        return found


def to_text(keys: Mapping[str, AdminKeys]) -> str:
    """Serializes for storage."""
    return json.dumps(
        {
            name: [_pair(each.current), None if each.following is None else _pair(each.following)]
            for name, each in keys.items()
        },
        ensure_ascii=False,
    )


def from_text(text: str) -> dict[str, AdminKeys] | None:
    """Restores what was stored, without the parts that are damaged; None if nothing can be read."""
    if not text:
        return {}
    try:
        stored = json.loads(text)
    except ValueError:
        return None
    if not isinstance(stored, dict):
        return None
    read = {name: _read(value) for name, value in stored.items()}
    return {name: keys for name, keys in read.items() if keys is not None}


def _pair(locked: LockedKey) -> list[str]:
    return [locked.key, locked.box]


def _read(value: Any) -> AdminKeys | None:
    match value:
        case [current, following]:
            locked = _locked(current)
            return None if locked is None else AdminKeys(locked, _locked(following))
    return None


def _locked(value: Any) -> LockedKey | None:
    match value:
        case [key, box] if is_locked_key(key, box):
            return LockedKey(key, box)
    return None


def threshold(state: CommunityState) -> int:
    return 0 if state.head is None else state.head.threshold


def decides_alone(state: CommunityState, key: Ed25519PrivateKey) -> bool:
    """Whether the votes of this key are enough to change who the admins are."""
    head = state.head
    return head is not None and head.votes_of(frozenset({own_node_id(key)})) >= head.threshold
