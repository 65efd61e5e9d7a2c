"""The command line is generated from the list of commands."""

import pytest

from node.cli.arguments import VERBS, make_parser, reference
from node.cli.entry import commands_beside

PARSER = make_parser(lambda: "1")


def test_every_command_has_an_implementation():
    assert {verb.name for verb in VERBS} == {
        *commands_beside("rules check"),
        *commands_beside("community show"),
        *commands_beside("import"),
    }
    assert all(verb.name in commands_beside(verb.name) for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_help_shows_an_example_that_works(verb, capsys):
    with pytest.raises(SystemExit) as ended:
        PARSER.parse_args([*verb.words, "--help"])
    assert 0 == ended.value.code
    assert verb.example in capsys.readouterr().out
    words = [word.strip('"') for word in split(verb.example)]
    assert verb.name == PARSER.parse_args(words[1:]).verb


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.name != "run"], ids=lambda verb: verb.name)
def test_every_command_that_answers_can_answer_in_json(verb):
    assert "--json" in [argument.name for argument in verb.arguments]


@pytest.mark.parametrize("words", [[], ["dance"], ["why"], ["rules"], ["status", "--jsn"]])
def test_a_usage_error_exits_with_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        PARSER.parse_args(words)
    assert 2 == ended.value.code
    assert "usage: procomu" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--config", "x", "status"], ["status", "--config", "x"]])
def test_the_settings_option_is_accepted_before_and_after_the_command(words):
    assert "x" == PARSER.parse_args(words).config


def test_the_reference_explains_every_command_and_exit_code():
    text = reference()
    assert all(f"## procomu {verb.name}\n" in text for verb in VERBS)
    assert all(f"| {code} |" in text for code in range(4))


def split(text: str) -> list[str]:
    import shlex

    return shlex.split(text)
