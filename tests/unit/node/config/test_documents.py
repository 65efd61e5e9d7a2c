"""Documents generated from the list of settings."""

import tomllib

from node.config import SETTINGS, example, reference


def test_the_example_names_every_setting_once():
    lines = example().splitlines()
    for setting in SETTINGS:
        assert any(line.removeprefix("# ").startswith(f"{setting.key} = ") for line in lines), setting.name


def test_every_commented_line_of_the_example_may_be_uncommented():
    shown = "\n".join(
        line[2:] if line.startswith("# ") and " = " in line and line.split(" = ")[0][2:] in keys() else line
        for line in example().splitlines()
    )
    assert len(SETTINGS) == sum(len(section) for section in tomllib.loads(shown).values())


def test_the_reference_has_a_row_for_every_setting():
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert [setting.key for setting in SETTINGS] == [row.split("`")[1] for row in rows]


def keys() -> set[str]:
    return {setting.key for setting in SETTINGS}
