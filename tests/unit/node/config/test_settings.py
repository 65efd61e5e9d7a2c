"""The list of settings and the dataclass of their values have the same names."""

import dataclasses
import tomllib
from typing import get_type_hints

import pytest

from node.config.model import NodeConfig
from node.config.settings import SECTIONS, SETTINGS, default_of


def test_every_setting_has_its_field_and_every_field_its_setting():
    sections = get_type_hints(NodeConfig)
    assert list(SECTIONS) == list(sections)
    fields = [f"{name}.{field.name}" for name, kind in sections.items() for field in dataclasses.fields(kind)]
    assert fields == [setting.name for setting in SETTINGS]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_default_and_every_example_is_valid(setting):
    for text in filter(None, (setting.default, setting.example)):
        setting.kind.read(tomllib.loads(f"value = {text}")["value"])


def test_a_default_is_a_value():
    assert (2444, "/run/procomu", False) == tuple(
        map(default_of, ("admin.https_port", "node.run_dir", "admin.lan"))
    )
    for setting in SETTINGS:
        if setting.default is not None:
            assert tomllib.loads(f"value = {setting.default}")["value"] == default_of(setting.name)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_has_a_description(setting):
    assert setting.help.endswith(".")
