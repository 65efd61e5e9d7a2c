"""Queries and commands of the control socket."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime, time, timedelta
from typing import Any

from node.accounting.meter import Baseline
from node.accounts.vouchers import Batch
from node.app.admin_members import AdminMembersService
from node.app.admin_sessions import Signed, read_signed
from node.app.admin_vouchers import AdminVouchersService, VoucherOrder, batch_line
from node.app.adoption_messages import became, not_open
from node.app.adoption_views import AdoptionOutcome
from node.app.overspending import overspending
from node.app.rule_adoption import RuleAdoption
from node.app.rule_meanings import RuleMeanings
from node.app.status import StatusSnapshot
from node.app.views import LINE_KNOWN, GuestView, LineView, line_view
from node.config.model import SiteInfo
from node.console import Answer, DeviceRow
from node.control.reconciler import Reconciler
from node.errors import UNSTORED, Finding, NodeError
from node.governance.allowance import Moment, binding
from node.governance.canonical_form import meaning_fingerprint
from node.governance.explanation import explain
from node.governance.local_findings import unknown_nodes
from node.governance.rule_selection import exception_chains, is_meant_for
from node.governance.sentences import describe, sentence
from node.governance.times import parse_day, parse_times
from node.memory_budget import Budget
from node.sessions import state as session_state
from node.task_supervision import Parts
from node.units import (
    NO_RATES,
    NO_USAGE,
    AccountId,
    MacAddress,
    Rates,
    Usage,
    parse_duration,
    parse_mac,
    show_rate,
)

WHO_CHARS_MAX = 200


class ConsoleService:
    """Each method answers one query. Raises NodeError when the query cannot be answered."""

    def __init__(
        self,
        *,
        reconciler: Reconciler,
        status_snapshot: StatusSnapshot,
        adoption: RuleAdoption,
        parts: Parts,
        guest: Callable[[MacAddress], GuestView],
        admin_link: Callable[[Signed], Awaitable[tuple[str, int]]],
        fingerprint: Callable[[], str],
        rules_file: str,
        budget: Budget,
        started: datetime,
        version: str,
        digest: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        """`digest`: what in the network needs a person."""
        self._reconciler, self._status_snapshot, self._parts = reconciler, status_snapshot, parts
        self._fingerprint, self._adoption = fingerprint, adoption
        self._guest, self._admin_link, self._rules_file = guest, admin_link, rules_file
        self._budget, self._started, self._version = budget, started, version
        self._digest = digest

    def all(self) -> Mapping[str, Answer]:
        return {
            "status": self.status,
            "why": self.why,
            "devices": self.devices,
            "rules": self.rules,
            "peers": self.peers,
            "admin-link": self.admin_link,
        }

    def status(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        reconciler, overview = self._reconciler, self._status_snapshot.overview()
        active = reconciler.active_ruleset
        return {
            "overview": overview,
            "version": self._version,
            "started": self._started,
            "clock": reconciler.effective_policy.moment().clock,
            "uplink_busy": reconciler.load.busy,
            "rules_fingerprint": active.fingerprint,
            "rules_meaning": meaning_fingerprint(active.ruleset),
            "rules_version": active.ruleset.version,
            "rules_decision": active.ruleset.decision,
            "rules_rejected": active.rejected,
            "rules_strained": active.strained,
            "rules_trial": self._adoption.trial(),
            "rules_waiting": self._adoption.waiting(),
            "rules_drafts": self._adoption.drafts(),
            "parts": tuple(self._parts.health.values()),
            "kernel": reconciler.features,
            "memory": {
                "allowed_bytes": self._budget.allowed.bytes,
                "allowed_by": self._budget.allowed.source,
                "connections_max": self._budget.connections(len(reconciler.session_table.session_entries)),
                "guests_max": self._budget.devices,
                "sentence": self._budget.sentence,
            },
        }

    def why(self, question: dict[str, Any]) -> Mapping[str, Any]:
        account = self._account(str(question.get("who", ""))[:WHO_CHARS_MAX])
        moment = self._moment(question.get("at"))
        allowance = self._reconciler.effective_policy.allowance_at(account, moment)
        rule, said = binding(allowance)
        reconciler, line, lines = self._reconciler, None, explain(allowance)
        if question.get("at") is None:
            line = line_view(reconciler.effective_policy, reconciler.uplink_rate_control, account)
            lines = (lines[0], *_line_now(line), *lines[1:])
        *limits, objecting = lines
        others = self._status_snapshot.other_nodes()
        over = overspending(allowance, reconciler.effective_policy.present) if others else None
        told = () if over is None else (over.sentence,)
        lines = (*limits, *self._only_observed(account, moment), *told, objecting)
        return {
            "account": account,
            "tier": self._reconciler.member_directory.unit(account).tier,
            "allowance": allowance,
            "at": f"{moment.at:%a %H:%M}",
            "binding_rule": rule,
            "sentence": said,
            "explain": lines,
            "line": line,
            "overspending": over,
        }

    def _only_observed(self, account: AccountId, moment: Moment) -> Iterable[str]:
        """Rules for this person that limit nobody."""
        ruleset = self._reconciler.active_ruleset.own
        unit = self._reconciler.effective_policy.unit(account, moment)
        for rule in ruleset.observed:
            if is_meant_for(rule, unit.tier, unit.groups):
                yield f" {sentence(rule, ruleset)}"

    def devices(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        return {"devices": tuple(self._device(mac) for mac in sorted(self._reconciler.session_table.guests))}

    def rules(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        active, names = self._reconciler.active_ruleset, self._status_snapshot.node_names()
        return {
            "community": active.ruleset.community,
            "version": active.ruleset.version,
            "decision": active.ruleset.decision,
            "file": self._rules_file,
            "text": active.text,
            "fingerprint": active.fingerprint,
            "meaning": meaning_fingerprint(active.ruleset),
            "uplink": active.own.uplink_name if active.own.uplinks else "",
            "sentences": describe(active.ruleset),
            "exceptions": exception_chains(active.ruleset.rules),
            "findings": active.rejected,
            "warnings": (*active.warnings, *unknown_nodes(active.ruleset, names)),
            "node_names": sorted(names),
            "trial": self._adoption.trial(),
        }

    def peers(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        peers = self._status_snapshot.overview().peers
        return {"node": self._reconciler.node, "peers": peers, "digest": self._digest()}

    async def admin_link(self, question: dict[str, Any]) -> Mapping[str, Any]:
        role, name, *limits = (
            str(question.get(key) or "")[:WHO_CHARS_MAX]
            for key in ("role", "name", "groups", "lasts", "devices", "per_day")
        )
        groups, lasts, devices, per_day = limits
        try:
            signed = read_signed(
                role or "admin", name, groups=groups, lasts=lasts, devices=devices, per_day=per_day
            )
        except ValueError as error:
            message, _, fix = str(error).partition("; ")
            raise NodeError(message, fix) from error
        url, seconds = await self._admin_link(signed)
        may = signed.may_issue.sentence if signed.may_issue else ""
        fingerprint = self._fingerprint()
        return {
            "url": url,
            "expires_seconds": seconds,
            "who": signed.label,
            "may": may,
            "fingerprint": fingerprint,
        }

    def _device(self, mac: MacAddress) -> DeviceRow:
        reconciler = self._reconciler
        view, session_entry = self._guest(mac), reconciler.session_table.session_entries.get(mac)
        counted = (
            _counted(reconciler.persistence.baseline, session_entry.mark)
            if session_entry is not None
            else NO_USAGE
        )
        rate = (
            reconciler.mark_rates.get(session_entry.mark, NO_RATES) if session_entry is not None else NO_RATES
        )
        admitted = isinstance(reconciler.session_table.state(mac), session_state.Authorized)
        return DeviceRow(
            mac=mac,
            state=view.state,
            account=view.account,
            down=counted.down,
            up=counted.up,
            rate_down=rate.down,
            rate_up=rate.up,
            seconds_left=view.seconds_left,
            rule=binding(view.allowance)[0] if admitted and view.allowance is not None else "",
            name=reconciler.registry.bindings.name_of(mac),
            way=reconciler.registry.way_of(mac) if admitted else "",
        )

    def _account(self, who: str) -> AccountId:
        """The account with this name, or of the device with this MAC address. Raises NodeError for an unknown name."""
        reconciler = self._reconciler
        try:
            return reconciler.account_of(parse_mac(who))
        except ValueError:
            account = AccountId(who)
        known = (
            account in reconciler.member_directory.by_account or account in reconciler.session_table.minors
        )
        if not known:
            raise NodeError(
                f"nobody here is called {who!r}", "'procomu devices' lists who is here, with their accounts"
            )
        return account

    def _moment(self, at: object) -> Moment:
        now = self._reconciler.effective_policy.moment()
        if at is None:
            return now
        try:
            when, _, load = str(at)[:WHO_CHARS_MAX].partition(",")
            return Moment(moment_at(when, now.at), "synced", _is_busy(load.strip()), now.node)
        except ValueError as error:
            fix = 'write a day and a time, as --at "fri 21:00", --at "2026-12-25 21:00" or --at "fri 21:00, everyone busy"'
            raise NodeError(str(error), fix) from error


def moment_at(text: str, now: datetime) -> datetime:
    """The next time that matches, for example, ``fri 21:00``, or ``2026-12-25 21:00``. Raises ValueError."""
    day, _, hour = text.partition(" ")
    if day[:1].isdigit():
        date = parse_day(day)
        start, _ = parse_times(f"mon {hour}-24:00").spans[0]
        return datetime.combine(date, time(), now.tzinfo) + timedelta(minutes=start)
    start, _ = parse_times(f"{text}-24:00").spans[0]
    monday = now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=now.weekday())
    at = monday + timedelta(minutes=start)
    return at if at >= now else at + timedelta(days=7)


def _is_busy(text: str) -> bool:
    """Whether the uplink is busy at the moment that is meant, in the words of tests in rule files. Raises ValueError."""
    if text not in ("", "alone", "everyone busy"):
        raise ValueError(f"{text!r} is neither everyone busy nor alone")
    return text == "everyone busy"


def _counted(baseline: Baseline | None, mark: int) -> Usage:
    return baseline.booked.get(mark, NO_USAGE) if baseline is not None else NO_USAGE


# Control socket commands that issue vouchers, passphrases and cards. They use the services of the admin pages.

TEXT_CHARS_MAX = 400
"""Longest argument, in characters; the services have lower limits of their own."""
BATCH_DIGITS_MAX = 6
"""An argument with more digits is a voucher code."""
VERSION_DIGITS_MAX = 9
_CONSOLE = Signed("admin", "console")


class ConsoleCommands:
    """Each method runs one command. Raises NodeError when it is refused."""

    def __init__(
        self, vouchers: AdminVouchersService, members: AdminMembersService, site: Callable[[], SiteInfo]
    ) -> None:
        self._vouchers, self._members, self._site = vouchers, members, site
        self._unstored: tuple[VoucherOrder, str] | None = None
        """The last order and its idempotency key, while its vouchers could not be stored."""

    def all(self) -> Mapping[str, Answer]:
        return {
            "vouchers-issue": self.issue,
            "vouchers-list": self.batches,
            "vouchers-revoke": self.revoke,
            "members-passphrase": self.passphrase,
            "members-card": self.card,
            "members-void-cards": self.void_cards,
        }

    async def issue(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Issues vouchers. The codes are in this response only. If they could not be stored, the same order given
        again returns the same vouchers."""
        try:
            lasts = parse_duration(_text(question, "lasts"))
        except ValueError as error:
            raise NodeError(str(error), 'write how long a voucher lasts, such as "1 day"') from error
        order = VoucherOrder(
            count=_number(question, "count"),
            group=_text(question, "group"),
            lasts=lasts,
            devices_max=_number(question, "devices"),
            note=_text(question, "note"),
        )
        before, self._unstored = self._unstored, None
        is_same = before is not None and before[0] == order
        idempotency_key = before[1] if before and is_same else self._vouchers.idempotency_key(_CONSOLE.label)
        issued = await self._vouchers.issue(_CONSOLE, order, _CONSOLE.label, idempotency_key)
        if isinstance(issued, tuple):
            if any(finding.code == UNSTORED for finding in issued):
                self._unstored = order, idempotency_key
            raise _no(*issued)
        return {"batch": issued.batch, "codes": issued.codes, "place": self._site()}

    def batches(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """The batches of all issuers, newest first."""
        return {
            "batches": [
                {
                    "batch": self._said(batch),
                    **dict(batch_line(batch, self._vouchers.counts(batch.number)).counts),
                }
                for batch in self._vouchers.batches(_CONSOLE)
            ]
        }

    def _said(self, batch: Batch) -> Batch:
        """Without its accounts; one of another node says which node issued it."""
        origin = self._vouchers.origin(batch)
        return replace(batch, accounts="", issued_by=f"node {origin}" if origin else batch.issued_by)

    async def revoke(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Revokes a batch by its number or one voucher by its code; with ``back`` restores it."""
        which, back = _text(question, "which"), bool(question.get("back"))
        if which.isascii() and which.isdecimal() and len(which) <= BATCH_DIGITS_MAX:
            changed = await self._vouchers.revoke_batch(_CONSOLE, int(which), back=back)
            if isinstance(changed, Finding):
                raise _no(changed)
            return {"changed": changed, "back": back}
        found = await self._vouchers.revoke_voucher(_CONSOLE, which, back=back)
        if found is not None:
            raise _no(found)
        return {"changed": 1, "back": back}

    async def passphrase(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Sets a new passphrase for a member. It replaces the old one and is in this response only."""
        account = _text(question, "who")
        made = await self._members.new_passphrase(account)
        if isinstance(made, Finding):
            raise _no(made)
        return {"account": account, "passphrase": made}

    async def card(self, question: dict[str, Any]) -> Mapping[str, Any]:
        made = await self._members.new_card(_text(question, "who"))
        if isinstance(made, Finding):
            raise _no(made)
        return {
            "account": made.member.account,
            "card": made.text,
            "address": f"{self._site().portal}/?card={made.text}",
            "last_day": made.last_day,
        }

    async def void_cards(self, question: dict[str, Any]) -> Mapping[str, Any]:
        account = _text(question, "who")
        found = await self._members.void_cards(account)
        if found is not None:
            raise _no(found)
        return {"account": account}


class RuleCommands:
    """Each method runs one command about the adoption of rules. Raises NodeError when it is refused."""

    def __init__(self, adoption: RuleAdoption) -> None:
        self._adoption, self._meanings = adoption, RuleMeanings(adoption.version_text)

    def all(self) -> Mapping[str, Answer]:
        return {
            "rules-adopt": self.adopt,
            "rules-confirm": self.confirm,
            "rules-rollback": self.roll_back,
            "rules-draft": self.draft,
            "rules-withdraw": self.withdraw,
            "rules-log": self.history,
        }

    async def adopt(self, question: dict[str, Any]) -> Mapping[str, Any]:
        outcome = await self._adoption.adopt(
            str(question.get("text") or ""),
            _CONSOLE.label,
            due=_text(question, "at"),
            is_trial=not question.get("no_trial"),
        )
        return self._said(outcome)

    async def confirm(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Confirms the rules on trial, or approves the version that waits for approvals, if the query has its number: nobody
        approves what was proposed since they looked."""
        number, waiting = _version(question), self._adoption.waiting()
        unapproved = waiting.number if waiting is not None and waiting.missing else 0
        if unapproved and number == unapproved:
            return self._said(await self._adoption.approve(_CONSOLE.label, number))
        if unapproved and not number and self._adoption.trial() is None:
            fix = f"read it on the page Rules, then approve it with 'procomu rules confirm {unapproved}'"
            raise NodeError(f"no rules are on trial, and version {unapproved} waits for approval", fix)
        return self._said(await self._adoption.confirm(_CONSOLE.label, number))

    async def roll_back(self, question: dict[str, Any]) -> Mapping[str, Any]:
        return self._said(await self._adoption.roll_back(_CONSOLE.label, _version(question)))

    async def draft(self, question: dict[str, Any]) -> Mapping[str, Any]:
        return self._said(await self._adoption.draft(str(question.get("text") or ""), _CONSOLE.label))

    async def withdraw(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Withdraws a draft or what waits; the query has its number."""
        number = _version(question)
        version = self._adoption.version(number)
        if version is None or not (version.is_draft or version.has_waited):
            raise not_open(number)
        return self._said(await self._adoption.end(_CONSOLE.label, number))

    async def history(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        versions = self._adoption.versions()
        meanings = await self._meanings.of(versions)
        return {
            "versions": [
                {**asdict(each), "became": became(each), "meaning": meanings.get(each.number, "")}
                for each in versions
            ],
            "trial": self._adoption.trial(),
            "waiting": self._adoption.waiting(),
            "drafts": self._adoption.drafts(),
            "damaged": self._adoption.damaged,
        }

    def _said(self, outcome: AdoptionOutcome) -> Mapping[str, Any]:
        return {
            "outcome": outcome.kind,
            "number": outcome.number,
            "put_back": outcome.put_back,
            "says_the_same": outcome.says_the_same,
            "stopped": 0 if outcome.stopped is None else outcome.stopped.number,
            "in_force": self._adoption.in_force,
            "findings": outcome.findings,
            "trial": self._adoption.trial(),
            "waiting": self._adoption.waiting(),
        }


def _text(question: dict[str, Any], name: str) -> str:
    return str(question.get(name) or "")[:TEXT_CHARS_MAX].strip()


def _number(question: dict[str, Any], name: str) -> int:
    text = _text(question, name) or "0"
    if not (text.isascii() and text.isdecimal()) or len(text) > BATCH_DIGITS_MAX:
        raise NodeError(f"{text!r:.40} is not a number of {name}", f"write a whole number, as --{name} 3")
    return int(text)


def _version(question: dict[str, Any]) -> int:
    """The number of a version of the rules; 0 where none is given."""
    text = _text(question, "version")
    if text and not (text.isascii() and text.isdecimal() and len(text) <= VERSION_DIGITS_MAX and int(text)):
        fix = "write the number of a version, as 'procomu rules log' lists them"
        raise NodeError(f"{text!r:.40} is not the number of a version", fix)
    return int(text or "0")


def _no(*findings: Finding) -> NodeError:
    return NodeError(
        " ".join(finding.message for finding in findings), "; ".join(finding.fix for finding in findings)
    )


def _line_now(line: LineView | None) -> list[str]:
    if line is None:
        return []
    lines = [f" the line now: {_shown(line.rates)}. {LINE_KNOWN[line.known]}"]
    if line.could_have is not None:
        lines.append(
            f" you could have now: {_shown(line.could_have)}, beside those who use the line at the moment"
        )
    return lines


def _shown(rates: Rates) -> str:
    return f"{show_rate(rates.down)} download and {show_rate(rates.up)} upload"
