"""Alerts to a room of Matrix, as a user whose access token is in a file."""

import json
from functools import partial
from pathlib import Path
from urllib.parse import quote

from node.alert_ways.http_request import REQUEST_S, send_request
from node.alert_ways.own_thread import in_own_thread
from node.alert_ways.secret import read_secret
from node.alerts.message import AlertMessage


class MatrixRoom:
    """Implements `AlertWay`. The id of a message is the transaction id: a server that has it does not show it again."""

    def __init__(self, server: str, room: str, token_file: Path, *, limit_s: float = REQUEST_S) -> None:
        self._address = (
            f"{server.rstrip('/')}/_matrix/client/v3/rooms/{quote(room, safe='')}/send/m.room.message"
        )
        self._token_file, self._limit_s = token_file, limit_s

    async def send(self, message: AlertMessage) -> None:
        token = await in_own_thread(partial(read_secret, self._token_file), "token of Matrix")
        content = {"msgtype": "m.text", "body": f"{message.subject}\n{message.text}"}
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        await send_request(
            "PUT",
            f"{self._address}/{quote(message.id, safe='')}",
            json.dumps(content, ensure_ascii=False).encode(),
            headers,
            limit_s=self._limit_s,
        )
