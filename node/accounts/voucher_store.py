"""All issued vouchers, indexed by code fingerprint, account and batch."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from node.accounting.leases import Lease, SavedLease, rebased_lease
from node.accounts.auth_result import Now
from node.accounts.codes import RANDOM_BYTES, Code, make_code
from node.accounts.vouchers import (
    Batch,
    SavedVoucher,
    Voucher,
    VoucherState,
    batch_findings,
    voucher_account,
    voucher_fingerprint,
    voucher_state,
)
from node.errors import Finding
from node.units import AccountId, Milliseconds, Monotonic

# All issued vouchers, indexed by code fingerprint, account and batch.

VOUCHERS_MAX = 50_000
"""On one node, until their retention ends."""


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
    changes: tuple[Batch | SavedVoucher, ...]


@dataclass(frozen=True, slots=True)
class Revoked:
    """Vouchers that were revoked, so that `restore` can undo it, and the accounts concerned."""

    fingerprints: tuple[str, ...]
    accounts: tuple[AccountId, ...]
    """Accounts of vouchers in use; their sessions end now."""
    changes: tuple[SavedVoucher, ...]


class VoucherStore:
    """Used only from the event loop's thread. `key` is the community's HMAC key; `random(n)` returns n random
    bytes."""

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        self._key, self._random = key, random
        self.batches: dict[int, Batch] = {}
        self._by_fingerprint: dict[str, Voucher] = {}
        self._by_account: dict[AccountId, str] = {}
        self._by_batch: dict[int, list[str]] = {}
        self._saved: dict[str, SavedLease] = {}
        self._awaiting_clock: set[str] = set()
        self._last_batch = 0

    def __len__(self) -> int:
        return len(self._by_fingerprint)

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
            message = f"The node keeps {len(self)} vouchers and can keep {VOUCHERS_MAX}."
            findings = (Finding("voucher", 0, message, "issue fewer, or wait until old ones are forgotten"),)
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
        return self._by_fingerprint.get(voucher_fingerprint(self._key, code))

    def of_account(self, account: AccountId) -> Voucher | None:
        return self._by_fingerprint.get(self._by_account.get(account, ""))

    def batch_of(self, voucher: Voucher) -> Batch:
        return self.batches[voucher.batch]

    def of_batch(self, number: int) -> tuple[Voucher, ...]:
        return tuple(self._by_fingerprint[name] for name in self._by_batch.get(number, ()))

    def counts(self, number: int, now: Monotonic) -> Mapping[VoucherState, int]:
        """Number of vouchers of a batch in each state."""
        return Counter(voucher_state(voucher, now) for voucher in self.of_batch(number))

    def groups_of(self, account: AccountId) -> frozenset[str]:
        """The group of the voucher's account; empty for any other account."""
        voucher = self.of_account(account)
        return frozenset() if voucher is None else frozenset({self.batches[voucher.batch].group})

    def use(self, voucher: Voucher, at: Now) -> tuple[Voucher, tuple[SavedVoucher, ...]]:
        """The voucher in use, and the row to store if this is its first use."""
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
            if (voucher := self._by_fingerprint.get(name)) is not None
            and voucher_state(voucher, now) in {"unused", "used"}
        ]
        rows = tuple(self._replace(replace(voucher, is_revoked=True)) for voucher in living)
        accounts = tuple(voucher.account for voucher in living if voucher.lease is not None)
        return Revoked(tuple(voucher.fingerprint for voucher in living), accounts, rows)

    def restore(self, fingerprints: Iterable[str]) -> tuple[SavedVoucher, ...]:
        """Undo a revocation. The time of a voucher in use has continued to run."""
        return tuple(
            self._replace(replace(voucher, is_revoked=False))
            for name in fingerprints
            if (voucher := self._by_fingerprint.get(name)) is not None and voucher.is_revoked
        )

    def forget(self, fingerprints: Iterable[str], at: Now) -> tuple[Batch | SavedVoucher, ...]:
        """Drop vouchers that storage deleted, and batches without vouchers. Returns rows of vouchers that are
        in use and must be stored again: they were first used during the deletion, or a wrong clock made them
        look old."""
        rows: list[Batch | SavedVoucher] = []
        for name in fingerprints:
            voucher = self._by_fingerprint.get(name)
            if voucher is not None and voucher_state(voucher, at.now) == "used":
                rows += (self.batches[voucher.batch], self._keep(voucher, at))
            elif voucher is not None:
                del self._by_fingerprint[name]
                del self._by_account[voucher.account]
                self._by_batch[voucher.batch].remove(name)
                self._saved.pop(name, None)
                if not self._by_batch[voucher.batch]:
                    del self._by_batch[voucher.batch], self.batches[voucher.batch]
        return tuple(rows)

    def _add(self, batch: Batch) -> None:
        self.batches[batch.number] = batch
        self._last_batch = max(self._last_batch, batch.number)

    def _new_code(self) -> GeneratedVoucher:
        code = make_code(self._random(RANDOM_BYTES["voucher"]), "voucher")
        name = voucher_fingerprint(self._key, code)
        return GeneratedVoucher(code, name, voucher_account(name))

    def _put_new(self, batch: int, new: GeneratedVoucher) -> Code:
        while new.account in self._by_account:
            new = self._new_code()
        self._put(Voucher(new.fingerprint, batch, new.account))
        return new.code

    def _keep(self, voucher: Voucher, at: Now) -> SavedVoucher:
        lease, before = voucher.lease, self._saved.get(voucher.fingerprint)
        assert lease is not None, "only a voucher in use has a lease to keep"
        ends_wall_s = before.ends_wall_s if before is not None else None
        if at.wall_s is not None:
            ends_wall_s = at.wall_s + (lease.ends - at.now) // 1000
        self._saved[voucher.fingerprint] = SavedLease(lease, at.boot, ends_wall_s)
        self._await_clock(voucher, at)
        return self._replace(voucher)

    def _await_clock(self, voucher: Voucher, at: Now) -> None:
        if at.wall_s is None and voucher_state(voucher, at.now) == "used":
            self._awaiting_clock.add(voucher.fingerprint)

    def _replace(self, voucher: Voucher) -> SavedVoucher:
        self._put(voucher)
        return self._row(voucher)

    def _row(self, voucher: Voucher) -> SavedVoucher:
        return SavedVoucher(replace(voucher, lease=None), self._saved.get(voucher.fingerprint))

    def _put(self, voucher: Voucher) -> None:
        if voucher.fingerprint not in self._by_fingerprint:
            self._by_account[voucher.account] = voucher.fingerprint
            self._by_batch.setdefault(voucher.batch, []).append(voucher.fingerprint)
        self._by_fingerprint[voucher.fingerprint] = voucher
