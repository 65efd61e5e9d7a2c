"""How many examples a property is tried with that needs more than others, or may have fewer."""

from hypothesis import settings

FEW = 10
"""Examples of each property without --thorough."""
MANY = 100
"""With it."""


def examples(thorough: int, few: int = FEW) -> int:
    """So many with --thorough; without it, `few` at most; as many as --examples says, if that is more."""
    tried = settings.default.max_examples
    if tried > MANY:
        return max(thorough, tried)
    return thorough if tried == MANY else min(thorough, few)
