"""Each refusal names a field of the form and says what to do."""

import pytest

from node.app import signing_refusals as refusals
from node.errors import Finding

FIELDS = {"passphrase", "earlier", "community", "invite", "address", "admin"}
ALL = [
    refusals.earlier_passphrase(),
    refusals.no_account(),
    refusals.no_key(),
    refusals.no_key("admin"),
    refusals.key_is_there(),
    refusals.not_admin_yet(),
    refusals.no_record(),
    refusals.already_followed(),
    refusals.offered_already(),
    refusals.no_such_record(),
    refusals.no_such_invite(),
    refusals.no_address(),
    refusals.no_such_admin(),
    refusals.not_oneself(),
    refusals.not_again("used"),
    refusals.not_again("stale"),
    refusals.too_few_votes(2),
    refusals.not_possible("a signature is wrong"),
]


@pytest.mark.parametrize("finding", ALL, ids=lambda finding: str(finding.message))
def test_it_says_what_to_do_at_its_field(finding: Finding) -> None:
    assert finding.code in FIELDS
    assert finding.message.endswith(".") or "signature is wrong" in finding.message
    assert finding.fix
    assert not finding.fix.endswith(".")


@pytest.mark.parametrize(
    ("wait_s", "field", "said"),
    [
        (0, "passphrase", "This is not your passphrase."),
        (0, "earlier", "This passphrase does not open your key."),
        (1, "passphrase", "Too many wrong attempts. Try again in 1 minute."),
        (61, "earlier", "Too many wrong attempts. Try again in 2 minutes."),
    ],
)
def test_a_wrong_passphrase_says_how_long_to_wait(wait_s: int, field: str, said: str) -> None:
    finding = refusals.wrong_passphrase(wait_s, field)
    assert (field, said) == (finding.code, finding.message)
