"""People read what is kept about them in words, not in the names of a program."""

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from captive_portal.facts import FACTS
from captive_portal.words import Words
from node.answers import portal
from node.membership import belongings
from node.membership.bindings import Binding
from node.membership.contests import Contest


def keys_of(module: str, function: str) -> set[str]:
    """Every key that a function writes into its document."""
    found = [
        each
        for each in ast.walk(ast.parse(Path(module).read_text()))
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name == function
    ]
    (written,) = found
    dictionaries = [each for each in ast.walk(written) if isinstance(each, ast.Dict)]
    keys = {key.value for each in dictionaries for key in each.keys if isinstance(key, ast.Constant)}
    targets = [each for each in ast.walk(written) if isinstance(each, ast.Subscript)]
    keys |= {each.slice.value for each in targets if isinstance(each.slice, ast.Constant)}
    return {key for key in keys if isinstance(key, str)}


@pytest.mark.parametrize("shape", [Binding, Contest])
def test_every_column_has_a_name(shape: type) -> None:
    assert {field.name for field in fields(shape)} <= FACTS.keys()


def test_everything_that_the_house_tells_somebody_about_themselves_has_a_name() -> None:
    told = keys_of(portal.__file__, "own_data") | keys_of(belongings.__file__, "own_rows")
    assert len(told) > 15
    assert set() == told - FACTS.keys()


def test_a_name_is_said_in_the_readers_language_and_a_day_stays_a_day() -> None:
    catalan = Words("ca", {"How it joined": ("Entrada",)})
    assert "Entrada" == catalan.fact("way")
    assert "How it joined" == Words("en").fact("way")
    assert "2026-04-01" == catalan.fact("2026-04-01")
