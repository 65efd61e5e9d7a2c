"""The sheet with a recovery key."""

from node.admin.backups import recovery_slip
from node.backup.age import read_recovery_key, recipient_of

SECRET = bytes(range(32))


def test_a_sheet_has_the_key_as_text_and_as_a_qr_code():
    slip = recovery_slip(SECRET, "Vall Alta", "2026-11-29")
    assert SECRET == read_recovery_key(slip.key) == read_recovery_key(slip.address)
    assert recipient_of(SECRET) == slip.public
    assert slip.qr_svg.startswith("<svg")


def test_the_key_is_in_groups_that_people_can_type():
    assert all(len(group) <= 4 for group in recovery_slip(SECRET, "Vall Alta", "2026-11-29").key.split()[1:])
