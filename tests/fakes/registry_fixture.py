"""A small community for the registry's tests: Ana and Pere are members, Ana's laptop is in the members file."""

from random import Random

from node.accounts.auth_result import Accepted, Rejected
from node.accounts.changes import (
    Batch,
    CardsVoid,
    Change,
    EventsErased,
    LadderCase,
    LadderCaseGone,
    Message,
    MessageGone,
    Notice,
    NoticeGone,
    Objection,
    ObjectionGone,
    PassphraseGone,
    PassphraseHash,
    RuleObjection,
    RuleObjectionGone,
    SavedVoucher,
    StoredAccounts,
    Terms,
)
from node.accounts.codes import Code
from node.accounts.device_bindings import Binding, Unbound
from node.accounts.member_passphrases import hash_passphrase, is_right
from node.accounts.registry import AccountRegistry, PassphraseQuestion
from node.accounts.voucher_store import IssueResult
from node.governance.allowance import Unit
from node.governance.members import MemberDirectory, make_member_directory
from node.governance.rules import WAYS
from node.identity import key_from_raw, own_node_id
from node.units import AccountId, MacAddress, Milliseconds, Monotonic, Now

NODE_KEY = key_from_raw(b"n" * 32)
DAY_MS = 86_400_000
LAPTOP = MacAddress("02:00:00:00:00:aa")
PHONE, TABLET, STRANGER = (MacAddress(f"02:00:00:00:00:0{n}") for n in (1, 2, 3))
DAY_PASS = Batch(0, "day-pass", Milliseconds(DAY_MS), 3, "", "admin")
ALL = WAYS
TODAY = "2027-03-01"


def at(now: int = 0, boot: str = "boot-1", wall_s: int | None = 1_000_000, today: str = TODAY) -> Now:
    return Now(Monotonic(now), boot, wall_s, today)


def guest_account(mac: MacAddress) -> AccountId:
    return AccountId("guest-" + mac.replace(":", ""))


class RegistryFixture:
    """An account registry with a disk beside it."""

    def __init__(self, seed: int = 11) -> None:
        self.member_directory: MemberDirectory = make_member_directory(
            (Unit(AccountId("ana"), "member"), Unit(AccountId("pere"), "member")),
            {AccountId("ana"): "Ana Mas"},
            {LAPTOP: AccountId("ana")},
        )
        self._seed = seed
        self.rows: dict[tuple[type, object], Change] = {}
        self.registry = self._new()

    def _new(self) -> AccountRegistry:
        self._seed += 1
        return AccountRegistry(
            keys=lambda: (b"k" * 32,),
            community="Vall",
            nodes=lambda: frozenset({own_node_id(NODE_KEY)}),
            member_directory=lambda: self.member_directory,
            guest_account=guest_account,
            random=Random(self._seed).randbytes,
        )

    def without(self, account: str) -> None:
        """A member is removed from the members file."""
        left = tuple(unit for unit in self.member_directory.units if unit.account != account)
        self.member_directory = make_member_directory(
            left, {}, {m: a for m, a in self.member_directory.devices.items() if a != account}
        )

    def ends(self, account: AccountId) -> int | None:
        """End of the account's voucher; None for an account without one."""
        voucher = self.registry.vouchers.of_account(account)
        return None if voucher is None or voucher.lease is None else voucher.lease.ends

    # --- the disk -----------------------------------------------------------------------

    def keep(self, changes: tuple[Change, ...]) -> None:
        for row in changes:
            match row:
                case Unbound(mac):
                    self.rows.pop((Binding, mac), None)
                case ObjectionGone(number):
                    self.rows.pop((Objection, number), None)
                case MessageGone(account):
                    self.rows.pop((Message, account), None)
                case Message(account=account):
                    self.rows[Message, account] = row
                case NoticeGone(number):
                    self.rows.pop((Notice, number), None)
                case LadderCaseGone(number):
                    self.rows.pop((LadderCase, number), None)
                case RuleObjectionGone(account, version):
                    self.rows.pop((RuleObjection, (account, version)), None)
                case EventsErased():
                    pass  # events are in storage only
                case PassphraseGone(account):
                    self.rows.pop((PassphraseHash, account), None)
                case SavedVoucher(voucher, _):
                    self.rows[SavedVoucher, voucher.fingerprint] = row
                case Binding(mac):
                    self.rows[Binding, mac] = row
                case RuleObjection(account, version):
                    self.rows[RuleObjection, (account, version)] = row
                case PassphraseHash(account) | CardsVoid(account):
                    self.rows[type(row), account] = row
                case Terms(version):
                    self.rows[Terms, version] = row
                case _:
                    self.rows[type(row), row.number] = row

    def kept(self) -> StoredAccounts:
        def of(kind: type) -> tuple:
            return tuple(row for row in self.rows.values() if type(row) is kind)

        return StoredAccounts(
            of(Batch), of(SavedVoucher), of(Binding), of(PassphraseHash), of(CardsVoid), of(Objection), of(RuleObjection),
            of(LadderCase), of(Notice), of(Terms),
        )  # fmt: skip

    def restart(self, when: Now, saved_at: int | None = None) -> None:
        """The node is killed and restarted with what the disk holds."""
        self.registry = self._new()
        last = None if saved_at is None else Monotonic(saved_at)
        self.keep(self.registry.take(self.kept(), when, last))

    # --- people -------------------------------------------------------------------------

    def issue(self, count: int = 1, wish: Batch = DAY_PASS) -> tuple[Code, ...]:
        done = self.registry.vouchers.issue(wish, count, TODAY)
        assert isinstance(done, IssueResult)
        self.keep(done.changes)
        return done.codes

    def came(self, accepted: Accepted | Rejected) -> Accepted:
        """A device joined, and its rows are stored."""
        assert isinstance(accepted, Accepted), accepted
        self.keep(accepted.changes)
        return accepted

    def code(self, mac: MacAddress, typed: str, when: Now | None = None) -> Accepted | Rejected:
        return self.registry.enter_by_code(mac, typed, ALL, when or at())

    def passphrase(
        self, mac: MacAddress, account: str, typed: str, when: Now | None = None
    ) -> Accepted | Rejected:
        question = self.registry.passphrase_question(mac, account, ALL, when or at())
        if not isinstance(question, PassphraseQuestion):
            return question
        was_right = is_right(typed, question.hash)
        return self.registry.enter_by_passphrase(question, when or at(), was_right=was_right)

    def set_passphrase(self, account: str, passphrase: str) -> None:
        changes = self.registry.set_passphrase(AccountId(account), hash_passphrase(passphrase, b"s" * 16))
        assert not isinstance(changes, Rejected)
        self.keep(changes)
