"""Replies to WiFiDog v1 gateways. The gateway takes the first ``Auth: `` anywhere in a response, also in its header."""

import json
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any
from urllib.parse import urlencode

from node.gateways.wifidog_request import WifidogLogin

PONG = b"Pong"
MESSAGE_CHARACTERS_MAX = 200


class AuthCode(IntEnum):
    """What the gateway does with the client; as in the code of both gateways (`src/auth.h`), not as in apfree's manual."""

    ERROR = -1
    """Leave the client as it is; at a login, an error page."""
    DENIED = 0
    ALLOWED = 1


def auth_reply(code: AuthCode, message: str = "") -> bytes:
    """To a login, counters or logout. What is not ASCII is left out of the message, which only the gateway's log shows."""
    plain = "".join(each for each in message if each.isascii() and each.isprintable())
    lines = [f"Auth: {code.value}"]
    if plain:
        lines.append(f"Messages: {plain[:MESSAGE_CHARACTERS_MAX].replace('Auth:', '')}")
    return ("\n".join(lines) + "\n").encode()


def counters_reply(results: Iterable[tuple[str, Iterable[tuple[int | str, AuthCode]]]]) -> bytes:
    """To apfree's body of counters: one decision for each client, because the gateway looks for idle clients only among
    those that are answered."""
    rows: list[Mapping[str, Any]] = [
        {"gw_id": called, "auth_op": [{"id": number, "auth_code": code.value} for number, code in decided]}
        for called, decided in results
    ]
    return json.dumps({"result": rows}, separators=(",", ":")).encode()


def return_url(login: WifidogLogin, token: str) -> str:
    """Where the browser takes the token. apfree needs the gateway's name; the stock gateway ignores it."""
    host = f"[{login.address}]" if ":" in login.address else login.address
    return f"http://{host}:{login.port}/wifidog/auth?{urlencode({'token': token, 'gw_id': login.called})}"


def logout_url(login: WifidogLogin, token: str) -> str:
    """Where the person ends the session at the gateway."""
    host = f"[{login.address}]" if ":" in login.address else login.address
    return f"http://{host}:{login.port}/wifidog/auth?{urlencode({'logout': '1', 'token': token})}"
