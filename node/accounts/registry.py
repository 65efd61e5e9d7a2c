"""Account registry of one node: members, guests, vouchers, device bindings and credentials, all in memory.

Used only from the event loop's thread; does no I/O. A method that changes state returns the rows to store.
The caller stores them before it confirms the change to the person; storing a row twice has no further effect.
"""

from collections.abc import Callable, Collection, Container, Iterable, Sequence
from dataclasses import dataclass, replace

from node.accounts.appearance import NO_APPEARANCE
from node.accounts.auth_result import Accepted, Rejected
from node.accounts.cards import Card, CardsVoid, StepUp, next_serial, next_void, read_card
from node.accounts.changes import Change, Forgotten, StoredAccounts
from node.accounts.codes import Code, Mistyped, read_code
from node.accounts.device_bindings import Binding, Bindings, DeviceCodes, OpenCode, Unbound, clean_name
from node.accounts.events import EventLog
from node.accounts.ladder_cases import LadderCases
from node.accounts.login_throttle import LoginThrottle
from node.accounts.member_lookup import MemberLookup
from node.accounts.member_passphrases import DUMMY_HASH, PassphraseGone, PassphraseHash
from node.accounts.messages import Messages
from node.accounts.notices import NoticeBoard
from node.accounts.objection_keys import ObjectionKeys
from node.accounts.objections import OBJECTION_CHARS_MAX, RULE_CHARS_MAX, Objection, Objections
from node.accounts.registry_record import RecordRow
from node.accounts.rule_objections import RuleObjections
from node.accounts.sponsorship import HOST_CHARS_MAX, SponsorRequest, Sponsorship
from node.accounts.terms import TermsStore
from node.accounts.told_notices import HeardNotices
from node.accounts.voucher_store import VoucherStore
from node.accounts.vouchers import Voucher, voucher_state
from node.characters import plain
from node.governance.ladder_case import Answered, LadderCase, Objected
from node.governance.members import MemberDirectory
from node.governance.rules import Way
from node.units import GUEST_PREFIX, AccountId, MacAddress, Monotonic, NodeId, Now


@dataclass(frozen=True, slots=True)
class PassphraseQuestion:
    """Input of one passphrase check, for `passphrases.is_right` in a worker thread."""

    mac: MacAddress
    account: AccountId
    called: str
    """The account or member name as typed, normalized by `characters.plain`."""
    hash: str
    """Stored scrypt hash; `DUMMY_HASH` if there is no such account or it has no passphrase."""


@dataclass(frozen=True, slots=True)
class SponsorApproval:
    """A guest's device after the sponsor's approval."""

    mac: MacAddress
    accepted: Accepted


class AccountRegistry:
    """The account stores, and the operations that involve more than one of them.

    What concerns one store is called there: `vouchers`, `bindings`, `sponsorship`, `device_codes`, `step_up`,
    `objections`, `rule_objections`, `ladder_cases`, `notices`, `heard_notices`, `messages`, `events`, `terms`,
    `login_throttle`.
    """

    def __init__(
        self,
        *,
        keys: Callable[[], Sequence[bytes]],
        community: str,
        nodes: Callable[[], Container[NodeId]],
        member_directory: Callable[[], MemberDirectory],
        guest_account: Callable[[MacAddress], AccountId],
        random: Callable[[int], bytes],
    ) -> None:
        """`keys` are the community's HMAC keys for vouchers, the newest first, the same on all its nodes. `nodes`
        are the nodes whose cards are valid, including this one. `random(n)` returns n cryptographically secure
        random bytes."""
        self._random = random
        self._community, self._nodes, self._member_directory = community, nodes, member_directory
        self._guest_account = guest_account
        self.vouchers = VoucherStore(keys, random)
        self.bindings = Bindings()
        self.sponsorship = Sponsorship(random)
        self.device_codes = DeviceCodes(random)
        self.step_up = StepUp()
        self.objections = Objections()
        self.rule_objections = RuleObjections()
        self.ladder_cases = LadderCases()
        self.notices, self.heard_notices = NoticeBoard(), HeardNotices()
        self.events = EventLog(random)
        self.messages = Messages()
        self.terms = TermsStore()
        self.appearance = NO_APPEARANCE
        """Of the community's pages and sheets."""
        self.login_throttle = LoginThrottle()
        self._hosts = MemberLookup()
        self._passphrases: dict[AccountId, str] = {}
        self._void: dict[AccountId, int] = {}
        self.take_records: Callable[[Iterable[RecordRow]], Iterable[Change]] = lambda _stored: ()
        """Called when everything is loaded, with the records of before; returns those to be stored."""
        self.records: Callable[[], Iterable[RecordRow]] = tuple
        """What the nodes of the community told each other."""

    def take(self, kept: StoredAccounts, at: Now, saved_at: Monotonic | None) -> tuple[Change, ...]:
        """Load the stored state, once after start. `saved_at` is the time of the last write in the previous
        boot, None if there was none. Returns rows of vouchers and cases whose times were converted to this boot,
        to be stored again."""
        self.bindings.take(kept.bindings)
        self.objections.take(kept.objections)
        self.rule_objections.take(kept.rule_objections)
        self.notices.take(kept.notices)
        self.messages.take(kept.messages)
        self.terms.take(kept.terms)
        self.appearance = next(iter(kept.appearance), self.appearance)
        self._passphrases = {each.account: each.hash for each in kept.passphrases}
        self._void = {each.account: each.below_serial for each in kept.cards_void}
        cases = self.ladder_cases.take(kept.ladder_cases, at, saved_at)
        vouchers = self.vouchers.take(kept.batches, kept.vouchers, at, saved_at)
        return (*vouchers, *cases, *self.objections.keyed(), *self.take_records(kept.records))

    def forget(self, forgotten: Forgotten, at: Now) -> tuple[Change, ...]:
        """Drop what storage deleted at the end of retention. Returns rows that are still in use and must be
        stored again."""
        rows = self.vouchers.forget(forgotten.vouchers, at, forgotten.batches)
        for mac in forgotten.bindings:
            self.bindings.unbind(mac)
        self.objections.forget(forgotten.objections)
        for number in forgotten.notices:
            self.notices.take_down(number)
        self.ladder_cases.forget(forgotten.ladder_cases)
        self.messages.forget(forgotten.messages)
        return rows

    def rows(self) -> tuple[Change, ...]:
        """All rows, to fill a new database."""
        return (
            *self.vouchers.rows(),
            *self.bindings.all(),
            *(PassphraseHash(account, text) for account, text in self._passphrases.items()),
            *(CardsVoid(account, below) for account, below in self._void.items()),
            *self.objections.all(),
            *self.rule_objections.all(),
            *reversed(self.ladder_cases.all()),
            *self.notices.all(),
            *self.messages.all(),
            *reversed(self.terms.all()),
            *((self.appearance,) if self.appearance != NO_APPEARANCE else ()),
            *self.records(),
        )

    # --- accounts and their devices -----------------------------------------------------------

    def account_of(self, mac: MacAddress) -> AccountId | None:
        """The account that the device is bound to. None for a guest without an account, or if the account no
        longer exists. Callers must look in the member directory first. Devices of an ended voucher keep its
        account until they join again."""
        binding = self.bindings.get(mac)
        return binding.account if binding is not None and self._is_there(binding) else None

    def way_of(self, mac: MacAddress) -> Way:
        """Join method of the device."""
        binding = self.bindings.get(mac)
        return binding.way if binding is not None else "terms"

    def is_member(self, account: AccountId) -> bool:
        """Whether the account may sponsor guests and have a passphrase and cards."""
        return account in self._member_directory().by_account

    def listed_devices(self, account: AccountId) -> tuple[MacAddress, ...]:
        """Devices that the member directory assigns to the account."""
        return self._member_directory().devices_of(account)

    # --- join methods -------------------------------------------------------------------------

    def enter_by_terms(self, mac: MacAddress, ways: Collection[Way], at: Now) -> Accepted | Rejected:
        """Join by accepting the terms. A device that is bound to an account returns to it without a new
        credential, if the join method it used is still enabled; a voucher in use stays valid in any case. A
        device whose voucher has ended becomes a guest again. Here and below, `ways` are the enabled join
        methods."""
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
        """Join with a voucher code, or with a device code that another device of the account shows. A device
        in the member directory joins its member's account and does not use up the voucher."""
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
        """Join with a membership card. The signature is checked locally, without contacting another node."""
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
        """The check to run for the account or member name that was typed. Call `enter_by_passphrase` with the
        result, right or wrong."""
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
        """Count the result of a check. A passphrase that was changed during the check is wrong. While the
        throttle applies, the result is not revealed."""
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
        """Join with a passphrase, after the check; the result is counted."""
        rejected = self.passphrase_checked(question, at, was_right=was_right)
        return rejected or self._enter_member(question.mac, question.account, "passphrase", at)

    def ask(
        self, mac: MacAddress, host: str, name: str, ways: Collection[Way], at: Now
    ) -> SponsorRequest | Rejected:
        """The person at the device, who calls themselves `name`, asks a member, named `host`, to sponsor
        them. The result does not reveal whether such a member exists."""
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
        """A member's answer to a request. After yes, the guest's device is bound to a guest account sponsored
        by this member; None after no. Rejected if the request is not theirs, is already answered or has
        expired."""
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
        """A code with which one more device can join `account`, the account of `mac`."""
        return self.device_codes.new(account, self.way_of(mac), at.now)

    # --- changes that people make to their own data -------------------------------------------

    def name_device(
        self, account: AccountId, mac: MacAddress, name: str, at: Now
    ) -> tuple[Change, ...] | Rejected:
        """Set the name of one of the account's devices; an empty name removes it."""
        called = clean_name(name)
        if called is None:
            return Rejected("too-long")
        binding = self.bindings.get(mac)
        if binding is not None and account in {binding.account, self._owner(mac)}:
            return self.bindings.amend(replace(binding, name=called))
        if account != (self._owner(mac) or self._guest_account(mac)):
            return Rejected("not-yours")
        # Bind to the guest account, not to the member's: if the device is removed from the member directory,
        # it must not stay in the member's account.
        return self.bindings.bind(Binding(mac, self._guest_account(mac), "terms", at.today, called))

    def unbind(self, account: AccountId, mac: MacAddress) -> tuple[Change, ...] | Rejected:
        """Remove a device from the account, or a guest's device that the account sponsors."""
        binding = self.bindings.get(mac)
        if binding is None or account not in {binding.account, binding.introduced_by}:
            return Rejected("not-yours")
        self.device_codes.drop(binding.account)
        return self.bindings.unbind(mac)

    def has_passphrase(self, account: AccountId) -> bool:
        return account in self._passphrases

    def set_passphrase(self, account: AccountId, hashed: str) -> tuple[Change, ...] | Rejected:
        """`hashed` comes from `passphrases.hash_passphrase`. Devices that are online stay online."""
        if not self.is_member(account):
            return Rejected("not-a-member")
        self._passphrases[account] = hashed
        return (PassphraseHash(account, hashed),)

    def take_passphrase(self, account: AccountId, hashed: str) -> tuple[Change, ...]:
        """As `set_passphrase`, by a node whose member directory may be newer: it is of use once the account is a member
        here. Empty if it is the same."""
        if self._passphrases.get(account) == hashed:
            return ()
        self._passphrases[account] = hashed
        return (PassphraseHash(account, hashed),)

    def drop_passphrase(self, account: AccountId) -> tuple[Change, ...]:
        """Empty if the account had no passphrase."""
        return (PassphraseGone(account),) if self._passphrases.pop(account, None) is not None else ()

    def next_card(self, account: AccountId, today: str, last_day: str) -> Card | Rejected:
        """Contents of a new card for this member, to be signed with `cards.make_card`. The date must be
        known."""
        if not self.is_member(account):
            return Rejected("not-a-member")
        return Card(account, next_serial(today, self._void.get(account, 0)), last_day)

    def void_cards(self, account: AccountId, today: str) -> tuple[Change, ...]:
        """Revoke every card of the account made until now. The date must be known."""
        self.step_up.drop(account)
        self._void[account] = next_void(today, self._void.get(account, 0))
        return (CardsVoid(account, self._void[account]),)

    def take_void(self, account: AccountId, below_serial: int) -> tuple[Change, ...]:
        """Cards revoked at another node. Empty if they were revoked here too."""
        if self._void.get(account, 0) >= below_serial:
            return ()
        self.step_up.drop(account)
        self._void[account] = below_serial
        return (CardsVoid(account, below_serial),)

    def add_objection(
        self, account: AccountId, rule: str, text: str, at: Now
    ) -> tuple[Objection | LadderCase, ...] | Rejected:
        """File an objection to a rule; one to the step of the account's case suspends the step. Blank text is ignored and
        returns no row."""
        if len(text) > OBJECTION_CHARS_MAX or len(rule) > RULE_CHARS_MAX:
            return Rejected("too-long")
        if not text.strip():
            return ()
        case = self.ladder_cases.open_of(account)
        suspends = case is not None and case.group == rule and not case.objection
        if not self.objections.has_room(account, suspends=suspends):
            return Rejected("too-many-open")
        objection = self.objections.add(account, rule, text.strip(), at.today, suspends=suspends)
        if case is None or not suspends:
            return (objection,)
        return objection, *self.ladder_cases.handle(case, Objected(objection.number), at)

    def answer_objection(self, number: int, text: str, at: Now) -> tuple[Objection | LadderCase, ...]:
        """Set or replace the answer; a step that the objection suspended goes on. Empty if there is no such objection."""
        answered = self.objections.answer(number, text, at.today)
        return () if answered is None else (answered, *self._resume_if_answered(answered, at))

    def take_objection(self, told: Objection, at: Now) -> tuple[Objection | LadderCase, ...]:
        """An objection as another node tells of it: filed or answered there. Empty if that is known, or there is no
        room."""
        taken = self.objections.take_told(told)
        if taken is None:
            return ()
        return (taken, *self._resume_if_answered(taken, at))

    def _resume_if_answered(self, answered: Objection, at: Now) -> tuple[LadderCase, ...]:
        case = self.ladder_cases.open_of(answered.account)
        if not answered.answer or case is None or self.objection_of(case) != answered:
            return ()
        return self.ladder_cases.handle(case, Answered(), at)

    def share_objections(self, origin: str, secret: bytes) -> None:
        """From now on objections filed here get a key. `origin`: the beginning of this node's id; `secret`: a key of
        this node alone."""
        keys = ObjectionKeys(secret, origin, self._random)
        self.objections.new_key, self.objections.is_filed_here = keys.new, keys.is_made_here

    def objection_of(self, case: LadderCase) -> Objection | None:
        """The person's objection to the case; None if it is gone, also when a later one of somebody else has its number, as
        after a loss of the database."""
        found = self.objections.get(case.objection)
        is_its_own = found is not None and (found.account, found.rule) == (case.account, case.group)
        return found if is_its_own else None

    # --- internal -----------------------------------------------------------------------------

    def _owner(self, mac: MacAddress) -> AccountId | None:
        return self._member_directory().devices.get(mac)

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
        """A guest account can add devices only while its own join method is enabled; otherwise two devices
        could readmit each other without end."""
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
