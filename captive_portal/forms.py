"""Form parsing, and tokens which prove that a form comes from a page given to that device within the last 24
hours."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from node.accounts.device_bindings import DEVICE_NAME_CHARS_MAX
from node.accounts.objections import OBJECTION_CHARS_MAX
from node.governance.canonical_form import FINGERPRINT_CHARS
from node.units import MacAddress

FIELDS_MAX = 8
SECRET_BYTES_MIN = 16
TOKEN_MINUTES = 24 * 60
"""Lifetime of form tokens; an older form is shown again with the typed values."""
_BOOT_CHARACTERS, _MINUTE_CHARACTERS, _PROOF_CHARACTERS = 4, 6, 22
TOKEN_CHARACTERS = _BOOT_CHARACTERS + _MINUTE_CHARACTERS + _PROOF_CHARACTERS
"""In hexadecimal digits: the boot, the minute since boot, and an 88-bit HMAC of both."""

JOIN, LEAVE, ANSWER, DEVICES, PASSPHRASE, OBJECTION, RULES, ERASE, LANGUAGE = PURPOSES = (
    "join",
    "leave",
    "answer",
    "devices",
    "passphrase",
    "contest",
    "rules",
    "erase",
    "language",
)
"""What a token can be used for: one purpose each."""

CHARACTERS_MAX: Mapping[str, int] = {
    "token": TOKEN_CHARACTERS,
    "terms": 64,
    "code": 200,  # a scanned QR code holds a whole URL
    "card": 1_000,
    "account": 64,
    "passphrase": 128,
    "current": 128,
    "host": 64,
    "name": DEVICE_NAME_CHARS_MAX,
    "number": 9,
    "shown": FINGERPRINT_CHARS,
    "yes": 6,
    "device": 17,
    "instead_of": 17,
    "rule": 100,
    "text": OBJECTION_CHARS_MAX,
    "lang": 35,
    "back": 1_000,
    "gateway": 4_096,
}
"""Maximum length of each field; a longer one does not come from the portal's own forms."""

QUERY_CHARACTERS_MAX = 2_048
KEPT_FIELDS = ("code", "card", "version")
"""Of a query, what stays when the language is changed."""
_QUERY = {
    "code": re.compile(r"[A-Za-z0-9 -]{1,40}"),
    "version": re.compile(r"[0-9]{1,9}"),
    "card": re.compile(r"[A-Za-z0-9._=-]{1,600}"),
    "lang": re.compile(r"[A-Za-z0-9-]{1,35}"),
    "done": re.compile(r"[a-z]{1,20}"),
    "still": re.compile(r"1"),
}
_SHAPE = {
    "token": re.compile(rf"[0-9a-f]{{{TOKEN_CHARACTERS}}}"),
    "lang": re.compile(r"[A-Za-z0-9-]{1,35}"),
    "number": re.compile(r"[0-9]{1,9}"),
    "shown": re.compile(rf"[0-9a-f]{{{FINGERPRINT_CHARS}}}"),
    "yes": re.compile(r"yes|no|device|all|hear"),
    "device": re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"),
    "instead_of": re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}"),
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

Form = Mapping[str, str]
"""A parsed form: all fields present, once each, within their limits and without control characters."""


def read_form(body: bytes, *required: str, also: tuple[str, ...] = ()) -> Form | None:
    """Parses a form; None when a field of `required` is missing, or any is repeated, unknown, too long or
    malformed.

    A token is always required; fields of `also` are optional.
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
    """Query fields that a page accepts: a code or card, a version of the rules, a language for one page, what was just done.

    A field with any other content is dropped, so a page never shows text that a link brought.
    """
    if len(query) > QUERY_CHARACTERS_MAX:
        return {}
    try:
        fields = parse_qsl(query, errors="strict", max_num_fields=FIELDS_MAX)
    except ValueError:
        return {}
    return {name: value for name, value in fields if name in _QUERY and _QUERY[name].fullmatch(value)}


Judgement = Literal["good", "old", "foreign"]
"""Result for a token: valid and at most 24 hours old; signed here, but older or of another boot; or not
signed here."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Signs and checks tokens at one moment. Age is time since boot, which a wrong clock cannot change; after
    a reboot, or at another node of the community, the age is unknown and a token counts as old."""

    secret: bytes
    boot: str
    """Identifies this boot; see `boot_name`."""
    minute: int
    """Minutes since boot."""
    former: tuple[bytes, ...] = ()
    """Secrets of before: their tokens are old, so that an open page is shown again and nothing is lost."""

    def token(self, purpose: str, mac: MacAddress) -> str:
        """Token for one device and one purpose. It stays valid over a restart of the program, as the secret
        does."""
        return _signed(self.secret, f"{self.boot}{self.minute:0{_MINUTE_CHARACTERS}x}", purpose, mac)

    def judge(self, purpose: str, mac: MacAddress, token: str) -> Judgement:
        stamp = token[: _BOOT_CHARACTERS + _MINUTE_CHARACTERS]
        given = token.encode("utf-8", "replace")
        signers = [
            secret
            for secret in (self.secret, *self.former)
            if hmac.compare_digest(_signed(secret, stamp, purpose, mac).encode("utf-8", "replace"), given)
        ]
        if self.secret not in signers:
            return "old" if signers else "foreign"
        made = int(stamp[_BOOT_CHARACTERS:], 16)
        is_young = 0 <= self.minute - made <= TOKEN_MINUTES
        return "good" if stamp.startswith(self.boot) and is_young else "old"


def _signed(secret: bytes, stamp: str, purpose: str, mac: MacAddress) -> str:
    proof = hmac.digest(secret, f"portal|{purpose}|{mac}|{stamp}".encode("utf-8", "replace"), "sha256")
    return stamp + proof.hex()[:_PROOF_CHARACTERS]


def boot_name(boot_id: str) -> str:
    """The part of a token that identifies the boot."""
    return hashlib.sha256(boot_id.encode()).hexdigest()[:_BOOT_CHARACTERS]
