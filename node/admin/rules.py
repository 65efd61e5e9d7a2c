"""Rules in force, and the editor: check a draft, show its difference, save, restore an earlier version."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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
from node.app.admin import BY_ADMIN, AdminService, RuleCheck, RuleFile, RuleVersion
from node.app.rule_files import BY_EDIT, BY_START
from node.errors import CONFLICT, Finding
from node.governance.translator import gettext_lazy

RULE_CHARS_MAX = 256 * 1024
SENTENCES_MAX = 200
VERSIONS_MAX = 200
DIFFERENCE_LINES_MAX = 2_000

LineKind = Literal["added", "removed", "header", "same"]


@dataclass(frozen=True, slots=True)
class DifferenceLine:
    """One line of the difference to the file in force."""

    kind: LineKind
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Result of checking a draft."""

    errors: tuple[Finding, ...]
    second_looks: tuple[Finding, ...]
    difference: tuple[DifferenceLine, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The rules in force, and the editor."""

    template = "rules.html"
    frame: PageLayout
    sentences: tuple[str, ...]
    text: str
    replacing: str
    """Fingerprint of the file that the draft would replace."""
    verdict: Verdict | None
    notice: str
    """``saved``, ``conflict``, ``version`` or empty."""
    version: int
    """Number of the earlier version in the editor; 0 for none."""
    versions: tuple[RuleVersion, ...]
    fingerprint: str

    def by(self, version: RuleVersion) -> str:
        """How the version came into force."""
        return gettext_lazy(version.by) if version.by in {BY_ADMIN, BY_START, BY_EDIT} else version.by


def rules_page(
    sentences: tuple[str, ...],
    file: RuleFile,
    versions: Sequence[RuleVersion],
    frame: PageLayout,
    *,
    draft: str | None = None,
    replacing: str | None = None,
    check: RuleCheck | None = None,
    notice: str = "",
    version: int = 0,
) -> RulesPage:
    """Builds the page for the rules in force, or for a draft with its check."""
    return RulesPage(
        frame=frame,
        sentences=sentences[:SENTENCES_MAX],
        text=file.text if draft is None else draft,
        replacing=file.fingerprint if replacing is None else replacing,
        verdict=None if check is None else verdict(check),
        notice=notice,
        version=version,
        versions=tuple(sorted(versions, key=lambda each: -each.number)[:VERSIONS_MAX]),
        fingerprint=file.fingerprint,
    )


def verdict(check: RuleCheck) -> Verdict:
    """Errors, warnings, difference and meaning of a draft."""
    return Verdict(
        errors=tuple(each for each in check.findings if each.is_error),
        second_looks=tuple(each for each in check.findings if not each.is_error),
        difference=tuple(_difference_line(line) for line in check.difference[:DIFFERENCE_LINES_MAX]),
        sentences=check.sentences[:SENTENCES_MAX],
    )


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
        return Route("GET", "/rules", self._show), Route("POST", "/rules", self._propose)

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        number = number_in(request.query, "version")
        if "version" not in request.query:
            return self._page(request, notice="saved" if "saved" in request.query else "")
        text = self._backend.rule_version_text(number)
        if text is None:
            fix = gettext_lazy("Choose one of the versions on the rules page.")
            return not_there(gettext_lazy("There is no version {number} of the rules.", number=number), fix)
        return await self._draft(request, text, notice="version", version=number)

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
        if request.fields.get("do") != "save":
            return await self._draft(request, text, replacing=replacing)
        findings = await self._backend.save_rules(text, replacing)
        if not any(finding.is_error for finding in findings):
            return AdminRedirect("/rules?saved")
        if any(finding.code == CONFLICT for finding in findings):
            return await self._draft(request, text, notice="conflict", status=409)
        return await self._draft(request, text, replacing=replacing, status=422)

    async def _draft(
        self,
        request: AdminRequest,
        text: str,
        *,
        replacing: str | None = None,
        notice: str = "",
        version: int = 0,
        status: int = 200,
    ) -> AdminResponse:
        """The editor with a draft and the result of its check."""
        check = await self._backend.check_rules(text, request.translations)
        return self._page(
            request,
            draft=text,
            replacing=replacing,
            check=check,
            notice=notice,
            version=version,
            status=status,
        )

    def _page(
        self,
        request: AdminRequest,
        *,
        draft: str | None = None,
        replacing: str | None = None,
        check: RuleCheck | None = None,
        notice: str = "",
        version: int = 0,
        status: int = 200,
    ) -> AdminResponse:
        page = rules_page(
            self._backend.rule_sentences(request.translations),
            self._backend.rule_file(),
            self._backend.rule_versions(),
            page_layout(request, self._backend.site(), "/rules"),
            draft=draft,
            replacing=replacing,
            check=check,
            notice=notice,
            version=version,
        )
        return AdminResponse(page, status)
