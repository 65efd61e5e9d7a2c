"""Keeps what the node holds of its community: on disk before it is passed on, and the list of nodes that follows from it."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable

from mesh.community_state import OLDER, CommunityState
from mesh.invite import read_use
from mesh.lobby import JoinRequest, answer_join, welcome
from mesh.page_format import Malformed, canonical, parse_object
from mesh.page_kind import Priority
from mesh.ports import SecretStore, StatementStore
from mesh.record_exchange import FILES_EXTENSION, RECORDS_EXTENSION, RecordExchange
from mesh.roster import nodes_digest
from mesh.secret_exchange import SECRETS_EXTENSION
from mesh.secret_service import SecretService
from mesh.signed_statement import FILE_KIND, SignedStatement, as_json, read_statement
from mesh.version_limit import VERSIONS_OF_A_DECISION
from node.errors import StorageTrouble
from node.identity import human_form
from node.translator import gettext_lazy
from node.units import NodeId

COMMUNITY_EXTENSIONS = (RECORDS_EXTENSION, SECRETS_EXTENSION, FILES_EXTENSION)
"""Words in the hello of nodes that exchange what this module keeps."""
SETTLE_S = 0.3
"""After a change: what belongs together arrives together, and a removed node is told before its connection ends."""
SETTLE_MAX_S = 2.0
"""While more arrives, as when everything that an admin signed is signed again."""
AGAIN_S = 5.0
"""When storing is tried again."""
FOLLOWED = "followed"
"""Name of the record that says which community this node follows."""
UNREADABLE = "what this node knew of its community cannot be read"


class CommunityService:
    """The community record, memberships and invites of one node. Without a record to follow, its nodes are those `listed`
    in the configuration, as they always were."""

    def __init__(
        self,
        *,
        own: NodeId,
        listed: Iterable[NodeId],
        store: StatementStore,
        secret: bytes,
        secret_store: SecretStore,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.own = own
        self._listed = frozenset(listed) | {own}
        self._store, self._on_change = store, on_change
        self.state: CommunityState | None = None
        self._stored: frozenset[str] = frozenset()
        self._nodes = self._listed
        self._digest = nodes_digest(self._nodes)
        self._untold: list[SignedStatement] = []
        self._changed, self._saving = asyncio.Event(), asyncio.Lock()
        self._trouble = ""
        self.woken: Callable[[], None] = lambda: None
        """Called when frames may be queued; set by the mesh."""
        self.on_files: Callable[[], None] = lambda: None
        """Called when versions of files may be others, and are stored; set by what follows them."""
        self.exchange = RecordExchange(lambda: self.state, lambda: self._digest)
        self.secrets = SecretService(
            first=secret,
            store=secret_store,
            state=lambda: self.state,
            differs=self.exchange.begin_round,
            woken=self._wake,
        )
        self._load()

    # --- For the rest of the node -----------------------------------------------------------------

    def roster(self) -> frozenset[NodeId]:
        """The nodes of the community now, including this one."""
        return self._nodes

    @property
    def trouble(self) -> str:
        """What went wrong with the disk, in words for the operator; empty if nothing."""
        return self._trouble

    @property
    def listed(self) -> frozenset[NodeId]:
        """The nodes in the configuration, including this one."""
        return self._listed

    def is_member(self) -> bool:
        """Whether the record that this node follows has it as a member."""
        return self.state is not None and self.own in self.state.nodes()

    def version_max(self) -> int:
        """The greatest version that a registry record of another node may have now."""
        return self.state.version_max if self.state is not None else VERSIONS_OF_A_DECISION

    def removed(self) -> tuple[str, ...]:
        """Names of the nodes that were removed, and may still hold copies of what they received."""
        members = self.state.members() if self.state is not None else ()
        return tuple(each.label or human_form(each.node) for each in members if each.state == "removed")

    def offered(self) -> frozenset[str]:
        """Communities whose record neighbours follow while this node follows none."""
        followed = (self.exchange.follows(node) for node in self._nodes) if self.state is None else ()
        return frozenset(filter(None, followed))

    def warnings(self) -> tuple[str, ...]:
        """What people should know about the community's records, in words for the operator."""
        found = [self._trouble] if self._trouble else []
        state = self.state
        if state is None:
            found += [
                gettext_lazy(
                    "neighbours follow the community record {record}, this node the list community.nodes: compare it with "
                    "an admin, then run 'procomu community follow {record}'",
                    record=community[:16],
                )
                for community in sorted(self.offered())
            ]
        elif state.head is not None:
            found += self._warnings_of(state)
        found += self.secrets.warnings()
        for node in self.exchange.differing():
            if self.exchange.follows(node) == (state.id if state else ""):
                found.append(
                    gettext_lazy("{node} has another list of nodes than this node", node=human_form(node))
                )
            elif state is not None:
                found.append(
                    gettext_lazy("{node} does not follow this community record", node=human_form(node))
                )
        return tuple(found)

    def _warnings_of(self, state: CommunityState) -> Iterable[str]:
        if not self.is_member():
            yield gettext_lazy(
                "this node is no member of its community: it was suspended or removed by an admin"
            )
        unlisted = self._listed - state.nodes()
        if unlisted:
            names = ", ".join(sorted(human_form(node) for node in unlisted))
            yield gettext_lazy(
                "community.nodes lists nodes that are no members: {names}; the community record decides",
                names=names,
            )
        for view in state.invites():
            if len(view.used_by) > view.invite.uses:
                yield gettext_lazy(
                    "invite {invite} is for {uses} and was used {used} times: look at its nodes with "
                    "'procomu community show'",
                    invite=human_form(view.invite.key),
                    uses=view.invite.uses,
                    used=len(view.used_by),
                )
        if state.competing():
            yield gettext_lazy(
                "admins signed competing versions of the community record: one holds, see 'procomu community show'"
            )

    async def follow(self, community: str, statements: Iterable[SignedStatement] = ()) -> None:
        """Follow the record of this community from now on. Raises StorageTrouble, and then nothing has changed."""
        state = CommunityState(community)
        for statement in statements:
            state.add(statement)
        async with self._saving:
            await self._store.save(rows_of(state), self._stored)
            self._stored = frozenset(state.every_name())
            self.state = state
        self._settle()
        self.exchange.begin_rounds()
        self.secrets.changed()
        self.woken()
        self.on_files()

    async def take_in(self, statements: Iterable[SignedStatement]) -> str:
        """Statements that admins of this node signed: stored and told when this returns. Why one was refused; empty if none
        was. Raises StorageTrouble: they are held in memory then, and stored and told later."""
        assert self.state is not None, "only a node with a record takes statements in"
        refusal = ""
        for statement in statements:
            now = self.state.add(statement)
            if isinstance(now, SignedStatement):
                self._untold.append(now)
                self.secrets.changed()
            elif isinstance(now, str) and now != OLDER:
                refusal = refusal or now
        await self._save_and_tell()
        self._changed.set()
        return refusal

    # --- For the mesh -----------------------------------------------------------------------------

    def greet(self, neighbour: NodeId, can: Collection[str]) -> None:
        """A trusted neighbour with these extensions has connected."""
        if RECORDS_EXTENSION in can:
            self.exchange.greet(neighbour, takes_files=FILES_EXTENSION in can)
        self.secrets.greet(neighbour, takes_part=SECRETS_EXTENSION in can)

    def part(self, neighbour: NodeId) -> None:
        self.exchange.part(neighbour)
        self.secrets.exchange.part(neighbour)

    def part_all(self) -> None:
        """The mesh starts again: no connection is left."""
        self.exchange.part_all()
        self.secrets.exchange.part_all()

    def next_frame(self, neighbour: NodeId, *priorities: Priority) -> bytes | None:
        """The next frame for a neighbour, of these priorities or of any. Statements go first: a secret is told to a node
        that holds what this one holds."""
        found = self.exchange.next_frame(neighbour, *priorities)
        if found is None and (not priorities or Priority.MEMBERSHIP in priorities):
            found = self.secrets.exchange.next_frame(neighbour)
        return found

    def receive(self, neighbour: NodeId, frame: bytes) -> bool:
        """Handle a frame; False if it is none about the community."""
        if self.secrets.receive(neighbour, frame):
            return True
        new = self.exchange.receive(neighbour, frame)
        if new is None:
            return False
        if new:
            self._untold += new
            self._changed.set()
        self.woken()
        return True

    async def join(self, node: NodeId, asked: JoinRequest) -> bytes:
        """The answer to a node that carries an invite and has proven this key."""
        if self.state is None or not self.is_member():
            return answer_join("this node cannot let others in: it follows no community record")
        refusal = asked.refusal(self.state, node)
        if not refusal:
            refusal = await self._admit(asked)
        return (
            answer_join(refusal)
            if refusal
            else welcome(
                self.secrets.first,
                self.state.statements(frozenset({node, self.own})),
                self.secrets.later(),
            )
        )

    async def _admit(self, asked: JoinRequest) -> str:
        try:
            for statement in (asked.invite, asked.use):
                refusal = await self.take_in([statement])
                if refusal and statement.kind == "use":
                    return refusal
        except StorageTrouble:
            return "this node cannot write to its disk now"
        self._settle()  # the joining node calls at once
        use = read_use(asked.use)
        is_in = not isinstance(use, Malformed) and use.node in self._nodes
        return "" if is_in else "an admin has closed this invite, or removed this node"

    async def run(self) -> None:
        """Until cancelled: store what arrived, pass it on, and bring the list of nodes and the secrets up to date."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.secrets.run())
            await self._keep_up()

    # --- Inside -----------------------------------------------------------------------------------

    def _wake(self) -> None:
        self.woken()

    async def _keep_up(self) -> None:
        while self._trouble.startswith(UNREADABLE):
            await asyncio.sleep(AGAIN_S)
            self._trouble = ""
            await asyncio.to_thread(self._load)
        loop = asyncio.get_running_loop()
        while True:
            await self._changed.wait()
            latest = loop.time() + SETTLE_MAX_S
            while self._changed.is_set() and loop.time() < latest:
                self._changed.clear()
                with contextlib.suppress(StorageTrouble):
                    await self._save_and_tell()
                self.secrets.changed()
                await asyncio.sleep(SETTLE_S)
            self._settle()
            if self._untold:
                await asyncio.sleep(AGAIN_S)
                self._changed.set()

    async def _save_and_tell(self) -> None:
        async with self._saving:
            untold, self._untold = self._untold, []
            try:
                await self._save()
            except StorageTrouble as trouble:
                self._untold = untold + self._untold
                self._trouble = gettext_lazy(
                    "changes of the community are in memory only, and not passed on: {english}",
                    english=str(trouble),
                )
                raise
            self._trouble = ""
        for statement in untold:
            self.exchange.tell(statement)
        self.woken()
        if untold:
            self.on_files()

    async def _save(self) -> None:
        if self.state is None:
            return
        held = self.state.every_name()
        new = [(name, _row(held[name])) for name in held if name not in self._stored]
        gone = self._stored - held.keys()
        if new or gone:
            await self._store.save(new, gone)
        self._stored = frozenset(held)

    def _settle(self) -> None:
        """Bring the list of nodes up to date."""
        state = self.state
        nodes = self._listed if state is None or state.head is None else state.nodes() | {self.own}
        if nodes == self._nodes:
            return
        self._nodes, self._digest = nodes, nodes_digest(nodes)
        self.exchange.begin_rounds()
        self._on_change()
        self.woken()

    def _load(self) -> None:
        try:
            rows = list(self._store.load())
        except StorageTrouble as trouble:
            self._trouble = f"{UNREADABLE}: {trouble}"
            return
        read = [parse_object(row) for row in rows]
        followed = next(
            (each for each in read if isinstance(each, dict) and each.get("is") == FOLLOWED), None
        )
        if not isinstance(followed, dict):
            return
        self.state = CommunityState(str(followed.get("community")))
        statements = [each for row in read if not isinstance(each := read_statement(row), Malformed)]
        for statement in sorted(statements, key=_loading_order):
            self.state.add(statement)
        self._stored = frozenset(self.state.every_name())
        self._settle()


def rows_of(state: CommunityState) -> list[tuple[str, bytes]]:
    """What is stored of a record that this node follows from now on."""
    followed = canonical({"is": FOLLOWED, "community": state.id})
    return [(FOLLOWED, followed), *((name, _row(each)) for name, each in state.every_name().items())]


def _loading_order(statement: SignedStatement) -> tuple[int, int]:
    """Each version after the one before, and uses after their invites."""
    order = ("community", "invite", "membership", "use", FILE_KIND).index(statement.kind)
    version = statement.fields().get("version")
    return order, version if isinstance(version, int) else 0


def _row(statement: SignedStatement) -> bytes:
    return canonical(as_json(statement))
