"""One version of a file: its form, its text, and which versions it replaces."""

import base64
import json
import zlib
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.file_version import (
    BEFORE_MAX,
    FILE_BYTES_MAX,
    STATEMENT_BYTES_MAX,
    Decision,
    FileVersion,
    file_fields,
    fits_a_frame,
    packed,
    read_file_version,
    replaces,
    text_hash,
    unpacked,
)
from mesh.file_versions import SIGNATURES_MAX
from mesh.messages import FRAME_BYTES_MAX
from mesh.page_format import Malformed, canonical
from mesh.signed_statement import FILE_KIND, as_json, make_statement, read_statement
from tests.fakes.community_statements import a_village
from tests.fakes.file_versions import DECISION, signed, version_of
from tests.fakes.neighbours import key_of

COMMUNITY, _ = a_village()
FIRST = version_of(COMMUNITY, "rules", "one\n")


def line_of(count: int) -> list[FileVersion]:
    made = [FIRST]
    for number in range(1, count):
        made.append(version_of(COMMUNITY, "rules", f"text {number}", made[-1]))
    return made


HASHES = ["0" * 32, "1" * 32, "2" * 32]
IDS = st.tuples(st.integers(0, 5), st.sampled_from(HASHES))
ANY = st.builds(
    lambda number, found, before, oldest: FileVersion(
        COMMUNITY,
        "rules",
        number,
        found,
        tuple(sorted(each for each in before if min(oldest, number) <= each[0] < number)),
        min(oldest, number),
        DECISION,
        "",
    ),
    st.integers(1, 6),
    st.sampled_from(HASHES),
    st.frozensets(IDS, max_size=6),
    st.integers(0, 6),
)
"""Also such as no honest admin signs."""


@given(ANY, ANY, ANY)
def test_whatever_versions_say_replacing_is_a_strict_order(
    one: FileVersion, two: FileVersion, three: FileVersion
) -> None:
    for a, b, c in permutations((one, two, three)):
        assert not replaces(a, a)
        assert not (replaces(a, b) and replaces(b, a))
        if replaces(a, b) and replaces(b, c):
            assert replaces(a, c)


@given(st.integers(1, BEFORE_MAX + 40))
def test_a_version_replaces_all_before_it_however_long_the_line_is(count: int) -> None:
    line = line_of(count)
    assert all(replaces(line[-1], each) for each in line[:-1])
    assert len(line[-1].before) == min(count - 1, BEFORE_MAX)
    recognised = [each for each in line[:-1] if line[-1].has_replaced(each.hash)]
    assert recognised == line[:-1][-BEFORE_MAX:]


@given(st.lists(st.integers(1, 60), min_size=2, max_size=6))
def test_the_version_after_several_that_were_signed_apart_replaces_all_of_them(lengths: list[int]) -> None:
    sides = []
    for side, length in enumerate(lengths):
        last = FIRST
        for number in range(length):
            last = version_of(COMMUNITY, "rules", f"side {side}, {number}", last)
        sides.append(last)
    assert not any(replaces(a, b) for a, b in permutations(sides, 2) if len(a.before) <= len(b.before) + 1)
    after = version_of(COMMUNITY, "rules", "agreed", *sides)
    assert all(replaces(after, each) for each in sides)
    assert isinstance(read_file_version(signed(after, "rosa")), FileVersion)


def test_versions_that_were_signed_apart_do_not_replace_each_other_also_when_one_side_signed_more() -> None:
    here = version_of(COMMUNITY, "rules", "here", FIRST)
    there = version_of(COMMUNITY, "rules", "there", version_of(COMMUNITY, "rules", "between", FIRST))
    assert not replaces(there, here)
    assert not replaces(here, there)


def test_an_earlier_text_that_is_shared_again_replaces_what_came_after_it() -> None:
    second = version_of(COMMUNITY, "rules", "two\n", FIRST)
    again = version_of(COMMUNITY, "rules", "one\n", FIRST, second)
    assert replaces(again, second)
    assert not replaces(second, again)
    assert again.has_replaced(second.hash)


def test_files_replace_only_versions_of_their_own() -> None:
    members = version_of(COMMUNITY, "members", "two\n", FIRST)
    assert not replaces(members, FIRST)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_comes_back_as_it_was_with_plain_line_ends(text: str) -> None:
    made = version_of(COMMUNITY, "members", text)
    assert unpacked(made) == text.replace("\r\n", "\n")
    assert text_hash(text) == made.hash


def test_a_text_that_unpacks_to_too_much_or_to_another_one_is_none() -> None:
    bomb = version_of(COMMUNITY, "rules", "0" * (FILE_BYTES_MAX + 1))
    assert len(bomb.packed) < 1_000
    assert unpacked(bomb) is None
    assert unpacked(replace(FIRST, packed=packed("two\n"))) is None
    raw = zlib.compress(b"one\n")
    for wrong in (raw[:-1], raw + b"x", b"", raw[:4] + bytes([raw[4] ^ 1]) + raw[5:]):
        assert unpacked(replace(FIRST, packed=base64.b64encode(wrong).decode())) is None
    for wrong in ("!", "é", FIRST.packed + "\n", "\udce9"):
        assert unpacked(replace(FIRST, packed=wrong)) is None


def test_the_largest_version_fits_a_frame_with_all_signatures_that_are_kept() -> None:
    names = [f"admin {number}" for number in range(SIGNATURES_MAX)]
    largest = FIRST
    fields = file_fields(FIRST)
    room = STATEMENT_BYTES_MAX - len(canonical(make_statement(FILE_KIND, fields, []).text.decode()))
    largest = make_statement(FILE_KIND, {**fields, "text": fields["text"] + "x" * room}, map(key_of, names))
    assert fits_a_frame(largest.text)
    assert not isinstance(read_statement(as_json(largest)), Malformed)
    assert len(canonical({"is": "record", "record": as_json(largest)})) <= FRAME_BYTES_MAX
    larger = make_statement(FILE_KIND, {**fields, "text": fields["text"] + "x" * (room + 1)}, [])
    assert not fits_a_frame(larger.text)
    assert isinstance(read_file_version(larger), Malformed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("community", "x"),
        ("file", "node"),
        ("file", None),
        ("number", 0),
        ("number", True),
        ("number", 2**53),
        ("hash", "0" * 31),
        ("hash", None),
        ("before", [[1, FIRST.hash]]),
        ("before", [[0, FIRST.hash], [0, FIRST.hash]]),
        ("before", [["0", FIRST.hash]]),
        ("before", [[0, "0"]]),
        ("before", [0]),
        ("before", {}),
        ("before", [[0, f"{number:032x}"] for number in range(BEFORE_MAX + 1)]),
        ("oldest", 2),
        ("oldest", -1),
        ("by", ""),
        ("by", "x" * 65),
        ("reason", "two\nlines"),
        ("reason", "x" * 201),
        ("reason", None),
        ("day", "yesterday"),
        ("text", 1),
    ],
)
def test_a_version_with_a_wrong_field_is_malformed(name: str, value: object) -> None:
    made = make_statement(FILE_KIND, {**file_fields(FIRST), name: value}, [key_of("rosa")])
    assert isinstance(read_file_version(made), Malformed)


@given(
    st.text(max_size=64), st.text(max_size=200), st.sampled_from(["2026-05-04", "unknown", "", "1970-01-01"])
)
def test_what_is_read_is_what_was_signed(by: str, reason: str, day: str) -> None:
    try:
        made = signed(replace(FIRST, decision=Decision(by, reason, day)), "rosa")
    except UnicodeEncodeError:
        return
    found = read_file_version(made)
    assert isinstance(found, Malformed) or found.decision == Decision(by, reason, day)


def test_the_vector_holds() -> None:
    vector = json.loads(Path("tests/vectors/mesh/files.json").read_text())
    read = {name: read_statement(each) for name, each in vector["statements"].items()}
    found = {}
    for name, each in read.items():
        assert not isinstance(each, Malformed)
        version = read_file_version(each)
        assert isinstance(version, FileVersion)
        assert vector["hashes"][name] == each.hash
        assert vector["texts"][name] == unpacked(version)
        found[name] = version
    replacing = [[a, b] for a, b in permutations(sorted(found), 2) if replaces(found[a], found[b])]
    assert vector["replaces"] == replacing
