"""Application service of the admin pages for what admins sign about the community: invites, states of nodes, and keys.

Each signature needs the admin's passphrase, which is checked as at a sign-in. It opens the admin's key for that request
only; in between the node has the key encrypted.
"""

import asyncio
import json
import logging
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.announcement import Address
from mesh.community_changes import (
    FileTooLarge,
    RecordChange,
    changed_membership,
    changed_record,
    closed_invite,
    first_record,
    has_enough_votes,
    in_order,
    new_invite,
    replaced_key,
    shared_file,
)
from mesh.community_record import CommunityAdmin, CommunityRecord, read_record
from mesh.community_service import CommunityService
from mesh.community_state import CommunityState
from mesh.file_version import Decision, FileName
from mesh.invite import SEED_BYTES, invite_text, read_invite
from mesh.membership import NODE_ROLE
from mesh.page_format import Malformed
from mesh.signed_statement import SignedStatement
from node.accounts.events import EventKind
from node.accounts.member_passphrases import SALT_BYTES
from node.app.admin_access import AdminAccessService, SignInClient, SignInRefused
from node.app.admin_community import no_such_node
from node.app.admin_keys import AdminKeys, AdminKeyStore, decides_alone, threshold
from node.app.admin_sessions import Signed, name_key
from node.app.community import FOLLOW_CHARS_MIN
from node.app.event_recorder import ActRecorder
from node.app.event_words import STATE_KINDS
from node.app.idempotency import RANDOM_BYTES, IdempotencyKeys
from node.app.locked_key import LockedKey, lock_key, unlock_key
from node.app.signing_refusals import (
    already_followed,
    earlier_passphrase,
    file_too_large,
    key_is_there,
    no_account,
    no_address,
    no_key,
    no_record,
    no_such_admin,
    no_such_invite,
    no_such_record,
    not_admin_yet,
    not_again,
    not_oneself,
    not_possible,
    offered_already,
    too_few_votes,
    wrong_passphrase,
)
from node.control.ports import Clock, StateArchive
from node.errors import Finding, NodeError, StorageTrouble
from node.identity import human_form, is_node_id, key_from_raw, own_node_id
from node.units import MacAddress, NodeId

log = logging.getLogger(__name__)

KEY_BYTES = 32
INVITE_NOTES = "invite_notes"
"""Name in the node state."""
NOTE_CHARS_MAX = 60

type OwnKeyState = Literal["no account", "no key", "waiting", "admin"]


@dataclass(frozen=True, slots=True)
class SignRequest:
    """The session that signs, and the passphrase that was typed."""

    cookie: str
    client: SignInClient
    passphrase: str
    earlier: str = ""
    """The passphrase that the key was encrypted with, if it is not the present one."""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """The key of an account."""

    state: OwnKeyState
    key: str = ""
    """Its id; empty without one."""
    decides_alone: bool = False
    """Whether its votes are enough to change who the admins are."""


@dataclass(frozen=True, slots=True)
class MadeInvite:
    """A new invite: its text brings nodes in."""

    text: str
    link: str
    """To the set-up page of a new node, with the text."""
    key: NodeId
    uses: int


class AdminSigningService:
    """One signature at a time."""

    def __init__(
        self,
        community: CommunityService,
        access: AdminAccessService,
        archive: StateArchive,
        *,
        clock: Clock,
        random: Callable[[int], bytes],
        name: str,
        addresses: Callable[[], tuple[Address, ...]],
        port: int,
        setup_url: str,
        recorded: ActRecorder,
    ) -> None:
        """`name`: of the community, for a new record. `addresses`: those of this node on mesh links; `port`: where nodes
        talk to each other. `setup_url`: of the set-up page of a new node. `recorded` records the event of an act."""
        self._recorded = recorded
        self._community, self._access, self._passphrases = community, access, access.passphrases
        self._keys, self._clock, self._random = AdminKeyStore(archive), clock, random
        self._archive = archive
        self._name, self._addresses, self.port, self._setup_url = name, addresses, port, setup_url
        self._invites = IdempotencyKeys[MadeInvite](random(KEY_BYTES))
        self._papers = IdempotencyKeys[bytes](random(KEY_BYTES))
        self._busy = asyncio.Lock()

    def invite_key(self, cookie: str) -> str:
        """Idempotency key for a form that makes an invite."""
        return self._invites.idempotency_key(cookie, self._random(RANDOM_BYTES), self._clock.monotonic())

    def paper_key(self, cookie: str) -> str:
        """Idempotency key for a form that makes a recovery key."""
        return self._papers.idempotency_key(cookie, self._random(RANDOM_BYTES), self._clock.monotonic())

    async def own_key(self, signed: Signed) -> OwnKey:
        """Raises NodeError."""
        if not self._access.has_account(signed):
            return OwnKey("no account")
        keys = await self._keys.of(signed.name)
        if keys is None:
            return OwnKey("no key")
        locked, head = keys.in_force(self._admin_keys()), self._head()
        votes = 0 if head is None else head.votes_of(frozenset({locked.key}))
        decides = head is not None and votes >= head.threshold
        return OwnKey("admin" if votes else "waiting", locked.key, decides)

    # --- keys ---

    async def make_key(self, by: SignRequest, *, is_lost: bool = False) -> Finding | None:
        """Makes a key for the account of this session, which signs once the community has it as an admin. `is_lost`: there
        is one that nobody can open, because its passphrase is forgotten."""
        async with self._busy:
            signed = await self._prove(by)
            if isinstance(signed, Finding):
                return signed
            keys = await self._keys.of(signed.name)
            if keys is not None and not (is_lost and await self._is_lost(by, keys)):
                return key_is_there()
            async with self._recorded(signed, "key-made"):
                await self._new_key(signed, by)
            return None

    async def relock(self, name: str, before: str, after: str) -> None:
        """The account has another passphrase: its key is encrypted with that one, if the one before opens it. Otherwise the
        next signature asks for the one before."""
        async with self._busy:
            with suppress(NodeError):
                keys = await self._keys.of(name)
                if keys is None or not before:
                    return
                party, following = MacAddress(name_key(name)), keys.following
                current = await self._relocked(party, keys.current, before, after)
                if following is not None:
                    following = await self._relocked(party, following, before, after)
                await self._save(name, AdminKeys(current, following))

    async def replace_key(self, by: SignRequest) -> Finding | None:
        """A new key in the place of the own one. After an interruption the next call completes it."""
        async with self._busy:
            signed = await self._prove(by)
            if isinstance(signed, Finding):
                return signed
            opened = await self._opened(signed, by)
            if isinstance(opened, Finding):
                return opened
            state, old = opened
            if not decides_alone(state, old):
                return too_few_votes(threshold(state))
            keys = await self._keys.of(signed.name)
            assert keys is not None, "it was opened"
            if own_node_id(old) != keys.current.key:  # only what is stored is left to be replaced
                await self._save(signed.name, AdminKeys(keys.in_force(self._admin_keys())))
                return None
            new, following = await self._following_key(signed, by, keys)
            made = replaced_key(state, old, new)
            refused = await self._take_in(signed, "replaced the own key", made, "key-replaced")
            if refused is None:
                await self._save(signed.name, AdminKeys(following))
            return refused

    async def add_admin(self, by: SignRequest, key: str, label: str) -> Finding | None:
        """Another admin of the community, with one vote."""
        if not is_node_id(key):
            return no_key("admin")
        admin = CommunityAdmin(NodeId(key), 1, _label(label))
        async with self._busy:
            what = f"added the admin {human_form(admin.key)}"
            return await self._change(by, RecordChange(add=(admin,)), what, "admin-added", admin.label)

    async def remove_admin(self, by: SignRequest, key: str) -> Finding | None:
        """That key signs nothing any longer; what it signed is signed again with the own one."""
        keys = await self._keys.of(self._name_of(by))
        if keys is not None and key in {keys.current.key, keys.following.key if keys.following else ""}:
            return not_oneself()
        if key not in self._admin_keys():
            return no_such_admin()
        change = RecordChange(remove=frozenset({NodeId(key)}))
        async with self._busy:
            called = human_form(NodeId(key))
            return await self._change(by, change, f"removed the admin {called}", "admin-removed", called)

    async def new_secret(self, by: SignRequest) -> Finding | None:
        """A new secret of the community, which this node makes and the others take from each other."""
        async with self._busy:
            commitment = await self._community.secrets.prepared()
            change = RecordChange(secret=commitment)
            return await self._change(by, change, "made a new secret of the community", "secret-made")

    async def new_paper(self, by: SignRequest, ticket: str) -> bytes | Finding:
        """A recovery key in the place of all earlier ones; its secret is returned to be printed."""
        async with self._busy:
            now, head = self._clock.monotonic(), self._head()
            form = self._papers.state(by.cookie, ticket, now)
            if form != "fresh":
                await self._stored()
                return self._papers.shown(by.cookie, ticket, now) or not_again(form)
            if head is None:
                return no_record()
            paper = self._random(KEY_BYTES)
            change = RecordChange(
                add_recovery=(own_node_id(key_from_raw(paper)),), remove_recovery=frozenset(head.recovery)
            )
            try:
                refused = await self._change(by, change, "made a recovery key", "recovery-key-made")
            except StorageTrouble:
                # Then it is in force in memory, and stored later: the same form shows it.
                self._keep_if_in_force(by, ticket, paper)
                raise
            if refused is not None:
                return refused
            self._papers.keep(by.cookie, ticket, paper, now)
            return paper

    # --- the record ---

    async def begin(self, by: SignRequest, ticket: str) -> bytes | Finding:
        """Version 1 of the community record, with the nodes of the settings, the own key as admin and a recovery key, whose
        secret is returned to be printed."""
        async with self._busy:
            now = self._clock.monotonic()
            form = self._papers.state(by.cookie, ticket, now)
            if form != "fresh":
                return self._papers.shown(by.cookie, ticket, now) or not_again(form)
            refused = self._why_no_record()
            signed = await self._prove(by) if refused is None else refused
            if isinstance(signed, Finding):
                return signed
            key = await self._own_or_new_key(signed, by)
            if isinstance(key, Finding):
                return key
            refused = self._why_no_record()  # meanwhile a neighbour may have connected
            if refused is not None:
                return refused
            paper = self._random(KEY_BYTES)
            made = first_record(
                self._name,
                _label(signed.name),
                key,
                self._community.listed,
                [own_node_id(key_from_raw(paper))],
            )
            record = read_record(made.statements[0])
            if isinstance(record, Malformed):
                return not_possible(record.reason)
            async with self._recorded(signed, "record-begun"):
                await self._community.follow(made.community, made.statements)
            log.info("community: admin %s made the record %s", signed.name, made.community[:16])
            self._papers.keep(by.cookie, ticket, paper, now)
            return paper

    async def follow(self, typed: str) -> Finding | None:
        """From now on this node follows the record that its neighbours follow, of which a person compared the id."""
        async with self._busy:
            if self._community.state is not None:
                return already_followed()
            offered = self._community.offered() if len(typed) >= FOLLOW_CHARS_MIN else ()
            matching = [each for each in offered if each.startswith(typed)]
            if len(matching) != 1:
                return no_such_record()
            await self._community.follow(matching[0])
            log.info("community: this node follows the record %s", matching[0][:16])
            return None

    # --- nodes and invites ---

    async def set_state(self, by: SignRequest, node: str, new_state: str) -> Finding | None:
        """The node is active, suspended or removed from now on, everywhere."""
        async with self._busy:
            signer = await self._signer(by)
            if isinstance(signer, Finding):
                return signer
            signed, state, key = signer
            view = next((each for each in state.members() if each.node == node), None)
            if view is None:
                return no_such_node()
            if view.state == new_state:
                await self._stored()
                return None
            if view.role != NODE_ROLE and not decides_alone(state, key):
                return too_few_votes(threshold(state))
            made = changed_membership(state, key, view, new_state)
            what = f"set node {human_form(view.node)} to {new_state}"
            return await self._take_in(signed, what, (made,), STATE_KINDS[new_state], view.label)

    async def invite(
        self, by: SignRequest, uses: int, address: Address | None, ticket: str, note: str = ""
    ) -> MadeInvite | Finding:
        """A new invite for so many nodes; its text is nowhere else. `address` comes first among those in it; `note` is
        kept on this node only."""
        async with self._busy:
            now = self._clock.monotonic()
            form = self._invites.state(by.cookie, ticket, now)
            if form != "fresh":
                return self._invites.shown(by.cookie, ticket, now) or not_again(form)
            addresses = (*((address,) if address is not None else ()), *self._addresses())
            if not addresses:
                return no_address()
            signer = await self._signer(by)
            if isinstance(signer, Finding):
                return signer
            signed, state, key = signer
            seed = self._random(SEED_BYTES)
            statement = new_invite(state, key, seed, uses)
            said = read_invite(statement)
            if isinstance(said, Malformed):
                return not_possible(said.reason)
            text = invite_text(seed, statement, said, addresses)
            what = f"made the invite {human_form(said.key)}"
            refused = await self._take_in(signed, what, (statement,), "node-invited", note)
            if refused is not None:
                return refused
            made = MadeInvite(text, f"{self._setup_url}?invite={text}", said.key, uses)
            self._invites.keep(by.cookie, ticket, made, now)
            with suppress(StorageTrouble):  # the invite is made, and is shown now or never
                await self._keep_note(state, said.key, note)
            return made

    async def notes(self) -> Mapping[str, str]:
        """What admins of this node wrote about invites, by their keys; empty while it cannot be read."""
        try:
            stored = json.loads(await self._archive.state(INVITE_NOTES) or "{}")
        except (StorageTrouble, ValueError):
            return {}
        if not isinstance(stored, dict):
            return {}
        return {key: note[:NOTE_CHARS_MAX] for key, note in stored.items() if isinstance(note, str)}

    async def _keep_note(self, state: CommunityState, key: NodeId, note: str) -> None:
        known = {view.invite.key for view in state.invites()}
        kept = {each: text for each, text in (await self.notes()).items() if each in known}
        if note:
            await self._archive.save_state(INVITE_NOTES, json.dumps({**kept, key: note}, ensure_ascii=False))

    async def close_invite(self, by: SignRequest, invite: str) -> Finding | None:
        """Nobody comes with it any longer; the nodes that came with it stay."""
        async with self._busy:
            signer = await self._signer(by)
            if isinstance(signer, Finding):
                return signer
            signed, state, key = signer
            view = next((each for each in state.invites() if each.invite.key == invite), None)
            if view is None:
                return no_such_invite()
            if view.invite.state == "closed":
                await self._stored()
                return None
            made = closed_invite(state, key, view.invite)
            what = f"closed the invite {human_form(view.invite.key)}"
            return await self._take_in(signed, what, made, "invite-closed")

    # --- files ---

    async def share_file(
        self, by: SignRequest, file: FileName, text: str, reason: str = ""
    ) -> Finding | None:
        """The community's file has this text from now on, or as soon as enough admins signed it."""
        async with self._busy:
            signer = await self._signer(by)
            if isinstance(signer, Finding):
                return signer
            signed, state, key = signer
            decision = Decision(_label(signed.name), reason, self._clock.today())
            try:
                made = shared_file(state, (key,), file, text, decision)
            except FileTooLarge:
                return file_too_large()
            except NodeError as error:
                return not_possible(error.message)
            statements = () if made is None else (made,)
            return await self._take_in(signed, f"shared the {file}", statements, "file-shared", file)

    # --- inside ---

    def _head(self) -> CommunityRecord | None:
        state = self._community.state
        return None if state is None else state.head

    def _admin_keys(self) -> frozenset[NodeId]:
        head = self._head()
        return frozenset() if head is None else head.admin_keys

    def _why_no_record(self) -> Finding | None:
        if self._community.state is not None:
            return already_followed()
        return offered_already() if self._community.offered() else None

    async def _take_in(
        self,
        signed: Signed,
        what: str,
        statements: Iterable[SignedStatement],
        kind: EventKind,
        about: str = "",
    ) -> Finding | None:
        async with self._recorded(signed, kind, about=about) as act:
            refusal = await self._community.take_in(statements)
            act.is_refused = bool(refusal)
        if refusal:
            return not_possible(refusal)
        log.info("community: admin %s %s", signed.name, what)
        return None

    async def _stored(self) -> None:
        """What was signed before is on the disk when this returns. Raises StorageTrouble."""
        if self._community.state is not None:
            await self._community.take_in(())

    def _keep_if_in_force(self, by: SignRequest, ticket: str, paper: bytes) -> None:
        head = self._head()
        if head is not None and own_node_id(key_from_raw(paper)) in head.recovery:
            self._papers.keep(by.cookie, ticket, paper, self._clock.monotonic())

    async def _prove(self, by: SignRequest) -> Signed | Finding:
        """The account of this session, whose passphrase was typed; a wrong one counts as a wrong sign-in."""
        proved = await self._access.prove(by.cookie, by.passphrase, by.client)
        if proved is None:
            return no_account()
        return wrong_passphrase(proved.wait_s) if isinstance(proved, SignInRefused) else proved

    async def _is_lost(self, by: SignRequest, keys: AdminKeys) -> bool:
        locked = keys.in_force(self._admin_keys())
        return await self._unlocked(by, locked, by.passphrase) is None

    def _name_of(self, by: SignRequest) -> str:
        signed = self._access.who(by.cookie)
        return "" if signed is None else signed.name

    async def _change(
        self, by: SignRequest, change: RecordChange, what: str, kind: EventKind, about: str = ""
    ) -> Finding | None:
        """The next version of the record, if the own votes are enough for it."""
        signer = await self._signer(by)
        if isinstance(signer, Finding):
            return signer
        signed, state, own = signer
        try:
            made = changed_record(state, change, (own,))
        except NodeError as error:
            return not_possible(error.message)
        if not has_enough_votes(state, made[0]):
            return too_few_votes(threshold(state))
        return await self._take_in(signed, what, in_order(state, made), kind, about)

    async def _signer(self, by: SignRequest) -> "tuple[Signed, CommunityState, Ed25519PrivateKey] | Finding":
        signed = await self._prove(by)
        if isinstance(signed, Finding):
            return signed
        opened = await self._opened(signed, by)
        return opened if isinstance(opened, Finding) else (signed, *opened)

    async def _opened(
        self, signed: Signed, by: SignRequest
    ) -> tuple[CommunityState, Ed25519PrivateKey] | Finding:
        """The record, and the key of one of its admins."""
        keys = await self._keys.of(signed.name)
        if keys is None:
            return no_key()
        key = await self._open(signed, by, keys)
        if isinstance(key, Finding):
            return key
        state = self._community.state
        if state is None or state.head is None:
            return no_record()
        return (state, key) if own_node_id(key) in state.head.admin_keys else not_admin_yet()

    async def _open(self, signed: Signed, by: SignRequest, keys: AdminKeys) -> Ed25519PrivateKey | Finding:
        """With the passphrase of before, the key is encrypted with the present one from now on."""
        locked = keys.in_force(self._admin_keys())
        key = await self._unlocked(by, locked, by.passphrase)
        if key is not None:
            return key
        if not by.earlier:
            return earlier_passphrase()
        if wait_s := self._access.earlier_wait_s(signed.name):
            return wrong_passphrase(wait_s, "earlier")
        key = await self._unlocked(by, locked, by.earlier)
        if key is None:
            return wrong_passphrase(self._access.wrong_earlier(signed.name), "earlier")
        party, following = MacAddress(by.client.network), keys.following
        if following is not None:
            following = await self._relocked(party, following, by.earlier, by.passphrase)
        again = await self._locked(by, key)
        is_last = following is not None and locked.key == following.key
        await self._save(signed.name, AdminKeys(again, None if is_last else following))
        return key

    async def _own_or_new_key(self, signed: Signed, by: SignRequest) -> Ed25519PrivateKey | Finding:
        keys = await self._keys.of(signed.name)
        return await self._new_key(signed, by) if keys is None else await self._open(signed, by, keys)

    async def _new_key(self, signed: Signed, by: SignRequest) -> Ed25519PrivateKey:
        key = Ed25519PrivateKey.generate()
        await self._save(signed.name, AdminKeys(await self._locked(by, key)))
        return key

    async def _following_key(
        self, signed: Signed, by: SignRequest, keys: AdminKeys
    ) -> tuple[Ed25519PrivateKey, LockedKey]:
        """The key that an interrupted call made, or a new one, which is stored before anything names it."""
        if keys.following is not None:
            key = await self._unlocked(by, keys.following, by.passphrase)
            if key is not None:
                return key, keys.following
        key = Ed25519PrivateKey.generate()
        following = await self._locked(by, key)
        await self._save(signed.name, AdminKeys(keys.current, following))
        return key, following

    async def _locked(self, by: SignRequest, key: Ed25519PrivateKey) -> LockedKey:
        salt = self._random(SALT_BYTES)
        return await self._in_turn(by, lambda: lock_key(key, by.passphrase, salt))

    async def _unlocked(
        self, by: SignRequest, locked: LockedKey, passphrase: str
    ) -> Ed25519PrivateKey | None:
        return await self._in_turn(by, lambda: unlock_key(locked, passphrase))

    async def _in_turn[T](self, by: SignRequest, work: Callable[[], T]) -> T:
        """In a worker thread, one at a time with all checks of passphrases."""
        return await self._passphrases.turn(MacAddress(by.client.network), work, is_known=True)

    async def _relocked(self, party: MacAddress, locked: LockedKey, before: str, after: str) -> LockedKey:
        salt = self._random(SALT_BYTES)

        def work() -> LockedKey:
            key = unlock_key(locked, before)
            return locked if key is None else lock_key(key, after, salt)

        return await self._passphrases.turn(party, work, is_known=True)

    async def _save(self, name: str, keys: AdminKeys) -> None:
        admins, stored = self._admin_keys(), await self._keys.all()
        needed = [each.signed.name for each in self._access.accounts()]
        needed += [each for each, one in stored.items() if one.in_force(admins).key in admins]
        await self._keys.save(name, keys, needed)


def _label(name: str) -> str:
    return unicodedata.normalize("NFC", name)
