"""Line-by-line difference between two rule files, limited to what a page can show."""

import difflib

LINES_COMPARED_MAX = 4_000
"""Lines per file; comparing more would take too long for a page."""
LINES_SHOWN_MAX = 400
CHARACTERS_MAX = 300
"""Per line."""


def difference(old: str, new: str) -> tuple[str, ...]:
    """Unified diff lines from `old` to `new`; empty when they are equal."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return ()
    if max(len(before), len(after)) > LINES_COMPARED_MAX:
        return (f"@@ too long to compare: {len(before)} lines before, {len(after)} lines after @@",)
    lines = difflib.unified_diff(before, after, "in force", "proposed", lineterm="", n=2)
    shown = [line if len(line) <= CHARACTERS_MAX else f"{line[:CHARACTERS_MAX]}…" for line in lines]
    if len(shown) > LINES_SHOWN_MAX:
        rest = len(shown) - LINES_SHOWN_MAX
        return (*shown[:LINES_SHOWN_MAX], f"@@ and {rest} more lines @@")
    return tuple(shown)
