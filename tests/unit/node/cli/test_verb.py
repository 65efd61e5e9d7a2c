"""One command."""

from node.cli.verb import Verb


def test_its_name_is_its_words() -> None:
    assert "rules check" == Verb(("rules", "check"), "", "").name
