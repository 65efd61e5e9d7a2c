"""What a form may bring, and the proof that it came from the page that we gave to that very device."""

import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from captive_portal.probes import normal_host
from node.units import MacAddress

FIELDS_MAX = 8
SECRET_BYTES_MIN = 16
TOKEN_CHARACTERS = 32
"""128 bits in hexadecimal."""
TERMS_VERSION_CHARACTERS_MAX = 64

JOIN, LEAVE = "join", "leave"


@dataclass(frozen=True, slots=True)
class Form:
    """A sent form: its proof, and the version of the terms that the person saw."""

    token: str
    terms_version: str


def read_form(body: bytes) -> Form | None:
    """None when a field is missing, there twice, too long or no text."""
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
    values = dict(fields)
    if len(values) != len(fields) or not {"token", "terms"} <= values.keys():
        return None
    form = Form(values["token"], values["terms"])
    if len(form.token) != TOKEN_CHARACTERS or len(form.terms_version) > TERMS_VERSION_CHARACTERS_MAX:
        return None
    return form


def token_for(secret: bytes, purpose: str, mac: MacAddress) -> str:
    """The proof for one device and one purpose. It outlives a restart, as the secret does."""
    return hmac.digest(secret, f"portal|{purpose}|{mac}".encode(), "sha256").hex()[:TOKEN_CHARACTERS]


def is_token(secret: bytes, purpose: str, mac: MacAddress, token: str) -> bool:
    return hmac.compare_digest(token_for(secret, purpose, mac).encode(), token.encode("utf-8", "replace"))


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
