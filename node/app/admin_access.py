"""Signing in to the admin pages: one-time links, passphrases, sessions and paired browsers."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.accounting.periods import DAY_UNKNOWN
from node.accounts.events import Event, EventKind
from node.accounts.login_throttle import LoginThrottle
from node.accounts.member_passphrases import DUMMY_HASH, SALT_BYTES, hash_passphrase, is_right
from node.app import admin_accounts, admin_sessions
from node.app.admin_accounts import AdminAccount, AdminAccounts, PairedBrowser
from node.app.admin_sessions import ADMIN, CONSOLE, LINK_LIFE, Signed, SignIn, StoredToken, name_key
from node.app.passphrase_queue import PassphraseQueue
from node.control.ports import Clock, StateArchive
from node.errors import Finding, StorageTrouble
from node.translator import gettext_lazy
from node.units import MacAddress, Monotonic

SIGN_IN, ACCOUNTS = "admin_sign_in", "admin_accounts"
"""Names in the node state."""
TOKEN_BYTES = 24
NONCE_BYTES = 16
_EARLIER = "earlier"


@dataclass(frozen=True, slots=True)
class SignInClient:
    """What signs in."""

    network: str
    """Its device or network, for counting attempts."""
    known: str = ""
    """Value of `SignedIn.known` that it kept from an earlier sign-in; empty without one."""
    browser: str = ""
    """What its person recognizes it by in the list of sessions."""


UNKNOWN_CLIENT = SignInClient("")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session."""

    cookie: str
    days: int
    """Days that the browser stays signed in; 0 for a session of SESSION_LIFE."""
    known: str
    """For the browser to keep: other people's wrong attempts never make it wait. Empty without an account."""


@dataclass(frozen=True, slots=True)
class SignInRefused:
    """Name or passphrase were wrong, or there were too many attempts."""

    wait_s: int = 0
    """Seconds until the next attempt is allowed; 0 if it is allowed now."""


@dataclass(frozen=True, slots=True)
class AdminSession:
    """One session, as other admins see it."""

    mark: str
    """Start of the cookie's hash; it cannot be used to sign in."""
    signed: Signed
    is_own: bool
    hours_left: int
    """Hours until it ends, rounded up; 0 for a paired browser."""
    days_left: int = 0
    """Days until the pairing ends; 0 for a session of some hours."""
    browser: str = ""
    used_day: str = ""
    """ISO date; empty while the clock is unknown."""


class AdminAccessService:
    """Signs people in to the admin pages. What is decided here is stored, and restored by `recall`; while the data folder
    cannot be used it is in force until the node restarts."""

    def __init__(
        self,
        archive: StateArchive,
        clock: Clock,
        *,
        passphrases: PassphraseQueue,
        key: bytes,
        random: Callable[[int], bytes],
    ) -> None:
        """`key` signs what browsers keep; `random` returns so many random bytes."""
        self._archive, self._clock, self.passphrases = archive, clock, passphrases
        self._key, self._random = key, random
        self._throttle = LoginThrottle()
        self._signed = SignIn()
        self._accounts = AdminAccounts()
        self.event: Callable[[str, EventKind, str], Event | None] = lambda _by, _kind, _about: None
        """The event that somebody with this label did something to somebody with the other label; None: not recorded."""
        self.failed: Callable[[str], None] = lambda _name: None
        """Called when a passphrase was wrong, with the name of the account; empty if there is no such account."""
        self.keep_events: Callable[[Iterable[Event]], None] = lambda _events: None
        """Stores events later, with what they are about in force only until the node restarts."""

    async def recall(self) -> None:
        """Restores what an earlier run stored. Raises StorageTrouble."""
        self._accounts = admin_accounts.from_text(await self._archive.state(ACCOUNTS))
        self._signed = admin_sessions.from_text(await self._archive.state(SIGN_IN), self._clock.boot)

    # --- links ---

    def why_no_link(self, signed: Signed) -> Finding | None:
        """Why there can be no link that signs in as `signed`; None when there can be."""
        account = self._accounts.find(signed.name) if signed.name else None
        if account is None or account.signed.role == signed.role:
            return None
        label = account.signed.label
        return Finding(
            "name",
            0,
            gettext_lazy("There is already an account with this name: {who}.", who=label),
            gettext_lazy("choose another name, or remove that account first"),
        )

    async def new_token(self, signed: Signed = ADMIN, *, by: Signed = CONSOLE) -> tuple[str, int]:
        """(token of a one-time link that signs in as `signed`, seconds that it is valid)."""
        token = self._token()
        offered = admin_sessions.offer(self._signed, token, self._clock.monotonic(), signed)
        await self._change(signed=offered, event=self.event(by.label, "link-made", signed.label))
        return token, LINK_LIFE // 1000

    async def redeem(self, link_token: str) -> SignedIn | None:
        """Exchanges a one-time link's token for a session; None when used, expired or unknown. Limits of the link become
        those of the account of its name."""
        cookie, now = self._token(), self._clock.monotonic()
        after = admin_sessions.redeem(self._signed, link_token, cookie, now)
        if after is None:
            return None
        signed = admin_sessions.who(after, cookie, now)
        assert signed is not None, "the session has just begun"
        # A link that is older than the account ends with it; after a power cut it may be there again.
        is_same_role = self.why_no_link(signed) is None
        accounts = admin_accounts.with_grant(self._accounts, signed) if is_same_role else None
        event = self.event(signed.label, "signed-in", "")
        await self._change(signed=after, accounts=accounts, event=event)
        return SignedIn(cookie, 0, "")

    # --- passphrases ---

    async def sign_in(
        self, name: str, passphrase: str, client: SignInClient, *, stays: bool
    ) -> SignedIn | SignInRefused:
        """With `stays` the browser is paired. Raises NodeError when too many people sign in."""
        proved = await self._prove(name, passphrase, client)
        if isinstance(proved, SignInRefused):
            return proved
        return await self._begin(proved.signed, client, stays=stays)

    async def _prove(self, name: str, passphrase: str, client: SignInClient) -> AdminAccount | SignInRefused:
        """The account of this name, if that is its passphrase; a wrong one is counted."""
        account, called = self._accounts.find(name), name_key(name)
        nonce = admin_accounts.nonce_of(self._key, name, client.known)
        party, is_own = MacAddress(nonce or client.network), bool(nonce)
        now = self._clock.monotonic()
        if wait_s := self._throttle.passphrase_wait_s(party, called, now, is_own=is_own):
            return SignInRefused(wait_s)
        kept = account.passphrase_hash if account else DUMMY_HASH
        was_right = await self.passphrases.turn(party, lambda: is_right(passphrase, kept), is_known=is_own)
        # It may have been removed or changed meanwhile.
        account = self._accounts.find(name)
        if not was_right or account is None or account.passphrase_hash != kept:
            now = self._clock.monotonic()
            self._throttle.wrong_passphrase(party, called, now, is_own=is_own)
            # A name that nobody has may be a passphrase in the wrong field.
            self.failed(account.signed.name if account is not None else "")
            return SignInRefused(self._throttle.passphrase_wait_s(party, called, now, is_own=is_own))
        self._throttle.right_passphrase(party, called)
        return account

    async def prove(
        self, cookie: str, passphrase: str, client: SignInClient
    ) -> Signed | SignInRefused | None:
        """The account of this session, if that is its passphrase; a wrong one counts as a wrong sign-in. None for a session
        without an account, or one that is over. Raises NodeError when too many people sign in."""
        signed = self.who(cookie)
        if signed is None or not self.has_account(signed):
            return None
        proved = await self._prove(signed.name, passphrase, client)
        if isinstance(proved, SignInRefused):
            return proved
        return self.who(cookie)  # it may have ended meanwhile

    def earlier_wait_s(self, name: str) -> int:
        """Seconds until a passphrase of before may be tried for what this account has encrypted; 0 if it may now. Counted
        for the account, from wherever: each attempt comes with the present passphrase, which ends all other waits."""
        account = MacAddress(f"account {name_key(name)}")
        return self._throttle.passphrase_wait_s(account, _EARLIER, self._clock.monotonic(), is_own=True)

    def wrong_earlier(self, name: str) -> int:
        """A passphrase of before was wrong: seconds until the next one may be tried."""
        account = MacAddress(f"account {name_key(name)}")
        self._throttle.wrong_passphrase(account, _EARLIER, self._clock.monotonic(), is_own=True)
        return self.earlier_wait_s(name)

    async def set_passphrase(
        self, cookie: str, passphrase: str, current: str, name: str, client: SignInClient, *, stays: bool
    ) -> SignedIn | Finding | SignInRefused | None:
        """Gives the person of this session another passphrase, and an account if they have none; `name` is for a session
        without a name. All their other sessions end, and this one is replaced. A session that began with a passphrase
        needs the `current` one. None when the session is over."""
        signed = self.who(cookie)
        if signed is None:
            return None
        found = self._why_not(signed, passphrase, name)
        if found is not None:
            return found
        chosen = signed if signed.name else Signed(signed.role, " ".join(name.split()), signed.grant)
        account = self._accounts.find(chosen.name)
        if account is not None and not self.is_by_link(cookie):
            proved = await self._prove(chosen.name, current, client)
            if isinstance(proved, SignInRefused):
                return proved
        party = MacAddress(client.network)
        salt = self._random(SALT_BYTES)
        hashed = await self.passphrases.turn(party, lambda: hash_passphrase(passphrase, salt), is_known=True)
        # The account may have been removed, and the session ended, meanwhile.
        if self.who(cookie) is None:
            return None
        found = self._why_not(signed, passphrase, name)
        if found is not None:
            return found
        await self._change(
            signed=admin_sessions.end_of(admin_sessions.sign_out(self._signed, cookie), chosen.name),
            accounts=admin_accounts.with_account(self._accounts, chosen, hashed, self._today()),
            event=self.event(chosen.label, "passphrase-chosen", ""),
        )
        # Or while it was stored.
        kept = self._accounts.find(chosen.name)
        return await self._begin(kept.signed, client, stays=stays) if kept is not None else None

    def _why_not(self, signed: Signed, passphrase: str, name: str) -> Finding | None:
        """Why this passphrase or, for a session without a name, this name cannot be chosen."""
        if not signed.name:
            try:
                admin_sessions.read_signed(signed.role, name)
            except ValueError as error:
                return Finding("name", 0, error.args[0], "")
            if not name.strip():
                return Finding("name", 0, gettext_lazy("Write a name, such as Ana."), "")
            if self._accounts.find(name) is not None:
                return Finding(
                    "name",
                    0,
                    gettext_lazy("There is already an account with this name."),
                    gettext_lazy("choose another name"),
                )
        if not admin_accounts.is_strong(passphrase, signed.name or name):
            return Finding(
                "passphrase",
                0,
                _weak(),
                gettext_lazy("four words that do not belong together are a good passphrase"),
            )
        if admin_accounts.is_full(self._accounts) and self._accounts.find(signed.name or name) is None:
            return Finding(
                "name",
                0,
                gettext_lazy("There are too many accounts."),
                gettext_lazy("remove one that is no longer used"),
            )
        return None

    async def _begin(self, signed: Signed, client: SignInClient, *, stays: bool) -> SignedIn:
        cookie, event = self._token(), self.event(signed.label, "signed-in", client.browser)
        known = client.known
        if not admin_accounts.nonce_of(self._key, signed.name, known):
            known = admin_accounts.known_browser(self._key, signed.name, self._random(NONCE_BYTES).hex())
        if stays:
            today = self._today()
            await self._change(
                accounts=admin_accounts.pair(self._accounts, signed.name, cookie, client.browser, today),
                event=event,
            )
            return SignedIn(cookie, admin_accounts.PAIRING_DAYS, known)
        begun = admin_sessions.begin(self._signed, cookie, signed, self._clock.monotonic())
        await self._change(signed=begun, event=event)
        return SignedIn(cookie, 0, known)

    # --- sessions and accounts ---

    def who(self, cookie: str) -> Signed | None:
        """The identity of a session cookie; None without a valid session."""
        browser = admin_accounts.paired(self._accounts, cookie, self._today())
        if browser is not None:
            account = self._accounts.find(browser.name)
            return None if account is None else account.signed
        return admin_sessions.who(self._signed, cookie, self._clock.monotonic())

    def is_by_link(self, cookie: str) -> bool:
        """Whether the session began with a one-time link."""
        session = admin_sessions.session_of(self._signed, cookie, self._clock.monotonic())
        return session is not None and session.is_by_link

    async def used(self, cookie: str) -> None:
        """A page was opened: recorded once a day for a paired browser."""
        today = self._today()
        browser = admin_accounts.paired(self._accounts, cookie, today)
        if browser is not None:
            await self._change(accounts=admin_accounts.used(self._accounts, browser, today))

    def accounts(self) -> tuple[AdminAccount, ...]:
        """All accounts, by name."""
        return tuple(sorted(self._accounts.accounts, key=lambda each: name_key(each.signed.name)))

    @property
    def admins(self) -> int:
        """How many admins have an account."""
        return self._accounts.admins()

    def has_account(self, signed: Signed) -> bool:
        return bool(signed.name) and self._accounts.find(signed.name) is not None

    def sessions(self, cookie: str) -> tuple[AdminSession, ...]:
        """All sessions and paired browsers; the one of `cookie` has `is_own` set."""
        own, today, now = admin_sessions.token_hash(cookie), self._today(), self._clock.monotonic()
        short = (_session(each, own, now) for each in admin_sessions.valid_sessions(self._signed, now))
        lasting = (self._browser(each, own, today) for each in reversed(self._accounts.browsers))
        return (*short, *(each for each in lasting if each is not None))

    def _browser(self, browser: PairedBrowser, own: str, today: str) -> AdminSession | None:
        days, account = admin_accounts.days_left(browser, today), self._accounts.find(browser.name)
        if days is None or account is None:
            return None
        return AdminSession(
            browser.mark, account.signed, browser.hash == own, 0, days, browser.browser, browser.used_day
        )

    async def end_session(self, mark: str, *, by: Signed | None = None) -> None:
        """Ends the session, or the pairing of the browser, with this mark. `by`: None for the person of the session."""
        ended = next((each.signed.label for each in self.sessions("") if each.mark == mark), "")
        await self._change(
            signed=admin_sessions.end(self._signed, mark),
            accounts=admin_accounts.unpaired(self._accounts, mark),
            event=self.event(by.label, "session-ended", ended) if by is not None and ended else None,
        )

    async def sign_out(self, cookie: str) -> None:
        await self.end_session(admin_sessions.token_hash(cookie)[: admin_sessions.MARK_CHARS])

    async def remove_account(self, name: str, *, by: Signed = CONSOLE) -> Finding | None:
        """Removes an account; its sessions, links and paired browsers end at once."""
        account = self._accounts.find(name)
        if account is None:
            return Finding(
                "name",
                0,
                gettext_lazy("There is no account with this name."),
                gettext_lazy("look at the list again"),
            )
        if account.signed.role == "admin" and self._accounts.admins() == 1:
            return Finding(
                "name",
                0,
                gettext_lazy("This is the only admin with an account."),
                gettext_lazy("make an account for another admin first"),
            )
        await self._change(
            signed=admin_sessions.end_of(self._signed, account.signed.name),
            accounts=admin_accounts.without_account(self._accounts, name),
            event=self.event(by.label, "access-removed", account.signed.label),
        )
        return None

    def _today(self) -> str:
        """Local ISO date; empty while the clock is unknown."""
        day = self._clock.today()
        return "" if day == DAY_UNKNOWN else day

    def _token(self) -> str:
        return admin_sessions.as_token(self._random(TOKEN_BYTES))

    # --- storage ---

    async def _change(
        self,
        *,
        signed: SignIn | None = None,
        accounts: AdminAccounts | None = None,
        event: Event | None = None,
    ) -> None:
        """Both are in force before anything is stored, so that nothing happens between. Sessions are stored first: after
        a power cut between the two, people may have to sign in again, and no session is left that was ended. The event is
        stored with the last of them."""
        changed = []
        if signed is not None and signed != self._signed:
            self._signed = signed
            changed.append(SIGN_IN)
        if accounts is not None and accounts != self._accounts:
            self._accounts = accounts
            changed.append(ACCOUNTS)
        for place, name in enumerate(changed, start=1):
            events = (event,) if event is not None and place == len(changed) else ()
            try:
                # What is in force by then: another change may have been made and stored meanwhile.
                await self._archive.save_state(name, self._text(name), events)
            except StorageTrouble:
                self.keep_events(() if event is None else (event,))
                return  # reported by the control loop, which writes to the same folder each minute

    def _text(self, name: str) -> str:
        if name == SIGN_IN:
            return admin_sessions.to_text(self._signed, self._clock.boot)
        return admin_accounts.to_text(self._accounts)


def _session(session: StoredToken, own: str, now: Monotonic) -> AdminSession:
    hours = -(-(session.ends - now) // 3_600_000)
    return AdminSession(session.hash[: admin_sessions.MARK_CHARS], session.signed, session.hash == own, hours)


def first_account(name: str, passphrase: str, salt: bytes, today: str) -> str:
    """The node state `ACCOUNTS` of a node whose first admin has this name and passphrase. `salt` as in
    `hash_passphrase`; `today` is empty while the clock is unknown. Raises ValueError, with what to write instead."""
    signed = admin_sessions.read_signed("admin", name)
    if not signed.name:
        raise ValueError(gettext_lazy("Write a name, such as Ana."))
    if not admin_accounts.is_strong(passphrase, signed.name):
        raise ValueError(_weak())
    hashed = hash_passphrase(passphrase, salt)
    return admin_accounts.to_text(admin_accounts.with_account(AdminAccounts(), signed, hashed, today))


def _weak() -> str:
    return gettext_lazy(
        "Write {number} characters or more, and neither your name nor one character again and again.",
        number=admin_accounts.PASSPHRASE_CHARS_MIN,
    )
