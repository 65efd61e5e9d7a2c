"""Output of the commands about cases of ladders."""

from node.cli import ladder_commands
from node.cli.arguments import make_parser
from node.cli.entry import commands_beside
from node.cli.terminal import Terminal

PLAIN = Terminal(coloured=False)
CASE = {
    "number": 3,
    "account": "ana",
    "ladder": "big-users",
    "step": 2,
    "what": "at most half a share for 7 days",
    "is_word": False,
    "reason": "loud\x1b[2J",
    "by": "admin Pere",
    "phase": "in force",
    "ending": "",
    "begins": "2026-12-01T10:00:00+00:00",
    "until": "2026-12-08T10:00:00+00:00",
}
LADDER = {
    "id": "big-users",
    "sentence": "Ladder big-users.",
    "over": [{"account": "ben", "name": "", "used": 6_000_000_000, "has_case": True}],
}


def test_ladders_accounts_over_a_trigger_and_cases_are_listed():
    lines = ladder_commands._list({"ladders": [LADDER], "cases": [CASE]}, PLAIN)
    assert ["Ladder big-users.", "  ben used 6 GB, which has an open case", ""] == lines[:3]
    assert "ana" in lines[-1]
    assert "in force" in lines[-1]
    assert "2026-12-08 10:00" in lines[-1]
    assert "\x1b" not in "".join(lines)


def test_without_ladders_and_cases_that_is_said():
    lines = ladder_commands._list({"ladders": [], "cases": []}, PLAIN)
    assert ["The rules have no ladder.", "", "There is no case."] == lines


def test_a_new_case_says_from_when_until_when():
    (line,) = ladder_commands._opened({"case": CASE}, PLAIN)
    assert (
        "Case 3 of ana: step 2 of the ladder big-users, at most half a share for 7 days; from 2026-12-01 10:00"
        in line
    )
    (line,) = ladder_commands._opened({"case": {**CASE, "is_word": True}}, PLAIN)
    assert "nothing is limited" in line


def test_each_command_is_parsed():
    parser = make_parser(str)
    for words in (
        ["ladder", "list", "--json"],
        ["ladder", "open", "ana", "big-users", "--reason", "x"],
        ["ladder", "lift", "3"],
        ["ladder", "answer", "3", "we looked again"],
    ):
        verb = vars(parser.parse_args(words))["verb"]
        assert verb in commands_beside(verb)
