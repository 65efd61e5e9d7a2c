"""Printed documents from a node's answers: voucher sheets and membership cards."""

import io
from collections.abc import Mapping
from typing import Any

import segno

from node.accounts.vouchers import Batch
from node.admin.routes import FILTERS
from node.admin.vouchers import PrintedSheet, make_sheet
from node.app.admin_vouchers import IssuedBatch
from node.config.model import SiteInfo
from node.errors import NodeError
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


def sheet(answer: Mapping[str, Any], *, network: str, lang: str) -> bytes:
    """HTML page from the answer to ``vouchers-issue``, in a language that `check_language` returned."""
    issued = IssuedBatch(Batch(**answer["batch"]), tuple(answer["codes"]))
    place = SiteInfo(**{**answer["place"], "zones": (), "languages": ()})
    slips = make_sheet(issued, place, network=network, lang=lang)
    page = PrintedSheet(slips, issued.batch, len(issued.codes))
    return Renderer("node.admin", read_catalogues().translations, FILTERS).render(page, lang)


def card_picture(answer: Mapping[str, Any]) -> bytes:
    """SVG of the QR code from the answer to ``members-card``."""
    picture = io.BytesIO()
    segno.make(answer["address"], error="m", micro=False).save(picture, kind="svg", scale=QR_SCALE)
    return picture.getvalue()
