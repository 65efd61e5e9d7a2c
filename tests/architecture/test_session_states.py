"""A session's state changes in one place: `SessionTable.handle`, by the transition table."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from node.sessions import state as session_state
from node.sessions.table import SessionTable
from tests.architecture.test_structure import SOURCES

TABLE, MACHINE = Path(inspect.getfile(SessionTable)), Path(inspect.getfile(session_state))
STATES = ("_states", "guests")
"""The attribute in which `SessionTable` keeps states, and its read-only name for other modules."""
CHANGING = {"clear", "pop", "popitem", "setdefault", "update", "__setitem__", "__delitem__"}


def is_states(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in STATES


def changes(tree: ast.AST) -> Iterator[int]:
    """Lines that change a mapping of states or replace it."""
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=value, ctx=ast.Store() | ast.Del()) if is_states(value):
                yield node.lineno
            case ast.Attribute(ctx=ast.Store() | ast.Del()) if is_states(node):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=value, attr=name)) if name in CHANGING and is_states(
                value
            ):
                yield node.lineno


def steps(tree: ast.AST, module: str) -> Iterator[int]:
    """Lines that name the function `step`, to call it or to pass it on."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr="step") if name == module:
                yield node.lineno
            case ast.ImportFrom(module=name, names=names) if name == session_state.__name__:
                yield from (node.lineno for alias in names if alias.name in {"step", "TRANSITIONS"})


def lines_of(*names: str) -> set[int]:
    found: set[int] = set()
    for name in names:
        source, first = inspect.getsourcelines(getattr(SessionTable, name))
        found |= set(range(first, first + len(source)))
    return found


def test_no_other_place_changes_a_state() -> None:
    found = {(path, line) for path in SOURCES for line in changes(ast.parse(path.read_text()))}
    elsewhere = {(path.name, line) for path, line in found if path != TABLE}
    in_table = {line for path, line in found if path == TABLE}
    assert not elsewhere
    assert in_table <= lines_of("handle", "__init__")
    assert in_table & lines_of("handle")


def test_no_other_place_calls_step() -> None:
    module = "session_state"
    paths = [path for path in SOURCES if path != MACHINE]
    found = {(path, line) for path in paths for line in steps(ast.parse(path.read_text()), module)}
    assert {TABLE} == {path for path, _ in found}
    assert {line for _, line in found} <= lines_of("handle")


def test_the_check_sees_every_kind_of_change() -> None:
    text = """
table.guests[mac] = state
del table._states[mac]
table.guests |= other
table._states.pop(mac)
table.guests = {}
"""
    assert [2, 3, 4, 5, 6] == sorted(changes(ast.parse(text)))
