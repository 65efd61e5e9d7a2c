"""Voucher sheets: 8, 12 or 24 to a page, each voucher with its code, its address and the Wi-Fi."""

from dataclasses import replace

import pytest

from node.accounts.codes import make_code, read_code, shown
from node.accounts.vouchers import Batch
from node.admin.fields import FormView, TypedForm
from node.admin.vouchers import SheetLayout, groups_for, make_sheet, qr_svg, read_layout
from node.app.admin_vouchers import IssuedBatch, span_text
from node.config.model import SiteInfo
from node.units import Milliseconds

SITE = SiteInfo("Vall Alta", "library", "login.vall.example")
VALL = replace(SITE, languages=(("en", "English"), ("ca", "Català")))


def sheet(count: int, network: str = "", per_page: int = 24, site: SiteInfo = SITE):
    codes = tuple(shown(make_code(number.to_bytes(7, "big"), "voucher")) for number in range(count))
    batch = Batch(1, "day-pass", Milliseconds(86_400_000), 3, "2027-03-01", "admin")
    return make_sheet(IssuedBatch(batch, codes), site, SheetLayout(per_page, network, "ca"))


@pytest.mark.parametrize(
    ("count", "per_page", "pages"),
    [
        (1, 24, [1]),
        (24, 24, [24]),
        (25, 24, [24, 1]),
        (48, 24, [24, 24]),
        (960, 24, [24] * 40),
        (24, 12, [12, 12]),
        (24, 8, [8, 8, 8]),
    ],
)
def test_a_page_has_as_many_as_its_size(count, per_page, pages):
    assert pages == [len(page) for page in sheet(count, per_page=per_page).pages]


def test_the_size_the_wifi_and_the_language_are_chosen():
    form = TypedForm({"per_page": "24", "network": "Obert", "lang": "ca"})
    assert SheetLayout(24, "Obert", "ca") == read_layout(form, VALL)
    assert SheetLayout(12, "Vall Alta", "en") == read_layout(TypedForm({}), VALL)
    assert "12" == (view := TypedForm({}), read_layout(view, VALL))[0].view().value("per_page")


@pytest.mark.parametrize(
    ("field", "typed"), [("per_page", "10"), ("per_page", "-8"), ("network", "x" * 33), ("lang", "xx")]
)
def test_an_invalid_layout_is_reported_at_its_field(field, typed):
    form = TypedForm({field: typed})
    read_layout(form, VALL)
    assert [field] == list(form.errors)


def test_the_wifi_of_the_community_is_joined_with_its_password_and_another_without():
    site = replace(SITE, wifi_name="Vall Oberta", wifi_passphrase="8 letters")
    assert ("Vall Oberta", "8 letters") == (sheet(1, site=site).network, sheet(1, site=site).passphrase)
    assert ("Obert", "") == (sheet(1, "Obert", site=site).network, sheet(1, "Obert", site=site).passphrase)


def test_groups_of_the_rules_are_offered_and_the_typed_one_stays():
    assert ["day-pass", "week"] == [name for name, _ in groups_for(("week",), FormView(), is_open=True)]
    typed = FormView({"group": "Day Pass!"})
    assert "Day Pass!" in dict(groups_for(("week",), typed, is_open=True))
    assert ["week"] == [name for name, _ in groups_for(("week",), typed, is_open=False)]


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
