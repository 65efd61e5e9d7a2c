"""The community of a fuzzed mesh: who belongs to it, what was signed in it, and what in a store nobody signed."""

from dataclasses import dataclass, field
from typing import Any

from mesh.community_changes import changed_membership, new_invite
from mesh.exchange import PAGE_KIND
from mesh.invite import InviteUse, read_use
from mesh.messages import decode
from mesh.page_format import Page
from mesh.page_kinds import page_content
from mesh.registry_kind import RegistryContent
from mesh.signed_statement import SignedStatement, are_signatures_valid, read_statement
from mesh.usage_kind import PageContent
from node.accounts.registry_record import value_text
from node.identity import verify
from node.units import NodeId
from tests.fakes.community_statements import SEED, begun, next_record, state_of
from tests.fakes.file_versions import signed, version_of
from tests.fakes.neighbours import id_of, key_of

VILLAGE = "the-village"
HONEST = ("square", "hills")
"""Nodes that run as processes and sign their own pages."""
SILENT = "coast"
"""An honest member that is not connected: the pages that it signed are all known here."""
HOSTILE = "mallory"
"""A member in force."""
REMOVED = "ridge"
SECRET = bytes(range(32))
HONEST_ACCOUNT = "honest-"
"""What the accounts begin with whose usage the honest nodes book."""

type Bucket = tuple[str, str, str, str, int, int, int, int]
"""Node, incarnation, account, day, and the four counts."""

type SaidRecord = tuple[str, str, int, str]
"""Kind, key, version, and the value as JSON. Of two that say the same, the later last day holds."""


@dataclass(frozen=True, slots=True)
class FuzzedCommunity:
    """The community record as honest nodes hold it, and two next versions that compete, signed by the same admin."""

    id: str
    statements: tuple[SignedStatement, ...]
    competing: tuple[SignedStatement, ...]
    files: tuple[SignedStatement, ...]
    """Versions of its files: earlier ones, two that were signed apart, and one whose text cannot be unpacked."""


def fuzzed_community() -> FuzzedCommunity:
    """The same in each process: keys come from names."""
    first = begun(*HONEST, SILENT, HOSTILE, REMOVED)
    state = state_of(first.community, first.statements)
    assert state.head is not None
    ridge = next(each for each in state.members() if each.node == id_of(REMOVED))
    rosa = key_of("rosa")
    more = (changed_membership(state, rosa, ridge, "removed"), new_invite(state, rosa, SEED, 2))
    competing = tuple(
        next_record(state.head, state.head_hash, ["rosa", other], 1, ["rosa"]) for other in ("pau", "nuria")
    )
    return FuzzedCommunity(first.community, (*first.statements, *more), competing, _files(first.community))


def _files(community: str) -> tuple[SignedStatement, ...]:
    one = version_of(community, "rules", "one")
    here, there = (version_of(community, "rules", text * 2_000, one) for text in ("here", "there"))
    people = version_of(community, "members", "people")
    bomb = version_of(community, "members", "0" * 10_000_000, people)
    return tuple(signed(each, "rosa") for each in (one, here, there, people, bomb))


@dataclass(frozen=True, slots=True)
class NodeStore:
    """What a node holds: the list of nodes, pages, statements about the community, the usage that it counts, and facts about
    people."""

    nodes: frozenset[NodeId]
    pages: tuple[bytes, ...]
    statements: tuple[dict[str, Any], ...]
    buckets: tuple[Bucket, ...]
    records: tuple[SaidRecord, ...] = ()


@dataclass(slots=True)
class SignedLog:
    """Everything that was signed with the key of the author that it names."""

    nodes: set[NodeId] = field(default_factory=lambda: {id_of(name) for name in (*HONEST, SILENT, HOSTILE)})
    """The members in force; each use of an invite adds one."""
    pages: set[bytes] = field(default_factory=set)
    statements: set[tuple[str, bytes]] = field(default_factory=set)
    counts: dict[tuple[str, str, str, str], set[int]] = field(default_factory=dict)
    """By node, incarnation, account and day: all that its pages ever said."""
    records: set[SaidRecord] = field(default_factory=set)

    def add_page(self, raw: bytes) -> None:
        page = decode(raw)
        if not isinstance(page, Page):
            return  # signed, and of no use to anybody
        self.pages.add(page.signed)
        said = page_content(page)
        if isinstance(said, RegistryContent):
            rows = ((each.kind, each.key, each.version, value_text(each.value)) for each in said.records)
            self.records.update(rows)
        for incarnation, account, bucket in said.rows if isinstance(said, PageContent) else ():
            known = self.counts.setdefault((page.author, incarnation, account, page.period), {0})
            known.update((bucket.uplink.down, bucket.uplink.up, bucket.busy.down, bucket.busy.up))

    def add_statement(self, statement: SignedStatement) -> None:
        self.statements.add((statement.kind, statement.text))
        use = read_use(statement) if statement.kind == "use" else None
        if isinstance(use, InviteUse):
            self.nodes.add(use.node)

    def forged(self, store: NodeStore) -> list[str]:
        """What is in the store and was not signed by the author that it names, or by nobody who belongs to the community."""
        found = [f"member {each}" for each in store.nodes - self.nodes]
        found += [f"page {raw[:120]!r}" for raw in store.pages if not self._is_signed_page(raw)]
        found += [f"statement {each}" for each in store.statements if not self._is_signed_statement(each)]
        found += [f"record {each}" for each in store.records if each not in self.records]
        return found + [f"usage {each}" for each in store.buckets if not self._is_said(each)]

    def _is_signed_page(self, raw: bytes) -> bool:
        page = decode(raw)
        if not isinstance(page, Page) or page.author not in self.nodes or page.community != VILLAGE:
            return False
        if not verify(page.author, PAGE_KIND, page.signed, page.signature):
            return False
        return page.signed in self.pages or page.author in map(id_of, HONEST)

    def _is_signed_statement(self, value: dict[str, Any]) -> bool:
        statement = read_statement(value)
        return (
            isinstance(statement, SignedStatement)
            and (statement.kind, statement.text) in self.statements
            and are_signatures_valid(statement)
        )

    def _is_said(self, bucket: Bucket) -> bool:
        node, incarnation, account, day, *counts = bucket
        if node in map(id_of, HONEST):
            return account.startswith(HONEST_ACCOUNT)
        return set(counts) <= self.counts.get((node, incarnation, account, day), set())
