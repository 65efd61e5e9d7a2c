"""What the library `cryptography` raises of damaged X.509 certificates: listed once for all that read some."""

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
"""Much of it is raised only when a part is asked for, or when names are written into a message. KeyError: an attribute of
a name has a string type that the library does not know. InternalError: OpenSSL takes the form of a key and not its
value."""


def reason(error: BaseException) -> str:
    """One of `UNREADABLE` as words for an operator; never empty."""
    if isinstance(error, KeyError):
        return f"a name in it has an unknown string type, {error}"
    return str(error) or type(error).__name__
