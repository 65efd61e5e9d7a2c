"""The canonical form of rules: what a file says, and nothing of how it says it."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from node.governance.canonical_form import canonical_form, meaning_fingerprint
from node.governance.change_impact import change_impact
from node.governance.parse import parse_ruleset
from node.governance.rules import Ruleset
from tests.fakes.rule_files import EXAMPLE, HEAD, file_with, rule, village
from tests.fakes.rule_texts import RULESETS, parsed, rolls, rule_texts
from tests.fakes.toml_layout import layouts

DEPLOY = Path(__file__).parents[4] / "deploy"
FILES = {path.stem: path.read_text() for path in (DEPLOY / "communities").glob("*.rules.toml")} | {
    "example": EXAMPLE,
    "worked": Path(__file__).with_name("worked_example.toml").read_text(),
}
MORE = """[joining]
ways = ["voucher", "terms"]
by = "D-4"
[decisions."D-4"]
day = "2026-03-08"
place = "school"
present = 31
yes = 27
no = 3
signers = ["Ana Pons", "Ben Riu"]
[decisions.D-5]
day = "2026-04-12"
place = "mill"
present = 20
yes = 12
no = 1
signers = ["Ben Riu", "Ana Pons"]
[calendar]
holidays = ["2026-12-25", "2026-12-26..2027-01-06"]
[dues]
grace_days = 3
[preview]
by = "D-5"
[[test]]
given = "member, fri 21:00, everyone busy"
expect = "down >= 64 kbit/s"
[[test]]
given = "guest, fri 21:00, alone"
expect = "up >= 32 kbit/s"
"""
TEXTS = st.builds(str.__add__, rule_texts(), st.sampled_from(["", MORE])).filter(
    lambda text: parsed(text) is not None
)


def read(text: str) -> Ruleset:
    ruleset, findings = parse_ruleset(text)
    assert ruleset is not None, findings
    return ruleset


@given(TEXTS.flatmap(lambda text: st.tuples(st.just(text), layouts(tomllib.loads(text)))), rolls())
def test_layout_comments_and_order_change_nothing_and_neither_does_what_people_have(texts, units):
    before, after = map(read, texts)
    assert canonical_form(before) == canonical_form(after)
    assert meaning_fingerprint(before) == meaning_fingerprint(after)
    assert change_impact(before, after, units).is_nothing


@pytest.mark.parametrize("name", FILES)
@given(st.data())
def test_the_files_of_communities_mean_the_same_in_another_layout(name, data):
    again = read(data.draw(layouts(tomllib.loads(FILES[name]))))
    assert meaning_fingerprint(read(FILES[name])) == meaning_fingerprint(again)


def test_minutes_are_in_any_order():
    minutes = '[decisions."{}"]\nday = "2026-03-08"\npresent = 3\nyes = 3\nno = 0\nsigners = ["A", "B"]\n'
    ones, others = (HEAD + "".join(map(minutes.format, order)) for order in (("D-1", "D-2"), ("D-2", "D-1")))
    assert meaning_fingerprint(read(ones)) == meaning_fingerprint(read(others))


# --- one value that differs ---------------------------------------------------------------

OTHERS = {
    "everyone": "tier:crew",
    "tier:member": "tier:crew",
    "tier:service": "tier:crew",
    "tier:guest": "tier:crew",
    "group:school": "group:choir",
    "group:crew": "group:choir",
    "group:clinic": "group:choir",
    "dues:late": "group:choir",
    "node:library": "node:square",
    "node:mill": "node:square",
    "tell": "share 7 until reset",
    "none": "9 Mbit/s down, 9 Mbit/s up",
    "never": "2031-01-01",
    "terms": "card",
    "voucher": "card",
    "vall-baixa": "vall-alta",
    "school": "mill",
    "mill": "school",
    "Ana Pons": "Eva Pons",
    "Ben Riu": "Eva Riu",
}


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of each value of a document."""
    items = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    )
    if items is None:
        yield path
    for key, inner in items or ():
        yield from leaves(inner, (*path, key))


def is_day_alone(path: tuple[Any, ...]) -> bool:
    """The day of a decision without minutes, after which perhaps no rule ends."""
    return path[0] == "decisions" and len(path) == 2


def other(value: Any) -> Any:
    """Another value of the same form."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return OTHERS.get(value) or re.sub(r"(?<!\d)([1-9]\d*)", lambda m: str(int(m[1]) + 1), value, count=1)


@st.composite
def one_value_apart(draw: st.DrawFn) -> tuple[str, str]:
    text = draw(TEXTS)
    data = tomllib.loads(text)
    *path, last = draw(st.sampled_from([each for each in leaves(data) if not is_day_alone(each)]))
    inner = data
    for key in path:
        inner = inner[key]
    before = inner[last]
    inner[last] = other(before)
    assume(inner[last] != before)
    return text, draw(layouts(data))


@given(one_value_apart())
def test_one_other_value_is_another_meaning(texts):
    before, after = map(parsed, texts)
    assume(after is not None)
    assert len({meaning_fingerprint(each) for each in (before, after) if each is not None}) == 2


BASE = file_with(rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"'))


@pytest.mark.parametrize(
    "more",
    [
        "observe = true",
        'why = "the line is slow"',
        'proposed_by = "group:school"',
        'from = "2026-12-01"',
        'from = "2026-12-01"\nexpires = "2026-12-02"\nemergency = true',
        'expires = "D-1 + 12 months"',
        'expires = "D-1 + 12 months"\n[decisions]\nD-1 = "2026-03-08"',
        'except = "group:school"',
        'when = "daily 08:00-09:00"',
        'while = "busy"',
        'at = "node:mill"',
        MORE,
    ],
)
def test_each_further_thing_that_a_file_says_is_another_meaning(more):
    assert meaning_fingerprint(read(BASE)) != meaning_fingerprint(read(f"{BASE}{more}\n"))


@pytest.mark.parametrize(
    "said", ['expires = "never"', "together = false", "observe = false", '[decisions]\nD-9 = "2026-03-08"']
)
def test_what_is_so_anyway_can_be_said_or_not(said):
    assert meaning_fingerprint(read(BASE)) == meaning_fingerprint(read(f"{BASE}{said}\n"))


@given(RULESETS, RULESETS)
def test_rules_that_mean_the_same_change_nothing_for_anybody(before, after):
    if meaning_fingerprint(before) == meaning_fingerprint(after):
        assert change_impact(before, after, village(3)).is_nothing


# --- the form -----------------------------------------------------------------------------


@given(RULESETS)
def test_it_is_json_with_sorted_keys_and_whole_numbers_only(ruleset):
    text = canonical_form(ruleset)

    def refuse(number: str) -> None:
        raise AssertionError(number)

    data = json.loads(text, parse_float=refuse, parse_constant=refuse)
    assert text == json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def test_letters_that_look_the_same_are_the_same():
    composed, apart = (
        HEAD.replace("[uplink", f'unit = "caf{letter}"\n[uplink') for letter in ("\u00e9", "e\u0301")
    )
    assert meaning_fingerprint(read(composed)) == meaning_fingerprint(read(apart))
    assert change_impact(read(composed), read(apart)).is_nothing


def test_the_fingerprint_of_a_file_stays_the_same_from_one_version_to_the_next():
    """Of the worked example: other nodes and minutes of assemblies may have noted it."""
    assert "67b5c3ec2bcf68e1" == meaning_fingerprint(read(FILES["worked"]))
