"""Printed documents: voucher sheets and membership cards from a node's answers, and the sheet with the set-up code."""

import io
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import segno

from node.accounts.vouchers import Batch
from node.admin.backups import PrintedRecoveryKey, recovery_slip
from node.admin.routes import FILTERS
from node.admin.vouchers import SIZE_DEFAULT, SLIPS_A_PAGE, PrintedSheet, SheetLayout, make_sheet
from node.app.admin_vouchers import IssuedBatch
from node.config.model import SiteInfo
from node.errors import NodeError
from node.setup.network_layout import LAN_ADDRESS
from node.setup.pages import CodeSheet
from node.setup.server import setup_renderer
from node.setup.setup_code import shown_code
from node.web.rendering import Renderer
from node.web.translations import SOURCE, read_catalogues

QR_SCALE = 4
"""Pixels for each module of the QR code."""


def check_language(lang: str) -> str:
    """The language to print in; English for an empty one. Raises NodeError for an unknown one."""
    languages = read_catalogues().translations
    if (lang or SOURCE) not in languages:
        raise NodeError(f"there is no language {lang!r:.40}", f"choose one of {', '.join(languages)}")
    return lang or SOURCE


def sheet_layout(*, per_page: str, network: str, lang: str) -> SheetLayout:
    """The layout of a sheet of vouchers; an empty text gives the default. Raises NodeError for an unknown size or
    language."""
    size = SLIPS_A_PAGE.get(per_page or SIZE_DEFAULT)
    if size is None:
        raise NodeError(
            f"there is no sheet with {per_page!r:.40} vouchers on a page",
            f"choose one of {', '.join(SLIPS_A_PAGE)}",
        )
    return SheetLayout(size, network, check_language(lang))


def sheet(answer: Mapping[str, Any], layout: SheetLayout) -> bytes:
    """HTML page from the answer to ``vouchers-issue``."""
    issued = IssuedBatch(Batch(**answer["batch"]), tuple(answer["codes"]))
    place = SiteInfo(**{**answer["place"], "zones": (), "languages": ()})
    slips = make_sheet(issued, place, layout)
    page = PrintedSheet(slips, issued.batch, len(issued.codes))
    return _renderer().render(page, layout.lang)


def code_sheet(code: str, lang: str) -> bytes:
    """HTML page with the code of the set-up in a browser, in a language that `check_language` returned."""
    page = CodeSheet(shown_code(code), f"http://{LAN_ADDRESS}/")
    return setup_renderer().render(page, lang)


def card_picture(answer: Mapping[str, Any]) -> bytes:
    """SVG of the QR code from the answer to ``members-card``."""
    picture = io.BytesIO()
    segno.make(answer["address"], error="m", micro=False).save(picture, kind="svg", scale=QR_SCALE)
    return picture.getvalue()


def invite_picture(word: str) -> bytes:
    """SVG of the QR code of an invite: a link to the set-up page of a new node."""
    picture = io.BytesIO()
    link = f"http://{LAN_ADDRESS}/?invite={word}"
    segno.make(link, error="l", micro=False).save(picture, kind="svg", scale=QR_SCALE)
    return picture.getvalue()


def recovery_sheet(secret: bytes, community: str, made: datetime, *, lang: str) -> bytes:
    """HTML page with a recovery key, in a language that `check_language` returned."""
    page = PrintedRecoveryKey(recovery_slip(secret, community, made.date().isoformat()), lang)
    return _renderer().render(page, lang)


def _renderer() -> Renderer:
    return Renderer("node.admin", read_catalogues().translations, FILTERS)
