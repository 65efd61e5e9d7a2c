"""Voucher sheets for printing: 24 on a page, each with its code as text and as a QR code."""

from dataclasses import dataclass

from node.accounts.vouchers import Batch
from node.admin.routes import PageLayout
from node.app.admin import SiteInfo
from node.app.admin_vouchers import IssuedBatch, Span, span

SLIPS_A_PAGE = 24
"""Three columns of eight rows on A4."""
NETWORK_CHARS_MAX = 32
"""Maximum length of an SSID."""


@dataclass(frozen=True, slots=True)
class VoucherSlip:
    """One voucher on paper."""

    code: str
    address: str

    @property
    def qr_svg(self) -> str:
        """QR code of the URL, made when it is shown."""
        return qr_svg(self.address)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All pages of one batch, in the language of its users."""

    pages: tuple[tuple[VoucherSlip, ...], ...]
    network: str
    portal: str
    """URL to type by hand, without ``http://``."""
    lasts: Span
    devices_max: int
    community: str
    lang: str


@dataclass(frozen=True, slots=True)
class SheetPage:
    """The voucher codes, shown once, as an admin page. Only the slips are printed."""

    template = "sheet.html"
    frame: PageLayout
    sheet: Sheet
    batch: Batch
    count: int


@dataclass(frozen=True, slots=True)
class PrintedSheet:
    """The same as a separate document."""

    template = "sheet_alone.html"
    sheet: Sheet
    batch: Batch
    count: int


def make_sheet(issued: IssuedBatch, site: SiteInfo, *, network: str, lang: str) -> Sheet:
    """Lays out `issued` on pages. Rendering a slip takes 3 ms."""
    slips = [VoucherSlip(code, f"{site.portal}/?code={code}") for code in issued.codes]
    return Sheet(
        pages=tuple(tuple(slips[at : at + SLIPS_A_PAGE]) for at in range(0, len(slips), SLIPS_A_PAGE)),
        network=network or site.community,
        portal=site.portal.partition("://")[2],
        lasts=span(issued.batch.lasts_ms),
        devices_max=issued.batch.devices_max,
        community=site.community,
        lang=lang,
    )


def qr_svg(text: str) -> str:
    """A QR code as SVG that fills its container; dark on light regardless of the page's colours."""
    # Imported only when needed: a small board prints vouchers once a week, and has little memory.
    import segno  # noqa: PLC0415

    code = segno.make(text, error="m", micro=False)
    return str(code.svg_inline(omitsize=True, border=2, dark="#000", light="#fff", svgclass="square"))
