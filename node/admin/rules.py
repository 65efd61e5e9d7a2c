"""Rules in force, and the editor: check a draft, show its difference, save, restore an earlier version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Literal

from node.admin.preview_charts import Chart, charts
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    TroublePage,
    not_there,
    number_in,
    page_layout,
)
from node.admin.rule_form import Options, RuleEdit, RuleForm, apply_form, by_blank, new_rules, rule_form
from node.admin.rule_history import newest_first, version_author, zone_sentence
from node.admin.series_plots import series_page
from node.admin.table_form import TableForm, table_form
from node.app.admin import AdminService, RuleCheck, RuleFile, RuleOptions
from node.app.adoption_messages import DRAFTS, STOPPED, NothingToDo, WrongTime, became
from node.app.adoption_views import AdoptionOutcome, DraftView, WaitingView
from node.app.file_standing import StandingKind
from node.app.rule_preview import RulePreview
from node.errors import CONFLICT, UNSTORED, Finding
from node.governance.change_sentences import ChangeSentence
from node.governance.document import with_addition
from node.governance.marked_sentences import MarkedSentence
from node.governance.parse import SENTENCES_MAX
from node.governance.rule_edit import RuleDraft
from node.governance.rule_history import RuleVersion
from node.governance.table_edit import table_at
from node.history.series import rule_series_name
from node.translator import Translator, as_sentence, gettext_lazy

RULE_CHARS_MAX = 256 * 1024
VERSIONS_MAX = 200
OBJECTIONS_MAX = 200
"""Texts that are shown."""
CHANGES_MAX = 100
DIFFERENCE_LINES_MAX = 2_000
LINES_BEFORE, LINES_AFTER = 2, 6
"""Lines shown around one with a finding, as far as no empty line is between."""
LINE_CHARS_MAX = 300
"""Characters shown of one line of the text."""
NOTICES = ("saved", "same", "scheduled", "proposed", "drafted", "confirmed", "ended")
"""Of an action that is done; names of the query."""
SHOWN_CODES = frozenset({UNSTORED, DRAFTS, STOPPED})
"""Of refusals that a check of the draft does not find again."""

NO_NOTES: Mapping[str, str] = MappingProxyType({})

LineKind = Literal["added", "removed", "header", "same"]


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """One line of the difference to the file in force."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class NumberedLine:
    """One line of a draft, with what was found in it."""

    number: int
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of checking a draft."""

    errors: tuple[Finding, ...]
    second_looks: tuple[Finding, ...]
    passages: tuple[tuple[NumberedLine, ...], ...]
    """The lines in which something was found, each with those around it."""
    difference: tuple[DifferenceLine, ...]
    sentences: tuple[str, ...]
    summary: str
    """What changes for people; empty when there are errors."""
    changes: tuple[ChangeSentence, ...]
    more_changes: int
    """How many are not shown."""
    exceptions: tuple[str, ...]
    meaning: str = ""
    """Fingerprint of what the draft says; empty when there are errors."""
    marked: tuple[MarkedSentence, ...] = ()
    """The draft in sentences, those marked that are new or other than in force."""
    places: Mapping[Finding, tuple[str, str]] = field(default_factory=dict)
    """The rule and its blank that a finding is about, where it is about one."""

    @property
    def is_broken_elsewhere(self) -> bool:
        """Whether an error is outside of all rules: then only the text shows it."""
        return any(each not in self.places for each in self.errors)

    def of_rule(self, rule: str) -> tuple[Finding, ...]:
        """What was found in a rule."""
        return tuple(each for each in (*self.errors, *self.second_looks) if self.rule_of(each) == rule)

    def rule_of(self, finding: Finding) -> str:
        """The rule that it is about; empty for something else."""
        return self.places[finding][0] if finding in self.places else ""

    def blank_of(self, finding: Finding) -> str:
        """The blank that it is about; empty for a rule as a whole."""
        return self.places[finding][1] if finding in self.places else ""


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The rules in force, and the editor."""

    template = "rules.html"
    frame: PageLayout
    sentences: tuple[str, ...]
    observed: Mapping[str, str]
    """What rules that are only observed would have limited, by their sentences."""
    attested: Mapping[str, str]
    """The admins who attest minutes, by their sentences."""
    zone: str
    """See `zone_sentence`."""
    exceptions: tuple[str, ...]
    text: str
    replacing: str
    """Fingerprint of the file that the draft would replace."""
    verdict: Verdict | None
    notice: str
    """``saved``, ``scheduled``, ``proposed``, ``confirmed``, ``ended``, ``conflict``, ``version``,
    ``waiting``, ``draft``, ``drafted``, ``added`` or empty."""
    version: int
    """Number of the earlier version in the editor; 0 for none."""
    versions: tuple[RuleVersion, ...]
    fingerprint: str
    meaning: str = ""
    """Fingerprint of what the rules in force say."""
    meanings: Mapping[int, str] = field(default_factory=dict)
    """The same of versions, by number, as far as they are known."""
    waiting: WaitingView | None = None
    drafts: tuple[DraftView, ...] = ()
    objections: tuple[str, ...] = ()
    """What members wrote who object to what waits, or who stopped the newest version."""
    due: str = ""
    """What was entered as the time of a schedule and refused."""
    preview: RulePreview | None = None
    charts: tuple[Chart, ...] = ()
    marked: tuple[MarkedSentence, ...] = ()
    """The rules in force in sentences, each with its rule."""
    opened: RuleForm | TableForm | None = None
    """The rule, line or charter whose blanks are shown; the text is then not shown as one."""
    new_rules: Options = ()
    """What somebody who adds a rule chooses from."""
    uplink: str = ""
    """The line of this node, where the rules have several."""
    reached_at: Mapping[str, str] = field(default_factory=dict)
    """Where it is shown when a rule limited somebody, by its id."""
    shared: StandingKind | None = None
    """How the rules stand to those that the community signed; None for a node without others."""

    def by(self, version: RuleVersion) -> str:
        """The person who adopted the version, or how it came into force."""
        return version_author(version)

    @property
    def stopped(self) -> RuleVersion | None:
        """The newest version, if objections stopped it and nothing waits."""
        newest = next((each for each in self.versions if not each.is_draft), None)
        is_stopped = newest is not None and newest.reason == "objections" and self.waiting is None
        return newest if is_stopped else None

    def became(self, version: RuleVersion) -> str:
        """What became of the version, translatable."""
        return became(version)


def rules_page(
    sentences: tuple[str, ...],
    file: RuleFile,
    versions: Sequence[RuleVersion],
    frame: PageLayout,
    *,
    observed: Mapping[str, str] = NO_NOTES,
    attested: Mapping[str, str] = NO_NOTES,
    zone: str = "",
    exceptions: tuple[str, ...] = (),
    draft: str | None = None,
    replacing: str | None = None,
    check: RuleCheck | None = None,
    notice: str = "",
    version: int = 0,
    waiting: WaitingView | None = None,
    drafts: tuple[DraftView, ...] = (),
    objections: tuple[str, ...] = (),
    meanings: Mapping[int, str] | None = None,
    marked: tuple[MarkedSentence, ...] = (),
    shared: StandingKind | None = None,
    series: Iterable[str] = (),
) -> RulesPage:
    """Builds the page for the rules in force, or for a draft with its check. `series`: names of those with a history."""
    recorded = frozenset(series)
    names = {each.rule: rule_series_name(each.rule) for each in marked if each.rule}
    return RulesPage(
        frame=frame,
        sentences=sentences[:SENTENCES_MAX],
        reached_at={rule: series_page(name) for rule, name in names.items() if name in recorded},
        observed=observed,
        attested=attested,
        zone=zone,
        exceptions=exceptions[:SENTENCES_MAX],
        text=file.text if draft is None else draft,
        replacing=file.fingerprint if replacing is None else replacing,
        verdict=None if check is None else verdict(check, draft or ""),
        notice=notice,
        version=version,
        versions=newest_first(versions)[:VERSIONS_MAX],
        fingerprint=file.fingerprint,
        meaning=file.meaning,
        meanings=meanings or {},
        waiting=waiting,
        drafts=tuple(replace(each, texts=each.texts[:OBJECTIONS_MAX]) for each in drafts),
        objections=objections[:OBJECTIONS_MAX],
        marked=marked[:SENTENCES_MAX],
        new_rules=new_rules(),
        uplink=file.uplink,
        shared=shared,
    )


def verdict(check: RuleCheck, text: str = "") -> Verdict:
    """Errors, warnings, difference and meaning of the draft `text`."""
    return Verdict(
        errors=tuple(each for each in check.findings if each.is_error),
        second_looks=tuple(each for each in check.findings if not each.is_error),
        passages=passages(text, check.findings),
        difference=difference_lines(check.difference),
        sentences=check.sentences[:SENTENCES_MAX],
        summary=check.verdict,
        changes=check.changes[:CHANGES_MAX],
        more_changes=max(0, len(check.changes) - CHANGES_MAX),
        exceptions=check.exceptions[:SENTENCES_MAX],
        meaning=check.meaning,
        marked=check.marked[:SENTENCES_MAX],
        places=check.places,
    )


def passages(text: str, findings: Sequence[Finding]) -> tuple[tuple[NumberedLine, ...], ...]:
    """The lines of `text` with findings, and those around them; lines that follow one another are one passage."""
    lines = text.split("\n")
    shown: set[int] = set()
    for each in findings:
        shown.update(_around(lines, each.line) if 0 < each.line <= len(lines) else ())
    found: list[list[NumberedLine]] = []
    for number in sorted(shown):
        line = lines[number - 1]
        if not found or found[-1][-1].number != number - 1:
            found.append([])
        here = tuple(each for each in findings if each.line == number)
        cut = line if len(line) <= LINE_CHARS_MAX else f"{line[:LINE_CHARS_MAX]}…"
        found[-1].append(NumberedLine(number, cut, here))
    return tuple(tuple(passage) for passage in found)


def _around(lines: Sequence[str], number: int) -> range:
    """Numbers of the lines around this one; a rule is seldom longer, and stands between empty lines."""
    first = last = number
    while first > max(1, number - LINES_BEFORE) and lines[first - 2].strip():
        first -= 1
    while last < min(len(lines), number + LINES_AFTER) and lines[last].strip():
        last += 1
    return range(first, last + 1)


def difference_lines(lines: Sequence[str]) -> tuple[DifferenceLine, ...]:
    """The lines of a unified difference."""
    return tuple(_difference_line(line) for line in lines[:DIFFERENCE_LINES_MAX])


def _difference_line(line: str) -> DifferenceLine:
    if line.startswith(("@@", "---", "+++")):
        return DifferenceLine("header", line)
    kinds: dict[str, LineKind] = {"+": "added", "-": "removed"}
    return DifferenceLine(kinds.get(line[:1], "same"), line)


class RulesViews:
    """Views for rules."""

    def __init__(self, backend: AdminService) -> None:
        self._backend = backend

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/rules", self._show),
            Route("POST", "/rules", self._propose),
            Route("POST", "/rules/confirm", self._confirm),
            Route("POST", "/rules/approve", self._approve),
            Route("POST", "/rules/rollback", self._roll_back),
        )

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        number = number_in(request.query, "version")
        if "version" not in request.query:
            notice = next((each for each in NOTICES if each in request.query), "")
            meanings = await self._backend.meanings.of(self._backend.adoption.versions())
            return await self._page(request, notice=notice, meanings=meanings)
        text = await self._backend.adoption.version_text(number)
        if text is None:
            fix = gettext_lazy("Choose one of the versions on the rules page.")
            return not_there(gettext_lazy("There is no version {number} of the rules.", number=number), fix)
        waiting = self._backend.adoption.waiting()
        notice = "waiting" if waiting is not None and waiting.number == number else "version"
        notice = "draft" if number in self._backend.adoption.draft_numbers else notice
        return await self._draft(request, text, notice=notice, version=number)

    async def _propose(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        text = request.fields.get("text", "").replace("\r\n", "\n").replace("\r", "\n")
        replacing = request.fields.get("replacing", "")
        if len(text) > RULE_CHARS_MAX:
            page = TroublePage(
                gettext_lazy("Too large"),
                gettext_lazy("The rule file is too large."),
                gettext_lazy("Make it shorter."),
            )
            return AdminResponse(page, 413)
        edited = await self._edited(request, text)
        answer = await (self._refused if edited.refused else self._act)(request, edited, replacing)
        return await self._opened(answer, edited, request) if isinstance(answer, AdminResponse) else answer

    async def _refused(self, request: AdminRequest, edited: RuleEdit, replacing: str) -> AdminResponse:
        """The draft as it was, with what is wrong in the form."""
        found, places = tuple(edited.refused.values()), {}
        if edited.opened:
            places = {each: (edited.opened, blank) for blank, each in edited.refused.items()}
        status = 422 if request.fields.get("do") == "save" else 200
        return await self._draft(
            request, edited.text, replacing=replacing, status=status, refused=found, places=places
        )

    async def _edited(self, request: AdminRequest, text: str) -> RuleEdit:
        """The draft with what the form of a rule says, and the rule to open."""
        edited = await self._backend.edit_rules(text, partial(apply_form, fields=request.fields))
        return RuleEdit(text) if isinstance(edited, Finding) else edited

    async def _opened(self, answer: AdminResponse, edited: RuleEdit, request: AdminRequest) -> AdminResponse:
        """The page with the form of the rule that is open."""
        page, options = answer.page, self._backend.rule_options()
        if not edited.opened or not isinstance(page, RulesPage):
            return answer
        form = await self._backend.edit_rules(
            page.text,
            partial(_form_of, edited=edited, options=options, translator=request.translations),
        )
        if form is None or isinstance(form, Finding):
            return answer
        found, marked = page.verdict, page.marked if page.verdict is None else page.verdict.marked
        opened = replace(
            form,
            findings={}
            if found is None
            else by_blank((*found.errors, *found.second_looks), found.places, edited.opened),
            sentence=" ".join(
                each.text
                for each in marked
                if edited.opened in (each.rule, each.table) and each.mark != "removed"
            ),
        )
        return replace(answer, page=replace(page, opened=opened))

    async def _act(
        self, request: AdminRequest, edited: RuleEdit, replacing: str
    ) -> AdminResponse | AdminRedirect:
        """What the button asks for, with the draft as it is now."""
        text = edited.text
        if line := number_in(request.fields, "add"):
            return await self._add(request, text, replacing, line)
        is_looking = "change" in request.fields or request.fields.get("do") == "close"
        if is_looking and text == self._backend.rule_file().text:
            return await self._page(request, draft=text, replacing=replacing)
        if request.fields.get("do") == "preview":
            return await self._preview(request, text, replacing)
        if request.fields.get("do") == "schedule":
            return await self._schedule(request, text, replacing)
        if request.fields.get("do") == "draft":
            outcome = await self._backend.adoption.draft(text, request.signed.label)
            return await self._after(request, outcome, text, replacing)
        if request.fields.get("do") != "save":
            return await self._draft(request, text, replacing=replacing)
        outcome = await self._backend.adoption.adopt(text, request.signed.label, replacing=replacing)
        return await self._after(request, outcome, text, replacing)

    async def _add(self, request: AdminRequest, text: str, replacing: str, line: int) -> AdminResponse:
        """Takes the proposal for the table at `line` into the draft, as long as a check still makes it."""
        check = await self._backend.check_rules(text, request.translations)
        added = with_addition(text, check.findings, line)
        return await self._draft(request, added, replacing=replacing, notice="added" if added != text else "")

    async def _schedule(
        self, request: AdminRequest, text: str, replacing: str
    ) -> AdminResponse | AdminRedirect:
        due = request.fields.get("due", "")
        try:
            outcome = await self._backend.adoption.adopt(
                text,
                request.signed.label,
                replacing=replacing,
                due=due or "?",
                is_trial="no_trial" not in request.fields,
            )
        except WrongTime as wrong:
            finding = Finding("time", 0, as_sentence(wrong.message), wrong.fix)
            response = await self._draft(request, text, replacing=replacing, status=422, refused=(finding,))
            assert isinstance(response.page, RulesPage), "the editor"
            return replace(response, page=replace(response.page, due=due))
        return await self._after(request, outcome, text, replacing)

    async def _preview(self, request: AdminRequest, text: str, replacing: str) -> AdminResponse:
        check = await self._backend.preview_rules(text, request.translations)
        response = await self._page(request, draft=text, replacing=replacing, check=check)
        assert isinstance(response.page, RulesPage), "the editor"
        found = check.preview
        if found is None:
            return response
        drawn = () if found.replay is None else charts(found.replay, request.translations)
        return replace(response, page=replace(response.page, preview=found, charts=drawn))

    async def _confirm(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """Confirming again, as by a form that is sent twice, changes nothing."""
        number = number_in(request.fields, "trial")
        if not number:
            return _no_version_named()
        try:
            await self._backend.adoption.confirm(request.signed.label, number)
        except NothingToDo as nothing:
            return _nothing_to_do(nothing)
        return AdminRedirect("/rules?confirmed")

    async def _approve(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """The form names the version that was shown, so that it approves no other."""
        number = number_in(request.fields, "number")
        if not number:
            return _no_version_named()
        try:
            outcome = await self._backend.adoption.approve(request.signed.label, number)
        except NothingToDo as nothing:
            return _nothing_to_do(nothing)
        text = await self._backend.adoption.version_text(number) or ""
        return await self._after(request, outcome, text, self._backend.rule_file().fingerprint)

    async def _roll_back(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        """Ends the trial or the schedule of a version, or adopts an earlier version. Every form names the version, so
        that one that is sent twice or too late takes nothing else back."""
        ending, number = (number_in(request.fields, name) for name in ("trial", "number"))
        if not (ending or number):
            return _no_version_named()
        try:
            if ending:
                outcome = await self._backend.adoption.end(request.signed.label, ending)
            else:
                outcome = await self._backend.adoption.roll_back(request.signed.label, number)
        except NothingToDo as nothing:
            return _nothing_to_do(nothing)
        text = await self._backend.adoption.version_text(outcome.number) or ""
        return await self._after(request, outcome, text, self._backend.rule_file().fingerprint)

    async def _after(
        self, request: AdminRequest, outcome: AdoptionOutcome, text: str, replacing: str
    ) -> AdminResponse | AdminRedirect:
        if not outcome.is_refused:
            if outcome.kind in {"ended", "withdrawn"}:
                # Also of what was just saved: its time came and it did not fit, or members objected to its draft.
                return AdminRedirect("/rules?ended")
            if outcome.kind == "draft":
                return AdminRedirect("/rules?drafted")
            if outcome.kind in {"scheduled", "proposed"}:
                return AdminRedirect(f"/rules?{outcome.kind}")
            return AdminRedirect("/rules?same" if outcome.says_the_same else "/rules?saved")
        if any(finding.code == CONFLICT for finding in outcome.findings):
            return await self._draft(request, text, notice="conflict", status=409)
        refused = tuple(finding for finding in outcome.findings if finding.code in SHOWN_CODES)
        return await self._draft(request, text, replacing=replacing, status=422, refused=refused)

    async def _draft(
        self,
        request: AdminRequest,
        text: str,
        *,
        replacing: str | None = None,
        notice: str = "",
        version: int = 0,
        status: int = 200,
        refused: tuple[Finding, ...] = (),
        places: Mapping[Finding, tuple[str, str]] | None = None,
    ) -> AdminResponse:
        """The editor with a draft and the result of its check, and what else it was refused for, and where."""
        check = await self._backend.check_rules(text, request.translations)
        check = replace(check, findings=refused + check.findings, places={**check.places, **(places or {})})
        return await self._page(
            request,
            draft=text,
            replacing=replacing,
            check=check,
            notice=notice,
            version=version,
            status=status,
        )

    async def _page(
        self,
        request: AdminRequest,
        *,
        draft: str | None = None,
        replacing: str | None = None,
        check: RuleCheck | None = None,
        notice: str = "",
        version: int = 0,
        status: int = 200,
        meanings: Mapping[int, str] | None = None,
    ) -> AdminResponse:
        page = rules_page(
            self._backend.rule_sentences(request.translations),
            self._backend.rule_file(),
            self._backend.adoption.versions(),
            page_layout(request, self._backend.site(), "/rules"),
            observed=await self._backend.observed_notes(request.translations),
            attested=await self._backend.minutes_notes(request.translations),
            zone=zone_sentence(self._backend.civil()),
            exceptions=self._backend.rule_exceptions(),
            draft=draft,
            replacing=replacing,
            check=check,
            notice=notice,
            version=version,
            waiting=self._backend.adoption.waiting(),
            drafts=self._backend.adoption.drafts(),
            objections=self._backend.adoption.objection_texts(),
            meanings=meanings,
            marked=() if check is not None else self._backend.marked_sentences(request.translations),
            shared=self._backend.shared_files.kind("rules"),
            series=(each.name for each in self._backend.history.series()),
        )
        return AdminResponse(page, status)


def _form_of(
    draft: RuleDraft, edited: RuleEdit, options: RuleOptions, translator: Translator
) -> RuleForm | TableForm | None:
    """The form of what is open; None where the draft has no such rule or table."""
    if table := table_at(edited.opened):
        return table_form(draft, table, options.charter_approvals, typed=edited.typed)
    return rule_form(draft, edited.opened, options, translator, typed=edited.typed)


def _no_version_named() -> AdminResponse:
    fix = gettext_lazy("Choose one of the versions on the rules page.")
    return not_there(gettext_lazy("There is no version {number} of the rules.", number=0), fix)


def _nothing_to_do(nothing: NothingToDo) -> AdminResponse:
    page = TroublePage(gettext_lazy("Nothing to do"), as_sentence(nothing.message), as_sentence(nothing.fix))
    return AdminResponse(page, 409)
