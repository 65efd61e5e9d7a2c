"""Keys of objections that only this node can make, so that it knows which ones were filed here.

Other nodes tell of objections too, and one that lies may tell of some in the name of a person, with the id of this node in
their keys. They take no place of what the person may file here.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field

from node.accounts.objections import Objection
from node.units import AccountId

_RANDOM_BYTES, _MADE_BYTES = 4, 4


@dataclass(frozen=True, slots=True)
class ObjectionKeys:
    """`origin`: the beginning of this node's id; `random`: so many random bytes."""

    secret: bytes = field(repr=False)
    origin: str
    random: Callable[[int], bytes]

    def new(self, account: AccountId) -> str:
        """16 hexadecimal digits, a hyphen, and `origin`."""
        return self._key(self.random(_RANDOM_BYTES).hex(), account)

    def is_made_here(self, objection: Objection) -> bool:
        """False for keys that this node made for another account, or before it made such keys."""
        chosen = objection.key[: 2 * _RANDOM_BYTES]
        return hmac.compare_digest(self._key(chosen, objection.account).encode(), objection.key.encode())

    def _key(self, chosen: str, account: AccountId) -> str:
        made = hmac.digest(self.secret, f"{chosen} {account}".encode(), hashlib.sha256)[:_MADE_BYTES]
        return f"{chosen}{made.hex()}-{self.origin}"
