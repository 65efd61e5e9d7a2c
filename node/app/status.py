"""Status of the whole node, for the admin pages and the command line."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mesh.node_kind import NodeFacts
from mesh.ports import PeerView
from node.accounts.registry import AccountRegistry
from node.app.adoption_messages import became
from node.app.node_names import distinct_name, name_of_node, node_names
from node.app.rule_adoption import RuleAdoption
from node.app.rule_files import RuleFiles
from node.app.views import LineKnowledge, line_view
from node.app.warning_codes import CodedWarning
from node.config import NodeConfig
from node.control.reconciler import Reconciler
from node.control.uplink_rate_control import UplinkRateControl
from node.enforcement.htb_classes import GuaranteedParts
from node.enforcement.plan import TableUse
from node.errors import Finding
from node.governance.admin_findings import too_few_admins
from node.governance.allowance import binding
from node.governance.local_findings import ending, unknown_nodes
from node.governance.rule_evaluation import Direction
from node.governance.rules import MAIN_UPLINK
from node.governance.sentences import allowance_in, describe
from node.governance.uplink_findings import UNKNOWN_UPLINK
from node.sessions import state as session_state
from node.sessions.table import SessionTable
from node.task_supervision import Parts
from node.translator import ENGLISH, Translator, amount_lazy, gettext_lazy, ngettext_lazy, number_lazy
from node.units import NO_RATES, AccountId, BitsPerSecond, Bytes, MacAddress, NodeId, Rates, show_rate

FULL_PERCENT = 75
"""Of the connection tracking table: guest and unauthorized devices together cannot fill more than this; above it,
devices of other accounts use the rest."""
NAMED_MAX = 5
"""Most devices named in warnings; the rest are only counted."""


@dataclass(frozen=True, slots=True)
class OnlineRow:
    """One account that is online."""

    account: AccountId
    tier: str
    devices: int
    rate: Rates
    used_month: Bytes
    share: int
    ceiling: str
    """Readable, or empty."""
    binding_rule: str
    sentence: str
    could_have: Rates | None = None
    """If it began to transfer now, given who does; None while the uplink is not shared."""
    name: str = ""
    """Of its members, as the members' file says; empty without one."""


@dataclass(frozen=True, slots=True)
class FlowsRow:
    """Connection tracking, as read within the last seconds."""

    entries: int = 0
    size: int = 0
    """0 while nothing is known."""
    per_device: int = 0
    """Limit of entries for one authorized device."""
    heaviest: str = ""
    """The device with the most entries, as admins see devices; empty without one."""
    heaviest_flows: int = 0
    """An estimate when the table is large."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overview:
    """Data of the overview page."""

    community: str
    node: str
    node_id: NodeId
    uplink: Rates | None
    """What is shared now; None when the rules do not state the uplink's rate."""
    uplink_rate: Rates
    """In use."""
    uplink_known: LineKnowledge | None
    """How that is known; None when the rules do not state it."""
    waiting: int
    """Number of devices seen without authorization."""
    online: tuple[OnlineRow, ...]
    peers: tuple[PeerView, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    """Each says what is wrong and how to fix it."""
    has_lost: bool = False
    """Whether a warning reports data that the database lost; it stays until an admin acknowledges it."""
    flows: FlowsRow = FlowsRow()
    key_copies: tuple[str, ...] = ()
    """Which of the warnings say that several machines use one node key."""
    removed_nodes: tuple[str, ...] = ()
    """Names of nodes that left the community, and may still hold copies of what they received."""
    uplink_slowest: Mapping[Direction, BitsPerSecond] = field(default_factory=dict)
    """What the line carried at least in nine tenths of the last 14 days, by direction; empty while that is not known."""


class StatusSnapshot:
    """Collects what the parts of the node know; makes no call to the kernel and never waits."""

    def __init__(
        self,
        *,
        config: NodeConfig,
        reconciler: Reconciler,
        files: RuleFiles,
        adoption: RuleAdoption,
        parts: Parts,
        peers: Callable[[], tuple[PeerView, ...]],
        roster: Callable[[], frozenset[NodeId]],
        waiting: Callable[[], int],
        warned: Callable[[], Iterable[CodedWarning]],
        losses: Callable[[], tuple[str, ...]] = tuple,
        table_use: Callable[[], TableUse] = TableUse,
        measured: Callable[[], tuple[Finding, ...]] = tuple,
        key_copies: Callable[[], tuple[str, ...]] = tuple,
        node_pages: Callable[[], Mapping[NodeId, NodeFacts]] = dict,
        removed_nodes: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """`measured`: what the rules in force promise beyond what the line carried. `key_copies` and
        `removed_nodes`: as in `Overview`."""
        self._config, self.reconciler, self._files, self.parts = config, reconciler, files, parts
        self.adoption = adoption
        self.peers, self.waiting, self._warned = peers, waiting, warned
        self.key_copies, self._node_pages = key_copies, node_pages
        self._removed_nodes = removed_nodes
        self._roster = roster
        self._losses, self.table_use, self._measured = losses, table_use, measured

    def overview(self, translator: Translator = ENGLISH, covered: Collection[str] = ()) -> Overview:
        """`translator` translates the sentences of rules. `covered`: codes of warnings that are told in another way."""
        reconciler = self.reconciler
        ruleset = reconciler.active_ruleset.ruleset
        line = line_view(reconciler.effective_policy, reconciler.uplink_rate_control)
        return Overview(
            community=self._config.community.name,
            node=self._config.node.name,
            node_id=reconciler.node,
            uplink=None if line is None else line.rates,
            uplink_rate=reconciler.uplink_rate,
            uplink_known=None if line is None else line.known,
            uplink_slowest=reconciler.uplink_rate_control.slowest,
            waiting=self.waiting(),
            online=self._online(translator),
            peers=self.peers(),
            sentences=describe(ruleset, translator),
            warnings=tuple(text for code, text in self.coded_warnings() if code not in covered),
            has_lost=bool(self._losses()),
            flows=self._flows(),
            key_copies=self.key_copies(),
            removed_nodes=self._removed_nodes(),
        )

    def warnings(self) -> tuple[str, ...]:
        """Current problems, each with its fix, most urgent first."""
        return tuple(text for _, text in self.coded_warnings())

    def coded_warnings(self) -> tuple[CodedWarning, ...]:
        """The same, each with the stable name of its kind."""
        every = (self._of_node(), self._of_rules(), self._of_line(), self._warned(), self._in_rules())
        return tuple(warning for some in every for warning in some)

    def _of_node(self) -> Iterator[CodedWarning]:
        troubles = self.reconciler.troubles
        if troubles.kernel:
            yield "kernel", troubles.kernel
        if troubles.storage:
            yield "storage", troubles.storage
        for text in self._losses():
            yield "data_lost", text

    def _of_rules(self) -> Iterator[CodedWarning]:
        active = self.reconciler.active_ruleset
        for finding in active.rejected:
            yield (
                "rules_rejected",
                gettext_lazy("The rule file is not in force: {finding}", finding=finding.text),
            )
        yield from _strained(active.strained)
        yield from adoption_warnings(self.adoption)
        for finding in self._files.members_findings:
            yield (
                "members_rejected",
                gettext_lazy("The members file is not in force: {finding}", finding=finding.text),
            )
        for part in self.parts.health.values():
            if not part.running and part.last_trouble:
                yield (
                    "part_stopped",
                    gettext_lazy("{part} stopped: {english}", part=part.name, english=part.last_trouble),
                )

    def _of_line(self) -> Iterator[CodedWarning]:
        reconciler = self.reconciler
        yield from _promises(reconciler.effective_policy.kept())
        if reconciler.active_ruleset.own.uplink is None:
            yield (
                "rate_missing",
                gettext_lazy(
                    "The rules do not say how fast the line is, so nothing is shared: one download can take all of it. "
                    "Measure the line, and write its speed in [uplink.main]."
                ),
            )
        yield from line_warnings(reconciler.uplink_rate_control, reconciler.active_ruleset.own.uplink_name)
        if reconciler.effective_policy.moment().clock == "unknown":
            yield (
                "clock",
                gettext_lazy(
                    "This node does not know the date: limits with times are paused. Set the clock, or let it reach NTP."
                ),
            )
        for text in self._flows().warnings:
            yield "connections", text

    def _in_rules(self) -> Iterator[CodedWarning]:
        """What is found in rules that are in force."""
        active, now = self.reconciler.active_ruleset, self.reconciler.effective_policy.moment()
        found = [*active.warnings, *self._measured()]
        if now.clock != "unknown":
            found += ending(active.ruleset, now.at.date())
        found += too_few_admins(active.ruleset, self.adoption.admins())
        found += unknown_nodes(active.ruleset, self.node_names())
        for each in found:
            yield "rules", gettext_lazy("The rule file, {finding}", finding=each.text)

    def name_of_node(self, node: NodeId) -> str:
        """The name of another node of the community, as far as it is known."""
        return name_of_node(node, self.peers(), self._node_pages())

    def distinct_name_of_node(self, node: NodeId) -> str:
        """As `name_of_node`; with its key if this node or another one has the same name, or one that looks like it."""
        pages = self._node_pages()
        others = (facts.name for each, facts in pages.items() if each != node)
        name = name_of_node(node, self.peers(), pages)
        return distinct_name(node, name, (self._config.node.name, *others))

    def other_nodes(self) -> frozenset[NodeId]:
        """Of the community."""
        return self._roster() - {self.reconciler.node}

    def node_names(self) -> frozenset[str]:
        """The names of all nodes of the community; empty while one of them is not known."""
        others = self.other_nodes()
        return node_names(self._config.node.name, others, self.peers(), self._node_pages())

    def _flows(self) -> FlowsRow:
        reconciler, limit = self.reconciler, self._config.lan.flows_per_device
        return flows_row(self.table_use(), limit, reconciler.session_table, reconciler.registry)

    def _online(self, translator: Translator) -> tuple[OnlineRow, ...]:
        session_table = self.reconciler.session_table
        devices: dict[AccountId, int] = {}
        for mac, session_entry in session_table.session_entries.items():
            if isinstance(session_table.state(mac), session_state.Authorized):
                devices[session_entry.account] = devices.get(session_entry.account, 0) + 1
        rows = [self._row(account, count, translator) for account, count in devices.items()]
        return tuple(sorted(rows, key=lambda row: (-(row.rate.down + row.rate.up), row.account)))

    def _row(self, account: AccountId, devices: int, translator: Translator) -> OnlineRow:
        reconciler = self.reconciler
        allowance = reconciler.effective_policy.allowances.get(account) or reconciler.allowance(account)
        if translator is not ENGLISH:
            allowance = allowance_in(translator, allowance, reconciler.active_ruleset.own)
        rule, sentence = binding(allowance)
        return OnlineRow(
            account=account,
            tier=reconciler.member_directory.unit(account).tier,
            devices=devices,
            rate=reconciler.rates.get(account, NO_RATES),
            used_month=reconciler.effective_policy.used_this_month(account).total,
            share=allowance.share.value,
            ceiling=shown(allowance.ceiling.value) if allowance.ceiling else "",
            binding_rule=rule,
            sentence=sentence,
            could_have=reconciler.effective_policy.present_share(account),
            name=reconciler.member_directory.names.get(account, ""),
        )


def _strained(findings: Collection[Finding]) -> Iterator[CodedWarning]:
    """Those about the members first."""
    for finding in findings:
        if finding.code != UNKNOWN_UPLINK:
            yield (
                "rules_strained",
                gettext_lazy(
                    "The rules are in force, but no longer fit the members: {finding}", finding=finding.text
                ),
            )
    for finding in findings:
        if finding.code == UNKNOWN_UPLINK:
            yield (
                "rules_strained",
                gettext_lazy(
                    "The rules are in force, but do not fit this node: {finding}", finding=finding.text
                ),
            )


def _promises(kept: GuaranteedParts) -> Iterator[CodedWarning]:
    """Warnings about lifelines and floors that the uplink cannot guarantee to the accounts authorized now."""
    if kept.lifelines_permille < 1000:
        yield (
            "lifelines",
            gettext_lazy(
                "The line is too slow for the lifelines of everyone here: each gets {percent} % of its lifeline. "
                "Lower the lifeline in [charter], or find a faster line.",
                percent=kept.lifelines_permille // 10,
            ),
        )
    elif kept.extras_permille < 1000:
        yield (
            "floors",
            gettext_lazy(
                "Floors do not fit the uplink: everyone keeps the lifeline, and of what floors promise beyond it each "
                "gets {percent} %. Lower floors.",
                percent=kept.extras_permille // 10,
            ),
        )


def adoption_warnings(adoption: RuleAdoption) -> Iterator[CodedWarning]:
    """Warnings about rules that the node took back, and about a log of adoptions that was changed."""
    ended = adoption.last_ended()
    if ended is not None and ended.reason == "objections":
        yield (
            "rules_taken_back",
            gettext_lazy(
                "Version {number} of the rules does not come into force. It was {became}. What they wrote is on the page "
                "with the rules.",
                number=ended.number,
                became=became(ended),
            ),
        )
    elif ended is not None:
        yield (
            "rules_taken_back",
            gettext_lazy(
                "The rules from before are in force. Version {number}: {became}. Adopt it again if it is still "
                "wanted.",
                number=ended.number,
                became=became(ended),
            ),
        )
    if adoption.damaged:
        yield (
            "adoption_log",
            gettext_lazy(
                "The log of adopted rules is damaged: record {number} is missing or was changed. The rules in force are "
                "not touched by it; a backup from before has the whole log.",
                number=adoption.damaged,
            ),
        )


def line_warnings(uplink: UplinkRateControl, name: str = MAIN_UPLINK) -> list[CodedWarning]:
    """Warnings about the line of this name that carries less than the rules say, and about one that cannot be measured."""
    if uplink.waits_ms is not None:
        text = gettext_lazy(
            "The line carries less than the rules say: packets wait {ms} ms in its own queue. Measure its speed and "
            "correct {table}, or write {example} there.",
            ms=number_lazy(uplink.waits_ms),
            table=f"[uplink.{name}]",
            example='rate = "measured"',
        )
        return [("line_slow", text)]
    if uplink.knowledge == "blind":
        text = gettext_lazy(
            "The speed of the line cannot be measured, so the stated speed is shared. Probes are not answered, or "
            "delays have another cause: name an address beyond the line as uplink.probe in node.toml."
        )
        return [("line_unmeasured", text)]
    return []


def shown(rates: Rates) -> str:
    return gettext_lazy(
        "{down} down, {up} up", down=amount_lazy(show_rate(rates.down)), up=amount_lazy(show_rate(rates.up))
    )


def flows_row(
    use: TableUse, per_device: int, session_table: SessionTable, registry: AccountRegistry
) -> FlowsRow:
    mark, flows = use.heaviest or (0, 0)
    session_entry = session_table.by_mark.get(mark)
    name = device_label(session_entry.mac, session_table, registry) if session_entry is not None else ""
    refused = tuple(device_label(mac, session_table, registry) for mac in use.refused)
    warnings = tuple(_warnings(use, per_device, refused))
    return FlowsRow(use.entries, use.size, per_device, name, flows if name else 0, warnings)


def device_label(mac: MacAddress, session_table: SessionTable, registry: AccountRegistry) -> str:
    """A device as admins see it: its name if it has one, its MAC address and its account."""
    session_entry, name = session_table.session_entries.get(mac), registry.bindings.name_of(mac)
    device = f"{name} ({mac})" if name else mac
    if session_entry is None:
        return device
    return gettext_lazy("{device} of {account}", device=device, account=session_entry.account)


def _warnings(use: TableUse, per_device: int, refused: tuple[str, ...]) -> Iterator[str]:
    for device in refused[:NAMED_MAX]:
        yield gettext_lazy(
            "{device} wants more than {most} connections at once, or opens them too fast: it is refused more. "
            "Ask its owner what runs on it. The limit is lan.flows_per_device.",
            device=device,
            most=number_lazy(per_device),
        )
    if len(refused) > NAMED_MAX:
        yield ngettext_lazy(
            "{number} other device wants too many connections as well.",
            "{number} other devices want too many connections as well.",
            len(refused) - NAMED_MAX,
        )
    percent = 100 * use.entries // use.size if use.size else 0
    if percent >= FULL_PERCENT:
        yield gettext_lazy(
            "The kernel tracks {number} connections, {percent} % of what it can. When it is full, new ones fail for "
            "everyone: lower lan.flows_per_device, or raise net.netfilter.nf_conntrack_max.",
            number=number_lazy(use.entries),
            percent=percent,
        )
