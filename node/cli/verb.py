"""One command of the command line, as help, parser and reference describe it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument or an option of a command."""

    name: str
    """``WHO`` for a positional argument, ``[WHO]`` if it can be left out, ``--at`` for an option."""
    help: str
    metavar: str = ""
    """Placeholder of an option's value; empty for positional arguments and flags."""


JSON = Argument("--json", "print one JSON object instead of text")


@dataclass(frozen=True, slots=True)
class Verb:
    """One command of ``procomu``."""

    words: tuple[str, ...]
    help: str
    example: str
    arguments: tuple[Argument, ...] = ()

    @property
    def name(self) -> str:
        return " ".join(self.words)
