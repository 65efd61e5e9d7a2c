"""Classes of accounts that previews of rules treat alike, so that none of them tells of fewer than five accounts, and no two
of them do together.

The difference of two previews is about the accounts that one draft treats otherwise than the other. So the accounts that
previews treat apart are remembered as long as the usage that they counted. Where a draft would split fewer than five
accounts off those that all previews until now treated alike, these few are treated as others of them are. All that is ever
told is then the same, whichever of at least five accounts used what one of them used.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping

from node.units import AccountId

GROUP_MIN = 5
"""Of fewer accounts nothing is told: somebody could recognise them."""
_NONE = -1
"""Instead of a class, where nobody who is like an account has one."""

type AccountClasses = Mapping[AccountId, int]
"""The class of each account that was active; the numbers mean nothing."""
_Pair = tuple[int, int]


def combined(one: AccountClasses, other: AccountClasses) -> dict[AccountId, int]:
    """Classes of accounts that are in the same class of both. An account that only one of them has counts in the other as
    most of those do who are in its class: it was not active, so nothing was told of it."""
    pairs = _pairs(one, other)
    numbers = {pair: number for number, pair in enumerate(sorted(set(pairs.values())))}
    return {account: numbers[pair] for account, pair in pairs.items()}


def _pairs(one: AccountClasses, other: AccountClasses) -> dict[AccountId, _Pair]:
    counts = Counter((one[account], other[account]) for account in one.keys() & other.keys())
    by_one: dict[int, int] = {}
    by_other: dict[int, int] = {}
    for first, second in sorted(counts, key=lambda pair: (-counts[pair], pair)):
        by_one.setdefault(first, second)
        by_other.setdefault(second, first)
    found: dict[AccountId, _Pair] = {}
    for account in sorted(one.keys() | other.keys()):
        if account not in other:
            found[account] = one[account], by_one.get(one[account], _NONE)
        elif account not in one:
            found[account] = by_other.get(other[account], _NONE), other[account]
        else:
            found[account] = one[account], other[account]
    return found


def stand_ins(told: AccountClasses, found: AccountClasses) -> dict[AccountId, AccountId]:
    """The accounts that have to be treated as another one, each with that one. `told`: classes of all previews until now;
    `found`: how a draft would treat those who are active. Afterwards each class of a draft has at least `GROUP_MIN`
    accounts if so many are active, and so has each part into which it splits a class of `told`."""
    parts: dict[_Pair, list[AccountId]] = defaultdict(list)
    pairs = _pairs(told, found)
    for account in sorted(found):
        parts[pairs[account]].append(account)
    by_size = sorted(parts, key=lambda pair: (-len(parts[pair]), pair))
    large = [pair for pair in by_size if len(parts[pair]) >= GROUP_MIN]
    largest: dict[int, _Pair] = {}
    for pair in large:
        largest.setdefault(pair[0], pair)
    replaced: dict[AccountId, AccountId] = {}
    for pair in by_size[len(large) :]:
        like = largest.get(pair[0], by_size[0])
        if like[1] != pair[1]:
            replaced |= dict.fromkeys(parts[pair], parts[like][0])
    return replaced


def as_treated(found: AccountClasses, replaced: Mapping[AccountId, AccountId]) -> dict[AccountId, int]:
    """The classes of a draft with these stand-ins."""
    return {account: found[replaced.get(account, account)] for account in found}
