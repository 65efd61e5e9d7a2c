"""Statements about a community that one or several keys signed: canonical text, and its signatures. See PROTOCOL.md.

A statement is valid wherever it is found: it does not matter which node passed it on, or when.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mesh.page_format import Malformed, canonical, fits, list_of, parse_object
from node.identity import SIGNATURE_BYTES, is_node_id, own_node_id, sign, verify
from node.units import NodeId

TEXT_BYTES_MAX = 16 * 1024
FILE_TEXT_BYTES_MAX = 48_000
"""Of a version of a file, which has the file in it."""
SIGNATURES_MAX = 140
"""Two sets of 64 admins and three recovery keys."""
NAMES_CACHED = 4096
"""A node compares the names of all that it holds each time that something is new."""
FILE_KIND = "file"
STATEMENT_KINDS = ("community", "membership", "invite", "use", FILE_KIND)

_FILE_MARK = f'"is":"{FILE_KIND}"'
_SIGNATURE = re.compile(rf"[0-9a-f]{{{2 * SIGNATURE_BYTES}}}")

type Signature = tuple[NodeId, bytes]


@dataclass(frozen=True, slots=True)
class SignedStatement:
    """One statement. `text` is kept and passed on as it was signed."""

    kind: str
    text: bytes
    signatures: tuple[Signature, ...]
    """Sorted by key, each key once."""

    @property
    def hash(self) -> str:
        """64 hexadecimal digits over what was signed; signatures do not change it."""
        return statement_hash(self.kind, self.text)

    @property
    def name(self) -> str:
        """16 hexadecimal digits over the text and the signatures: equal for two nodes that hold the same."""
        # A version of a file is large: the cache would keep many that were replaced.
        return _name_of.__wrapped__(self) if self.kind == FILE_KIND else _name_of(self)

    @property
    def signers(self) -> frozenset[NodeId]:
        return frozenset(key for key, _ in self.signatures)

    def fields(self) -> dict[str, Any]:
        """The parsed text, which `read_statement` has checked."""
        found = parse_object(self.text)
        assert isinstance(found, dict), "it was one when it was read"
        return found


@lru_cache(maxsize=NAMES_CACHED)
def _name_of(statement: SignedStatement) -> str:
    return hashlib.sha256(canonical(as_json(statement))).hexdigest()[:16]


def statement_hash(kind: str, text: bytes) -> str:
    return hashlib.sha256(b"procomu " + kind.encode() + b"\0" + text).hexdigest()


def make_statement(
    kind: str, fields: Mapping[str, Any], keys: Iterable[Ed25519PrivateKey]
) -> SignedStatement:
    """A statement signed by each of these keys."""
    text = canonical({**fields, "is": kind, "v": 1})
    return add_signatures(SignedStatement(kind, text, ()), keys)


def add_signatures(statement: SignedStatement, keys: Iterable[Ed25519PrivateKey]) -> SignedStatement:
    context = _context(statement.kind)
    made = {own_node_id(key): sign(key, context, statement.text) for key in keys}
    return replace(statement, signatures=_sorted({**dict(statement.signatures), **made}.items()))


def merged(one: SignedStatement, other: SignedStatement) -> SignedStatement:
    """The same text with the signatures of both; of two by one key the lower, so that all nodes keep the same."""
    assert (one.kind, one.text) == (other.kind, other.text)
    found = dict(one.signatures)
    for key, signature in other.signatures:
        found[key] = min(signature, found.get(key, signature))
    return replace(one, signatures=_sorted(found.items()))


def only_of(statement: SignedStatement, keys: frozenset[NodeId]) -> SignedStatement:
    """Without the signatures of other keys: anyone can add these, and there is no end of them."""
    return replace(statement, signatures=tuple(each for each in statement.signatures if each[0] in keys))


def are_signatures_valid(statement: SignedStatement) -> bool:
    context = _context(statement.kind)
    return all(verify(key, context, statement.text, signature) for key, signature in statement.signatures)


def as_json(statement: SignedStatement) -> dict[str, Any]:
    """For a frame, a file or the control socket; `read_statement` reads it."""
    signatures = [[key, signature.hex()] for key, signature in statement.signatures]
    return {"text": statement.text.decode(), "signatures": signatures}


def read_statement(value: object) -> SignedStatement | Malformed:
    """Checks the form only; the signatures are not verified. Never raises, whatever was received."""
    text, listed = (value.get("text"), value.get("signatures")) if isinstance(value, dict) else (None, None)
    signatures = list_of(listed, SIGNATURES_MAX)
    if not isinstance(text, str) or not signatures:
        return Malformed("a statement is a text with its signatures")
    most = FILE_TEXT_BYTES_MAX if _FILE_MARK in text else TEXT_BYTES_MAX
    if len(text) > most or len(encoded := text.encode(errors="replace")) > most:
        return Malformed(f"a statement larger than {most} bytes")
    if not all(_is_signature(each) for each in signatures):
        return Malformed("a signature is not [key, signature in hexadecimal]")
    fields = parse_object(encoded)
    kind = fields.get("is") if isinstance(fields, dict) else None
    if not isinstance(fields, dict) or kind not in STATEMENT_KINDS or fields.get("v") != 1:
        return Malformed("not a statement of this version")
    if kind != FILE_KIND and len(encoded) > TEXT_BYTES_MAX:
        return Malformed(f"a statement larger than {TEXT_BYTES_MAX} bytes")
    if not _is_canonical(fields, encoded):
        return Malformed("its text is not in canonical form")
    found = _sorted((NodeId(key), bytes.fromhex(signature)) for key, signature in signatures)
    if len({key for key, _ in found}) != len(found):
        return Malformed("a key signs twice")
    return SignedStatement(str(kind), encoded, found)


def _is_canonical(fields: dict[str, Any], text: bytes) -> bool:
    try:
        return canonical(fields) == text
    except (ValueError, RecursionError):  # a number without a form in JSON, a lone surrogate, or too deep
        return False


def _is_signature(value: object) -> bool:
    if not (isinstance(value, list) and len(value) == 2 and fits(value[1], _SIGNATURE)):
        return False
    return isinstance(value[0], str) and is_node_id(value[0])


def _sorted(signatures: Iterable[Signature]) -> tuple[Signature, ...]:
    return tuple(sorted(signatures))


def _context(kind: str) -> bytes:
    return f"{kind}/1".encode()
