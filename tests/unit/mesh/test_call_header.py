"""What a caller says about itself: read back as it was written, and anything else is ignored."""

import pytest

from mesh.call_header import read_call, write_call
from mesh.link_selection import Call


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("found 0", Call(0)),
        ("configured 8", Call(8, is_configured=True)),
        *(
            (wrong, None)
            for wrong in ("", "found", "found -1", "found 01", "found 1000", "found ١", "FOUND 1", "found 1 ")
        ),
    ],
)
def test_what_a_caller_says_is_read_or_ignored(text: str, call: Call | None) -> None:
    assert call == read_call(text)
    assert call is None or text == write_call(call)
