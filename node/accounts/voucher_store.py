"""Voucher store: all vouchers that this node knows, indexed by fingerprint, account and batch."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from node.accounting.session_leases import Lease, SavedLease, rebased_lease
from node.accounts.account_list import (
    ListIndex,
    account_list,
    count_listed,
    is_listed,
    listed,
    without,
)
from node.accounts.codes import RANDOM_BYTES, Code, make_code
from node.accounts.events import Event
from node.accounts.vouchers import (
    LEASE_MOVES_S,
    Batch,
    SavedVoucher,
    Voucher,
    VoucherState,
    VoucherView,
    batch_findings,
    first_end_possible_s,
    voucher_account,
    voucher_fingerprint,
    voucher_state,
)
from node.errors import Finding
from node.translator import gettext_lazy
from node.units import AccountId, Milliseconds, Monotonic, NodeId, Now

VOUCHERS_MAX = 50_000
"""Of all nodes together, until their retention ends."""
VOUCHERS_OF_NODE_MAX = 20_000
"""Of these, that one other node may list: about as many as fit into its pages at once."""


@dataclass(frozen=True, slots=True)
class GeneratedVoucher:
    """A new code that is not issued yet, with its fingerprint and account."""

    code: Code = field(repr=False)
    fingerprint: str
    account: AccountId


@dataclass(frozen=True, slots=True)
class IssueResult:
    """Newly issued vouchers. Only fingerprints are stored, so the codes must be printed now."""

    batch: Batch
    codes: tuple[Code, ...]
    changes: tuple[Batch | SavedVoucher | Event, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    """Vouchers that were revoked, so that `restore` can undo it, and the accounts concerned."""

    fingerprints: tuple[str, ...]
    accounts: tuple[AccountId, ...]
    """Accounts of vouchers in use; their sessions end now."""
    changes: tuple[SavedVoucher, ...]


@dataclass(frozen=True, slots=True)
class RevokedBatch:
    """The vouchers of a batch that a revocation, or the undoing of one, concerned."""

    count: int
    changes: tuple[Batch | SavedVoucher, ...]


class VoucherStore:
    """Used only from the event loop's thread. `keys` are the community's HMAC keys: new codes are for the first, and a code
    is found under each of them. `random(n)` returns n random bytes."""

    def __init__(self, keys: Callable[[], Sequence[bytes]], random: Callable[[int], bytes]) -> None:
        self._keys, self._random = keys, random
        self.batches: dict[int, Batch] = {}
        self._of_other: dict[tuple[NodeId, int], list[int]] = {}
        """Numbers here by the node that issued a batch, and its number there."""
        self._sizes: dict[int, int] = {}
        self._total, self._of_node = 0, Counter[NodeId | None]()
        """Of all sizes: how many vouchers there are, and of each node."""
        self._index: ListIndex | None = None
        """Of the lists of accounts, once one is looked for; None after a list changed."""
        self._by_fingerprint: dict[str, Voucher] = {}
        self._by_account: dict[AccountId, str] = {}
        self._by_batch: dict[int, list[str]] = {}
        self._saved: dict[str, SavedLease] = {}
        self._awaiting_clock: set[str] = set()
        self._last_batch, self._last_stored = 0, 0

    def __len__(self) -> int:
        return self._total

    def take(
        self,
        batches: Iterable[Batch],
        vouchers: Iterable[SavedVoucher],
        at: Now,
        saved_at: Monotonic | None,
    ) -> tuple[SavedVoucher, ...]:
        """Load from storage. Returns rows whose lease was converted from another boot, to be stored again.
        Vouchers without a batch are skipped, because their value is unknown."""
        rows = []
        for batch in batches:
            self._add(batch)
        for saved in vouchers:
            if saved.voucher.batch not in self.batches:
                continue
            if saved.lease is None:
                self._put(saved.voucher)
                continue
            lease = rebased_lease(saved.lease, boot=at.boot, now=at.now, wall_s=at.wall_s, saved_at=saved_at)
            voucher = replace(saved.voucher, lease=lease)
            self._saved[voucher.fingerprint] = saved.lease
            if saved.lease.boot != at.boot:
                rows.append(self._keep(voucher, at))
            else:
                self._put(voucher)
                self._await_clock(voucher, at)
        self._last_stored = self._last_batch
        for number, batch in tuple(self.batches.items()):
            if batch.origin is None:
                self._drop_empty(number)
        return tuple(rows)

    def clock_known(self, at: Now) -> tuple[SavedVoucher, ...]:
        """Called when the clock becomes known. Returns rows of vouchers in use whose remaining time was an
        estimate. A voucher stored with an end in civil time ends then: time while the node was off counts."""
        assert at.wall_s is not None, "only a clock that is known helps"
        awaited, self._awaiting_clock = self._awaiting_clock, set()
        rows = []
        for name in sorted(awaited & self._by_fingerprint.keys()):
            voucher, ends_wall_s = self._by_fingerprint[name], self._saved[name].ends_wall_s
            assert voucher.lease is not None, "only vouchers in use wait for the clock"
            if ends_wall_s is not None:
                ends = max(at.now, at.now + (ends_wall_s - at.wall_s) * 1000)
                lease = replace(voucher.lease, ends=Monotonic(min(voucher.lease.ends, ends)))
                voucher = replace(voucher, lease=lease)
            rows.append(self._keep(voucher, at))
        return tuple(rows)

    def clock_corrected(self, at: Now) -> tuple[SavedVoucher, ...]:
        """Called after the clock was wrong. Returns rows of all vouchers ever used, with their ends in
        corrected civil time, so that a clock set back does not revive an ended voucher."""
        begun = [voucher for voucher in self._by_fingerprint.values() if voucher.lease is not None]
        return tuple(self._keep(voucher, at) for voucher in begun)

    def findings(self, wish: Batch, count: int) -> tuple[Finding, ...]:
        """Everything that prevents issuing `count` such vouchers now."""
        findings = batch_findings(wish, count)
        if not findings and len(self) + count > VOUCHERS_MAX:
            message = gettext_lazy(
                "The node keeps {number} vouchers and can keep {most}.", number=len(self), most=VOUCHERS_MAX
            )
            fix = gettext_lazy("issue fewer, or wait until old ones are forgotten")
            findings = (Finding("voucher", 0, message, fix),)
        return findings

    def generate(self, count: int) -> tuple[GeneratedVoucher, ...]:
        """Create `count` new codes. Thread-safe: reads no voucher."""
        return tuple(self._new_code() for _ in range(count))

    def issue(
        self, wish: Batch, count: int, today: str, minted: tuple[GeneratedVoucher, ...] = ()
    ) -> IssueResult | tuple[Finding, ...]:
        """Issue `count` vouchers as described by `wish`; number and date are set here. `minted` are codes
        from `generate`. Returns findings if the request is not valid."""
        if findings := self.findings(wish, count):
            return findings
        batch = replace(wish, number=self._last_batch + 1, issued_day=today)
        self._add(batch)
        codes = tuple(self._put_new(batch.number, new) for new in minted or self.generate(count))
        rows = tuple(SavedVoucher(voucher, None) for voucher in self.of_batch(batch.number))
        return IssueResult(batch, codes, (batch, *rows))

    def rows(self) -> tuple[Batch | SavedVoucher, ...]:
        """All rows."""
        vouchers = self._by_fingerprint.values()
        return (*self.batches.values(), *(self._row(voucher) for voucher in vouchers))

    def find(self, code: Code) -> Voucher | None:
        """The voucher with this code."""
        names = [voucher_fingerprint(key, code) for key in self._keys()]
        own = next((self._by_fingerprint[name] for name in names if name in self._by_fingerprint), None)
        if own is not None:
            return self._effective(own)
        accounts = map(voucher_account, names)
        return next((found for account in accounts if (found := self.known(account)) is not None), None)

    def of_account(self, account: AccountId) -> Voucher | None:
        """The voucher of this account; None also for one of another node that nobody has used or revoked."""
        voucher = self._by_fingerprint.get(self._by_account.get(account, ""))
        return None if voucher is None else self._effective(voucher)

    def known(self, account: AccountId) -> Voucher | None:
        """As `of_account`, and also those of other nodes that nobody has used or revoked."""
        voucher = self._known(account)
        return None if voucher is None else self._effective(voucher)

    def of_batch(self, number: int) -> tuple[Voucher, ...]:
        return tuple(map(self._effective, self._all_of(number)))

    def accounts_in_use(self, number: int) -> tuple[AccountId, ...]:
        """Accounts of the batch's vouchers that were used."""
        rows = (self._by_fingerprint[name] for name in self._by_batch.get(number, ()))
        return tuple(voucher.account for voucher in rows if voucher.lease is not None)

    def is_empty(self, number: int) -> bool:
        """Whether all vouchers of the batch are forgotten."""
        return not self._by_batch.get(number) and not self.batches[number].accounts

    def counts(self, number: int, now: Monotonic) -> Mapping[VoucherState, int]:
        """Number of vouchers of a batch in each state."""
        return Counter(self._state(voucher, now) for voucher in self._all_of(number))

    def view(self, voucher: Voucher, now: Monotonic) -> VoucherView:
        raw = self._by_fingerprint.get(voucher.fingerprint, voucher)
        state, lease = self._state(raw, now), voucher.lease
        left = (lease.ends - now) // 1000 if lease is not None and state == "used" else None
        return VoucherView(
            self.batches[voucher.batch],
            voucher.account,
            state,
            voucher.used_day,
            left,
            voucher.used_elsewhere,
        )

    def groups_of(self, account: AccountId) -> frozenset[str]:
        """The group of the batch that the voucher's account comes from; empty for other accounts, whose groups are in the
        member directory."""
        voucher = self.of_account(account)
        return frozenset() if voucher is None else frozenset({self.batches[voucher.batch].group})

    def use(self, voucher: Voucher, at: Now) -> tuple[Voucher, tuple[SavedVoucher, ...]]:
        """The voucher in use, and the row to store if this is its first use anywhere."""
        if voucher.lease is not None:
            return voucher, ()
        lasts_ms: Milliseconds = self.batches[voucher.batch].lasts_ms
        lease = Lease(at.now, Monotonic(at.now + lasts_ms))
        used = replace(voucher, lease=lease, used_day=at.today)
        return used, (self._keep(used, at),)

    def revoke(self, fingerprints: Iterable[str], now: Monotonic) -> Revoked:
        """Revoke these vouchers; unknown, revoked and ended ones are not changed."""
        living = [
            voucher
            for name in fingerprints
            if (voucher := self._named(name)) is not None and self._state(voucher, now) in {"unused", "used"}
        ]
        rows = tuple(self._put(replace(voucher, is_revoked=True)) for voucher in living)
        accounts = tuple(voucher.account for voucher in living if voucher.lease is not None)
        return Revoked(tuple(voucher.fingerprint for voucher in living), accounts, rows)

    def restore(self, fingerprints: Iterable[str], now: Monotonic) -> tuple[Batch | SavedVoucher, ...]:
        """Undo a revocation. The time of a voucher in use has continued to run. In a batch that was revoked as a whole, the
        other vouchers stay revoked."""
        asked = [voucher for name in fingerprints if (voucher := self._named(name)) is not None]
        rows: list[Batch | SavedVoucher] = []
        for number in sorted({voucher.batch for voucher in asked if self.batches[voucher.batch].is_revoked}):
            for voucher in self._all_of(number):
                if self._state(voucher, now) == "revoked" and not voucher.is_revoked:
                    self._put(replace(voucher, is_revoked=True))
            self.batches[number] = replace(self.batches[number], is_revoked=False)
            rows += (
                self.batches[number],
                *(self._row(each) for each in self._all_of(number) if each.is_revoked),
            )
        given_back = [
            voucher for each in asked if (voucher := self._named(each.fingerprint)) and voucher.is_revoked
        ]
        back = {voucher.fingerprint: self._put(replace(voucher, is_revoked=False)) for voucher in given_back}
        kept = [
            row for row in rows if not (isinstance(row, SavedVoucher) and row.voucher.fingerprint in back)
        ]
        return (*kept, *back.values())

    def revoke_batch(self, number: int, now: Monotonic) -> RevokedBatch:
        """Revoke all vouchers of the batch that have not ended."""
        batch, counted = self.batches[number], self.counts(number, now)
        living = counted["unused"] + counted["used"]
        if not living:
            return RevokedBatch(0, ())
        self.batches[number] = replace(batch, is_revoked=True)
        return RevokedBatch(living, (self.batches[number],))

    def restore_batch(self, number: int, now: Monotonic) -> RevokedBatch:
        """Undo all revocations in the batch. The time of vouchers in use has continued to run."""
        before, batch = self.counts(number, now)["revoked"], self.batches[number]
        alone = [voucher for voucher in self._all_of(number) if voucher.is_revoked]
        rows = [self._put(replace(voucher, is_revoked=False)) for voucher in alone]
        if not batch.is_revoked:
            return RevokedBatch(before, tuple(rows))
        self.batches[number] = replace(batch, is_revoked=False)
        return RevokedBatch(before, (self.batches[number], *rows))

    def forget(
        self, fingerprints: Iterable[str], at: Now, batches: Iterable[int] = ()
    ) -> tuple[Batch | SavedVoucher, ...]:
        """Drop vouchers that storage deleted, and batches without vouchers. Of `batches` nothing that nobody has used is
        kept. Returns rows of vouchers that are in use and must be stored again: they were first used during the deletion,
        or a wrong clock made them look old."""
        rows: list[Batch | SavedVoucher] = []
        for name in fingerprints:
            voucher = self._by_fingerprint.get(name)
            if voucher is not None and voucher_state(voucher, at.now) == "used":
                rows += (self.batches[voucher.batch], self._keep(voucher, at))
            elif voucher is not None:
                self._drop(voucher)
        for number in batches:
            if number in self.batches:
                self._relist(number, "")
                self._drop_empty(number)
        return tuple(rows)

    # --- what other nodes say --------------------------------------------------------------------

    def hear_batch(self, heard: Batch) -> tuple[Batch, ...] | None:
        """A list of vouchers as the node `heard.origin` publishes it: the row to store if it says something new. A voucher
        that was left out once never comes back, because it was forgotten here or there. Without an origin, it is a batch of
        this node that a neighbour gives back after a loss. None if there is no room for it."""
        before = self._heard_before(heard)
        if before is not None:
            kept = before.accounts
            if heard.accounts != kept:
                kept = account_list({*listed(kept)} & {*listed(heard.accounts)})
            if kept == before.accounts:
                return ()
            return (self._relist(before.number, kept),)
        if heard.origin is None and heard.number <= self._last_stored:
            return ()  # it was forgotten here
        own = [each for each in listed(heard.accounts) if each in self._by_account]
        accounts = heard.accounts if not own else account_list({*listed(heard.accounts)} - {*own})
        if not accounts:
            return ()
        count = count_listed(accounts)
        is_beyond = heard.origin is not None and self._of_node[heard.origin] + count > VOUCHERS_OF_NODE_MAX
        if is_beyond or len(self) + count > VOUCHERS_MAX:
            return None
        is_free = heard.number and heard.number not in self.batches
        new = replace(heard, number=heard.number if is_free else self._last_batch + 1, accounts=accounts)
        self._add(new)
        return (new,)

    def hear_batch_revoked(self, number: int, *, is_revoked: bool) -> tuple[Batch, ...]:
        """Revoked or restored as a whole at another node."""
        if self.batches[number].is_revoked == is_revoked:
            return ()
        self.batches[number] = replace(self.batches[number], is_revoked=is_revoked)
        return (self.batches[number],)

    def hear_revoked(self, account: AccountId, *, is_revoked: bool) -> tuple[SavedVoucher, ...]:
        """Revoked or restored at another node."""
        voucher = self._known(account)
        if voucher is None or voucher.is_revoked == is_revoked:
            return ()
        return (self._put(replace(voucher, is_revoked=is_revoked)),)

    def hear_use(self, account: AccountId, ends_s: int, used_day: str, at: Now) -> tuple[SavedVoucher, ...]:
        """First used at another node, to end at the Unix time `ends_s`: 0 if that node does not know its clock. Then, and
        while this node does not know its own, its time counts from when it was heard of. No voucher gets more than the
        whole of its time from now on."""
        voucher = self._known(account)
        if voucher is None:
            return ()
        batch, lease = self.batches[voucher.batch], voucher.lease
        if ends_s < first_end_possible_s(batch):
            ends_s = 0
        left_ms: int = batch.lasts_ms
        if ends_s and at.wall_s is not None:
            left_ms = min(max((ends_s - at.wall_s) * 1000, 0), left_ms)
        heard = Lease(at.now, Monotonic(at.now + left_ms))
        if lease is not None and (not ends_s or self._ends_so(voucher, ends_s, heard, at)):
            return ()
        used_lease = heard if lease is None or at.wall_s is not None else lease
        used = replace(voucher, lease=used_lease, used_day=used_day, used_elsewhere=True)
        return (self._keep(used, at, ends_s),)

    def used_elsewhere(self) -> tuple[AccountId, ...]:
        """Accounts of the vouchers whose end another node says."""
        return tuple(each.account for each in self._by_fingerprint.values() if each.used_elsewhere)

    def number_here(self, origin: NodeId, number: int) -> int | None:
        """The number here of the batch that this node issued last as `number`."""
        return next(reversed(self._of_other.get((origin, number), ())), None)

    def saved_of(self, account: AccountId) -> SavedVoucher | None:
        """The voucher's row; None without one."""
        voucher = self._by_fingerprint.get(self._by_account.get(account, ""))
        return None if voucher is None else self._row(voucher)

    def list_without_ended(self, number: int, before_s: int) -> str:
        """As `list_of`, without those that ended before this Unix time."""
        ended = set[AccountId]()
        for name in self._by_batch.get(number, ()):
            saved = self._saved.get(name)
            if saved is not None and saved.ends_wall_s is not None and saved.ends_wall_s < before_s:
                ended.add(self._by_fingerprint[name].account)
        text = self.list_of(number)
        return account_list({*listed(text)} - ended) if ended else text

    def list_of(self, number: int) -> str:
        """The accounts of all vouchers of a batch, of this node or another."""
        rows = (self._by_fingerprint[name].account for name in self._by_batch.get(number, ()))
        return self.batches[number].accounts or account_list(rows)

    # --- internal ----------------------------------------------------------------------------------

    def _ends_so(self, voucher: Voucher, ends_s: int, heard: Lease, at: Now) -> bool:
        """Whether the voucher in use ends at this Unix time already, so far as this node's clock can tell: it may have been
        wrong when the voucher was heard of."""
        lease, saved = voucher.lease, self._saved.get(voucher.fingerprint)
        known_s = saved.ends_wall_s if saved is not None else None
        if lease is None or known_s is None or abs(known_s - ends_s) >= LEASE_MOVES_S:
            return False
        if not voucher.used_elsewhere or at.wall_s is None:
            return True
        return abs(max(heard.ends, at.now) - max(lease.ends, at.now)) < LEASE_MOVES_S * 1000

    def _heard_before(self, heard: Batch) -> Batch | None:
        """The batch that is meant by `heard`. A number of a node that lost its records can come again for other
        vouchers."""
        if heard.origin is None:
            numbers = [heard.number] if heard.number in self.batches else []
        else:
            numbers = self._of_other.get((heard.origin, heard.origin_number), [])
        for each in (self.batches[number] for number in numbers):
            known = self.list_of(each.number)
            if not known or any(is_listed(known, account) for account in listed(heard.accounts)):
                return each
        return None

    def _known(self, account: AccountId) -> Voucher | None:
        name = self._by_account.get(account)
        if name is not None:
            return self._by_fingerprint[name]
        if self._index is None:
            self._index = ListIndex({number: batch.accounts for number, batch in self.batches.items()})
        number = self._index.number_of(account)
        return None if number is None else Voucher(account, number, account)

    def _named(self, fingerprint: str) -> Voucher | None:
        return self._by_fingerprint.get(fingerprint) or self._known(AccountId(fingerprint))

    def _all_of(self, number: int) -> Iterator[Voucher]:
        """As they are stored."""
        yield from [self._by_fingerprint[name] for name in self._by_batch.get(number, ())]
        for account in listed(self.batches[number].accounts) if number in self.batches else ():
            if account not in self._by_account:
                yield Voucher(account, number, account)

    def _effective(self, voucher: Voucher) -> Voucher:
        """With whether its batch was revoked."""
        is_alone = voucher.is_revoked or not self.batches[voucher.batch].is_revoked
        return voucher if is_alone else replace(voucher, is_revoked=True)

    def _state(self, voucher: Voucher, now: Monotonic) -> VoucherState:
        """Of a voucher as it is stored: one that had ended stays so when its batch is revoked."""
        state = voucher_state(voucher, now)
        return "revoked" if self.batches[voucher.batch].is_revoked and state in {"unused", "used"} else state

    def _drop(self, voucher: Voucher) -> None:
        number, name = voucher.batch, voucher.fingerprint
        del self._by_fingerprint[name], self._by_account[voucher.account]
        self._by_batch[number].remove(name)
        self._saved.pop(name, None)
        if self.batches[number].accounts:
            self._relist(number, without(self.batches[number].accounts, voucher.account))
        if not self._by_batch[number]:
            del self._by_batch[number]
        self._measure(number)
        if self.batches[number].origin is None:
            self._drop_empty(number)

    def _relist(self, number: int, accounts: str) -> Batch:
        self.batches[number], self._index = replace(self.batches[number], accounts=accounts), None
        self._measure(number)
        return self.batches[number]

    def _measure(self, number: int, origin: NodeId | None = None) -> None:
        """Call after the batch got or lost vouchers; with its origin after it was dropped."""
        batch = self.batches.get(number)
        size = (
            max(count_listed(batch.accounts), len(self._by_batch.get(number, ()))) if batch is not None else 0
        )
        more = size - self._sizes.pop(number, 0)
        self._total += more
        self._of_node[batch.origin if batch is not None else origin] += more
        if size:
            self._sizes[number] = size

    def _drop_empty(self, number: int) -> None:
        """A batch of another node stays without vouchers, or its old list would come as a new one."""
        if self.is_empty(number):
            gone = self.batches.pop(number)
            self._measure(number, gone.origin)
            if gone.origin is not None:
                self._of_other[gone.origin, gone.origin_number].remove(number)

    def _add(self, batch: Batch) -> None:
        self.batches[batch.number], self._index = batch, None
        self._measure(batch.number)
        self._last_batch = max(self._last_batch, batch.number)
        if batch.origin is not None:
            self._of_other.setdefault((batch.origin, batch.origin_number), []).append(batch.number)

    def _new_code(self) -> GeneratedVoucher:
        code = make_code(self._random(RANDOM_BYTES["voucher"]), "voucher")
        name = voucher_fingerprint(self._keys()[0], code)
        return GeneratedVoucher(code, name, voucher_account(name))

    def _put_new(self, batch: int, new: GeneratedVoucher) -> Code:
        while new.account in self._by_account:
            new = self._new_code()
        self._put(Voucher(new.fingerprint, batch, new.account))
        return new.code

    def _keep(self, voucher: Voucher, at: Now, ends_s: int = 0) -> SavedVoucher:
        """`ends_s`: Unix time of its end as another node says it; 0: as this node's clock does."""
        lease, before = voucher.lease, self._saved.get(voucher.fingerprint)
        assert lease is not None, "only a voucher in use has a lease to keep"
        ends_wall_s = before.ends_wall_s if before is not None else None
        is_over = lease.ends <= at.now and ends_wall_s is not None
        # The end of one that is over stays what it was, unless the clock that said it was ahead.
        if at.wall_s is not None and not (is_over and ends_wall_s is not None and ends_wall_s <= at.wall_s):
            ends_wall_s = at.wall_s + (lease.ends - at.now) // 1000
        ends_wall_s = ends_s or ends_wall_s
        self._saved[voucher.fingerprint] = SavedLease(lease, at.boot, ends_wall_s)
        if at.wall_s is None:
            self._await_clock(voucher, at)
        return self._put(voucher)

    def _await_clock(self, voucher: Voucher, at: Now) -> None:
        if at.wall_s is None and voucher_state(voucher, at.now) == "used":
            self._awaiting_clock.add(voucher.fingerprint)

    def _row(self, voucher: Voucher) -> SavedVoucher:
        return SavedVoucher(replace(voucher, lease=None), self._saved.get(voucher.fingerprint))

    def _put(self, voucher: Voucher) -> SavedVoucher:
        """Adds or replaces it, and returns its row."""
        if voucher.fingerprint not in self._by_fingerprint:
            self._by_account[voucher.account] = voucher.fingerprint
            self._by_batch.setdefault(voucher.batch, []).append(voucher.fingerprint)
            self._measure(voucher.batch)
        self._by_fingerprint[voucher.fingerprint] = voucher
        return self._row(voucher)
