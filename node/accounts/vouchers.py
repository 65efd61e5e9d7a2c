"""Vouchers: printed codes that become an account at first use.

The node stores no code, only its HMAC under a key of the community, so a sheet can be printed only once.
Fingerprint and account are derived from the code, so they are the same on every node of the community.
"""

import hashlib
import hmac
from base64 import b32encode
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from node.accounting.session_leases import Lease, SavedLease, rebased_lease
from node.accounts.codes import RANDOM_BYTES, Code, make_code
from node.characters import is_name
from node.errors import Finding
from node.translator import gettext_lazy
from node.units import VOUCHER_PREFIX, AccountId, Milliseconds, Monotonic, Now

VoucherState = Literal["unused", "used", "ended", "revoked"]
VOUCHER_STATES: tuple[VoucherState, ...] = get_args(VoucherState)
"""In the order of a voucher's life cycle."""

BATCH_MAX = 960
"""Codes in one batch: 40 sheets of 24."""
LASTS_MIN, LASTS_MAX = Milliseconds(10 * 60_000), Milliseconds(400 * 86_400_000)
DEVICES_MAX = 50
NOTE_CHARS_MAX = 200
ISSUER_CHARS_MAX = 60
_ACCOUNT_CHARS = 12


@dataclass(frozen=True, slots=True)
class Batch:
    """Vouchers issued together with the same properties."""

    number: int
    group: str
    """Group of the accounts, so that rules can refer to them: ``who = "group:day-pass"``."""
    lasts_ms: Milliseconds
    """Time from first use, whether online or not."""
    devices_max: int
    """Simultaneous devices; 0 leaves it to the rules."""
    issued_day: str
    issued_by: str
    """``admin`` or ``issuer``, and the name they gave."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Voucher:
    """One voucher and its state."""

    fingerprint: str
    """HMAC-SHA256 of the code, in hexadecimal, under the community's key of when it was issued."""
    batch: int
    account: AccountId
    lease: Lease | None = None
    """None until first use."""
    is_revoked: bool = False
    used_day: str = ""


@dataclass(frozen=True, slots=True)
class VoucherView:
    """Status of one voucher."""

    batch: Batch
    account: AccountId
    state: VoucherState
    used_day: str
    seconds_left: int | None
    """None unless it is in use."""


@dataclass(frozen=True, slots=True)
class SavedVoucher:
    """A voucher as stored. The lease is converted to this boot's time on load, so `voucher.lease` is None
    here."""

    voucher: Voucher
    lease: SavedLease | None


def voucher_fingerprint(key: bytes, code: Code) -> str:
    """Stored form of a code. Without `key`, codes cannot be tested against it."""
    return hmac.digest(key, b"voucher\0" + code.text.encode(), "sha256").hex()


def voucher_account(fingerprint: str) -> AccountId:
    """Account of the voucher, the same on every node: 60 bits derived from its fingerprint."""
    short = hashlib.sha256(b"voucher account\0" + bytes.fromhex(fingerprint)).digest()
    return AccountId(VOUCHER_PREFIX + b32encode(short).decode().lower()[:_ACCOUNT_CHARS])


def voucher_state(voucher: Voucher, now: Monotonic) -> VoucherState:
    """State at `now`; a voucher is ended from the instant of its end."""
    if voucher.is_revoked:
        return "revoked"
    if voucher.lease is None:
        return "unused"
    return "used" if now < voucher.lease.ends else "ended"


def batch_findings(batch: Batch, count: int) -> tuple[Finding, ...]:
    """Everything that is wrong with a request for `count` such vouchers."""
    checks = (
        (
            not 1 <= count <= BATCH_MAX,
            f"{count} vouchers cannot be issued at once.",
            f"choose 1 to {BATCH_MAX}; 24 fit on a page",
        ),
        (
            not is_name(batch.group),
            f"{batch.group!r:.60} is not the name of a group.",
            'write a-z, 0-9 and hyphens, such as "day-pass"',
        ),
        (
            not LASTS_MIN <= batch.lasts_ms <= LASTS_MAX,
            "A voucher cannot last as long as that.",
            'choose 10 minutes to 400 days, such as "1 day"',
        ),
        (
            not 0 <= batch.devices_max <= DEVICES_MAX,
            f"{batch.devices_max} devices at once cannot be promised.",
            f"choose 1 to {DEVICES_MAX}, or 0 to leave it to the rules",
        ),
        (
            len(batch.note) > NOTE_CHARS_MAX,
            "The note is too long.",
            f"write at most {NOTE_CHARS_MAX} characters",
        ),
        (
            len(batch.issued_by) > ISSUER_CHARS_MAX,
            "The name of who issues them is too long.",
            f"write at most {ISSUER_CHARS_MAX} characters",
        ),
    )
    return tuple(Finding("voucher", 0, message, fix) for is_wrong, message, fix in checks if is_wrong)


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
    """Used only from the event loop's thread. `keys` are the community's HMAC keys: new codes are for the first, and a code
    is found under each of them. `random(n)` returns n random bytes."""

    def __init__(self, keys: Callable[[], Sequence[bytes]], random: Callable[[int], bytes]) -> None:
        self._keys, self._random = keys, random
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
        names = (voucher_fingerprint(key, code) for key in self._keys())
        return next((self._by_fingerprint[name] for name in names if name in self._by_fingerprint), None)

    def of_account(self, account: AccountId) -> Voucher | None:
        return self._by_fingerprint.get(self._by_account.get(account, ""))

    def of_batch(self, number: int) -> tuple[Voucher, ...]:
        return tuple(self._by_fingerprint[name] for name in self._by_batch.get(number, ()))

    def counts(self, number: int, now: Monotonic) -> Mapping[VoucherState, int]:
        """Number of vouchers of a batch in each state."""
        return Counter(voucher_state(voucher, now) for voucher in self.of_batch(number))

    def view(self, voucher: Voucher, now: Monotonic) -> VoucherView:
        state, lease = voucher_state(voucher, now), voucher.lease
        left = (lease.ends - now) // 1000 if lease is not None and state == "used" else None
        return VoucherView(self.batches[voucher.batch], voucher.account, state, voucher.used_day, left)

    def groups_of(self, account: AccountId) -> frozenset[str]:
        """The group of the batch that the voucher's account comes from; empty for other accounts, whose groups are in the
        member directory."""
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
        rows = tuple(self._put(replace(voucher, is_revoked=True)) for voucher in living)
        accounts = tuple(voucher.account for voucher in living if voucher.lease is not None)
        return Revoked(tuple(voucher.fingerprint for voucher in living), accounts, rows)

    def restore(self, fingerprints: Iterable[str]) -> tuple[SavedVoucher, ...]:
        """Undo a revocation. The time of a voucher in use has continued to run."""
        return tuple(
            self._put(replace(voucher, is_revoked=False))
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
        name = voucher_fingerprint(self._keys()[0], code)
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
        self._by_fingerprint[voucher.fingerprint] = voucher
        return self._row(voucher)
