"""Names of the lives of a node's books: a number that grows, and chance, so that no two lives share a name.

A life ends when its books are lost or are older than what was counted. Two lives may carry one number, where the later
one could not know of the earlier; the name tells them apart.
"""

DIGITS_MAX = 15
type Rank = tuple[int, str]


def life_name(number: int, chance: str) -> str:
    """As pages and cells carry it; `chance` is letters and digits."""
    return f"{number}-{chance}"


def life_number(name: str) -> int:
    """0 for a name without a number."""
    digits, dash, _ = name.partition("-")
    is_number = bool(dash) and digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX
    return int(digits) if is_number else 0


def life_rank(name: str) -> Rank:
    """The order of lives, the same on every node."""
    return life_number(name), name
