"""Keeps the community's secrets: on disk before they count, fetched from neighbours when a version of the record names a new
one."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from mesh.community_secret import SECRETS_MAX, commitment_of
from mesh.community_state import CommunityState
from mesh.ports import SecretStore
from mesh.secret_exchange import SecretExchange
from node.errors import StorageTrouble
from node.identity import human_form
from node.translator import gettext_lazy
from node.units import NodeId

ASK_AGAIN_S = (0.5, 60.0)
"""While one is missing: first, and at most."""
STORE_AGAIN_S = 5.0
SETTLE_S = 0.2
"""Between two questions, also while statements arrive one after the other."""


class SecretService:
    """The numbered secrets of one node. `first` is number 1, from the settings' key file."""

    def __init__(
        self,
        *,
        first: bytes,
        store: SecretStore,
        state: Callable[[], CommunityState | None],
        differs: Callable[[NodeId], None],
        woken: Callable[[], None],
    ) -> None:
        """`differs`: see `SecretExchange`. `woken` is called when frames may be queued."""
        self.first, self._woken = first, woken
        self._store, self._state = store, state
        self._held = {commitment_of(secret): secret for secret in store.load()}
        self._arrived: dict[str, bytes] = {}
        self._news, self._saving = asyncio.Event(), asyncio.Lock()
        self._told, self._prepared = b"", ""
        self.trouble = ""
        """Why what arrived is not stored; empty while there is no trouble."""
        self.on_newest: Callable[[], None] = lambda: None
        """Called once at first, and when `newest` is another one; set by the node."""
        self.exchange = SecretExchange(state, lambda: self._held, differs)

    # --- For the rest of the node -----------------------------------------------------------------

    def all(self) -> tuple[bytes, ...]:
        """Every secret here that a version names: the newest first, and last those of versions that lost against others,
        with which codes may have been made meanwhile. Also called by other threads."""
        state = self._state()
        path = reversed(state.commitments()) if state else ()
        others = state.every_commitment() if state else frozenset[str]()
        numbered = [self._held[each] for each in path if each in self._held]
        lost = [self._held[each] for each in sorted(others) if each in self._held]
        return tuple(dict.fromkeys((*numbered, self.first, *lost)))

    @property
    def newest(self) -> bytes:
        return self.all()[0]

    def later(self) -> tuple[bytes, ...]:
        """Those with the numbers 2, 3 and so on that are here, for a node that joins."""
        state = self._state()
        named = state.commitments() if state else ()
        return tuple(self._held[each] for each in named if each in self._held)

    async def prepared(self) -> str:
        """The commitment of a secret that no version has named and that is on the disk. The same one until a version names
        it; after a restart another one, because what is on the disk may have been in force. Raises StorageTrouble."""
        async with self._saving:
            if not self._prepared:
                secret = self._store.make()
                await self._save({commitment_of(secret): secret})
                self._prepared = commitment_of(secret)
        return self._prepared

    def lacks_newest(self) -> bool:
        """Whether this node still has to take the secret in force from a neighbour."""
        return self.exchange.number_held() < self.exchange.number_in_force()

    def warnings(self) -> Iterable[str]:
        """In words for the operator."""
        exchange = self.exchange
        if self.trouble:
            yield self.trouble
        if self.lacks_newest():
            yield gettext_lazy(
                "this node does not have secret {number} of the community, which is in force: it takes it from the first "
                "neighbour that has it",
                number=exchange.number_in_force(),
            )
        for node in exchange.wrong():
            yield gettext_lazy(
                "{node} answered with something that is no secret of the community: look at that node",
                node=human_form(node),
            )

    # --- For the mesh -----------------------------------------------------------------------------

    def greet(self, neighbour: NodeId, *, takes_part: bool) -> None:
        """A trusted neighbour has connected."""
        self.exchange.greet(neighbour, takes_part=takes_part, now=asyncio.get_running_loop().time())
        self._news.set()

    def changed(self) -> None:
        """Statements are new: perhaps a secret is missing, or can be had now."""
        state = self._state()
        if state is not None and self._prepared in state.every_commitment():
            self._prepared = ""
        self._news.set()

    def receive(self, neighbour: NodeId, frame: bytes) -> bool:
        """Handle a frame; False if it is none about secrets."""
        found = self.exchange.receive(neighbour, frame, asyncio.get_running_loop().time())
        if found is None:
            return False
        for secret in found:
            self._arrived[commitment_of(secret)] = secret
            self._news.set()
        self._woken()
        return True

    async def run(self) -> None:
        """Until cancelled: fetch what is missing, and store it."""
        first, most = ASK_AGAIN_S
        wait = first
        while True:
            self._news.clear()
            await self._store_arrived()
            self._tell_held()
            if self.exchange.ask():
                self._woken()
            is_waiting = self._arrived or self.exchange.missing()
            try:
                async with asyncio.timeout(wait if is_waiting else None):
                    await self._news.wait()
                wait = first
            except TimeoutError:
                wait = min(most, 2 * wait)
            await asyncio.sleep(SETTLE_S)

    # --- Inside -----------------------------------------------------------------------------------

    async def _store_arrived(self) -> None:
        arrived, self._arrived = self._arrived, {}
        if not arrived:
            return
        try:
            async with self._saving:
                await self._save(arrived)
            self.trouble = ""
        except StorageTrouble as trouble:
            self._arrived = {**arrived, **self._arrived}
            self.trouble = gettext_lazy(
                "a new secret of the community cannot be stored: {english}", english=str(trouble)
            )
            await asyncio.sleep(STORE_AGAIN_S)

    def _tell_held(self) -> None:
        newest = self.newest
        if newest != self._told:
            self._told = newest
            self.on_newest()
            self.exchange.tell_held()
            self._woken()

    async def _save(self, more: Mapping[str, bytes]) -> None:
        """What no version names gives way where there is no room."""
        state = self._state()
        named = state.every_commitment() if state else frozenset[str]()
        kept = {**self._held, **more}
        unnamed = [each for each in self._held if each not in named and each not in more]
        for each in unnamed[: max(0, len(kept) - SECRETS_MAX)]:
            del kept[each]
        await self._store.save(kept.values())
        self._held = kept
