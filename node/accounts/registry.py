"""The register: who belongs together and how they came in, as one node knows it, all of it in memory.

It is owned by the loop's thread and does no I/O. A method that changes something has changed it when it returns, and
returns the rows that must be kept before the person is told; keeping a row twice is harmless.
"""

from collections.abc import Callable, Collection, Container
from dataclasses import dataclass, replace

from node.accounts.auth_result import Accepted, Now, Rejected
from node.accounts.cards import Card, CardsVoid, next_serial, next_void, read_card
from node.accounts.codes import Code, Mistyped, read_code
from node.accounts.device_bindings import Binding, Bindings, Unbound, clean_name
from node.accounts.device_codes import DeviceCodes, OpenCode
from node.accounts.login_throttle import LoginThrottle
from node.accounts.member_lookup import MemberLookup, plain
from node.accounts.notices import NoticeBoard
from node.accounts.objections import OBJECTION_CHARS_MAX, RULE_CHARS_MAX, Objection, Objections
from node.accounts.passphrases import DUMMY_HASH, PassphraseGone, PassphraseHash
from node.accounts.ports import Change, Forgotten, StoredAccounts
from node.accounts.sponsorship import HOST_CHARS_MAX, SponsorRequest, Sponsorship
from node.accounts.step_up import StepUp
from node.accounts.terms import TermsStore
from node.accounts.voucher_store import VoucherStore
from node.accounts.vouchers import Voucher, voucher_state
from node.governance.join_methods import Way
from node.governance.members import GUEST_PREFIX, MemberDirectory
from node.units import AccountId, MacAddress, Monotonic, NodeId


@dataclass(frozen=True, slots=True)
class PassphraseQuestion:
    """Whether what was typed is the passphrase behind `hash`: for a worker thread, with `passphrases.is_right`."""

    mac: MacAddress
    account: AccountId
    called: str
    """The name in its one form, as it was typed."""
    hash: str
    """Nobody's, where there is no such account."""


@dataclass(frozen=True, slots=True)
class SponsorApproval:
    """A guest whom a member vouches for."""

    mac: MacAddress
    accepted: Accepted


class AccountRegistry:
    """What only one part is asked about is asked there: `vouchers`, `bindings`, `sponsorship`, `device_codes`,
    `card_bearers`, `objections`, `notices`, `terms`, `login_throttle`. Here is what touches several."""

    def __init__(
        self,
        *,
        key: bytes,
        community: str,
        nodes: Callable[[], Container[NodeId]],
        member_directory: Callable[[], MemberDirectory],
        guest_account: Callable[[MacAddress], AccountId],
        random: Callable[[int], bytes],
    ) -> None:
        """`key` is the community's own for vouchers, the same on all of its nodes; `nodes` are those whose cards
        count, this one among them; `random` gives so many bytes that nobody can foresee."""
        self._community, self._nodes, self._member_directory = community, nodes, member_directory
        self._guest_account = guest_account
        self.vouchers = VoucherStore(key, random)
        self.bindings = Bindings()
        self.sponsorship = Sponsorship(random)
        self.device_codes = DeviceCodes(random)
        self.step_up = StepUp()
        self.objections = Objections()
        self.notices = NoticeBoard()
        self.terms = TermsStore()
        self.login_throttle = LoginThrottle()
        self._hosts = MemberLookup()
        self._passphrases: dict[AccountId, str] = {}
        self._void: dict[AccountId, int] = {}

    def take(self, kept: StoredAccounts, at: Now, saved_at: Monotonic | None) -> tuple[Change, ...]:
        """From storage, once, after the start. `saved_at`: when the node last wrote in the boot before this one, None
        if it never did. The rows that have to be kept again, since the times in them were another boot's."""
        self.bindings.take(kept.bindings)
        self.objections.take(kept.objections)
        self.notices.take(kept.notices)
        self.terms.take(kept.terms)
        self._passphrases = {each.account: each.hash for each in kept.passphrases}
        self._void = {each.account: each.below_serial for each in kept.cards_void}
        return self.vouchers.take(kept.batches, kept.vouchers, at, saved_at)

    def forget(self, forgotten: Forgotten, at: Now) -> tuple[Change, ...]:
        """What storage keeps no more; the rows that it has to keep all the same."""
        rows = self.vouchers.forget(forgotten.vouchers, at)
        for mac in forgotten.bindings:
            self.bindings.unbind(mac)
        self.objections.forget(forgotten.objections)
        for number in forgotten.notices:
            self.notices.take_down(number)
        return rows

    def rows(self) -> tuple[Change, ...]:
        """Everything that is to be kept, for a storage that has lost it."""
        return (
            *self.vouchers.rows(),
            *self.bindings.all(),
            *(PassphraseHash(account, text) for account, text in self._passphrases.items()),
            *(CardsVoid(account, below) for account, below in self._void.items()),
            *self.objections.all(),
            *self.notices.all(),
            *reversed(self.terms.all()),
        )

    # --- who belongs to what ------------------------------------------------------------

    def account_of(self, mac: MacAddress) -> AccountId | None:
        """The account that the device is bound to; None when it is a guest of its own or its account is no more. The
        roll is asked first, by the caller. A voucher's account stays its devices' until they come in anew."""
        binding = self.bindings.get(mac)
        return binding.account if binding is not None and self._is_there(binding) else None

    def groups_of(self, account: AccountId) -> frozenset[str]:
        """The group that a voucher's batch gives to its account; none for others, whom the roll knows."""
        return self.vouchers.groups_of(account)

    def way_of(self, mac: MacAddress) -> Way:
        """How the device came in."""
        binding = self.bindings.get(mac)
        return binding.way if binding is not None else "terms"

    def is_member(self, account: AccountId) -> bool:
        """Whether the account may vouch for guests and have a passphrase and cards."""
        return account in self._member_directory().by_account

    def listed_devices(self, account: AccountId) -> tuple[MacAddress, ...]:
        """The devices that the roll gives to the account."""
        return self._member_directory().devices_of(account)

    # --- the ways in --------------------------------------------------------------------

    def enter_by_terms(self, mac: MacAddress, ways: Collection[Way], at: Now) -> Accepted | Rejected:
        """One tap: a device that belongs to an account comes back into it without showing anything again, if the
        community still opens the way that it came by; a voucher in use keeps its word in any case. A device whose
        voucher has ended is a guest of its own again. `ways` are the open ones, here and below."""
        if (owner := self._owner(mac)) is not None:
            return Accepted(owner)
        binding = self.bindings.get(mac)
        voucher = None if binding is None else self.vouchers.of_account(binding.account)
        if binding is not None and self._is_there(binding):
            if voucher is None and binding.way in ways:
                return Accepted(binding.account)
            if voucher is not None and voucher_state(voucher, at.now) == "used":
                return Accepted(voucher.account)
        if "terms" not in ways:
            return Rejected("way-closed") if voucher is None else _over(voucher, at.now)
        return Accepted(self._guest_account(mac), self.bindings.unbind(mac))

    def enter_by_code(
        self, mac: MacAddress, typed: str, ways: Collection[Way], at: Now
    ) -> Accepted | Rejected:
        """A voucher's code or the code that another device of the account shows. A device that the roll knows comes
        in as its account does, and uses up no voucher."""
        if wait_s := self.login_throttle.code_wait_s(mac, at.now):
            return Rejected("too-many-guesses", wait_s)
        code = read_code(typed)
        if isinstance(code, Mistyped):
            self.login_throttle.mistyped_code(mac, at.now)
            return Rejected("code-mistyped")
        if code.kind == "device":
            return self._enter_by_device_code(mac, code, ways, at)
        if "voucher" not in ways:
            return Rejected("way-closed")
        voucher = self.vouchers.find(code)
        if voucher is None:
            self.login_throttle.wrong_code(mac, at.now)
            return Rejected("code-unknown")
        if voucher_state(voucher, at.now) in {"ended", "revoked"}:
            return _over(voucher, at.now)
        if (owner := self._owner(mac)) is not None:
            return Accepted(owner)
        used, rows = self.vouchers.use(voucher, at)
        return Accepted(used.account, (*rows, *self._bind(mac, used.account, "voucher", at)))

    def enter_by_card(
        self, mac: MacAddress, shown: str, ways: Collection[Way], at: Now
    ) -> Accepted | Rejected:
        """A membership card, checked without asking anybody else."""
        if "card" not in ways:
            return Rejected("way-closed")
        if wait_s := self.login_throttle.code_wait_s(mac, at.now):
            return Rejected("too-many-guesses", wait_s)
        card = read_card(shown, self._community, self._nodes(), at.today)
        if not isinstance(card, Card):
            self.login_throttle.mistyped_code(mac, at.now)
            return Rejected(card)
        if not self.is_member(card.account):
            return Rejected("card-unknown")
        if card.serial < self._void.get(card.account, 0):
            return Rejected("card-revoked")
        self.step_up.show(mac, card.account, at.now)
        return self._enter_member(mac, card.account, "card", at)

    def passphrase_question(
        self, mac: MacAddress, typed: str, ways: Collection[Way], at: Now
    ) -> PassphraseQuestion | Rejected:
        """What has to be checked for the account, or the name of one, that was typed; ask `enter_by_passphrase`
        afterwards, whatever came out."""
        if "passphrase" not in ways:
            return Rejected("way-closed")
        called = plain(typed[:HOST_CHARS_MAX])[:HOST_CHARS_MAX]
        account = self._hosts.find(typed, self._member_directory()) or AccountId(called)
        own = self._is_own(mac, account)
        if wait_s := self.login_throttle.passphrase_wait_s(mac, called, at.now, is_own=own):
            return Rejected("too-many-guesses", wait_s)
        kept = self._passphrases.get(account) if self.is_member(account) else None
        return PassphraseQuestion(mac, account, called, kept or DUMMY_HASH)

    def passphrase_checked(
        self, question: PassphraseQuestion, at: Now, *, was_right: bool
    ) -> Rejected | None:
        """After the check: it counts. A passphrase that was changed while it was checked is wrong; nothing is said
        when others have guessed too often meanwhile."""
        mac, account, own = question.mac, question.account, self._is_own(question.mac, question.account)
        if wait_s := self.login_throttle.passphrase_wait_s(mac, question.called, at.now, is_own=own):
            return Rejected("too-many-guesses", wait_s)
        if not was_right or self._passphrases.get(account) != question.hash or not self.is_member(account):
            self.login_throttle.wrong_passphrase(mac, question.called, at.now, is_own=own)
            return Rejected("passphrase-wrong")
        self.login_throttle.right_passphrase(mac, question.called)
        return None

    def enter_by_passphrase(
        self, question: PassphraseQuestion, at: Now, *, was_right: bool
    ) -> Accepted | Rejected:
        """After the check, which counts."""
        rejected = self.passphrase_checked(question, at, was_right=was_right)
        return rejected or self._enter_member(question.mac, question.account, "passphrase", at)

    def ask(
        self, mac: MacAddress, host: str, name: str, ways: Collection[Way], at: Now
    ) -> SponsorRequest | Rejected:
        """The device's person, called `name`, asks the member whom they call `host`; whether there is such a member
        shows in nothing."""
        if "introduction" not in ways:
            return Rejected("way-closed")
        called, asked_for = clean_name(name), host.strip()
        if not called or not asked_for or len(asked_for) > HOST_CHARS_MAX:
            return Rejected("too-long")
        found = self._hosts.find(asked_for, self._member_directory())
        return self.sponsorship.ask(mac, found, asked_for, called, at.now) or Rejected("too-many-open")

    def answer(
        self, host: AccountId, number: int, at: Now, *, yes: bool
    ) -> SponsorApproval | Rejected | None:
        """A member's answer. With yes, the guest's device is a guest of its own that this member vouches for; None
        after a no. Denied when the question is not theirs, is answered or has become too old."""
        if not self.is_member(host):
            return Rejected("not-a-member")
        question = self.sponsorship.answer(host, number, yes=yes, now=at.now)
        if question is None:
            return Rejected("not-yours")
        if question.state != "granted":
            return None
        guest = self._guest_account(question.mac)
        binding = Binding(question.mac, guest, "introduction", at.today, question.name, host)
        return SponsorApproval(question.mac, Accepted(guest, self.bindings.bind(binding)))

    def new_device_code(self, mac: MacAddress, account: AccountId, at: Now) -> OpenCode:
        """A code by which one more device comes into `account`, which is the one of `mac` now."""
        return self.device_codes.new(account, self.way_of(mac), at.now)

    # --- what people change about their own ---------------------------------------------

    def name_device(
        self, account: AccountId, mac: MacAddress, name: str, at: Now
    ) -> tuple[Change, ...] | Rejected:
        """A name for one of the account's devices; an empty one takes the name away."""
        called = clean_name(name)
        if called is None:
            return Rejected("too-long")
        binding = self.bindings.get(mac)
        if binding is not None and account in {binding.account, self._owner(mac)}:
            return self.bindings.amend(replace(binding, name=called))
        if account != (self._owner(mac) or self._guest_account(mac)):
            return Rejected("not-yours")
        # The device is nobody's by a binding; if the roll drops it some day, it must not stay in the account.
        return self.bindings.bind(Binding(mac, self._guest_account(mac), "terms", at.today, called))

    def unbind(self, account: AccountId, mac: MacAddress) -> tuple[Change, ...] | Rejected:
        """Takes a device out of the own account, or a guest's device off whom this member vouched for."""
        binding = self.bindings.get(mac)
        if binding is None or account not in {binding.account, binding.introduced_by}:
            return Rejected("not-yours")
        self.device_codes.drop(binding.account)
        return self.bindings.unbind(mac)

    def has_passphrase(self, account: AccountId) -> bool:
        return account in self._passphrases

    def set_passphrase(self, account: AccountId, hashed: str) -> tuple[Change, ...] | Rejected:
        """`hashed` as `passphrases.hash_passphrase` makes it; devices that are in stay in."""
        if not self.is_member(account):
            return Rejected("not-a-member")
        self._passphrases[account] = hashed
        return (PassphraseHash(account, hashed),)

    def drop_passphrase(self, account: AccountId) -> tuple[Change, ...]:
        """No rows when it had none."""
        return (PassphraseGone(account),) if self._passphrases.pop(account, None) is not None else ()

    def next_card(self, account: AccountId, today: str, last_day: str) -> Card | Rejected:
        """What a new card of this member says, to be signed with `cards.make_card`. The day must be known."""
        if not self.is_member(account):
            return Rejected("not-a-member")
        return Card(account, next_serial(today, self._void.get(account, 0)), last_day)

    def void_cards(self, account: AccountId, today: str) -> tuple[Change, ...]:
        """Every card of the account that was made until now counts no more. The day must be known."""
        self.step_up.drop(account)
        self._void[account] = next_void(today, self._void.get(account, 0))
        return (CardsVoid(account, self._void[account]),)

    def add_objection(
        self, account: AccountId, rule: str, text: str, at: Now
    ) -> tuple[Objection, ...] | Rejected:
        """Something to say about a rule, for whoever may answer; nothing said is no contest."""
        if len(text) > OBJECTION_CHARS_MAX or len(rule) > RULE_CHARS_MAX:
            return Rejected("too-long")
        if not text.strip():
            return ()
        if not self.objections.has_room(account):
            return Rejected("too-many-open")
        return (self.objections.add(account, rule, text.strip(), at.today),)

    # --- within -------------------------------------------------------------------------

    def _owner(self, mac: MacAddress) -> AccountId | None:
        return self._member_directory().account_of(mac)

    def _is_own(self, mac: MacAddress, account: AccountId) -> bool:
        return account in {self._owner(mac), self.account_of(mac)}

    def _is_there(self, binding: Binding) -> bool:
        voucher = self.vouchers.of_account(binding.account)
        if voucher is not None:
            return not voucher.is_revoked
        if binding.account.startswith(GUEST_PREFIX):
            return binding.introduced_by is None or self.is_member(binding.introduced_by)
        return self.is_member(binding.account)

    def _enter_by_device_code(
        self, mac: MacAddress, code: Code, ways: Collection[Way], at: Now
    ) -> Accepted | Rejected:
        """A guest's account rests on the way that it came by, and is closed to further devices with it: two devices
        that let each other in would stay for ever."""
        shown = self.device_codes.use(code, at.now)
        if shown is None:
            if self.device_codes.is_spent(code):
                return Rejected("code-used")
            self.login_throttle.wrong_code(mac, at.now)
            return Rejected("code-unknown")
        voucher = self.vouchers.of_account(shown.account)
        if voucher is not None and voucher_state(voucher, at.now) != "used":
            return _over(voucher, at.now)
        if voucher is None and not self.is_member(shown.account) and shown.way not in ways:
            return Rejected("way-closed")
        if (owner := self._owner(mac)) is not None:
            return Accepted(owner)
        host = next((each.introduced_by for each in self.bindings.of(shown.account)), None)
        return Accepted(shown.account, self._bind(mac, shown.account, shown.way, at, host))

    def _enter_member(self, mac: MacAddress, account: AccountId, way: Way, at: Now) -> Accepted:
        owner = self._owner(mac)
        if owner is not None:
            return Accepted(owner)
        return Accepted(account, self._bind(mac, account, way, at))

    def _bind(
        self, mac: MacAddress, account: AccountId, way: Way, at: Now, host: AccountId | None = None
    ) -> tuple[Binding | Unbound, ...]:
        before = self.bindings.get(mac)
        if before is not None and before.account == account:
            return self.bindings.amend(replace(before, way=way)) if before.way != way else ()
        name = before.name if before is not None else ""
        return self.bindings.bind(Binding(mac, account, way, at.today, name, host))


def _over(voucher: Voucher, now: Monotonic) -> Rejected:
    return Rejected("code-revoked" if voucher_state(voucher, now) == "revoked" else "code-ended")
