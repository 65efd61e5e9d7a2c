"""Letters that a database can hold."""

from typing import Any


def storable(value: Any) -> Any:
    """The same value; half a letter, which no UTF-8 has, becomes a sign for something that could not be read. One row
    that can never be stored would keep all others from being stored."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode(errors="surrogatepass").decode(errors="replace")
