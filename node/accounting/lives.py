"""Names for the incarnations of a node's usage records: an increasing number and a random part, so that they
are unique.

An incarnation ends when the records are lost or older than what was counted. Two incarnations can have the
same number if the later one did not know of the earlier; the random part distinguishes them.
"""

DIGITS_MAX = 15
type Rank = tuple[int, str]


def life_name(number: int, chance: str) -> str:
    """Name as used in pages and usage buckets; `chance` is ASCII letters and digits."""
    return f"{number}-{chance}"


def life_number(name: str) -> int:
    """0 for a name without a number."""
    digits, dash, _ = name.partition("-")
    is_number = bool(dash) and digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX
    return int(digits) if is_number else 0


def life_rank(name: str) -> Rank:
    """Sort key of incarnations, the same on every node."""
    return life_number(name), name
