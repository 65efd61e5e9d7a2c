"""Alerts to a webhook: one POST of JSON each, signed with a shared key."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from node.alert_ways.http_request import REQUEST_S, send_request
from node.alert_ways.own_thread import in_own_thread
from node.alert_ways.secret import read_secret
from node.alerts.message import AlertMessage

SIGNATURE, ID = "X-Procomu-Signature", "X-Procomu-Id"


def signature_of(body: bytes, key: str) -> str:
    """``sha256=`` and HMAC-SHA-256 (RFC 2104) of the body in hexadecimal."""
    return f"sha256={hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}"


class Webhook:
    """Implements `AlertWay`. `document` is what is sent of a message."""

    def __init__(
        self,
        url: str,
        key_file: Path,
        document: Callable[[AlertMessage], Mapping[str, object]],
        *,
        limit_s: float = REQUEST_S,
    ) -> None:
        self._url, self._key_file, self._document, self._limit_s = url, key_file, document, limit_s

    async def send(self, message: AlertMessage) -> None:
        """The same id in the header and in the document, also when it is sent again."""
        key = await in_own_thread(partial(read_secret, self._key_file), "key of the webhook")
        body = json.dumps(self._document(message), ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "procomu",
            SIGNATURE: signature_of(body, key),
            ID: message.id,
        }
        # Pages of errors often repeat the path, which may be the secret of the webhook, and what is shown here is logged.
        await send_request("POST", self._url, body, headers, limit_s=self._limit_s, shows_answer=False)
