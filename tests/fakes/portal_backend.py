"""An in-memory backend for the portal: the real session states, a set instead of a kernel, and its people."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from captive_portal.callers import DISPUTED, ELSEWHERE, Caller, SocketAddresses
from node.accounts.notices import Notice
from node.accounts.objections import OBJECTIONS_OPEN_MAX, Objection
from node.app.views import (
    Admitted,
    AskedFor,
    CardShown,
    CodeTyped,
    CommunityView,
    DeviceCode,
    DeviceView,
    Entry,
    Full,
    GuestView,
    IntroductionRequest,
    KeptView,
    Muting,
    PassphraseTyped,
    Refused,
    TermsAccepted,
)
from node.errors import NodeError
from node.governance.allowance import Allowance, Bound, QuotaLeft
from node.governance.rules import Way
from node.lan.mdns_services import ServiceView
from node.sessions import state as session_state
from node.storage.data_inventory import WHOLE_INVENTORY
from node.units import (
    GIGA,
    MEGA,
    NO_USAGE,
    AccountId,
    Bytes,
    MacAddress,
    Milliseconds,
    Monotonic,
    Rates,
    Usage,
)

COMMUNITY = CommunityView(
    community="Vall Verda",
    node="Library, ground floor",
    portal_host="login.vallverda.example",
    sentences=("Everyone has an equal part of the line.", "At night nobody is limited."),
    contact="hello@vallverda.example",
    terms="Be kind to each other.\n\nDo not resell the line.",
    terms_version="2",
)

_EVENING = Bound(Rates(10 * MEGA, 2 * MEGA), "evening", "assembly of 3 May", "Guests get at most 10 Mbit/s.")
ALLOWANCE = Allowance(
    Bound(1, "equal-share", "", "Everyone has an equal part."),
    Bound(Rates(256_000, 256_000), "lifeline", "", "Everyone keeps 256 kbit/s."),
    _EVENING,
    (QuotaLeft("guests-month", 60 * GIGA, 15 * GIGA, None),),
    pool="guests",
    not_binding=("At night nobody is limited.",),
)

FOUR_HOURS, PLENTY, EARLY = Milliseconds(4 * 3_600_000), Bytes(58_600_000_000), Monotonic(1_000)
TEN_MINUTES_S = 600
TODAY = "2026-04-01"
ATTEMPTS_MAX = 5

GOOD_CODE, ENDED_CODE, REVOKED_CODE, MISTYPED_CODE = (
    "7K3M9Q2W4X1Z",
    "0000ENDED000",
    "0000REVKD000",
    "7K3M9Q2W4X1A",
)
HOUSE_CARD, ANAS_PASSPHRASE = "PROCOMU1.eyJhIjoiYW5hIn0.c2lnbmF0dXJl", "four plain old words"
KEPT = tuple(KeptView(each.table, each.purpose, each.retention) for each in WHOLE_INVENTORY)


@dataclass
class FakeCallers:
    """Implements `node.app.views.Callers`: the device that sends from each address, and any other that
    claims it.
    """

    devices: dict[str, MacAddress] = field(default_factory=dict)
    claimed: dict[str, MacAddress] = field(default_factory=dict)

    def caller(self, ends: SocketAddresses) -> Caller:
        device = self.devices.get(ends.address)
        if device is None:
            return ELSEWHERE
        return DISPUTED if self.is_disputed(ends.address, device) else Caller(device)

    def is_disputed(self, address: str, device: MacAddress) -> bool:
        return self.claimed.get(address, self.devices.get(address)) != device


@dataclass
class FakeSponsorRequest:
    """A guest's unanswered request to a member."""

    number: int
    mac: MacAddress
    host: str
    name: str
    sign: str


@dataclass
class FakePortalBackend:
    """Implements the portal's `House`; `trouble` and `refusal` make it fail as the real one can."""

    view: CommunityView = COMMUNITY
    allowance: Allowance | None = None
    session_ms: Milliseconds | None = FOUR_HOURS
    bytes_left: Bytes | None = PLENTY
    used: Mapping[MacAddress, Usage] = field(default_factory=dict)
    refusal: Refused | None = None
    trouble: NodeError | None = None
    now: Monotonic = EARLY
    states: dict[MacAddress, session_state.DeviceSession] = field(default_factory=dict)
    passing: dict[MacAddress, Monotonic | None] = field(default_factory=dict)
    accepted: list[tuple[MacAddress, str]] = field(default_factory=list)

    members: dict[str, str] = field(default_factory=lambda: {"ana": "Ana Puig"})
    passphrases: dict[str, str] = field(default_factory=lambda: {"ana": ANAS_PASSPHRASE})
    cards: dict[str, str] = field(default_factory=lambda: {HOUSE_CARD: "ana"})
    vouchers: dict[str, str] = field(default_factory=lambda: {GOOD_CODE: "voucher-7k3m9q2w4x1z"})
    devices_max: int = 3
    board: tuple[Notice, ...] = ()
    around: tuple[ServiceView, ...] = ()
    accounts: dict[MacAddress, tuple[str, Way]] = field(default_factory=dict)
    names: dict[MacAddress, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    """Open device codes and their accounts."""
    questions: list[FakeSponsorRequest] = field(default_factory=list)
    unanswered: set[MacAddress] = field(default_factory=set)
    unasked: dict[str, int] = field(default_factory=dict)
    """Devices whose request recently ended without approval."""
    objections: list[Objection] = field(default_factory=list)
    wrong: dict[MacAddress, int] = field(default_factory=dict)
    choosing: dict[MacAddress, tuple[str, Way]] = field(default_factory=dict)
    """Devices that have authenticated and now choose which device is evicted."""
    erased: list[MacAddress] = field(default_factory=list)
    calls: list[tuple[str, MacAddress]] = field(default_factory=list)
    """Every change that was requested."""

    # --- views ---

    def guest(self, mac: MacAddress) -> GuestView:
        state = self.states.get(mac, session_state.Unauthorized())
        used = self.used.get(mac, NO_USAGE)
        account, way = self.accounts.get(mac, ("guest-7k3m9q2w4x1z", "terms"))
        view = GuestView(
            "waiting",
            None,
            used,
            None,
            None,
            None,
            asked_for=self._asked_for(mac),
            went_unanswered=mac in self.unanswered,
        )
        match state:
            case session_state.Authorized(_, until):
                left = None if until is None else (until - self.now) // 1000
                return self._inside(mac, AccountId(account), way, used, left)
            case session_state.Blocked(because):
                return replace(view, state="removed", removed_because=because)
            case session_state.Expired():
                return replace(view, state="expired", way=way)
        return view

    def _inside(
        self, mac: MacAddress, account: AccountId, way: Way, used: Usage, left: int | None
    ) -> GuestView:
        code = next((code for code, whose in self.codes.items() if whose == account), None)
        return GuestView(
            "admitted",
            account,
            used,
            self.allowance,
            left,
            self.bytes_left,
            self._devices(account, mac),
            way=way,
            name=self.members.get(account, ""),
            tier="member" if account in self.members else "guest",
            terms_version=self.view.terms_version,
            devices_max=self.devices_max,
            requests=tuple(
                IntroductionRequest(each.number, each.name, each.sign, TEN_MINUTES_S)
                for each in self.questions
                if each.host == account
            ),
            unasked_s=self.unasked.get(account),
            device_code=None if code is None else DeviceCode(f"{code[:5]}-{code[5:]}", TEN_MINUTES_S),
            objections=tuple(objection for objection in self.objections if objection.account == account),
            is_member=account in self.members,
            has_passphrase=account in self.passphrases,
            has_shown_card=account in self.members and way == "card",
        )

    def _devices(self, account: str, asker: MacAddress) -> tuple[DeviceView, ...]:
        mine = [mac for mac, (whose, _) in self.accounts.items() if whose == account]
        return tuple(
            DeviceView(mac, self.names.get(mac, ""), mac == asker, mac in self.passing, 60, TODAY)
            for mac in mine or [asker]
        )

    def _asked_for(self, mac: MacAddress) -> AskedFor | None:
        found = next((each for each in self.questions if each.mac == mac), None)
        return None if found is None else AskedFor(found.host, found.name, found.sign, TEN_MINUTES_S)

    def community(self) -> CommunityView:
        return self.view

    def notices(self, mac: MacAddress | None) -> tuple[Notice, ...]:
        inside = mac in self.passing
        return tuple(each for each in self.board if each.audience == "everyone" or inside)

    def services(self) -> tuple[ServiceView, ...]:
        return self.around

    def kept(self) -> tuple[KeptView, ...]:
        return KEPT

    # --- joining ---

    async def admit(
        self, mac: MacAddress, entry: Entry, terms_version: str, instead_of: MacAddress | None = None
    ) -> Admitted | Refused | Full:
        await self._asked("admit", mac)
        if self.refusal is not None:
            return self.refusal
        state = self.states.get(mac)
        if isinstance(state, session_state.Blocked):
            return Refused("removed", state.because)
        is_known = instead_of is not None and mac in self.choosing
        found = self.choosing[mac] if is_known else self._account(mac, entry)
        if isinstance(found, Refused):
            return found
        account, way = found
        others = [each for each in self._on(account) if each != mac]
        if instead_of in others:
            self.happens(instead_of, session_state.LoggedOff())
        elif len(others) >= self.devices_max:
            self.choosing[mac] = found
            return Full(self._devices(account, mac)[: len(others)], self.devices_max)
        self.choosing.pop(mac, None)
        self.accounts[mac] = (account, way)
        self.accepted.append((mac, terms_version))
        self.happens(mac, session_state.SessionGranted(terms_version, self.session_ms))
        return Admitted(None if self.session_ms is None else self.session_ms // 1000)

    def _account(self, mac: MacAddress, entry: Entry) -> tuple[str, Way] | Refused:
        if self.wrong.get(mac, 0) >= ATTEMPTS_MAX:
            return Refused("too-many-guesses", wait_s=TEN_MINUTES_S)
        match entry:
            case TermsAccepted():
                found: tuple[str, Way] | Refused = (f"guest-{mac.replace(':', '')}", "terms")
            case CodeTyped(code):
                found = self._by_code(code)
            case PassphraseTyped(account, passphrase):
                is_right = self.passphrases.get(account) == passphrase
                found = (account, "passphrase") if is_right else Refused("passphrase-wrong")
            case CardShown(card):
                account = self.cards.get(card, "")
                found = (account, "card") if account else Refused("card-unreadable")
        if not isinstance(found, Refused) and found[1] not in self.view.ways:
            return Refused("way-closed")
        if isinstance(found, Refused) and found.reason in {"code-unknown", "passphrase-wrong"}:
            self.wrong[mac] = self.wrong.get(mac, 0) + 1
        return found

    def _by_code(self, typed: str) -> tuple[str, Way] | Refused:
        code = typed.upper().replace("-", "").replace(" ", "")
        if code in self.codes:
            return self.codes.pop(code), "voucher"
        if code in self.vouchers:
            return self.vouchers[code], "voucher"
        known = {
            ENDED_CODE: Refused("code-ended"),
            REVOKED_CODE: Refused("code-revoked"),
            MISTYPED_CODE: Refused("code-mistyped"),
        }
        return known.get(code, Refused("code-unknown"))

    def _on(self, account: str) -> list[MacAddress]:
        return [mac for mac, (whose, _) in self.accounts.items() if whose == account and mac in self.passing]

    async def leave(self, mac: MacAddress) -> None:
        await self._asked("leave", mac)
        self.questions = [each for each in self.questions if each.mac != mac]
        self.happens(mac, session_state.LoggedOff())

    async def ask(self, mac: MacAddress, host: str, name: str, terms_version: str) -> Refused | None:
        await self._asked("ask", mac)
        if any(each.mac == mac for each in self.questions):
            return Refused("too-many-open")
        self.unanswered.discard(mac)
        number = len(self.questions) + 1
        self.questions.append(FakeSponsorRequest(number, mac, host, name, f"{4_710 + number}"))
        return None

    def nobody_answers(self, mac: MacAddress) -> None:
        """The device's request has timed out."""
        self.questions = [each for each in self.questions if each.mac != mac]
        self.unanswered.add(mac)

    async def answer(self, mac: MacAddress, number: int, *, yes: bool) -> Refused | None:
        await self._asked("answer", mac)
        host = self.accounts[mac][0] if mac in self.accounts else ""
        found = next((each for each in self.questions if (each.number, each.host) == (number, host)), None)
        if found is None:
            return Refused("not-yours")
        self.questions.remove(found)
        if yes:
            self.accounts[found.mac] = (f"guest-{found.mac.replace(':', '')}", "introduction")
            self.happens(found.mac, session_state.SessionGranted(self.view.terms_version, self.session_ms))
        return None

    async def mute(self, mac: MacAddress, number: int, muting: Muting) -> Refused | None:
        await self._asked("mute", mac)
        host = self.accounts[mac][0] if mac in self.accounts else ""
        gone = [each for each in self.questions if each.host == host and muting in {"all", "device"}]
        gone = [each for each in gone if muting == "all" or each.number == number]
        if muting == "device" and not gone:
            return Refused("not-yours")
        self.questions = [each for each in self.questions if each not in gone]
        if muting == "all":
            self.unasked[host] = 86_400
        elif muting == "hear":
            self.unasked.pop(host, None)
        return None

    # --- the account page ---

    async def new_device_code(self, mac: MacAddress) -> DeviceCode | Refused:
        await self._asked("new_device_code", mac)
        if mac not in self.passing:
            return Refused("not-yours")
        account = self.accounts[mac][0]
        self.codes = {code: whose for code, whose in self.codes.items() if whose != account}
        code = f"K7M2Q9XW{len(self.calls):02d}"
        self.codes[code] = account
        return DeviceCode(f"{code[:5]}-{code[5:]}", TEN_MINUTES_S)

    async def name_device(self, mac: MacAddress, device: MacAddress, name: str) -> Refused | None:
        await self._asked("name_device", mac)
        if not self._is_mine(mac, device):
            return Refused("not-yours")
        self.names[device] = name
        return None

    async def remove_device(self, mac: MacAddress, device: MacAddress) -> Refused | None:
        await self._asked("remove_device", mac)
        if not self._is_mine(mac, device):
            return Refused("not-yours")
        self.happens(device, session_state.LoggedOff())
        del self.accounts[device]
        return None

    def _is_mine(self, mac: MacAddress, device: MacAddress) -> bool:
        mine = self.accounts.get(mac)
        return mine is not None and self.accounts.get(device, ("", ""))[0] == mine[0]

    async def set_passphrase(self, mac: MacAddress, passphrase: str, current: str = "") -> Refused | None:
        await self._asked("set_passphrase", mac)
        account = self.accounts.get(mac, ("", ""))[0]
        if account not in self.members:
            return Refused("not-a-member")
        if len(passphrase) < 8:
            return Refused("too-long")
        if self.accounts[mac][1] != "card":
            if account not in self.passphrases:
                return Refused("no-passphrase")
            if self.passphrases[account] != current:
                return Refused("passphrase-wrong")
        self.passphrases[account] = passphrase
        return None

    async def add_objection(self, mac: MacAddress, rule: str, text: str) -> Refused | None:
        await self._asked("contest", mac)
        if mac not in self.passing:
            return Refused("not-yours")
        account = AccountId(self.accounts[mac][0])
        mine = [each for each in self.objections if each.account == account and not each.answer]
        if len(mine) >= OBJECTIONS_OPEN_MAX:
            return Refused("too-many-open")
        self.objections.append(Objection(len(self.objections) + 1, account, TODAY, rule, text))
        return None

    async def own_data(self, mac: MacAddress) -> Mapping[str, object]:
        account, way = self.accounts.get(mac, ("", None))
        return {
            "account": account,
            "way": way,
            "devices": [{"mac": mac, "name": self.names.get(mac, ""), "since": TODAY}],
            "contests": [{"day": each.day, "text": each.text} for each in self.objections],
            "usage": {"2026-04": {"down": 1, "up": 2}},
        }

    async def erase(self, mac: MacAddress) -> None:
        await self._asked("erase", mac)
        self.happens(mac, session_state.LoggedOff())
        self.accounts.pop(mac, None)
        self.names.pop(mac, None)
        self.erased.append(mac)

    async def _asked(self, what: str, mac: MacAddress) -> None:
        await asyncio.sleep(0)
        self.calls.append((what, mac))
        if self.trouble is not None:
            raise self.trouble

    def happens(self, mac: MacAddress, event: session_state.Event) -> None:
        self.states[mac], _ = session_state.step(
            self.states.get(mac, session_state.Unauthorized()), event, self.now
        )
        match self.states[mac]:
            case session_state.Authorized(_, until):
                self.passing[mac] = until
            case _:
                self.passing.pop(mac, None)
