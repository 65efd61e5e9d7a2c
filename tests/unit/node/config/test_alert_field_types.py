"""Types of the settings of [alerts]."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.config.alert_field_types import (
    MAIL_ADDRESS,
    MAIL_ADDRESSES,
    ROOM,
    SERVER,
    TIME_OF_DAY,
    URL,
    USER,
)
from node.config.field_types import FieldType

EVERY = (MAIL_ADDRESS, MAIL_ADDRESSES, ROOM, SERVER, TIME_OF_DAY, URL, USER)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        (TIME_OF_DAY, "08:00", 480),
        (TIME_OF_DAY, "23:59", 1439),
        (TIME_OF_DAY, "none", None),
        (MAIL_ADDRESS, "ana+node@vall.example", "ana+node@vall.example"),
        (MAIL_ADDRESS, "none", None),
        (MAIL_ADDRESSES, ["a@b.example"], ("a@b.example",)),
        (SERVER, "smtp.vall.example", "smtp.vall.example"),
        (SERVER, "10.0.0.7", "10.0.0.7"),
        (SERVER, "FD00::7", "fd00::7"),
        (SERVER, "none", None),
        (URL, "https://alerts.vall.example:8443/a?b=c", "https://alerts.vall.example:8443/a?b=c"),
        (URL, "http://10.0.0.7/", "http://10.0.0.7/"),
        (URL, "none", None),
        (ROOM, "!abc:vall.example", "!abc:vall.example"),
        (USER, "", ""),
    ],
)
def test_what_is_right_is_read(kind: FieldType, value: object, read: object) -> None:
    assert read == kind.read(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TIME_OF_DAY, "24:00"),
        (TIME_OF_DAY, "8:00"),
        (TIME_OF_DAY, "٠٨:٠٠"),
        (MAIL_ADDRESS, "ana"),
        (MAIL_ADDRESS, "ana@vall.example\nBcc: eve@evil.example"),
        (MAIL_ADDRESS, "ana@vall.example, eve@evil.example"),
        (MAIL_ADDRESS, "a" * 300 + "@b.example"),
        (MAIL_ADDRESSES, [f"a{n}@b.example" for n in range(11)]),
        (SERVER, "smtp.vall.example:587"),
        (SERVER, "a b"),
        (SERVER, "-"),
        (URL, "file:///etc/passwd"),
        (URL, "ftp://vall.example/"),
        (URL, "https://"),
        (URL, "https://vall.example:99999/"),
        (URL, "https://vall.example/\r\nX: y"),
        (URL, "https://vall.example/a b"),
        (URL, "https://vall.example/" + "a" * 600),
        (URL, "https://[::1/"),
        (ROOM, "#name:vall.example"),
        (ROOM, "!a b"),
        (USER, "a\nb"),
    ],
)
def test_what_is_wrong_is_refused(kind: FieldType, value: object) -> None:
    with pytest.raises(ValueError, match=r".{10}"):
        kind.read(value)


@given(st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=3))
def test_any_value_is_read_or_refused(value: object) -> None:
    for kind in EVERY:
        try:
            kind.read(value)
        except ValueError as error:
            assert str(error)  # noqa: PT017
