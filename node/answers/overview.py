"""The whole node at a glance, for the admin page and the command line."""

from collections.abc import Callable

from captive_portal import guests
from mesh.ports import PeerView
from node.accounting.ledger import NO_CELL
from node.accounting.periods import period_name
from node.admin.ports import FlowsRow, OnlineRow, Overview, PeerRow
from node.answers.flow_table import flows_row
from node.answers.rulefile import RuleFiles
from node.config import NodeConfig
from node.enforcement.plan import TableUse
from node.enforcement.shares import Kept
from node.governance.allowance import Allowance
from node.governance.sentences import describe
from node.reconcile.loop import Reconcile
from node.supervision import Parts
from node.units import NO_RATES, AccountId, Rates, Usage, show_rate


class Glance:
    """Gathers what the parts know; asks nothing of the kernel and waits for nobody."""

    def __init__(
        self,
        *,
        config: NodeConfig,
        reconcile: Reconcile,
        files: RuleFiles,
        parts: Parts,
        peers: Callable[[], tuple[PeerView, ...]],
        waiting: Callable[[], int],
        warned: Callable[[], tuple[str, ...]],
        losses: Callable[[], tuple[str, ...]] = tuple,
        table_use: Callable[[], TableUse] = TableUse,
    ) -> None:
        self._config, self._reconcile, self._files, self._parts = config, reconcile, files, parts
        self._peers, self._waiting, self._warned = peers, waiting, warned
        self._losses, self._table_use = losses, table_use

    def overview(self) -> Overview:
        reconcile = self._reconcile
        ruleset = reconcile.rulebook.ruleset
        return Overview(
            community=self._config.community.name,
            node=self._config.node.name,
            node_id=reconcile.node,
            uplink=ruleset.shaped,
            uplink_rate=reconcile.uplink_rate,
            waiting=self._waiting(),
            online=self._online(),
            peers=tuple(
                PeerRow(p.node, p.name, p.state, p.addresses, p.heard_seconds_ago) for p in self._peers()
            ),
            sentences=describe(ruleset),
            warnings=self.warnings(),
            has_lost=bool(self._losses()),
            flows=self._flows(),
        )

    def warnings(self) -> tuple[str, ...]:
        """What is wrong now and what mends it, the most urgent first."""
        reconcile, told = self._reconcile, []
        troubles = reconcile.troubles
        told += [text for text in (troubles.kernel, troubles.storage) if text]
        told += self._losses()
        told += [f"The rule file is not in force: {finding}" for finding in reconcile.rulebook.rejected]
        told += [
            f"The rules are in force, but no longer fit the members: {finding}"
            for finding in reconcile.rulebook.strained
        ]
        told += [f"The members file is not in force: {finding}" for finding in self._files.members_findings]
        told += [
            f"{p.name} stopped: {p.last_trouble}"
            for p in self._parts.health.values()
            if not p.running and p.last_trouble
        ]
        told += _promises(reconcile.standing.kept())
        if reconcile.moment().clock == "unknown":
            told.append(
                "This node does not know the date: limits with times are paused. Set the clock, or let it reach NTP."
            )
        told += self._flows().warnings
        return (*told, *self._warned(), *(f"The rule file, {w}" for w in reconcile.rulebook.warnings))

    def _flows(self) -> FlowsRow:
        reconcile, limit = self._reconcile, self._config.lan.flows_per_device
        return flows_row(self._table_use(), limit, reconcile.presence, reconcile.register)

    def used_this_month(self, account: AccountId) -> Usage:
        month = period_name("month", self._reconcile.today())
        return (self._reconcile.ledger.total(account, month) if month else NO_CELL).uplink

    def _online(self) -> tuple[OnlineRow, ...]:
        presence = self._reconcile.presence
        devices: dict[AccountId, int] = {}
        for mac, seat in presence.seats.items():
            if isinstance(presence.state(mac), guests.Admitted):
                devices[seat.account] = devices.get(seat.account, 0) + 1
        rows = [self._row(account, count) for account, count in devices.items()]
        return tuple(sorted(rows, key=lambda row: (-(row.rate.down + row.rate.up), row.account)))

    def _row(self, account: AccountId, devices: int) -> OnlineRow:
        reconcile = self._reconcile
        allowance = reconcile.allowances.get(account) or reconcile.allowance(account)
        rule, sentence = binding(allowance)
        return OnlineRow(
            account=account,
            tier=reconcile.roll.unit(account).tier,
            devices=devices,
            rate=reconcile.rates.get(account, NO_RATES),
            used_month=self.used_this_month(account).total,
            share=allowance.share.value,
            ceiling=shown(allowance.ceiling.value) if allowance.ceiling else "",
            binding_rule=rule,
            sentence=sentence,
        )


def _promises(kept: Kept) -> list[str]:
    """What the line has no room for, of those who are here now."""
    if kept.lifelines_permille < 1000:
        return [
            f"The line is too slow for the lifelines of everyone here: each gets {kept.lifelines_permille // 10} % of "
            "its lifeline. Lower the lifeline in [charter], or find a faster line."
        ]
    if kept.extras_permille < 1000:
        return [
            "Floors do not fit the uplink: everyone keeps the lifeline, and of what floors promise beyond it each gets "
            f"{kept.extras_permille // 10} %. Lower floors."
        ]
    return []


def binding(allowance: Allowance) -> tuple[str, str]:
    """The rule that limits the account most visibly now, and its sentence: a ceiling before a share."""
    bound = allowance.ceiling or allowance.share
    return bound.rule, bound.sentence


def shown(rates: Rates) -> str:
    return f"{show_rate(rates.down)} down, {show_rate(rates.up)} up"
