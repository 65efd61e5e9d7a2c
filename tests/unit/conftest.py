"""Makes deliberately slow operations fast in unit tests, except in their own tests."""

import pytest

from tests.fakes.use_cases import make_passphrases_cheap


@pytest.fixture(autouse=True)
def passphrases_cost_little(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests of passphrases use the full cost."""
    if request.path.name != "test_passphrases.py":
        make_passphrases_cheap(monkeypatch)
