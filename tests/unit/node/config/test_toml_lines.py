"""A person is sent to the line that is wrong."""

from node.config.toml_lines import read_toml


def test_each_key_is_found_on_its_line_also_behind_long_texts():
    file = read_toml('top = 1\n[a]\nlong = """\nb = 2\n[c]\n"""\nb = 3\n\n[c]  # here\n"d" = 4\n')
    assert {
        ("", "top"): 1,
        ("a", ""): 2,
        ("a", "long"): 3,
        ("a", "b"): 7,
        ("c", ""): 9,
        ("c", "d"): 10,
    } == dict(file.lines)


def test_two_lines_that_are_no_toml_are_both_told_and_the_rest_is_read():
    file = read_toml("[a]\nb\nc = 1\nd = = 2\n")
    assert [2, 4] == [finding.line for finding in file.findings]
    assert {"a": {"c": 1}} == file.values


def test_a_key_written_twice_is_told_with_its_line():
    file = read_toml("[a]\nb = 1\nb = 2\n")
    assert [("config-syntax", 3)] == [(finding.code, finding.line) for finding in file.findings]


def test_a_section_whose_head_cannot_be_read_ends_the_reading():
    """Its settings would be blamed on the section before it."""
    file = read_toml("[a]\nb = 1\n[c\nd = 2\n")
    assert [3] == [finding.line for finding in file.findings]
    assert {} == file.values


def test_a_text_that_never_ends_is_told_once():
    assert 1 == len(read_toml('[a]\nb = """never\nended\n').findings)
