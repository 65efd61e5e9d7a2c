"""Which device belongs to which account, by the way its person came in."""

from dataclasses import dataclass

from node.governance.joining import Way
from node.units import AccountId, MacAddress

DEVICE_NAME_CHARS_MAX = 40


@dataclass(frozen=True, slots=True)
class Binding:
    """One device of an account. A device that is bound to nobody is a guest of its own."""

    mac: MacAddress
    account: AccountId
    way: Way
    bound_day: str
    name: str = ""
    """As its owner calls it; empty until named."""
    introduced_by: AccountId | None = None
