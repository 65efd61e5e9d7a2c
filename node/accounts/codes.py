"""Codes that people type: Crockford's base32 with one check character.

The check is a weighted sum over GF(32) with a different weight for each position. It detects every single
wrong character and every swap of two, so a typing error is not counted as a guess.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

CodeKind = Literal["voucher", "device"]

CODE_CHARS: dict[CodeKind, int] = {"voucher": 12, "device": 10}
"""Including the check character at the end; the other characters are random: 55 and 45 bits."""
TYPED_CHARS_MAX = 300
"""Of the typed or scanned text, including a URL around the code."""
RANDOM_BYTES: dict[CodeKind, int] = {"voucher": 7, "device": 6}

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of all codes: no I, L, O and U."""
_VALUE = {letter: value for value, letter in enumerate(ALPHABET)}
# Characters outside the alphabet, read as the character they resemble.
_VALUE |= {"O": _VALUE["0"], "I": _VALUE["1"], "L": _VALUE["1"], "U": _VALUE["V"]}
_GROUPS: dict[CodeKind, int] = {"voucher": 4, "device": 5}
_KINDS: dict[int, CodeKind] = {chars: kind for kind, chars in CODE_CHARS.items()}
_IN_ADDRESS = re.compile(r"[?&]code=([^&#\s]*)", re.IGNORECASE)
_FIELD_POLYNOMIAL = 0b100101
"""x^5 + x^2 + 1, for which x generates all nonzero elements of GF(32)."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code with a correct check character, in canonical spelling."""

    kind: CodeKind
    text: str


@dataclass(frozen=True, slots=True)
class Mistyped:
    """The text is not a code, and why."""

    why: Literal["characters", "length", "check"]


def make_code(random_bytes: bytes, kind: CodeKind) -> Code:
    """Encode random bytes as a code; needs exactly RANDOM_BYTES[kind] bytes."""
    assert len(random_bytes) == RANDOM_BYTES[kind], "a code needs its own number of random bytes"
    number = int.from_bytes(random_bytes, "big")
    values = [number >> 5 * place & 31 for place in range(CODE_CHARS[kind] - 1)]
    return Code(kind, "".join(ALPHABET[value] for value in [*values, _check(values)]))


def read_code(typed: str) -> Code | Mistyped:
    """Read a typed or scanned code: any case, spaces and dashes ignored, O read as 0, I and L as 1; alone or
    in a URL as ``?code=``. Never raises."""
    letters = read_letters(typed)
    if isinstance(letters, Mistyped):
        return letters
    kind = _KINDS.get(len(letters))
    if kind is None:
        return Mistyped("length")
    values = [_VALUE[letter] for letter in letters]
    if _check(values[:-1]) != values[-1]:
        return Mistyped("check")
    return Code(kind, letters)


def read_letters(typed: str) -> str | Mistyped:
    """The characters of a typed or scanned code in canonical spelling, of any number and without a check. Never
    raises."""
    if len(typed) > TYPED_CHARS_MAX:
        return Mistyped("length")
    found = _IN_ADDRESS.search(typed)
    plain = unicodedata.normalize("NFKC", unquote(found[1]) if found else typed).upper()
    letters = [
        letter
        for letter in plain
        if not letter.isspace() and letter not in "_.+" and unicodedata.category(letter) not in {"Pd", "Cf"}
    ]
    if any(letter not in _VALUE for letter in letters):
        return Mistyped("characters")
    return "".join(ALPHABET[_VALUE[letter]] for letter in letters)


def shown(code: Code) -> str:
    """In groups for reading: ``7K3M-9Q2W-4X1Z`` is a voucher, ``K7M2Q-9XW4T`` a device code."""
    size = _GROUPS[code.kind]
    return "-".join(code.text[at : at + size] for at in range(0, len(code.text), size))


def _check(values: list[int]) -> int:
    total = 0
    for value in values:
        total = (total ^ value) << 1  # times x
        if total & 32:
            total ^= _FIELD_POLYNOMIAL
    return total
