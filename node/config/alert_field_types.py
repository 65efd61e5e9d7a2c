"""Types of the settings of [alerts]."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from node.config.field_types import FieldType, list_of

MAILS_MAX = 10
ADDRESS_CHARS_MAX = 254
"""RFC 5321, section 4.5.3.1.3, with its errata."""
URL_CHARS_MAX = 500
USER_CHARS_MAX = 254
ROOM_CHARS_MAX = 255
SERVER_CHARS_MAX = 253
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_ROOM = re.compile(r"![\x21-\x7e]+")


def _text(value: object, chars_max: int) -> str:
    if not isinstance(value, str):
        raise ValueError("text in quotation marks is needed here")
    if len(value) > chars_max:
        raise ValueError(f"this has {len(value)} characters; {chars_max} are allowed")
    return value


def _time_of_day(value: object) -> int | None:
    """Minutes since midnight."""
    text = _text(value, 10)
    if text == "none":
        return None
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no time of day such as 08:00")
    return int(match[1]) * 60 + int(match[2])


def _mail(value: object) -> str:
    text = _text(value, ADDRESS_CHARS_MAX)
    if not _MAIL.fullmatch(text):
        raise ValueError(f"{text!r} is no mail address")
    return text


def _mail_or_none(value: object) -> str | None:
    return None if value == "none" else _mail(value)


def _server(value: object) -> str | None:
    text = _text(value, SERVER_CHARS_MAX)
    if text == "none":
        return None
    if ":" in text:
        try:
            return str(ip_address(text))
        except ValueError:
            raise ValueError(f"{text!r} is no name or address; the port has a setting of its own") from None
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} cannot be the name of a server")
    return text


def _url(value: object) -> str | None:
    text = _text(value, URL_CHARS_MAX)
    if text == "none":
        return None
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        raise ValueError(f"{text[:60]!r} is no URL that begins with https:// or http://")
    return text


def _user(value: object) -> str:
    text = _text(value, USER_CHARS_MAX)
    if text and not (text.isascii() and text.isprintable()):
        raise ValueError("a login has letters, digits and signs of ASCII")
    return text


def _room(value: object) -> str | None:
    text = _text(value, ROOM_CHARS_MAX)
    if text == "none":
        return None
    if not _ROOM.fullmatch(text):
        raise ValueError(f"{text!r:.60} is no id of a room: it begins with !")
    return text


TIME_OF_DAY = FieldType('a time of day, or "none"', _time_of_day)
MAIL_ADDRESS = FieldType('a mail address, or "none"', _mail_or_none)
MAIL_ADDRESSES = list_of(FieldType("a mail address", _mail), "a list of mail addresses", MAILS_MAX)
SERVER = FieldType('a server, or "none"', _server)
URL = FieldType('a URL, or "none"', _url)
USER = FieldType("a login", _user)
ROOM = FieldType('the id of a room, or "none"', _room)
