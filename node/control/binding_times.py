"""Since when the rule that binds an account has done so, as far as this node saw."""

from collections.abc import Mapping

from node.governance.allowance import Allowance, binding
from node.units import AccountId, Monotonic


class BindingTimes:
    """One rule and time for each account that is here."""

    def __init__(self) -> None:
        self._since: dict[AccountId, tuple[str, Monotonic]] = {}

    def observe(self, allowances: Mapping[AccountId, Allowance], now: Monotonic) -> None:
        """`allowances` are of all accounts that are here; others are forgotten."""
        self._since = {account: self._of(account, each, now) for account, each in allowances.items()}

    def since(self, account: AccountId, rule: str) -> Monotonic | None:
        """None if the rule does not bind the account, or the account is not here."""
        known = self._since.get(account)
        return None if known is None or known[0] != rule else known[1]

    def _of(self, account: AccountId, allowance: Allowance, now: Monotonic) -> tuple[str, Monotonic]:
        rule, _ = binding(allowance)
        known = self._since.get(account)
        return known if known is not None and known[0] == rule else (rule, now)
