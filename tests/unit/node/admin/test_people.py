"""An account as a row of a list."""

import pytest

from node.admin.fields import long_ago
from node.admin.people import WAY_WORDS, person_line
from node.app.admin_people import PersonRow
from node.governance.rules import WAYS
from node.units import AccountId, BitsPerSecond, Bytes, Rates

RATE = Rates(BitsPerSecond(14_200_000), BitsPerSecond(310_000))


def test_an_account_is_shown_with_its_usage_and_join_method():
    line = person_line(
        PersonRow(
            AccountId("ana"), "Ana", "member", 2, RATE, Bytes(1_400_000_000), 7_300, ("card", "voucher")
        )
    )
    assert ("14.2 Mbit/s", "310 kbit/s", "1.4 GB", "2 h", "membership card, voucher") == (
        line.down,
        line.up,
        line.used_month,
        line.since,
        line.ways,
    )


def test_an_inactive_account_has_no_session_time():
    row = PersonRow(AccountId("ana"), "", "member", 0, RATE, Bytes(0), None, ())
    assert "" == person_line(row).since


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_199, "119 min"), (7_200, "2 h"), (172_800, "2 days")],
)
def test_a_time_is_given_in_one_unit(seconds, said):
    assert said == long_ago(seconds)


def test_every_join_method_has_a_label():
    assert set(WAYS) == set(WAY_WORDS)
