"""Application service of the admin pages."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from mesh.announcement import Address
from mesh.community_service import CommunityService
from node.accounts.cards import Card
from node.accounts.events import BY_SOMEBODY
from node.accounts.member_passphrases import hash_passphrase
from node.app.admin_access import AdminAccessService
from node.app.admin_backup import AdminBackupService
from node.app.admin_community import AdminCommunityService
from node.app.admin_content import AdminContentService
from node.app.admin_events import AdminEventsService, EventArchive
from node.app.admin_gateways import AdminGatewaysService
from node.app.admin_history import AdminHistoryService, HistoryReader
from node.app.admin_members import AdminMembersService
from node.app.admin_messages import AdminMessagesService
from node.app.admin_people import AdminPeopleService
from node.app.admin_sessions import ADMIN, Signed
from node.app.admin_signing import AdminSigningService
from node.app.admin_vouchers import AdminVouchersService
from node.app.alert_service import AlertService
from node.app.attested_minutes import AttestedMinutes
from node.app.event_recorder import event_of, recorded
from node.app.ladder_cases import LadderCaseService
from node.app.metrics_token import MetricsToken
from node.app.node_summaries import NodeSummaries
from node.app.observed_counts import ObservedCounts
from node.app.ports import RuleLog
from node.app.rule_adoption import RuleAdoption
from node.app.rule_files import BY_EDIT, RuleFiles
from node.app.rule_meanings import RuleMeanings
from node.app.rule_preview import ReadIntervals, RulePreview, no_preview, preview
from node.app.shared_files import SharedFiles
from node.app.status import Overview, StatusSnapshot
from node.app.told_classes import PreviewArchive, ToldClasses
from node.backup.ports import BackupPort
from node.config import NodeConfig
from node.config.model import SiteInfo
from node.control.active_ruleset import amend, new_strains
from node.control.ports import Clock, StateArchive
from node.control.reconciler import Reconciler
from node.errors import Finding, NodeError, StorageTrouble
from node.export.node_graph import NodeGraph
from node.governance.admin_findings import minutes_to_attest, too_few_admins
from node.governance.canonical_form import meaning_fingerprint
from node.governance.change_impact import change_impact
from node.governance.change_sentences import ChangeSentence, change_sentences, verdict_sentence
from node.governance.expressions import listed
from node.governance.local_findings import unknown_nodes
from node.governance.marked_sentences import MarkedSentence, marked_sentences, unread_sentences
from node.governance.parse import parse_ruleset
from node.governance.rule_edit import RuleDraft, read_draft
from node.governance.rule_selection import exception_chains
from node.governance.rules import GUEST_TIER, LATE_DUES, MEMBER_TIER, nodes_of
from node.governance.sentences import describe, minutes_sentence
from node.translator import ENGLISH, N_, Translator

BY_ADMIN = N_("an admin, on the admin page")
"""The person who adopted a version, as it was stored before admins had names."""
EVERY_ADDRESS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never listened on
LINES_COMPARED_MAX = 4_000
"""Lines of each of two rule files; comparing more would take too long for a page."""
LINES_SHOWN_MAX = 400
CHARACTERS_MAX = 300
"""Of each line that is shown."""
OPTIONS_MAX = 200
"""Of a menu."""


class Archive(StateArchive, RuleLog, EventArchive, PreviewArchive, Protocol):
    """The log of adoptions, events, what previews told, and node state in the database. Every method raises StorageTrouble
    while the data folder cannot be used."""

    async def acknowledge_losses(self) -> None: ...


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The rule file in force, and its fingerprint, which detects concurrent edits."""

    text: str
    fingerprint: str
    meaning: str = ""
    """Fingerprint of what it says."""
    uplink: str = ""
    """The line of this node, where the rules have several."""


def difference(old: str, new: str) -> tuple[str, ...]:
    """Unified diff lines from `old` to `new`, limited to what a page can show; empty when they are equal."""
    before, after = old.splitlines(), new.splitlines()
    if before == after:
        return ()
    if max(len(before), len(after)) > LINES_COMPARED_MAX:
        return (f"@@ too long to compare: {len(before)} lines before, {len(after)} lines after @@",)
    import difflib  # noqa: PLC0415 - takes 0.25 MB, and only somebody who proposes rules needs it

    lines = difflib.unified_diff(before, after, "in force", "proposed", lineterm="", n=2)
    shown = [line if len(line) <= CHARACTERS_MAX else f"{line[:CHARACTERS_MAX]}…" for line in lines]
    if len(shown) > LINES_SHOWN_MAX:
        rest = len(shown) - LINES_SHOWN_MAX
        return (*shown[:LINES_SHOWN_MAX], f"@@ and {rest} more lines @@")
    return tuple(shown)


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """Check of a proposed rule file."""

    findings: tuple[Finding, ...]
    difference: tuple[str, ...]
    """Unified diff lines against the file in force."""
    sentences: tuple[str, ...]
    """The proposed rules in plain language; empty when there are errors."""
    verdict: str = ""
    """What changes for people, in one sentence; empty when there are errors."""
    changes: tuple[ChangeSentence, ...] = ()
    exceptions: tuple[str, ...] = ()
    """The tree of exceptions of the proposed rules."""
    meaning: str = ""
    """Fingerprint of what the proposed rules say; empty when there are errors."""
    preview: RulePreview | None = None
    """None if it was not asked for, or the rules have errors."""
    marked: tuple[MarkedSentence, ...] = ()
    """The proposed rules, with a mark on those that are new or other than in force."""
    places: Mapping[Finding, tuple[str, str]] = field(default_factory=dict)
    """The rule and its blank that a finding is about, where it is about a rule."""


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """What the menus of a rule's form offer."""

    people: tuple[str, ...]
    """Selectors: everyone, and the tiers and groups of the members and of the rules."""
    nodes: tuple[str, ...]
    """Names of nodes: this one, and those that rules name."""
    charter_approvals: int = 1
    """How many admins must approve a change of the charter in force."""


class AdminService:
    """The node, as far as admins may see and change it. Every method can raise NodeError."""

    def __init__(  # noqa: PLR0917
        self,
        reconciler: Reconciler,
        status_snapshot: StatusSnapshot,
        files: RuleFiles,
        archive: Archive,
        clock: Clock,
        config: NodeConfig,
        *,
        access: AdminAccessService,
        adoption: RuleAdoption,
        shared_files: SharedFiles,
        backups: BackupPort,
        sign_card: Callable[[Card], str],
        portal_url: Callable[[], str],
        languages: Callable[[], Mapping[str, str]],
        graph: Callable[[], NodeGraph],
        summaries: NodeSummaries | None = None,
        history: HistoryReader,
        alerts: AlertService,
        gateways: AdminGatewaysService,
        fingerprint: Callable[[], str],
        read_intervals: ReadIntervals,
        community: CommunityService,
        addresses: Callable[[], tuple[Address, ...]],
        setup_url: str,
    ) -> None:
        """`sign_card` returns the text of a card; `languages` the portal's languages, each with its own name;
        `graph` all nodes now; `fingerprint` that of the self-signed certificate of these pages, or an empty text;
        `addresses` those of this node on mesh links. `setup_url`: of the set-up page of a new node."""
        self._reconciler, self.status_snapshot, self._files = reconciler, status_snapshot, files
        self._archive, self._clock, self._config = archive, clock, config
        self.access, self.adoption, self.fingerprint = access, adoption, fingerprint
        self.metrics_token = MetricsToken(
            archive, clock, secrets.token_bytes, event=lambda by, kind: event_of(reconciler, by, kind)
        )
        self.graph, self.history, self.shared_files = (
            graph,
            AdminHistoryService(history, config.admin),
            shared_files,
        )
        self.alerts, self.gateways = alerts, gateways
        self.summaries = summaries or NodeSummaries()
        self.meanings = RuleMeanings(adoption.version_text)
        self._attested = AttestedMinutes(adoption.version_text)
        self._hashing, self._told = asyncio.Lock(), ToldClasses(archive, clock, read_intervals)
        self._portal_url, self._languages = portal_url, languages
        self._observed = ObservedCounts(self._told, clock, config.node.name)
        self.vouchers = AdminVouchersService(
            reconciler,
            generate=lambda count: asyncio.to_thread(reconciler.registry.vouchers.generate, count),
            random=secrets.token_bytes,
            sessions=access.sessions,
            name_of_node=status_snapshot.name_of_node,
        )
        self.people = AdminPeopleService(reconciler)
        self.people.gateway_name = gateways.name_at
        self.members = AdminMembersService(
            reconciler,
            files,
            self.people,
            adopt=self._adopt,
            random=secrets.token_bytes,
            hashed=self._hashed,
            sign_card=sign_card,
            strains=lambda directory: asyncio.to_thread(new_strains, reconciler.active_ruleset, directory),
        )
        self.content = AdminContentService(reconciler, config)
        self.messages = AdminMessagesService(reconciler)
        self.cases = LadderCaseService(reconciler, clock)
        self._record_access(access)
        self.events = AdminEventsService(reconciler, archive, clock, config.admin.events_days)
        self.backup = AdminBackupService(
            backups, clock, secrets.token_bytes, recorded=partial(recorded, reconciler)
        )
        self.community = AdminCommunityService(
            community,
            name=config.node.name,
            peers=status_snapshot.peers,
            key_copies=status_snapshot.key_copies,
        )
        self.signing = AdminSigningService(
            community,
            access,
            archive,
            clock=clock,
            random=secrets.token_bytes,
            name=config.community.name,
            addresses=addresses,
            port=config.mesh.port,
            setup_url=setup_url,
            recorded=partial(recorded, reconciler),
        )

    def _record_access(self, access: AdminAccessService) -> None:
        reconciler = self._reconciler

        def failed(name: str) -> None:
            at = reconciler.persistence.instant()
            event = reconciler.registry.events.repeated(BY_SOMEBODY, "sign-in-failed", at, about=name)
            if event is not None:
                reconciler.persistence.pending.add((event,))  # stored within a minute, with what else is

        access.event = lambda by, kind, about: event_of(reconciler, by, kind, about=about)
        access.failed, access.keep_events = failed, reconciler.persistence.pending.add

    async def _adopt(self) -> None:
        """Puts changed files in force."""
        await self._files.look(self._reconciler, self.adoption.record, BY_EDIT)

    def _zones(self) -> tuple[str, ...]:
        return (self._config.node.zone,) if self._config.node.zone else ()

    async def _hashed(self, passphrase: str, salt: bytes) -> str:
        async with self._hashing:  # each hash takes 16 MB
            return await asyncio.to_thread(hash_passphrase, passphrase, salt)

    async def recall(self) -> None:
        """Restores sign-ins and the token for metrics; without the data folder there are none."""
        try:
            await self.access.recall()
            await self.metrics_token.recall()
        except StorageTrouble:
            return  # reported by the control loop, which writes to the same folder each minute

    async def new_link(self, signed: Signed = ADMIN) -> tuple[str, int]:
        """(URL that signs in once as `signed`, seconds that it is valid). Raises NodeError when there can be none."""
        refused = self.access.why_no_link(signed)
        if refused is not None:
            raise NodeError(refused.message, refused.fix)
        token, seconds = await self.access.new_token(signed)
        return f"{self.address()}/sign-in?token={token}", seconds

    def address(self) -> str:
        """URL of the admin pages without a path: by https where the LAN can open them."""
        admin, lan = self._config.admin, str(self._config.lan.address4.ip)
        if admin.lan:
            return f"https://{lan}:{admin.https_port}"
        # A wildcard address cannot be opened in a browser.
        address = lan if admin.address in EVERY_ADDRESS else admin.address
        return f"http://{f'[{address}]' if ':' in address else address}:{admin.port}"

    def overview(self, translator: Translator = ENGLISH) -> Overview:
        """Without the warnings that an alert covers, which `alerts` has."""
        covered = {each.alert.covers for each in self.alerts.raised()}
        return self.status_snapshot.overview(translator, covered)

    async def tell_outage(self, by: Signed, known_to: str, until: str) -> Finding | None:
        """As `OutageNotes.save`, with its event, which does not say what was written: it may be a name."""
        told = event_of(self._reconciler, by, "outage-told")
        try:
            found = await self.alerts.outages.save(known_to, until)
        except StorageTrouble:
            self._reconciler.persistence.pending.add((told,))  # people are told all the same
            raise
        if found is None:
            await self._reconciler.remember((told,))
        return found

    async def untell_outage(self, by: Signed) -> None:
        """People read nothing beside the outage itself; nothing happens if they do not now."""
        if self.alerts.outages.note is not None:
            await self.alerts.outages.clear()
            await self._reconciler.remember((event_of(self._reconciler, by, "outage-untold"),))

    async def acknowledge_losses(self, by: Signed = ADMIN) -> None:
        """An admin has read which data the database lost."""
        async with recorded(self._reconciler, by, "losses-read"):
            await self._archive.acknowledge_losses()

    def rule_file(self) -> RuleFile:
        active = self._reconciler.active_ruleset
        uplink = active.own.uplink_name if active.own.uplinks else ""
        return RuleFile(active.text, active.fingerprint, meaning_fingerprint(active.ruleset), uplink)

    def site(self) -> SiteInfo:
        config, known, appearance = self._config, self._languages(), self.content.appearance()
        own, shown = config.portal.language, config.portal.languages or tuple(known)
        tags = [tag for tag in dict.fromkeys((own, *shown)) if tag in known or tag == own]
        return SiteInfo(
            config.community.name,
            config.node.name,
            config.portal.host,
            self._portal_url(),
            self._zones(),
            tuple((tag, known.get(tag, tag)) for tag in tags),
            appearance.wifi_name,
            appearance.wifi_passphrase,
            appearance.logo,
        )

    def has_ladders(self) -> bool:
        """Whether the rules have a ladder, or there are cases of one."""
        has_cases = len(self._reconciler.registry.ladder_cases) > 0
        return has_cases or bool(self._reconciler.active_ruleset.ruleset.ladders)

    def rule_options(self) -> RuleOptions:
        rules, units = self._reconciler.active_ruleset.ruleset.rules, self._reconciler.member_directory.units
        tiers = {GUEST_TIER, MEMBER_TIER, *(unit.tier for unit in units)}
        groups = {group for unit in units for group in unit.groups}
        for rule in rules:
            tiers |= rule.who.tiers | rule.who.excluded_tiers
            groups |= rule.who.groups | rule.who.excluded_groups
        named = [f"group:{each}" for each in sorted(groups - {LATE_DUES})]
        people = ("everyone", *(f"tier:{each}" for each in sorted(tiers)), *named, LATE_DUES)
        nodes = {self._config.node.name, *nodes_of(rules)} - {""}
        approvals = self._reconciler.active_ruleset.ruleset.charter.charter_approvals
        return RuleOptions(people[:OPTIONS_MAX], tuple(sorted(nodes))[:OPTIONS_MAX], approvals)

    def marked_sentences(self, translator: Translator = ENGLISH) -> tuple[MarkedSentence, ...]:
        """The rules in force."""
        ruleset = self._reconciler.active_ruleset.ruleset
        return marked_sentences(ruleset, ruleset, translator)

    async def rule_changes(
        self, numbers: Sequence[int], translator: Translator = ENGLISH
    ) -> dict[int, tuple[MarkedSentence, ...]]:
        """What each of these versions says otherwise than the rules before it, which nobody took back; nothing for one of
        which either text is gone or cannot be read."""
        before: dict[int, int] = {}
        last = 0
        for version in sorted(self.adoption.versions(), key=lambda each: each.number):
            if last and version.number in numbers:
                before[version.number] = last
            is_past = version.is_draft or version.state in {"reverted", "withdrawn", "waiting"}
            last = last if is_past else version.number
        texts = {each: await self.adoption.version_text(each) for each in {*before, *before.values()}}
        return await asyncio.to_thread(_changes, texts, before, translator)

    async def edit_rules[T](self, text: str, edit: Callable[[RuleDraft], T]) -> T | Finding:
        """What `edit` makes of a draft, or why that cannot be read; changes nothing in force."""

        def edited() -> T | Finding:
            draft = read_draft(text)
            return draft if isinstance(draft, Finding) else edit(draft)

        return await asyncio.to_thread(edited)

    def civil(self) -> datetime:
        """The node's civil time, in its zone."""
        return self._clock.civil().astimezone(self.history.zone)

    def rule_exceptions(self) -> tuple[str, ...]:
        return exception_chains(self._reconciler.active_ruleset.ruleset.rules)

    def rule_sentences(self, translator: Translator = ENGLISH) -> tuple[str, ...]:
        return describe(self._reconciler.active_ruleset.ruleset, translator)

    async def observed_notes(self, translator: Translator = ENGLISH) -> Mapping[str, str]:
        """What each rule that is only observed would have limited, by its sentence."""
        rules, members = self._reconciler.active_ruleset, self._reconciler.member_directory
        return await self._observed.notes(rules.own, members, translator, whole=rules.ruleset)

    async def minutes_notes(self, translator: Translator = ENGLISH) -> Mapping[str, str]:
        """The admins who attest minutes in force, by the sentence of these."""
        minutes = self._reconciler.active_ruleset.ruleset.minutes
        attested = await self._attested.of(minutes, self.adoption.versions())
        text = translator.gettext("Attested by {names}.")
        return {
            minutes_sentence(each, translator): text.format(names=listed(names, translator))
            for each, names in attested.items()
        }

    async def preview_rules(self, text: str, translator: Translator = ENGLISH) -> RuleCheck:
        """As `check_rules`, with what the file would have changed in the last days."""
        check = await self.check_rules(text, translator)
        if not check.sentences:
            return check
        found = await self._preview(text, translator)
        more = found.findings if found else ()
        places = await self.edit_rules(text, lambda draft: _places(draft, more))
        assert not isinstance(places, Finding), "its sentences were read"
        return replace(
            check, preview=found, findings=check.findings + more, places={**check.places, **places}
        )

    async def _preview(self, text: str, translator: Translator) -> RulePreview | None:
        active, members = self._reconciler.active_ruleset, self._reconciler.member_directory
        ruleset, _ = await asyncio.to_thread(amend, active, text, members)
        if ruleset is None:
            return None
        rulesets = active.own, ruleset.of_uplink(active.uplink_name)
        name = self._config.node.name
        try:
            return await self._told.tell(
                lambda read, told: preview(read, rulesets, members, name, translator, told=told)
            )
        except StorageTrouble as trouble:
            return no_preview(trouble.message, trouble.fix)

    async def check_rules(self, text: str, translator: Translator = ENGLISH) -> RuleCheck:
        """Checks a rule file; changes nothing."""
        # Checking evaluates the rules for whole weeks, so it runs in a thread.
        return await asyncio.to_thread(self._check, text, translator, self.status_snapshot.node_names())

    def _check(self, text: str, translator: Translator, node_names: Collection[str]) -> RuleCheck:
        active, members = self._reconciler.active_ruleset, self._reconciler.member_directory
        slowest = self._reconciler.uplink_rate_control.slowest
        ruleset, findings = amend(active, text, members, slowest)
        if ruleset is not None:
            findings += tuple(unknown_nodes(ruleset, node_names))
            findings += tuple(too_few_admins(ruleset, self.adoption.admins()))
            findings += tuple(minutes_to_attest(self._files.confirmed(self._reconciler).ruleset, ruleset))
        changed = difference(active.text, text)
        draft = read_draft(text)
        places = {} if isinstance(draft, Finding) else _places(draft, findings)
        if ruleset is None:
            # Rules with an error that only a check finds can still be read aloud.
            read, _ = parse_ruleset(text)
            names = () if isinstance(draft, Finding) else draft.ids
            marked = (
                unread_sentences(active.ruleset, names, translator)
                if read is None
                else marked_sentences(active.ruleset, read, translator)
            )
            return RuleCheck(findings, changed, (), marked=marked, places=places)
        impact = change_impact(active.ruleset, ruleset, members.units)
        return RuleCheck(
            findings,
            changed,
            describe(ruleset, translator),
            verdict_sentence(impact, translator),
            change_sentences(impact, translator),
            exception_chains(ruleset.rules),
            meaning=meaning_fingerprint(ruleset),
            marked=marked_sentences(active.ruleset, ruleset, translator),
            places=places,
        )


def _places(draft: RuleDraft, findings: tuple[Finding, ...]) -> dict[Finding, tuple[str, str]]:
    found = ((each, draft.place_of(each)) for each in findings)
    return {finding: place for finding, place in found if place is not None}


def _changes(
    texts: Mapping[int, str | None], before: Mapping[int, int], translator: Translator
) -> dict[int, tuple[MarkedSentence, ...]]:
    read = {number: parse_ruleset(text)[0] for number, text in texts.items() if text is not None}
    found: dict[int, tuple[MarkedSentence, ...]] = {}
    for number, earlier in before.items():
        old, new = read.get(earlier), read.get(number)
        if old is not None and new is not None:
            marked = marked_sentences(old, new, translator)
            found[number] = tuple(each for each in marked if each.mark != "same")
    return found
