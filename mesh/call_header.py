"""What a caller says about itself in its request, in one HTTP header."""

import re

from mesh.link_selection import Call

CALL_HEADER = "Procomu-Call"
LINKS_SAID_MAX = 999
_CALL = re.compile(r"(configured|found) (0|[1-9][0-9]{0,2})", re.ASCII)


def write_call(call: Call) -> str:
    """The value of CALL_HEADER."""
    return f"{'configured' if call.is_configured else 'found'} {min(call.links, LINKS_SAID_MAX)}"


def read_call(text: str) -> Call | None:
    """None for a caller of an earlier version, or one that says it wrongly."""
    said = _CALL.fullmatch(text)
    return None if said is None else Call(int(said[2]), said[1] == "configured")
