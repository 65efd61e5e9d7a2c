"""Exported data is labelled in words, not with the names of fields."""

import ast
from dataclasses import fields
from pathlib import Path

import pytest

from captive_portal.account_page import EXPORT_LABELS, label
from node.accounts import personal_data
from node.accounts.device_bindings import Binding
from node.accounts.objections import Objection
from node.app import account, own_records
from node.web.translations import Translations


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


@pytest.mark.parametrize("shape", [Binding, Objection])
def test_every_column_has_a_label(shape: type) -> None:
    assert {field.name for field in fields(shape)} <= EXPORT_LABELS.keys()


def test_everything_exported_to_a_person_has_a_label() -> None:
    told = keys_of(account.__file__, "own_data") | keys_of(personal_data.__file__, "own_rows")
    told |= keys_of(own_records.__file__, "own_records")
    assert len(told) > 15
    assert set() == told - EXPORT_LABELS.keys()


def test_a_label_is_in_the_readers_language_and_a_date_stays_a_date() -> None:
    catalan = Translations("ca", {"How it joined": ("Entrada",)})
    assert "Entrada" == label("way", catalan)
    assert "How it joined" == label("way", Translations("en"))
    assert "2026-04-01" == label("2026-04-01", catalan)
