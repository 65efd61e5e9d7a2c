"""Damaged certificates of nodes."""

import pytest

from mesh import node_certificates
from tests.fakes.neighbours import key_of


# The library warns about certificates that it reads although they break RFC 5280.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_no_single_changed_byte_of_a_certificate_raises() -> None:
    """Every byte; among them the key algorithm, so that 32 bytes are called an Ed448 key, which OpenSSL refuses
    only when the key is read.
    """
    leaf = node_certificates.leaf_certificate(key_of("hill"))
    for place in range(len(leaf)):
        for byte in range(256):
            damaged = leaf[:place] + bytes([byte]) + leaf[place + 1 :]
            node = node_certificates.node_id_from_certificate(damaged)
            assert node is None or isinstance(node, str)
