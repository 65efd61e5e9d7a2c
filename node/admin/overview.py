"""Overview: what needs attention, uplink load, the busiest accounts, the rules that bind now, and other nodes.

Texts are in the templates, data is here. Names that people or other nodes chose are passed unchanged: the
templates escape them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from mesh.ports import PeerView
from node.admin.fields import FormView, TypedForm, long_ago
from node.admin.routes import (
    EVERYONE_SIGNED_IN,
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    page_layout,
)
from node.admin.series_plots import LinePlot, line_plots
from node.app.admin import AdminService
from node.app.outage_note import KNOWN_TO_CHARS_MAX, WRONG_TIME
from node.app.status import FlowsRow, OnlineRow, Overview
from node.app.views import LINE_KNOWN, Outage
from node.governance.parse import SENTENCES_MAX
from node.governance.rule_evaluation import Direction
from node.plots.plot import STYLE
from node.translator import N_, LazyText, amount_lazy, gettext_lazy, number_lazy
from node.units import BitsPerSecond, show_rate, show_volume

LIVE_S = 5
BUSIEST_MAX = 5
"""Accounts that are shown; the page People has the others."""
WARNINGS_OPEN = 1
"""The most urgent warnings, which are not folded."""
BOUND_MAX = 24
"""Accounts named at each rule; the rest are counted."""
PEERS_MAX = 200
ALERTS_MAX = 40
NO_FORM = FormView()
PEER_STATES = {
    "heard": gettext_lazy("heard"),
    "greeted": gettext_lazy("greeted"),
    "trusted": gettext_lazy("trusted"),
    "stranger": gettext_lazy("stranger"),
    "silent": gettext_lazy("silent"),
    "gone": gettext_lazy("gone"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """Load of the uplink in one direction."""

    direction: str
    used: str
    whole: str
    percent: int
    is_busy: bool


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account that is online."""

    account: str
    name: str
    """The account's, or of its members."""
    tier: str
    devices: int
    down: str
    up: str
    used_month: str
    rule: str
    """The rule that binds it; empty for none."""
    most_down: str
    most_up: str
    """What it could have now; empty while the uplink is not shared."""


@dataclass(frozen=True, slots=True)
class BoundAccounts:
    """One rule that binds now, and the accounts that it binds."""

    rule: str
    sentence: str
    accounts: tuple[tuple[str, str], ...]
    """Account and name, the busiest first."""
    count: int
    """Of all accounts that it binds."""

    @property
    def hidden(self) -> int:
        return self.count - len(self.accounts)


@dataclass(frozen=True, slots=True)
class PeerLine:
    """One other node."""

    name: str
    state: str
    is_stranger: bool
    node: str
    addresses: str
    heard: str


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert that is raised."""

    title: str
    fix: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The overview page."""

    template = "overview.html"
    frame: PageLayout
    node_id: str
    bars: tuple[Bar, ...]
    """Empty while the rules do not state the uplink's rate."""
    known: str
    """How the rate of the uplink is known; empty while the rules do not state it."""
    slowest: str
    """What it carried in its slowest tenth; empty while that is not known."""
    rate: str
    accounts: tuple[AccountLine, ...]
    """The busiest."""
    account_count: int
    device_count: int
    waiting: int
    peers: tuple[PeerLine, ...]
    rules: tuple[BoundAccounts, ...]
    """Those that bind somebody now, the one that binds most accounts first."""
    sentences: tuple[str, ...]
    """What the rules say beside them."""
    warnings: tuple[str, ...]
    has_lost: bool
    """Whether a warning needs to be acknowledged."""
    flows: str
    """Tracked connections and the table size; empty while not known."""
    heaviest: str
    """The device with the most connections; empty without one."""
    objections: int
    """Number of unanswered objections."""
    is_backup_overdue: bool
    is_live: bool
    """Whether the page reloads every few seconds."""
    line: tuple[LinePlot, ...] = ()
    """How the line was used in the last hour, day and month."""
    alerts: tuple[AlertLine, ...] = ()
    outage: Outage | None = None
    """None while the line works."""
    outage_form: FormView = NO_FORM
    """What people are told about the outage."""
    is_told: bool = False
    """Whether that was just saved."""
    plot_style = STYLE

    @property
    def first_warnings(self) -> tuple[str, ...]:
        return self.warnings[:WARNINGS_OPEN]

    @property
    def more_warnings(self) -> tuple[str, ...]:
        return self.warnings[WARNINGS_OPEN:]

    @property
    def has_strangers(self) -> bool:
        return any(peer.is_stranger for peer in self.peers)


def overview_page(
    view: Overview,
    frame: PageLayout,
    *,
    is_live: bool,
    objections: int = 0,
    is_backup_overdue: bool = False,
    line: tuple[LinePlot, ...] = (),
    alerts: tuple[AlertLine, ...] = (),
    outage: Outage | None = None,
    outage_form: FormView = NO_FORM,
    is_told: bool = False,
) -> OverviewPage:
    """Builds the overview page."""
    rules = bound_accounts(view.online)
    bound = {each.sentence for each in rules}
    return OverviewPage(
        frame=frame,
        node_id=view.node_id,
        bars=_bars(view),
        known="" if view.uplink_known is None else LINE_KNOWN[view.uplink_known],
        slowest=_slowest(view.uplink_slowest),
        rate=gettext_lazy(
            "{down} download and {up} upload",
            down=amount_lazy(show_rate(view.uplink_rate.down)),
            up=amount_lazy(show_rate(view.uplink_rate.up)),
        ),
        accounts=tuple(_account(row) for row in view.online[:BUSIEST_MAX]),
        account_count=len(view.online),
        device_count=sum(row.devices for row in view.online),
        waiting=view.waiting,
        peers=tuple(_peer(row) for row in view.peers[:PEERS_MAX]),
        rules=rules,
        sentences=tuple(each for each in view.sentences if each not in bound)[:SENTENCES_MAX],
        warnings=view.warnings,
        has_lost=view.has_lost,
        flows=_of(view.flows.entries, view.flows.size) if view.flows.size else "",
        heaviest=heaviest(view.flows),
        objections=objections,
        is_backup_overdue=is_backup_overdue,
        line=line,
        is_live=is_live,
        alerts=alerts[:ALERTS_MAX],
        outage=outage,
        outage_form=outage_form,
        is_told=is_told,
    )


def bound_accounts(online: Iterable[OnlineRow]) -> tuple[BoundAccounts, ...]:
    """Each rule that binds accounts of `online`, which has the busiest first; one sentence is there once."""
    bound: dict[tuple[str, str], list[OnlineRow]] = {}
    for row in online:
        if row.sentence:
            bound.setdefault((row.binding_rule, row.sentence), []).append(row)
    rules = (
        BoundAccounts(
            rule,
            sentence,
            tuple((row.account, row.name or row.account) for row in rows[:BOUND_MAX]),
            len(rows),
        )
        for (rule, sentence), rows in bound.items()
    )
    return tuple(sorted(rules, key=lambda each: (-each.count, each.rule))[:SENTENCES_MAX])


def heard(seconds_ago: int | None) -> str:
    """Time since the last message of another node, in its largest unit."""
    if seconds_ago is None:
        return gettext_lazy("never")
    return gettext_lazy("{time} ago", time=long_ago(seconds_ago))


def heaviest(flows: FlowsRow) -> str:
    """The device with the most connections, and the limit for each device."""
    if not flows.heaviest:
        return ""
    count = _of(flows.heaviest_flows, flows.per_device)
    return gettext_lazy("{device}: {count}", device=flows.heaviest, count=count)


def _of(number: int, most: int) -> LazyText:
    return gettext_lazy("{number} of {most}", number=number_lazy(number), most=number_lazy(most))


def _slowest(rates: Mapping[Direction, BitsPerSecond]) -> str:
    """What the line carried in its slowest tenth; empty while that is not known."""
    shown = {direction: amount_lazy(show_rate(rate)) for direction, rate in rates.items()}
    if len(shown) == len(_SLOWEST):
        return gettext_lazy(
            "In its slowest tenth of the last 14 days: {down} download, {up} upload.", **shown
        )
    return next((gettext_lazy(_SLOWEST[way], rate=rate) for way, rate in shown.items()), "")


_SLOWEST: Mapping[Direction, str] = {
    "down": N_("In its slowest tenth of the last 14 days: {rate} download."),
    "up": N_("In its slowest tenth of the last 14 days: {rate} upload."),
}


def _bars(view: Overview) -> tuple[Bar, ...]:
    if view.uplink is None:
        return ()
    return (
        _bar("down", view.uplink_rate.down, view.uplink.down),
        _bar("up", view.uplink_rate.up, view.uplink.up),
    )


def _bar(direction: str, used: BitsPerSecond, whole: BitsPerSecond) -> Bar:
    percent = min(100, used * 100 // whole) if whole else 0
    return Bar(direction, amount_lazy(show_rate(used)), amount_lazy(show_rate(whole)), percent, percent > 90)


def _account(row: OnlineRow) -> AccountLine:
    return AccountLine(
        account=row.account,
        name=row.name or row.account,
        tier=row.tier,
        devices=row.devices,
        down=amount_lazy(show_rate(row.rate.down)),
        up=amount_lazy(show_rate(row.rate.up)),
        used_month=amount_lazy(show_volume(row.used_month)),
        rule=row.binding_rule,
        most_down="" if row.could_have is None else amount_lazy(show_rate(row.could_have.down)),
        most_up="" if row.could_have is None else amount_lazy(show_rate(row.could_have.up)),
    )


def _peer(row: PeerView) -> PeerLine:
    return PeerLine(
        name=row.name or gettext_lazy("without a name"),
        state=PEER_STATES.get(row.state, row.state),
        is_stranger=row.state == "stranger",
        node=row.node,
        addresses=", ".join(row.addresses),
        heard=heard(row.heard_seconds_ago),
    )


class OverviewViews:
    """Views for the overview. Issuers are redirected to vouchers."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._outages = backend, backend.alerts.outages

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/", self._show, EVERYONE_SIGNED_IN),
            Route("POST", "/losses", self._acknowledge),
            Route("POST", "/outage", self._tell),
            Route("POST", "/outage/undo", self._untell),
        )

    async def _acknowledge(self, request: AdminRequest) -> AdminRedirect:
        await self._backend.acknowledge_losses(request.signed)
        return AdminRedirect("/")

    async def _tell(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """Tells people who knows about the outage, and until when it may last."""
        form = TypedForm(request.fields)
        known_to, until = form.line("known_to", KNOWN_TO_CHARS_MAX), form.line("until")
        if not form.errors:
            found = await self._backend.tell_outage(request.signed, known_to, until)
            form.take(
                (found,) if found else (), "until" if found and found.code == WRONG_TIME else "known_to"
            )
        if form.errors:
            return await self._page(request, 422, form.view())
        return AdminRedirect("/?told")

    async def _untell(self, request: AdminRequest) -> AdminRedirect:
        await self._backend.untell_outage(request.signed)
        return AdminRedirect("/")

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        if request.signed.role != "admin":
            return AdminRedirect("/vouchers")
        return await self._page(request)

    async def _page(
        self, request: AdminRequest, status: int = 200, outage_form: FormView = NO_FORM
    ) -> AdminResponse:
        frame = page_layout(request, self._backend.site(), "/")
        is_live = "live" in request.query
        objections = sum(not objection.answer for objection in self._backend.content.objections())
        is_backup_overdue = await self._backend.backup.is_overdue()
        raised = self._backend.alerts.raised()
        page = overview_page(
            self._backend.overview(request.translations),
            frame,
            is_live=is_live,
            objections=objections,
            is_backup_overdue=is_backup_overdue,
            line=await line_plots(self._backend.history, request),
            alerts=tuple(
                AlertLine(each.title, each.alert.fix, each.since)
                for each in raised
                if each.alert.name != "backup_old" or not is_backup_overdue
            ),
            outage=self._outages.outage(),
            outage_form=outage_form,
            is_told="told" in request.query,
        )
        return AdminResponse(page, status, is_heavy=True, refresh_s=LIVE_S if is_live else 0)
