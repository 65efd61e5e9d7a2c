"""Makes deliberately slow operations fast in unit tests, except in their own tests."""

import pytest

from node.accounts import passphrases


@pytest.fixture(autouse=True)
def passphrases_cost_little(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of passphrases use the full cost."""
    if request.path.name != "test_passphrases.py":
        real = passphrases._scrypt
        monkeypatch.setattr(passphrases, "_scrypt", lambda text, salt, *_cost: real(text, salt, 16, 8, 1))
