"""Replaces lone surrogates, which SQLite cannot store as UTF-8."""

from typing import Any


def storable(value: Any) -> Any:
    """The value unchanged, or a text with U+FFFD for each lone surrogate. One row that cannot be stored would
    block all others in its transaction."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode(errors="surrogatepass").decode(errors="replace")
