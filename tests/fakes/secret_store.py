"""The community's secrets in memory, on a disk that can be full."""

from collections.abc import Iterable

from mesh.community_secret import LATER_SECRET_BYTES
from node.errors import StorageTrouble


class FakeSecretStore:
    """Implements `mesh.ports.SecretStore`."""

    def __init__(self, *secrets: bytes) -> None:
        self.secrets = secrets
        self.is_full = False
        self.made = 0

    def load(self) -> Iterable[bytes]:
        return self.secrets

    def make(self) -> bytes:
        self.made += 1
        return self.made.to_bytes(LATER_SECRET_BYTES)

    async def save(self, secrets: Iterable[bytes]) -> None:
        if self.is_full:
            raise StorageTrouble("the disk is full", "delete something")
        self.secrets = tuple(secrets)
