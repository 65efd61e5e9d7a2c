"""Voucher sheets: 24 to a page, each with its code and its address."""

import pytest

from node.accounts.codes import make_code, read_code, shown
from node.accounts.vouchers import Batch
from node.admin.vouchers import make_sheet, qr_svg
from node.app.admin_vouchers import IssuedBatch, span_text
from node.config.model import SiteInfo
from node.units import Milliseconds

SITE = SiteInfo("Vall Alta", "library", "login.vall.example")


def sheet(count: int, network: str = ""):
    codes = tuple(shown(make_code(number.to_bytes(7, "big"), "voucher")) for number in range(count))
    batch = Batch(1, "day-pass", Milliseconds(86_400_000), 3, "2027-03-01", "admin")
    return make_sheet(IssuedBatch(batch, codes), SITE, network=network, lang="ca")


@pytest.mark.parametrize(
    ("count", "pages"), [(1, [1]), (24, [24]), (25, [24, 1]), (48, [24, 24]), (960, [24] * 40)]
)
def test_a_page_has_twenty_four(count, pages):
    assert pages == [len(page) for page in sheet(count).pages]


def test_the_address_on_a_voucher_is_read_back_as_its_code():
    (slip,) = sheet(1).pages[0]
    assert f"http://login.vall.example/?code={slip.code}" == slip.address
    assert read_code(slip.address) == read_code(slip.code)


def test_a_network_without_a_name_has_the_communitys():
    assert ("Vall Alta", "Vall free") == (sheet(1).network, sheet(1, "Vall free").network)
    assert "login.vall.example" == sheet(1).portal


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (600_000, "10 minutes"),
        (3_600_000, "1 hour"),
        (5_400_000, "90 minutes"),
        (86_400_000, "1 day"),
        (90_000_000, "25 hours"),
        (30 * 86_400_000, "30 days"),
    ],
)
def test_a_time_is_given_in_its_largest_whole_unit(milliseconds, said):
    assert said == span_text(Milliseconds(milliseconds))


def test_a_qr_code_needs_no_external_resource():
    drawn = qr_svg("http://login.vall.example/?code=7K3M-9Q2W-4X1Z")
    assert drawn.startswith("<svg")
    assert "style=" not in drawn
    assert "href" not in drawn
