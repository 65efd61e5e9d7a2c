"""Editor of the terms: one text for each language; saving makes a new version."""

from collections.abc import Sequence
from dataclasses import dataclass

from node.accounts.terms import TERMS_CHARS_MAX, VERSIONS_MAX, Terms, TermsText
from node.admin.fields import FormView, TypedForm
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    not_there,
    page_layout,
)
from node.app.admin import AdminService
from node.config.model import SiteInfo
from node.errors import CONFLICT
from node.translator import gettext_lazy


@dataclass(frozen=True, slots=True)
class TermsPage:
    """The editor, and every version."""

    template = "terms.html"
    frame: PageLayout
    form: FormView
    languages: tuple[tuple[str, str], ...]
    """Tag and name, in the order of the fields."""
    current: Terms | None
    versions: tuple[Terms, ...]
    is_conflict: bool
    notice: str
    """``saved`` or empty."""


@dataclass(frozen=True, slots=True)
class TermsVersionPage:
    """One version, to read."""

    template = "terms_version.html"
    frame: PageLayout
    terms: Terms
    is_current: bool
    names: tuple[tuple[str, str], ...]

    def name(self, tag: str) -> str:
        return dict(self.names).get(tag, tag)


class TermsViews:
    """Views for the terms."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._content = backend, backend.content

    def routes(self) -> tuple[Route, ...]:
        return Route("GET", "/terms", self._show), Route("POST", "/terms", self._save)

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        versions, site = self._content.terms(), self._backend.site()
        if "version" in request.query:
            found = next((each for each in versions if each.version == request.query["version"]), None)
            if found is None:
                return not_there(
                    gettext_lazy("There is no such version of the terms."),
                    gettext_lazy("Choose one from the list."),
                )
            frame = page_layout(request, site, "/terms")
            return AdminResponse(TermsVersionPage(frame, found, found is versions[0], site.languages))
        values = {f"text-{each.language}": each.text for each in (versions[0].texts if versions else ())}
        return self._page(request, FormView(values), notice="saved" if "saved" in request.query else "")

    def _page(
        self, request: AdminRequest, form: FormView, *, notice: str = "", status: int = 200
    ) -> AdminResponse:
        versions, site = self._content.terms(), self._backend.site()
        page = TermsPage(
            frame=page_layout(request, site, "/terms"),
            form=form,
            languages=languages_of(site, versions),
            current=versions[0] if versions else None,
            versions=tuple(versions[:VERSIONS_MAX]),
            is_conflict=status == 409,
            notice=notice,
        )
        return AdminResponse(page, status)

    async def _save(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form = TypedForm(request.fields)
        tags = [tag for tag, _ in languages_of(self._backend.site(), self._content.terms())]
        written = [(tag, form.text(f"text-{tag}", TERMS_CHARS_MAX)) for tag in tags]
        texts = tuple(TermsText(tag, text) for tag, text in written if text)
        if not texts or texts[0].language != tags[0]:
            form.refuse(
                f"text-{tags[0]}",
                gettext_lazy("Write the terms in this language first: it is the binding one."),
            )
        if form.errors:
            return self._page(request, form.view(), status=422)
        saved = await self._content.save_terms(request.signed, texts, request.fields.get("replacing", ""))
        if isinstance(saved, Terms):
            return AdminRedirect("/terms?saved")
        if any(finding.code == CONFLICT for finding in saved):
            return self._page(request, form.view(), status=409)
        form.take(saved, f"text-{tags[0]}")
        return self._page(request, form.view(), status=422)


def languages_of(site: SiteInfo, versions: Sequence[Terms]) -> tuple[tuple[str, str], ...]:
    """Languages of the portal, and those that the terms already have."""
    known = dict(site.languages)
    for text in versions[0].texts if versions else ():
        known.setdefault(text.language, text.language)
    return tuple(known.items())
