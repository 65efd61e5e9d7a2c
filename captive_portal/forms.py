"""What a form may bring, and the proof that it came from a page that we gave to that very device a day ago at most."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from captive_portal.probes import normal_host
from node.accounts.device_bindings import DEVICE_NAME_CHARS_MAX
from node.accounts.objections import OBJECTION_CHARS_MAX
from node.units import MacAddress

FIELDS_MAX = 8
SECRET_BYTES_MIN = 16
TOKEN_MINUTES = 24 * 60
"""For how long a page's forms are good; then they come again with what was typed."""
_BOOT_CHARACTERS, _MINUTE_CHARACTERS, _PROOF_CHARACTERS = 4, 6, 22
TOKEN_CHARACTERS = _BOOT_CHARACTERS + _MINUTE_CHARACTERS + _PROOF_CHARACTERS
"""In hexadecimal: which boot, which minute of it, and 88 bits that prove both."""

JOIN, LEAVE, ANSWER, DEVICES, PASSPHRASE, OBJECTION, ERASE, LANGUAGE = PURPOSES = (
    "join",
    "leave",
    "answer",
    "devices",
    "passphrase",
    "contest",
    "erase",
    "language",
)
"""What a token may be good for: one thing each."""

CHARACTERS_MAX: Mapping[str, int] = {
    "token": TOKEN_CHARACTERS,
    "terms": 64,
    "code": 200,  # room for the whole address that a QR code holds
    "card": 1_000,
    "account": 64,
    "passphrase": 128,
    "current": 128,
    "host": 64,
    "name": DEVICE_NAME_CHARS_MAX,
    "number": 9,
    "yes": 6,
    "device": 17,
    "instead_of": 17,
    "rule": 100,
    "text": OBJECTION_CHARS_MAX,
    "lang": 35,
    "back": 1_000,
}
"""The longest text of each field; a longer one came from no form of ours."""

QUERY_CHARACTERS_MAX = 2_048
_QUERY = {
    "code": re.compile(r"[A-Za-z0-9 -]{1,40}"),
    "card": re.compile(r"[A-Za-z0-9._=-]{1,600}"),
    "lang": re.compile(r"[A-Za-z0-9-]{1,35}"),
    "done": re.compile(r"[a-z]{1,20}"),
    "still": re.compile(r"1"),
}
_SHAPE = {
    "token": re.compile(rf"[0-9a-f]{{{TOKEN_CHARACTERS}}}"),
    "lang": re.compile(r"[A-Za-z0-9-]{1,35}"),
    "number": re.compile(r"[0-9]{1,9}"),
    "yes": re.compile(r"yes|no|device|all|hear"),
    "device": re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"),
    "instead_of": re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Form = Mapping[str, str]
"""A sent form whose fields are all there, once each, in their limits and without control characters."""


def read_form(body: bytes, *required: str, also: tuple[str, ...] = ()) -> Form | None:
    """None when a field of `required` is missing, or any is there twice, unknown, too long or no text.

    A token is always required; fields of `also` may be left out.
    """
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        return None
    values = {name: value.replace("\r\n", "\n") for name, value in fields}
    needed = {"token", *required}
    if len(values) != len(fields) or not needed <= values.keys() <= needed | {*also}:
        return None
    return values if all(_fits(name, value) for name, value in values.items()) else None


def _fits(name: str, value: str) -> bool:
    shape = _SHAPE.get(name)
    if shape is not None and not shape.fullmatch(value):
        return False
    control = _CONTROL_IN_TEXT if name == "text" else _CONTROL
    return len(value) <= CHARACTERS_MAX[name] and not control.search(value)


def read_query(query: str) -> Mapping[str, str]:
    """What an address may carry to a page: a code or card to begin with, a language for this once, what was just done.

    Whatever has another shape is as good as not there, so nothing that strangers write into a link is ever shown.
    """
    if not query or len(query) > QUERY_CHARACTERS_MAX:
        return {}
    try:
        fields = parse_qsl(query, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        return {}
    return {name: value for name, value in fields if name in _QUERY and _QUERY[name].fullmatch(value)}


Judgement = Literal["good", "old", "foreign"]
"""Of a token: ours and of the last 24 hours; ours, but older or from before this boot; or not ours at all."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes and judges tokens, at one moment. Time is that since boot, which no clock that is wrong can change; after a
    reboot, and at another node of the community, a token is of unknown age and so counts as old."""

    secret: bytes
    boot: str
    """Names this boot; see `boot_name`."""
    minute: int
    """Since boot."""

    def token(self, purpose: str, mac: MacAddress) -> str:
        """The proof for one device and one purpose. It outlives a restart of the program, as the secret does."""
        return self._signed(f"{self.boot}{self.minute:0{_MINUTE_CHARACTERS}x}", purpose, mac)

    def judge(self, purpose: str, mac: MacAddress, token: str) -> Judgement:
        stamp = token[: _BOOT_CHARACTERS + _MINUTE_CHARACTERS]
        ours = self._signed(stamp, purpose, mac)
        if not hmac.compare_digest(ours.encode("utf-8", "replace"), token.encode("utf-8", "replace")):
            return "foreign"
        made = int(stamp[_BOOT_CHARACTERS:], 16)
        is_young = 0 <= self.minute - made <= TOKEN_MINUTES
        return "good" if stamp.startswith(self.boot) and is_young else "old"

    def _signed(self, stamp: str, purpose: str, mac: MacAddress) -> str:
        proof = hmac.digest(
            self.secret, f"portal|{purpose}|{mac}|{stamp}".encode("utf-8", "replace"), "sha256"
        )
        return stamp + proof.hex()[:_PROOF_CHARACTERS]


def boot_name(boot_id: str) -> str:
    """The part of a token that tells one boot from another."""
    return hashlib.sha256(boot_id.encode()).hexdigest()[:_BOOT_CHARACTERS]


def is_same_origin(host: str, origin: str | None, fetch_site: str | None) -> bool:
    """Whether the browser says, as far as it says anything, that the form stood on our own page.

    Some mini-browsers send ``Origin: null`` for every form; the token alone proves those.
    """
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        return False
    if origin is None or origin == "null":
        return True
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:
        return False
    return normal_host(netloc) == host
