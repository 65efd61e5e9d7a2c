"""Unit tests are asked for again and again: what is slow on purpose is quick here, except where that is tested."""

import pytest

from node.accounts import passphrases


@pytest.fixture(autouse=True)
def passphrases_cost_little(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own tests pay the whole price."""
    if request.path.name != "test_passphrases.py":
        real = passphrases._scrypt
        monkeypatch.setattr(passphrases, "_scrypt", lambda text, salt, *_cost: real(text, salt, 16, 8, 1))
