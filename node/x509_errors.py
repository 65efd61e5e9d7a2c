"""Exceptions that the library `cryptography` raises for damaged X.509 certificates."""

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm

UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    InternalError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""Many are raised only when a field is read or a name is formatted. KeyError: a name attribute has a string type that
the library does not know. InternalError: OpenSSL accepts the form of a key but not its value."""


def reason(error: BaseException) -> str:
    """The text of one of `UNREADABLE` for an operator; never empty."""
    if isinstance(error, KeyError):
        return f"a name in it has an unknown string type, {error}"
    return str(error) or type(error).__name__
