"""The rules and the members of all nodes: what admins signed, how this node differs, and the forms to sign or take it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from mesh.file_version import REASON_CHARS_MAX, FileName, is_printable
from mesh.file_versions import HeldVersion
from node.admin.fields import FormView, TypedForm
from node.admin.node_forms import SignPage, SignQuestion, sign_request
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    number_in,
    page_layout,
    refused,
)
from node.admin.rules import DifferenceLine, difference_lines
from node.app.admin import AdminService, difference
from node.app.admin_signing import SignRequest
from node.app.file_standing import StandingKind
from node.app.shared_files import FoundText, SharedFiles
from node.errors import Finding
from node.translator import gettext_lazy

HASH_CHARS_MAX = 64
NOTICES: Mapping[str, str] = {
    "shared": gettext_lazy("Signed: the other nodes take it within seconds."),
    "waits": gettext_lazy("Signed: it is the community’s once enough admins have signed it."),
    "taken": gettext_lazy("Taken: this node has what the community signed."),
}
"""After something was done; names of the query."""
TITLES: Mapping[FileName, str] = {
    "rules": gettext_lazy("The rules of all nodes"),
    "members": gettext_lazy("The members of all nodes"),
}


@dataclass(frozen=True, slots=True)
class SharedVersion:
    """One version that admins signed."""

    number: int
    name: str
    """Hash of its statement."""
    hash: str
    by: str
    day: str
    """ISO date, or ``unknown``."""
    reason: str
    missing: int
    """Votes that it needs."""
    is_here: bool
    """Whether this node has the same text."""
    here: str
    """The text of this node."""
    text: str
    """Its own."""

    @property
    def difference(self) -> tuple[DifferenceLine, ...]:
        """From this node's text to this one, compared when it is shown: long texts take a while."""
        return difference_lines(difference(self.here, self.text))


@dataclass(frozen=True, slots=True)
class SharedFilePage:
    """One file, as the community and this node have it."""

    template = "shared_file.html"
    frame: PageLayout
    file: FileName
    kind: StandingKind
    versions: tuple[SharedVersion, ...]
    waiting: tuple[SharedVersion, ...]
    refused: tuple[Finding, ...]
    trouble: str
    notice: str
    wrong: Finding | None = None

    @property
    def title(self) -> str:
        return TITLES[self.file]

    @property
    def has_record(self) -> bool:
        return self.kind != "no record"


class FileSharingViews:
    """Views for both files."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._signing = backend, backend.signing
        self._shared: SharedFiles = backend.shared_files

    def routes(self) -> tuple[Route, ...]:
        return (*self._routes("rules"), *self._routes("members"))

    def _routes(self, file: FileName) -> tuple[Route, ...]:
        return (
            Route("GET", f"/{file}/shared", partial(self._show, file=file)),
            Route("GET", f"/{file}/share", partial(self._ask, file=file)),
            Route("POST", f"/{file}/share", partial(self._share, file=file)),
            Route("POST", f"/{file}/take", partial(self._take, file=file)),
        )

    async def _show(
        self, request: AdminRequest, *, file: FileName, wrong: Finding | None = None
    ) -> AdminResponse:
        notice = next((text for name, text in NOTICES.items() if name in request.query), "")
        standing = self._shared.standing(file)
        page = SharedFilePage(
            self._layout(request, file),
            file,
            standing.kind,
            tuple(self._version(file, each) for each in standing.view.heads),
            tuple(self._version(file, each) for each in standing.view.waiting),
            self._shared.refused(file),
            self._shared.trouble(file),
            notice,
            wrong,
        )
        return AdminResponse(page, 200 if wrong is None else 409, is_heavy=True)

    def _version(self, file: FileName, held: HeldVersion) -> SharedVersion:
        version, own = held.version, self._shared.standing(file).hash
        return SharedVersion(
            version.number,
            held.statement.hash,
            version.hash,
            version.decision.by,
            version.decision.day,
            version.decision.reason,
            self._shared.votes_missing(held),
            version.hash == own,
            self._shared.text(file),
            self._shared.text_of(file, version.hash) or "",
        )

    # --- signing ---

    async def _ask(self, request: AdminRequest, *, file: FileName) -> AdminResponse:
        number = number_in(request.query, "version")
        wanted = request.query.get("use", "")[:HASH_CHARS_MAX]
        if not number and not wanted:
            wanted = self._shared.standing(file).hash
        found = await self._shared.find(file, wanted, number)
        if isinstance(found, Finding):
            return refused(found)
        question = self._question(file, found, number)
        return await self._form(request, file, question)

    async def _share(self, request: AdminRequest, *, file: FileName) -> AdminResponse | AdminRedirect:
        number, wanted = number_in(request.fields, "version"), request.fields.get("hash", "")[:HASH_CHARS_MAX]
        form = TypedForm(request.fields)
        reason = form.line("reason", REASON_CHARS_MAX)
        found = await self._shared.find(file, wanted, number)
        if isinstance(found, Finding):
            return refused(found)
        question = self._question(file, found, number)
        if not form.errors and not is_printable(reason, REASON_CHARS_MAX):
            form.refuse("reason", gettext_lazy("Write it in one line."))
        if form.errors:
            return await self._form(request, file, question, form.view(), 422)
        by: SignRequest = sign_request(request)
        wrong = await self._signing.share_file(by, file, found.text, reason)
        if wrong is not None:
            form.take([wrong], wrong.code)
            return await self._form(request, file, question, form.view(), 422)
        await self._shared.look()
        head = self._shared.standing(file).head
        is_shared = head is not None and head.version.hash == found.hash
        return AdminRedirect(f"/{file}/shared?{'shared' if is_shared else 'waits'}")

    def _question(self, file: FileName, found: FoundText, number: int) -> SignQuestion:
        is_trial = file == "rules" and self._backend.adoption.trial() is not None
        return sharing_question(file, found.hash, number, is_own=found.is_own, is_trial=is_trial)

    async def _form(
        self,
        request: AdminRequest,
        file: FileName,
        question: SignQuestion,
        form: FormView | None = None,
        status: int = 200,
    ) -> AdminResponse:
        shown = form or FormView()
        values = {"reason": shown.value("reason")}
        own = await self._signing.own_key(request.signed)
        page = SignPage(self._layout(request, file), question, FormView(values, shown.errors), own)
        return AdminResponse(page, status)

    # --- taking ---

    async def _take(self, request: AdminRequest, *, file: FileName) -> AdminResponse | AdminRedirect:
        findings = await self._shared.take(file, request.fields.get("version", "")[:HASH_CHARS_MAX])
        if findings:
            return await self._show(request, file=file, wrong=findings[0])
        return AdminRedirect(f"/{file}/shared?taken")

    def _layout(self, request: AdminRequest, file: FileName) -> PageLayout:
        return page_layout(request, self._backend.site(), f"/{file}")


def sharing_question(
    file: FileName, text_hash: str, number: int, *, is_own: bool, is_trial: bool = False
) -> SignQuestion:
    """`number`: of an earlier version of the rules; 0 for none. `is_trial`: other rules are on trial here."""
    is_rules = file == "rules"
    if number:
        title = gettext_lazy("Share version {number} of the rules with all nodes?", number=number)
    elif not is_own:
        title = (
            gettext_lazy("Use this version of the rules on all nodes?")
            if is_rules
            else gettext_lazy("Use this version of the members on all nodes?")
        )
    else:
        title = (
            gettext_lazy("Share the rules of this node with all nodes?")
            if is_rules
            else gettext_lazy("Share the members of this node with all nodes?")
        )
    meaning = (
        gettext_lazy(
            "Each node puts these rules in force within seconds, at once and without a trial, if they pass its checks."
        )
        if is_rules
        else gettext_lazy(
            "Each node takes these members within seconds, with their names, devices and dues. Passphrases and cards are "
            "not in the file."
        ),
        gettext_lazy("A node whose file was changed there keeps it until an admin decides."),
        *(
            (gettext_lazy("The rules on trial are not those: confirm them first if you mean them."),)
            if is_trial
            else ()
        ),
    )
    return SignQuestion(
        title,
        meaning,
        f"/{file}/share",
        gettext_lazy("Share with all nodes") if is_own or number else gettext_lazy("Use this one"),
        fields="decision",
        hidden=(("hash", text_hash), *((("version", str(number)),) if number else ())),
        back=(f"/{file}/shared", TITLES[file]),
    )
