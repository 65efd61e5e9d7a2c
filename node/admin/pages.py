"""Everything that an admin's page may show, as frozen values: words stand in the templates, facts here.

Names that people or other nodes chose pass through as they are: the templates escape them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from node.admin.ports import OnlineRow, Overview, PeerRow, RuleCheck, RuleFile, RuleVersion
from node.errors import Finding
from node.units import BitsPerSecond, show_rate, show_volume

ROWS_MAX = 200
"""Rows of one table; the busiest accounts come first."""
SENTENCES_MAX = 200
DIFFERENCE_LINES_MAX = 2_000

LineKind = Literal["added", "removed", "place", "same"]


@dataclass(frozen=True, slots=True)
class Bar:
    """One direction of the uplink."""

    direction: str
    used: str
    whole: str
    percent: int
    is_busy: bool


@dataclass(frozen=True, slots=True)
class AccountLine:
    """One account that is on now."""

    account: str
    tier: str
    devices: int
    down: str
    up: str
    used_month: str
    share: int
    ceiling: str
    rule: str
    sentence: str


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
class OverviewPage:
    """The first page."""

    template = "overview.html"
    community: str
    node: str
    proof: str
    node_id: str
    bars: tuple[Bar, ...]
    """Empty while the uplink's speed is not stated."""
    rate: str
    accounts: tuple[AccountLine, ...]
    accounts_hidden: int
    account_count: int
    device_count: int
    waiting: int
    peers: tuple[PeerLine, ...]
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    is_live: bool
    """Whether the page asks for itself again every few seconds."""


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """One line of the difference to the file in force."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a draft would mean."""

    errors: tuple[Finding, ...]
    second_looks: tuple[Finding, ...]
    difference: tuple[DifferenceLine, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The rules in force, and the editor."""

    template = "rules.html"
    community: str
    node: str
    proof: str
    sentences: tuple[str, ...]
    text: str
    replacing: str
    """Fingerprint of the file that the draft would replace."""
    verdict: Verdict | None
    notice: str
    """``saved``, ``conflict``, ``version`` or empty."""
    version: int
    """Which earlier version the text is; 0 for none."""
    versions: tuple[RuleVersion, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class SignInPage:
    """The one button behind a link, or what to do when the link no longer works."""

    template = "signin.html"
    token: str
    """Empty when there is nothing to redeem."""
    is_refused: bool


@dataclass(frozen=True, slots=True)
class TroublePage:
    """Something did not work: what, and what to do."""

    template = "trouble.html"
    title: str
    message: str
    mend: str


Page = OverviewPage | RulesPage | SignInPage | TroublePage


def overview_page(view: Overview, proof: str, *, is_live: bool) -> OverviewPage:
    """The node at a glance."""
    return OverviewPage(
        community=view.community,
        node=view.node,
        proof=proof,
        node_id=view.node_id,
        bars=_bars(view),
        rate=f"{show_rate(view.uplink_rate.down)} down, {show_rate(view.uplink_rate.up)} up",
        accounts=tuple(_account(row) for row in view.online[:ROWS_MAX]),
        accounts_hidden=max(0, len(view.online) - ROWS_MAX),
        account_count=len(view.online),
        device_count=sum(row.devices for row in view.online),
        waiting=view.waiting,
        peers=tuple(_peer(row) for row in view.peers[:ROWS_MAX]),
        sentences=view.sentences[:SENTENCES_MAX],
        warnings=view.warnings,
        is_live=is_live,
    )


def rules_page(
    view: Overview,
    file: RuleFile,
    versions: Sequence[RuleVersion],
    proof: str,
    *,
    draft: str | None = None,
    replacing: str | None = None,
    check: RuleCheck | None = None,
    notice: str = "",
    version: int = 0,
) -> RulesPage:
    """The rules as they are, or a draft and what it would mean."""
    return RulesPage(
        community=view.community,
        node=view.node,
        proof=proof,
        sentences=view.sentences[:SENTENCES_MAX],
        text=file.text if draft is None else draft,
        replacing=file.fingerprint if replacing is None else replacing,
        verdict=None if check is None else verdict(check),
        notice=notice,
        version=version,
        versions=tuple(sorted(versions, key=lambda each: -each.number)[:ROWS_MAX]),
        fingerprint=file.fingerprint,
    )


def verdict(check: RuleCheck) -> Verdict:
    """Errors first, then what deserves a second look, the difference, and the meaning."""
    return Verdict(
        errors=tuple(each for each in check.findings if each.is_error),
        second_looks=tuple(each for each in check.findings if not each.is_error),
        difference=tuple(_difference_line(line) for line in check.difference[:DIFFERENCE_LINES_MAX]),
        sentences=check.sentences[:SENTENCES_MAX],
    )


def heard(seconds_ago: int | None) -> str:
    """How long ago another node was heard, in its largest unit."""
    if seconds_ago is None:
        return "never"
    if seconds_ago < 60:
        return f"{seconds_ago} s ago"
    if seconds_ago < 3600:
        return f"{seconds_ago // 60} min ago"
    return f"{seconds_ago // 3600} h ago"


def _bars(view: Overview) -> tuple[Bar, ...]:
    if view.uplink is None:
        return ()
    return (
        _bar("down", view.uplink_rate.down, view.uplink.down),
        _bar("up", view.uplink_rate.up, view.uplink.up),
    )


def _bar(direction: str, used: BitsPerSecond, whole: BitsPerSecond) -> Bar:
    percent = min(100, used * 100 // whole) if whole else 0
    return Bar(direction, show_rate(used), show_rate(whole), percent, percent > 90)


def _account(row: OnlineRow) -> AccountLine:
    return AccountLine(
        account=row.account,
        tier=row.tier,
        devices=row.devices,
        down=show_rate(row.rate.down),
        up=show_rate(row.rate.up),
        used_month=show_volume(row.used_month),
        share=row.share,
        ceiling=row.ceiling,
        rule=row.binding_rule,
        sentence=row.sentence,
    )


def _peer(row: PeerRow) -> PeerLine:
    return PeerLine(
        name=row.name or "without a name",
        state=row.state,
        is_stranger=row.state == "stranger",
        node=row.node,
        addresses=", ".join(row.addresses),
        heard=heard(row.heard_seconds_ago),
    )


def _difference_line(line: str) -> DifferenceLine:
    if line.startswith(("@@", "---", "+++")):
        return DifferenceLine("place", line)
    kinds: dict[str, LineKind] = {"+": "added", "-": "removed"}
    return DifferenceLine(kinds.get(line[:1], "same"), line)
