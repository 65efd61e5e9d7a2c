"""aiohttp is imported without loading the system's certificate authorities, and nothing else is affected."""

import json
import os
import subprocess
import sys

IMPORT = """
import gc, json, os, ssl
from node.cli.commands import without_certificate_authorities
with without_certificate_authorities():
    import aiohttp
contexts = [each for each in gc.get_objects() if isinstance(each, ssl.SSLContext)]
print(json.dumps([[each.cert_store_stats()["x509_ca"] for each in contexts], os.environ.get("SSL_CERT_FILE"),
                  os.environ.get("SSL_CERT_DIR")]))
"""


def imported(**variables: str) -> list[object]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SSL_CERT_")}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT],
        env=environment | variables,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return list(json.loads(done.stdout))


def test_aiohttp_holds_no_authorities_and_the_variables_are_as_they_were() -> None:
    held, file, folder = imported(SSL_CERT_FILE="/etc/ssl/certs/ca-certificates.crt")
    # Once aiohttp creates no SSL context at import, this function is no longer needed.
    assert held
    assert {0} == set(held)
    assert "/etc/ssl/certs/ca-certificates.crt" == file
    assert folder is None


def test_unset_variables_stay_unset() -> None:
    assert [None, None] == imported()[1:]
