"""The reference of the rule language is complete, and the parser reads its examples."""

import re
from pathlib import Path

import pytest

from node.governance.members import parse_members
from node.governance.parse import parse_ruleset
from node.governance.rule_table import EFFECTS, RULE_KEYS

PACKAGE = Path(__file__).parents[2] / "node" / "governance"
README = (PACKAGE / "README.md").read_text(encoding="utf-8")
SOURCE = "".join(path.read_text(encoding="utf-8") for path in sorted(PACKAGE.glob("*.py")))
BLOCKS = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
HEAD = '[ruleset]\ncommunity = "c"\nversion = 1\ndecision = "D-1"\n[uplink.main]\ndown = "40 Mbit/s"\nup = "8 Mbit/s"\n'


@pytest.mark.parametrize("effect", EFFECTS)
def test_each_effect_has_its_section_with_an_example(effect):
    section = README.split(f"\n### {effect}\n")[1].split("\n#")[0]
    assert re.search(rf"```toml.*^{effect} = ", section, flags=re.DOTALL | re.MULTILINE)


def test_each_code_that_the_checks_can_give_is_explained_and_no_other():
    given = set(re.findall(r'"([EW]\d\d)"', SOURCE))
    assert given == set(re.findall(r"^\| ([EW]\d\d) \|", README, flags=re.MULTILINE))


@pytest.mark.parametrize("key", RULE_KEYS)
def test_each_key_of_a_rule_is_named(key):
    assert re.search(rf"`{key}\b|^{key} = ", README, flags=re.MULTILINE)


def test_each_module_of_the_package_is_in_its_table_once():
    listed = re.findall(r"`(\w+\.py)`", README.partition("\n## ")[0])
    assert sorted(listed) == sorted(path.name for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def test_the_examples_are_read_without_errors():
    rules = [block for block in BLOCKS if "[[account]]" not in block]
    ruleset, findings = parse_ruleset(HEAD + "\n".join(rules))
    assert () == findings
    assert set(EFFECTS) == {
        type(rule.effect).__name__.removesuffix("Limit").lower() for rule in ruleset.rules
    }
    assert () == parse_members("".join(block for block in BLOCKS if "[[account]]" in block))[1]
