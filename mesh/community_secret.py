"""The numbered secrets of a community. Number 1 is what the community began with; versions of its record name the later ones
by their commitments, in the order of the chain, and the last of them is in force.

A commitment proves that a secret is the right one and does not tell it.
"""

import hashlib

LATER_SECRET_BYTES = 32
SECRETS_MAX = 256
"""Kept by one node: each needs a version of the record."""
FIRST_NUMBER = 1


def commitment_of(secret: bytes) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(b"procomu community secret\0" + secret).hexdigest()
