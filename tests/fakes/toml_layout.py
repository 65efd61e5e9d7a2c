"""The same values as a TOML file of another layout: other order, comments, spaces, and forms of text."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

SPACES = st.sampled_from(["", " ", "   ", "\t"])
COMMENTS = st.sampled_from(["", "", "  # the assembly was long", "# []"])


@st.composite
def layouts(draw: Callable[..., Any], data: Mapping[str, Any]) -> str:
    """A text from which tomllib reads `data`, but for the order of tables and keys."""
    blocks = [block for name, value in data.items() for block in draw(_blocks(name, value))]
    return "\n".join(draw(st.permutations(blocks)))


@st.composite
def _blocks(draw: Callable[..., Any], name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [draw(_block(f"[[{name}]]", table)) for table in value]
    nested = {key: inner for key, inner in value.items() if isinstance(inner, dict)}
    found = [block for key, inner in nested.items() for block in draw(_blocks(f"{name}.{key}", inner))]
    own = {key: inner for key, inner in value.items() if key not in nested}
    return [*found, draw(_block(f"[{name}]", own))] if own else found


@st.composite
def _block(draw: Callable[..., Any], head: str, table: Mapping[str, Any]) -> str:
    lines = [head + draw(COMMENTS)]
    for key in draw(st.permutations(sorted(table))):
        shown = key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)
        lines.append(
            f"{draw(SPACES)}{shown}{draw(SPACES)}={draw(SPACES)}{draw(_value(table[key]))} {draw(COMMENTS)}"
        )
        lines += draw(st.lists(COMMENTS, max_size=1))
    return "\n".join(lines) + "\n"


@st.composite
def _value(draw: Callable[..., Any], value: Any) -> str:
    if isinstance(value, list):
        # The order of a list can matter.
        items = [draw(_value(item)) for item in value]
        return f"[{draw(SPACES)}" + f",{draw(SPACES)}".join(items) + draw(st.sampled_from(["]", ",]", "\n]"]))
    if isinstance(value, str):
        forms = [json.dumps(value, ensure_ascii=False), json.dumps(value)]
        forms += [f"'{value}'"] if "'" not in value and "\n" not in value else []
        return str(draw(st.sampled_from(forms)))
    return json.dumps(value)
