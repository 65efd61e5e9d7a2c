"""Reads a question of respondd and writes its answer.

``GET nodeinfo statistics`` asks for several documents: one JSON object, as raw DEFLATE (RFC 1951). A bare name asks for one:
its JSON, not compressed, which newer collectors no longer use.
"""

import json
import zlib
from collections.abc import Callable, Mapping

from node.export.respondd import Document

REQUEST_BYTES_MAX = 256
ANSWER_BYTES_MAX = 1_232
"""One packet over any IPv6 link (1,280 bytes with headers). Fragments are what many links lose."""
KEPT_S: Mapping[str, float] = {"nodeinfo": 300.0, "neighbours": 10.0, "statistics": 5.0}
"""How long a document is repeated as it is, as in Gluon."""
_GET = "GET "


class RespondedAnswers:
    """`documents` makes each document as it is now."""

    def __init__(self, documents: Mapping[str, Callable[[], Document]]) -> None:
        self._documents = documents
        self._kept: dict[str, tuple[float, Document]] = {}

    def answer(self, request: bytes, now_s: float) -> bytes:
        """Empty for what is no question, asks for nothing that is known, or would not fit in one packet."""
        names, is_single = asked(request)
        known = [name for name in names if name in self._documents]
        if not known:
            return b""
        if is_single:
            written = _json(self._document(known[0], now_s))
        else:
            written = deflated(_json({name: self._document(name, now_s) for name in known}))
        return written if len(written) <= ANSWER_BYTES_MAX else b""

    def _document(self, name: str, now_s: float) -> Document:
        until, document = self._kept.get(name, (0.0, {}))
        if not document or now_s >= until:
            document = self._documents[name]()
            self._kept[name] = (now_s + KEPT_S[name], document)
        return document


def asked(request: bytes) -> tuple[tuple[str, ...], bool]:
    """The names in a question, each once, and whether it is the single form."""
    if len(request) > REQUEST_BYTES_MAX or not request.isascii():
        return (), False
    text = request.rstrip(b"\0\r\n ").decode("ascii")
    if text.startswith(_GET):
        return tuple(dict.fromkeys(text.removeprefix(_GET).split(" "))), False
    return (text,), True


def deflated(data: bytes) -> bytes:
    """Without the header and checksum of zlib."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


def _json(document: Document) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
