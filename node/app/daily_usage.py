"""What an account used on each of the last days, at all nodes of the community."""

from dataclasses import dataclass

from node.accounting.periods import last_days
from node.control.effective_policy import EffectivePolicy
from node.control.reconciler import Reconciler
from node.units import NO_USAGE, AccountId, Usage

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class DayUse:
    """One day, today among them as far as it has come."""

    day: str
    """ISO date."""
    used: Usage


def open_week(policy: EffectivePolicy, account: AccountId, today: str) -> tuple[DayUse, ...]:
    """Those of the last seven days that belong to this week or month, the latest first: known without the database."""
    used = {day: policy.used_on(account, day) for day in reversed(last_days(WEEK_DAYS, today))}
    return tuple(DayUse(day, each) for day, each in used.items() if each is not None)


async def week_of(reconciler: Reconciler, account: AccountId) -> tuple[DayUse, ...]:
    """The last seven days, the latest first; none while the date is not known. While the data folder cannot be read, days
    of earlier weeks and months have nothing. Nor have those that its people had erased: until the end of the month they
    are still stored, but for other people's shares alone."""
    days = last_days(WEEK_DAYS, reconciler.today())
    if not days:
        return ()
    used = dict.fromkeys(days, NO_USAGE)
    erased = reconciler.persistence.erased
    for key, bucket in (await reconciler.persistence.buckets(days[0], account=account)).items():
        if key.day in used and not erased.is_known(account, key.day):
            used[key.day] += bucket.uplink
    return tuple(DayUse(day, used[day]) for day in reversed(days))
