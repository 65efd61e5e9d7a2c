"""Parsing of the voucher order form; errors are reported at their field."""

import pytest

from node.accounts.vouchers import Batch
from node.admin.fields import TypedForm
from node.admin.vouchers import read_order
from node.app.admin_vouchers import VoucherOrder, batch_line
from node.units import Milliseconds

ORDER = {"count": "24", "group": "Day-Pass", "lasts": "2", "unit": "days", "devices": "3", "note": " fair "}


def test_a_valid_order_is_read():
    form = TypedForm(ORDER)
    assert VoucherOrder(24, "day-pass", Milliseconds(2 * 86_400_000), 3, "fair") == read_order(form)
    assert {} == form.errors


def test_another_group_comes_before_the_one_in_the_list():
    assert "school" == read_order(TypedForm({**ORDER, "other_group": "School"})).group


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("count", "0"),
        ("count", "961"),
        ("group", "day pass"),
        ("group", "x" * 41),
        ("group", ""),
        ("other_group", "The School"),
        ("lasts", "401"),
        ("lasts", "0"),
        ("unit", "years"),
        ("devices", "51"),
        ("note", "x" * 201),
    ],
)
def test_an_invalid_order_is_reported_at_its_field(field, typed):
    form = TypedForm({**ORDER, field: typed})
    read_order(form)
    assert [field] == list(form.errors)


def test_a_batch_counts_every_state_also_with_zero():
    line = batch_line(Batch(1, "day-pass", Milliseconds(3_600_000), 0, "", "admin"), {"used": 2, "unused": 1})
    assert (3, "1 hour") == (line.whole, line.lasts)
    assert (("unused", 1), ("used", 2), ("ended", 0), ("revoked", 0)) == line.counts
