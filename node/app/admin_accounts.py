"""Accounts of admins and issuers: a name and a passphrase each, and the browsers that stay signed in. Only hashes are
stored.

A paired browser stays signed in for PAIRING_DAYS by the civil clock, across restarts. While the clock is unknown no pairing
ends, because a node without a battery starts each time with a wrong date.
"""

import hmac
import json
import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any

from node.accounts.member_passphrases import is_fit
from node.app.admin_sessions import MARK_CHARS, Signed, name_key, read_signed, token_hash
from node.app.issuer_grants import from_list, to_list

PASSPHRASE_CHARS_MIN = 10
"""More than for members: an admin can do everything. The longest is that of members."""
PAIRING_DAYS = 90
ACCOUNTS_MAX = 64
BROWSERS_MAX = 8
"""Of one account; the one unused for longest is forgotten first."""
BROWSER_CHARS_MAX = 60
_HASH = re.compile(r"[0-9a-f]{64}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_NONCE_CHARS = 32
_KNOWN = re.compile(rf"([0-9a-f]{{{_NONCE_CHARS}}})([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class AdminAccount:
    """One admin or issuer."""

    signed: Signed
    """Always with a name."""
    passphrase_hash: str
    """As in `node.accounts.member_passphrases`."""
    since_day: str
    """ISO date; empty while the clock was unknown."""


@dataclass(frozen=True, slots=True)
class PairedBrowser:
    """A browser that stays signed in."""

    hash: str
    """Of its cookie."""
    name: str
    """Of the account."""
    browser: str
    """What its person recognizes it by, such as ``Firefox, Android``."""
    began_day: str
    """ISO date; empty until the clock is known."""
    used_day: str

    @property
    def mark(self) -> str:
        """Start of the cookie's hash; it cannot be used to sign in."""
        return self.hash[:MARK_CHARS]


@dataclass(frozen=True, slots=True)
class AdminAccounts:
    """All accounts, and all paired browsers."""

    accounts: tuple[AdminAccount, ...] = ()
    browsers: tuple[PairedBrowser, ...] = ()

    def find(self, name: str) -> AdminAccount | None:
        """The account of this name; capitals and spaces around it do not matter."""
        wanted = name_key(name)
        return next((each for each in self.accounts if name_key(each.signed.name) == wanted), None)

    def admins(self) -> int:
        return sum(each.signed.role == "admin" for each in self.accounts)


def is_strong(passphrase: str, name: str) -> bool:
    """Whether an admin or issuer of this name may choose it: long enough, and neither the name nor one character again
    and again."""
    text = unicodedata.normalize("NFKC", passphrase)
    return (
        is_fit(passphrase)
        and len(text) >= PASSPHRASE_CHARS_MIN
        and len(set(text.casefold())) > 3
        and name_key(text) != name_key(name)
    )


def with_account(state: AdminAccounts, signed: Signed, passphrase_hash: str, today: str) -> AdminAccounts:
    """Adds an account, or gives the one of this name another passphrase, role and grant. Its browsers are no longer
    paired. At ACCOUNTS_MAX nothing changes: see `is_full`."""
    assert signed.name, "an account needs a name"
    before = state.find(signed.name)
    if before is None and is_full(state):
        return state
    account = AdminAccount(signed, passphrase_hash, before.since_day if before else today)
    left = without_account(state, signed.name)
    return replace(left, accounts=(*left.accounts, account))


def is_full(state: AdminAccounts) -> bool:
    """Whether no further account fits."""
    return len(state.accounts) >= ACCOUNTS_MAX


def with_grant(state: AdminAccounts, signed: Signed) -> AdminAccounts:
    """The account of this name gets the role and grant of `signed`; its passphrase and browsers stay. Without such an
    account nothing changes."""
    found = state.find(signed.name) if signed.name else None
    if found is None:
        return state
    changed = replace(found, signed=replace(signed, name=found.signed.name))
    return replace(state, accounts=tuple(changed if each is found else each for each in state.accounts))


def without_account(state: AdminAccounts, name: str) -> AdminAccounts:
    """Removes the account and its browsers; without such an account nothing changes."""
    wanted = name_key(name)
    return AdminAccounts(
        tuple(each for each in state.accounts if name_key(each.signed.name) != wanted),
        tuple(each for each in state.browsers if name_key(each.name) != wanted),
    )


def pair(state: AdminAccounts, name: str, cookie: str, browser: str, today: str) -> AdminAccounts:
    """The browser with `cookie` stays signed in as the account of this name, which exists."""
    account = state.find(name)
    assert account is not None, "only the browser of an account is paired"
    paired = PairedBrowser(token_hash(cookie), account.signed.name, browser[:BROWSER_CHARS_MAX], today, today)
    own = [each for each in state.browsers if name_key(each.name) == name_key(name)]
    own.sort(key=lambda each: each.used_day or each.began_day)
    dropped = {each.hash for each in own[: max(0, len(own) - BROWSERS_MAX + 1)]}
    kept = tuple(
        each for each in state.browsers if each.hash not in dropped and days_left(each, today) is not None
    )
    return replace(state, browsers=(*kept, paired))


def paired(state: AdminAccounts, cookie: str, today: str) -> PairedBrowser | None:
    """The browser with `cookie`; None when it is not paired, or no longer."""
    wanted = token_hash(cookie)
    found = next((each for each in state.browsers if hmac.compare_digest(each.hash, wanted)), None)
    return found if found is not None and days_left(found, today) is not None else None


def days_left(browser: PairedBrowser, today: str) -> int | None:
    """Days until the pairing ends, PAIRING_DAYS while the clock is or was unknown; None when it is over."""
    if not today or not browser.began_day:
        return PAIRING_DAYS
    # Not negative while the clock is behind: see `used`.
    passed = max(0, (date.fromisoformat(today) - date.fromisoformat(browser.began_day)).days)
    return PAIRING_DAYS - passed if passed < PAIRING_DAYS else None


def used(state: AdminAccounts, browser: PairedBrowser, today: str) -> AdminAccounts:
    """Records the day of use. A pairing that began while the clock was unknown, or ahead, counts from the first day that is
    known to be right: a clock that was years ahead must not make it years longer. The same state when nothing is new, as
    for all but the first use of a day."""
    now = replace(browser, used_day=today, began_day=min(browser.began_day or today, today))
    if not today or now == browser:
        return state
    return replace(
        state, browsers=tuple(now if each.hash == browser.hash else each for each in state.browsers)
    )


def unpaired(state: AdminAccounts, mark: str) -> AdminAccounts:
    """Without the browser of this mark."""
    return replace(state, browsers=tuple(each for each in state.browsers if each.mark != mark))


def known_browser(key: bytes, name: str, nonce: str) -> str:
    """A value by which a browser shows later that this person has signed in on it before (a "device cookie"): it signs
    nobody in. `nonce` is 128 random bits in hexadecimal."""
    assert len(nonce) == _NONCE_CHARS
    return nonce + _mac(key, name, nonce)


def nonce_of(key: bytes, name: str, value: str) -> str:
    """The nonce of a `known_browser` value that was made for this name; empty for any other text."""
    found = _KNOWN.fullmatch(value)
    if found is None or not hmac.compare_digest(_mac(key, name, found[1]), found[2]):
        return ""
    return found[1]


def _mac(key: bytes, name: str, nonce: str) -> str:
    return hmac.new(key, f"{nonce} {name_key(name)}".encode("utf-8", "surrogatepass"), sha256).hexdigest()


def to_text(state: AdminAccounts) -> str:
    """Serializes for storage."""
    accounts = [
        {
            "role": each.signed.role,
            "name": each.signed.name,
            "grant": None if each.signed.grant is None else to_list(each.signed.grant),
            "passphrase": each.passphrase_hash,
            "since": each.since_day,
        }
        for each in state.accounts
    ]
    browsers = [
        [each.hash, each.name, each.browser, each.began_day, each.used_day] for each in state.browsers
    ]
    return json.dumps({"accounts": accounts, "browsers": browsers}, ensure_ascii=False)


def from_text(text: str) -> AdminAccounts:
    """Restores what was stored, without the parts that are damaged."""
    try:
        stored = json.loads(text)
    except ValueError:
        return AdminAccounts()
    if not isinstance(stored, dict):
        return AdminAccounts()
    accounts = (each for each in map(_account, _items(stored, "accounts")) if each is not None)
    state = AdminAccounts(tuple(accounts)[:ACCOUNTS_MAX])
    browsers = (each for each in map(_browser, _items(stored, "browsers")) if each is not None)
    known = tuple(each for each in browsers if state.find(each.name) is not None)
    return replace(state, browsers=known[-ACCOUNTS_MAX * BROWSERS_MAX :])


def _items(stored: dict[str, Any], name: str) -> list[Any]:
    found = stored.get(name)
    return found if isinstance(found, list) else []


def _account(stored: Any) -> AdminAccount | None:
    match stored:
        case {
            "role": str(role),
            "name": str(name),
            "grant": grant,
            "passphrase": str(passphrase_hash),
            "since": str(since),
        } if name and _is_day(since):
            try:
                signed = read_signed(role, name)
            except ValueError:
                return None
            if signed.grant is not None:
                signed = replace(signed, grant=from_list(grant) or signed.grant)
            return AdminAccount(signed, passphrase_hash, since)
    return None


def _browser(stored: Any) -> PairedBrowser | None:
    match stored:
        case [str(mark), str(name), str(browser), str(began), str(used_day)] if (
            _HASH.fullmatch(mark) and _is_day(began) and _is_day(used_day)
        ):
            return PairedBrowser(mark, name, browser[:BROWSER_CHARS_MAX], began, used_day)
    return None


def _is_day(text: str) -> bool:
    if not text:
        return True
    try:
        return bool(_DAY.fullmatch(text)) and bool(date.fromisoformat(text))
    except ValueError:
        return False
