"""A small community for the register's tests: Ana and Pere are members, Ana's laptop is in the roll."""

from random import Random

from node.governance.allowance import Unit
from node.governance.joining import WAYS
from node.governance.roll import Roll, make_roll
from node.identity import key_from_raw, own_node_id
from node.membership.bindings import Binding, Unbound
from node.membership.codes import Code
from node.membership.entrances import Denied, Entrance, Instant
from node.membership.issued import Issued
from node.membership.passphrases import hash_passphrase, is_right
from node.membership.ports import (
    Batch,
    CardsVoid,
    Change,
    Contest,
    ContestGone,
    Kept,
    Notice,
    NoticeGone,
    PassphraseGone,
    PassphraseHash,
    SavedVoucher,
    Terms,
)
from node.membership.register import PassphraseQuestion, Register
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

NODE_KEY = key_from_raw(b"n" * 32)
DAY_MS = 86_400_000
LAPTOP = MacAddress("02:00:00:00:00:aa")
PHONE, TABLET, STRANGER = (MacAddress(f"02:00:00:00:00:0{n}") for n in (1, 2, 3))
DAY_PASS = Batch(0, "day-pass", Milliseconds(DAY_MS), 3, "", "admin")
ALL = WAYS
TODAY = "2027-03-01"


def at(now: int = 0, boot: str = "boot-1", wall_s: int | None = 1_000_000, today: str = TODAY) -> Instant:
    return Instant(Monotonic(now), boot, wall_s, today)


def guest_account(mac: MacAddress) -> AccountId:
    return AccountId("guest-" + mac.replace(":", ""))


class Town:
    """A register with a disk beside it."""

    def __init__(self, seed: int = 11) -> None:
        self.roll: Roll = make_roll(
            (Unit(AccountId("ana"), "member"), Unit(AccountId("pere"), "member")),
            {AccountId("ana"): "Ana Mas"},
            {LAPTOP: AccountId("ana")},
        )
        self._seed = seed
        self.rows: dict[tuple[type, object], Change] = {}
        self.register = self._new()

    def _new(self) -> Register:
        self._seed += 1
        return Register(
            key=b"k" * 32,
            community="Vall",
            nodes=lambda: frozenset({own_node_id(NODE_KEY)}),
            roll=lambda: self.roll,
            guest_account=guest_account,
            random=Random(self._seed).randbytes,
        )

    def without(self, account: str) -> None:
        """Somebody leaves the community."""
        left = tuple(unit for unit in self.roll.units if unit.account != account)
        self.roll = make_roll(left, {}, {m: a for m, a in self.roll.devices.items() if a != account})

    def ends(self, account: AccountId) -> int | None:
        """When the voucher of the account ends; None for one that is no voucher's."""
        voucher = self.register.vouchers.of_account(account)
        return None if voucher is None or voucher.lease is None else voucher.lease.ends

    # --- the disk -----------------------------------------------------------------------

    def keep(self, changes: tuple[Change, ...]) -> None:
        for row in changes:
            match row:
                case Unbound(mac):
                    self.rows.pop((Binding, mac), None)
                case ContestGone(number):
                    self.rows.pop((Contest, number), None)
                case NoticeGone(number):
                    self.rows.pop((Notice, number), None)
                case PassphraseGone(account):
                    self.rows.pop((PassphraseHash, account), None)
                case SavedVoucher(voucher, _):
                    self.rows[SavedVoucher, voucher.fingerprint] = row
                case Binding(mac):
                    self.rows[Binding, mac] = row
                case PassphraseHash(account) | CardsVoid(account):
                    self.rows[type(row), account] = row
                case Terms(version):
                    self.rows[Terms, version] = row
                case _:
                    self.rows[type(row), row.number] = row

    def kept(self) -> Kept:
        def of(kind: type) -> tuple:
            return tuple(row for row in self.rows.values() if type(row) is kind)

        return Kept(
            of(Batch), of(SavedVoucher), of(Binding), of(PassphraseHash), of(CardsVoid), of(Contest), of(Notice), of(Terms)
        )  # fmt: skip

    def restart(self, when: Instant, saved_at: int | None = None) -> None:
        """The node is killed and started anew on what the disk has."""
        self.register = self._new()
        last = None if saved_at is None else Monotonic(saved_at)
        self.keep(self.register.take(self.kept(), when, last))

    # --- people -------------------------------------------------------------------------

    def issue(self, count: int = 1, wish: Batch = DAY_PASS) -> tuple[Code, ...]:
        done = self.register.vouchers.issue(wish, count, TODAY)
        assert isinstance(done, Issued)
        self.keep(done.changes)
        return done.codes

    def came(self, entrance: Entrance | Denied) -> Entrance:
        """Somebody came in, and their rows are kept."""
        assert isinstance(entrance, Entrance), entrance
        self.keep(entrance.changes)
        return entrance

    def code(self, mac: MacAddress, typed: str, when: Instant | None = None) -> Entrance | Denied:
        return self.register.enter_by_code(mac, typed, ALL, when or at())

    def passphrase(
        self, mac: MacAddress, account: str, typed: str, when: Instant | None = None
    ) -> Entrance | Denied:
        question = self.register.passphrase_question(mac, account, ALL, when or at())
        if not isinstance(question, PassphraseQuestion):
            return question
        was_right = is_right(typed, question.hash)
        return self.register.enter_by_passphrase(question, when or at(), was_right=was_right)

    def set_passphrase(self, account: str, passphrase: str) -> None:
        changes = self.register.set_passphrase(AccountId(account), hash_passphrase(passphrase, b"s" * 16))
        assert not isinstance(changes, Denied)
        self.keep(changes)
