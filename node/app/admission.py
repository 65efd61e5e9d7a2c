"""Authentication and authorization (AAA, RFC 2904): the account registry authenticates, the control loop authorizes."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from node.accounts.auth_result import Accepted, Rejected
from node.accounts.device_bindings import Binding
from node.accounts.member_passphrases import PASSPHRASE_CHARS_MAX, is_right
from node.accounts.registry import PassphraseQuestion
from node.app.passphrase_queue import PassphraseQueue
from node.app.views import (
    AccountViews,
    Admitted,
    CardShown,
    CodeTyped,
    Entry,
    Full,
    Muting,
    PassphraseTyped,
    Refused,
    TermsAccepted,
)
from node.control.reconciler import Reconciler
from node.errors import KernelRefused, NodeError
from node.governance.rules import WAYS, Way
from node.sessions import state as session_state
from node.sessions.device_limit import DeviceLimitReached
from node.units import GUEST_PREFIX, AccountId, MacAddress, Milliseconds, Monotonic, Now

CHOOSING = Milliseconds(10 * 60_000)
"""How long a person may choose which device to disconnect without authenticating again."""
CHOOSING_MAX = 1_000
"""Devices. Above this the oldest choice is dropped, and that person authenticates again."""

_SHOWN: dict[type[Entry], str] = {
    TermsAccepted: "terms",
    CodeTyped: "voucher",
    PassphraseTyped: "passphrase",
    CardShown: "card",
}


class AdmissionService:
    """Enforces, for every join method, that closed methods and blocked devices are rejected."""

    def __init__(self, reconciler: Reconciler, views: AccountViews) -> None:
        self._reconciler, self._registry, self._views = reconciler, reconciler.registry, views
        self._policy = reconciler.effective_policy
        self.refused: Counter[str] = Counter()
        """How many attempts to join were refused so far, by what was shown."""
        self.passphrases = PassphraseQueue()
        """Shared by all: two hashes at once would need twice the memory."""
        self._choosing: dict[MacAddress, tuple[Monotonic, Binding | None]] = {}
        """By device: end of the choice, and the binding to the account that is at its device limit."""
        self._accepted: dict[MacAddress, str] = {}
        """Terms that a guest accepted who is waiting for a sponsor."""
        self.block_elsewhere: Callable[[MacAddress], str | None] = lambda _mac: None
        """The reason why an admin of another node blocked the device."""
        self.bind_as_told: Callable[[MacAddress], None] = lambda _mac: None
        """Binds the device as other nodes say."""

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None
    ) -> Admitted | Refused | Full:
        if (refused := self.removed(mac)) is not None:
            return refused
        self.bind_as_told(mac)
        before = self._rests_on(mac)
        found = await self._authenticate(mac, entry, is_choosing=instead_of is not None)
        if not isinstance(found, Accepted):
            self.refused[_SHOWN[type(entry)]] += 1
            return found if isinstance(found, Refused) else refusal(found)
        came = await self._let_in(mac, found, terms_version, instead_of)
        if isinstance(came, Full) and before is not None and before.account != found.account:
            # The device still has a session in another account, and keeps its binding to that.
            await self._reconciler.remember(self._registry.bindings.bind(before))
        return came

    def removed(self, mac: MacAddress) -> Refused | None:
        state = self._reconciler.session_table.state(mac)
        because = state.because if isinstance(state, session_state.Blocked) else self.block_elsewhere(mac)
        return None if because is None else Refused("removed", because)

    def forgetful(self) -> Refused | None:
        """A refusal while the database has not been read: until then the account registry knows no accounts."""
        if self._reconciler.persistence.recalled:
            return None
        return Refused("memory")

    async def unable_to_keep(self) -> Refused | None:
        """A refusal while nothing can be stored."""
        refused = self.forgetful()
        if refused is None and await self._reconciler.persistence.why_unwritable():
            return Refused("memory")
        return refused

    def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        if (refused := self.removed(mac) or self.forgetful()) is not None:
            return refused
        asked = self._registry.ask(mac, host, name, self._ways(), self._reconciler.persistence.instant())
        if isinstance(asked, Rejected):
            return refusal(asked)
        waiting = self._registry.sponsorship
        now = self._reconciler.persistence.instant().now
        self._accepted = {m: t for m, t in self._accepted.items() if waiting.of_device(m, now) is not None}
        self._accepted[mac] = terms_version
        return None

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        host = self._views.account_of(mac)
        if host is None:
            return Refused("not-yours")
        if yes and "introduction" not in self._ways():
            return Refused("way-closed")
        if self._came_otherwise(host, number):
            return None
        answered = self._registry.answer(host, number, self._reconciler.persistence.instant(), yes=yes)
        if answered is None or isinstance(answered, Rejected):
            return None if answered is None else refusal(answered)
        version = self._accepted.pop(answered.mac, "")
        came = await self._let_in(answered.mac, answered.accepted, version, None)
        return came if isinstance(came, Refused) and came.reason == "trouble" else None

    def mute(self, mac: MacAddress, number: int, muting: Muting) -> Refused | None:
        host = self._views.account_of(mac)
        if host is None or not self._registry.is_member(host):
            return Refused("not-a-member")
        sponsorship, now = self._registry.sponsorship, self._reconciler.persistence.instant().now
        match muting:
            case "device":
                return None if sponsorship.mute(host, number, now) else Refused("not-yours")
            case "all":
                sponsorship.mute_all(host, now)
            case "hear":
                sponsorship.unmute(host)
        return None

    async def _authenticate(
        self, mac: MacAddress, entry: Entry, *, is_choosing: bool
    ) -> Accepted | Rejected | Refused:
        registry, ways, at = self._registry, self._ways(), self._reconciler.persistence.instant()
        if is_choosing and self._may_choose(mac, at.now):
            return self._enter_chosen(mac, ways, at)
        if isinstance(entry, TermsAccepted):
            return registry.enter_by_terms(mac, ways, at)
        if (refused := self.forgetful()) is not None:
            return refused
        match entry:
            case CodeTyped(code):
                return registry.enter_by_code(mac, code, ways, at)
            case CardShown(card):
                return registry.enter_by_card(mac, card, ways, at)
            case PassphraseTyped():
                return await self._by_passphrase(mac, entry)

    async def prove(self, mac: MacAddress, account: AccountId, passphrase: str) -> Refused | None:
        """Checks the account's passphrase for a device with a session (step-up); a failed
        attempt counts as at sign-in."""
        registry, at = self._registry, self._reconciler.persistence.instant()
        question = registry.passphrase_question(mac, account, WAYS, at)
        if isinstance(question, Rejected):
            return refusal(question)
        was_right = await self._check(question, passphrase)
        if isinstance(was_right, Refused):
            return was_right
        rejected = registry.passphrase_checked(
            question, self._reconciler.persistence.instant(), was_right=was_right
        )
        return None if rejected is None else refusal(rejected)

    async def _by_passphrase(self, mac: MacAddress, typed: PassphraseTyped) -> Accepted | Rejected | Refused:
        registry = self._registry
        question = registry.passphrase_question(
            mac, typed.account, self._ways(), self._reconciler.persistence.instant()
        )
        if isinstance(question, Rejected):
            return question
        was_right = await self._check(question, typed.passphrase)
        if isinstance(was_right, Refused):
            return was_right
        if "passphrase" not in self._ways():
            return Rejected("way-closed")
        return registry.enter_by_passphrase(
            question, self._reconciler.persistence.instant(), was_right=was_right
        )

    async def _check(self, question: PassphraseQuestion, typed: str) -> bool | Refused:
        passphrase = typed[: PASSPHRASE_CHARS_MAX + 1]
        try:
            return await self.passphrases.turn(
                question.mac,
                lambda: is_right(passphrase, question.hash),
                is_known=self._is_known(question.mac),
            )
        except NodeError as busy:
            return Refused("trouble", str(busy))

    def _is_known(self, mac: MacAddress) -> bool:
        """Whether the device belongs to a member or a voucher."""
        return not self._policy.account_of(mac).startswith(GUEST_PREFIX)

    async def _let_in(
        self, mac: MacAddress, found: Accepted, terms_version: str, instead_of: MacAddress | None
    ) -> Admitted | Refused | Full:
        try:
            answer = await self._reconciler.admit(
                mac, terms_version, changes=found.changes, instead_of=instead_of
            )
        except KernelRefused as refused:
            return Refused("trouble", refused.message)
        if isinstance(answer, DeviceLimitReached):
            self._choose(mac)
            devices = self._views.devices(found.account, mac)
            return Full(tuple(each for each in devices if each.is_online), answer.devices_max)
        if (refused_now := self.removed(mac)) is not None:
            return refused_now
        self._choosing.pop(mac, None)
        self._registry.sponsorship.withdraw(mac, self._reconciler.persistence.instant().now)
        return Admitted()

    def _came_otherwise(self, host: AccountId, number: int) -> bool:
        """Whether the guest has meanwhile signed in with a code, a card or a passphrase,
        so that no sponsor is needed."""
        now, session_table = self._reconciler.persistence.instant().now, self._reconciler.session_table
        asked = (each.mac for each in self._registry.sponsorship.of_host(host, now) if each.number == number)
        return any(
            session_table.is_admitted(mac)
            and not session_table.session_entries[mac].account.startswith(GUEST_PREFIX)
            for mac in asked
        )

    def _choose(self, mac: MacAddress) -> None:
        self._choosing.pop(mac, None)
        if len(self._choosing) >= CHOOSING_MAX:
            del self._choosing[next(iter(self._choosing))]
        ends = Monotonic(self._reconciler.persistence.instant().now + CHOOSING)
        self._choosing[mac] = ends, self._registry.bindings.get(mac)

    def _may_choose(self, mac: MacAddress, now: Monotonic) -> bool:
        return mac in self._choosing and now < self._choosing[mac][0]

    def _enter_chosen(self, mac: MacAddress, ways: tuple[Way, ...], at: Now) -> Accepted | Rejected:
        _, wanted = self._choosing[mac]
        rows = () if wanted is None else self._registry.bindings.bind(wanted)
        found = self._registry.enter_by_terms(mac, ways, at)
        return found if isinstance(found, Rejected) else replace(found, changes=(*rows, *found.changes))

    def _rests_on(self, mac: MacAddress) -> Binding | None:
        """The binding by which the device may sign in again; None for a guest who only accepted the terms."""
        binding, account = self._registry.bindings.get(mac), self._registry.account_of(mac)
        if binding is None or account is None or binding.way == "terms":
            return None
        end = self._policy.voucher_end(account)
        return binding if end is None or self._reconciler.persistence.instant().now < end else None

    def _ways(self) -> tuple[Way, ...]:
        return self._policy.active_ruleset.ruleset.joining.ways


def refusal(rejected: Rejected) -> Refused:
    return Refused(rejected.reason, wait_s=rejected.wait_s)
