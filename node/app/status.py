"""Status of the whole node, for the admin pages and the command line."""

from collections.abc import Callable

from mesh.ports import PeerView
from node.accounting.ledger import EMPTY_BUCKET
from node.accounting.periods import period_name
from node.admin.ports import FlowsRow, OnlineRow, Overview, PeerRow
from node.app.flow_table import flows_row
from node.app.rule_files import RuleFiles
from node.config import NodeConfig
from node.control.reconciler import Reconciler
from node.enforcement.plan import TableUse
from node.enforcement.shares import GuaranteedParts
from node.governance.allowance import Allowance
from node.governance.sentences import describe
from node.sessions import state as session_state
from node.supervision import Parts
from node.units import NO_RATES, AccountId, Rates, Usage, show_rate


class StatusSnapshot:
    """Collects what the parts of the node know; makes no call to the kernel and never waits."""

    def __init__(
        self,
        *,
        config: NodeConfig,
        reconciler: Reconciler,
        files: RuleFiles,
        parts: Parts,
        peers: Callable[[], tuple[PeerView, ...]],
        waiting: Callable[[], int],
        warned: Callable[[], tuple[str, ...]],
        losses: Callable[[], tuple[str, ...]] = tuple,
        table_use: Callable[[], TableUse] = TableUse,
    ) -> None:
        self._config, self._reconciler, self._files, self._parts = config, reconciler, files, parts
        self._peers, self._waiting, self._warned = peers, waiting, warned
        self._losses, self._table_use = losses, table_use

    def overview(self) -> Overview:
        reconciler = self._reconciler
        ruleset = reconciler.active_ruleset.ruleset
        return Overview(
            community=self._config.community.name,
            node=self._config.node.name,
            node_id=reconciler.node,
            uplink=ruleset.shaped,
            uplink_rate=reconciler.uplink_rate,
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
        """Current problems, each with its fix, most urgent first."""
        reconciler, told = self._reconciler, []
        troubles = reconciler.troubles
        told += [text for text in (troubles.kernel, troubles.storage) if text]
        told += self._losses()
        told += [
            f"The rule file is not in force: {finding}" for finding in reconciler.active_ruleset.rejected
        ]
        told += [
            f"The rules are in force, but no longer fit the members: {finding}"
            for finding in reconciler.active_ruleset.strained
        ]
        told += [f"The members file is not in force: {finding}" for finding in self._files.members_findings]
        told += [
            f"{p.name} stopped: {p.last_trouble}"
            for p in self._parts.health.values()
            if not p.running and p.last_trouble
        ]
        told += _promises(reconciler.effective_policy.kept())
        if reconciler.moment().clock == "unknown":
            told.append(
                "This node does not know the date: limits with times are paused. Set the clock, or let it reach NTP."
            )
        told += self._flows().warnings
        return (*told, *self._warned(), *(f"The rule file, {w}" for w in reconciler.active_ruleset.warnings))

    def _flows(self) -> FlowsRow:
        reconciler, limit = self._reconciler, self._config.lan.flows_per_device
        return flows_row(self._table_use(), limit, reconciler.session_table, reconciler.registry)

    def used_this_month(self, account: AccountId) -> Usage:
        month = period_name("month", self._reconciler.today())
        return (self._reconciler.ledger.total(account, month) if month else EMPTY_BUCKET).uplink

    def _online(self) -> tuple[OnlineRow, ...]:
        session_table = self._reconciler.session_table
        devices: dict[AccountId, int] = {}
        for mac, session_entry in session_table.session_entries.items():
            if isinstance(session_table.state(mac), session_state.Authorized):
                devices[session_entry.account] = devices.get(session_entry.account, 0) + 1
        rows = [self._row(account, count) for account, count in devices.items()]
        return tuple(sorted(rows, key=lambda row: (-(row.rate.down + row.rate.up), row.account)))

    def _row(self, account: AccountId, devices: int) -> OnlineRow:
        reconciler = self._reconciler
        allowance = reconciler.allowances.get(account) or reconciler.allowance(account)
        rule, sentence = binding(allowance)
        return OnlineRow(
            account=account,
            tier=reconciler.member_directory.unit(account).tier,
            devices=devices,
            rate=reconciler.rates.get(account, NO_RATES),
            used_month=self.used_this_month(account).total,
            share=allowance.share.value,
            ceiling=shown(allowance.ceiling.value) if allowance.ceiling else "",
            binding_rule=rule,
            sentence=sentence,
        )


def _promises(kept: GuaranteedParts) -> list[str]:
    """Warnings about lifelines and floors that the uplink cannot guarantee to the accounts authorized now."""
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
