"""Members: editor of the members file, new passphrases, and membership cards to print."""

from dataclasses import dataclass, replace

from node.accounts.appearance import wifi_qr_text
from node.admin.fields import FormView, ListPage, TypedForm, paginate
from node.admin.routes import (
    AdminRedirect,
    AdminRequest,
    AdminResponse,
    PageLayout,
    Route,
    not_there,
    number_in,
    page_layout,
    refused,
)
from node.admin.vouchers import qr_svg
from node.app.admin import AdminService
from node.app.admin_members import CardView, MemberEntry
from node.app.admin_people import AdminDeviceRow
from node.app.file_standing import StandingKind
from node.control.active_ruleset import fingerprint
from node.errors import CONFLICT, Finding
from node.governance.members import DEVICES_MAX, GROUPS_MAX
from node.translator import gettext_lazy
from node.units import parse_mac

QUERY_CHARS_MAX = 80
ACCOUNT_CHARS_MAX = 40
NAME_CHARS_MAX = 80


@dataclass(frozen=True, slots=True)
class MembersPage:
    """All members, or the results of a search."""

    template = "members.html"
    frame: PageLayout
    query: FormView
    members: ListPage[MemberEntry]
    findings: tuple[Finding, ...]
    strained: tuple[Finding, ...]
    """Rules that no longer fit the members."""
    late: frozenset[str]
    """Accounts whose dues are late."""
    notice: str
    """``saved`` or empty."""
    removed: MemberEntry | None
    """The member that was just removed, so that it can be undone."""
    replacing: str
    shared: StandingKind | None = None
    """How the members stand to those that the community signed; None for a node without others."""


@dataclass(frozen=True, slots=True)
class MemberPage:
    """The form for one member, existing or new."""

    template = "member.html"
    frame: PageLayout
    form: FormView
    was: str
    """The account as it is in the file; empty for a new one."""
    replacing: str
    is_conflict: bool
    strains: tuple[Finding, ...]
    """Rules that would no longer fit; they are shown for confirmation before saving."""
    knowing: str
    """Fingerprint of these, which the confirmed form sends back."""
    is_removal: bool
    """Whether the confirmation is for a removal."""
    tiers: tuple[str, ...]
    bound: tuple[AdminDeviceRow, ...]
    has_passphrase: bool
    notice: str
    """``voided`` or empty."""


@dataclass(frozen=True, slots=True)
class PassphrasePage:
    """A new passphrase, shown once."""

    template = "passphrase.html"
    frame: PageLayout
    account: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class CardPage:
    """A membership card to print."""

    template = "card.html"
    frame: PageLayout
    card: CardView
    lang: str
    """Language of the holder: that of the community."""

    @property
    def qr_svg(self) -> str:
        """The QR code, made when it is shown."""
        return qr_svg(f"{self.frame.site.portal}/?card={self.card.text}")

    @property
    def wifi_svg(self) -> str:
        """QR code that joins the Wi-Fi."""
        site = self.frame.site
        return qr_svg(wifi_qr_text(site.wifi, site.wifi_passphrase))


class MembersViews:
    """Views for members."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._members = backend, backend.members

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/members", self._list),
            Route("GET", "/members/edit", self._edit),
            Route("POST", "/members/edit", self._save),
            Route("POST", "/members/remove", self._remove),
            Route("POST", "/members/passphrase", self._passphrase),
            Route("POST", "/members/card", self._card),
            Route("POST", "/members/void", self._void),
        )

    async def _list(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._found(request, notice="saved" if "saved" in request.query else "")

    def _found(
        self, request: AdminRequest, *, notice: str = "", removed: MemberEntry | None = None
    ) -> AdminResponse:
        form = TypedForm({"q": request.query.get("q", "")})
        query = form.line("q", QUERY_CHARS_MAX)
        view = self._members.find(query)
        page = MembersPage(
            frame=page_layout(request, self._backend.site(), "/members"),
            query=form.view(),
            members=paginate(view.members, number_in(request.query, "page"), "/members", q=query),
            findings=view.findings,
            strained=view.strained,
            late=view.late,
            notice=notice,
            removed=removed,
            replacing=view.fingerprint,
            shared=self._backend.shared_files.kind("members"),
        )
        return AdminResponse(page)

    async def _edit(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        account = request.query.get("id", "")
        if not account:
            return self._form(request, FormView({"tier": "member"}), "")
        member = self._members.member(account)
        if member is None:
            return _nobody()
        return self._form(request, FormView(member_values(member)), member.account)

    def _form(
        self,
        request: AdminRequest,
        form: FormView,
        was: str,
        *,
        replacing: str = "",
        notice: str = "",
        status: int = 200,
        strains: tuple[Finding, ...] = (),
        is_removal: bool = False,
    ) -> AdminResponse:
        view = self._members.find("")
        is_conflict = status == 409
        page = MemberPage(
            frame=page_layout(request, self._backend.site(), "/members"),
            form=form,
            was=was,
            # After a conflict the next attempt is based on the current file, as the page says.
            replacing=view.fingerprint if is_conflict else replacing or view.fingerprint,
            is_conflict=is_conflict,
            strains=strains,
            knowing=mark_of(strains),
            is_removal=is_removal,
            tiers=view.tiers,
            bound=self._members.bound_devices(was) if was else (),
            has_passphrase=bool(was) and self._members.has_passphrase(was),
            notice=notice,
        )
        return AdminResponse(page, status)

    async def _save(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form, was = TypedForm(request.fields), request.fields.get("was", "")[:ACCOUNT_CHARS_MAX]
        member, replacing = read_member(form), request.fields.get("replacing", "")
        if form.errors:
            return self._form(request, form.view(), was, replacing=replacing, status=422)
        strains = await self._members.strains(member, was, replacing)
        if strains and request.fields.get("knowing") != mark_of(strains):
            return self._form(request, form.view(), was, replacing=replacing, strains=strains, status=422)
        findings = await self._members.save(member, was, replacing, by=request.signed)
        wrong = [finding for finding in findings if finding.is_error]
        if not wrong:
            return AdminRedirect("/members?saved")
        if any(finding.code == CONFLICT for finding in wrong):
            return self._form(request, form.view(), was, status=409)
        form.take(wrong, "account")
        return self._form(request, form.view(), was, replacing=replacing, status=422)

    async def _remove(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        account = request.fields.get("account", "")
        member = self._members.member(account)
        if member is None:
            return _nobody()
        replacing = request.fields.get("replacing", "")
        strains = await self._members.strains(None, account, replacing)
        if strains and request.fields.get("knowing") != mark_of(strains):
            form = FormView(member_values(member))
            return self._form(
                request, form, account, replacing=replacing, strains=strains, is_removal=True, status=422
            )
        findings = await self._members.remove(account, replacing, by=request.signed)
        if wrong := next((finding for finding in findings if finding.is_error), None):
            return refused(wrong)
        return self._found(replace(request, query={}), removed=member)

    async def _passphrase(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        account = request.fields.get("account", "")
        made = await self._members.new_passphrase(account, by=request.signed)
        if isinstance(made, Finding):
            return refused(made)
        return AdminResponse(
            PassphrasePage(page_layout(request, self._backend.site(), "/members"), account, made)
        )

    async def _card(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        card = await self._members.new_card(request.fields.get("account", ""), by=request.signed)
        if isinstance(card, Finding):
            return refused(card)
        site = self._backend.site()
        return AdminResponse(
            CardPage(page_layout(request, site, "/members"), card, site.languages[0][0]), is_heavy=True
        )

    async def _void(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        account = request.fields.get("account", "")
        member = self._members.member(account)
        wrong = await self._members.void_cards(account, by=request.signed)
        if wrong is not None or member is None:
            return _nobody() if wrong is None else refused(wrong)
        return self._form(request, FormView(member_values(member)), account, notice="voided")


def mark_of(strains: tuple[Finding, ...]) -> str:
    """Fingerprint of the confirmed findings; other findings must be confirmed separately."""
    return fingerprint("\n".join(map(str, strains))) if strains else ""


def member_values(member: MemberEntry) -> dict[str, str]:
    """Form values of a member."""
    return {
        "account": member.account,
        "name": member.name,
        "tier": member.tier,
        "groups": ", ".join(member.groups),
        "devices": "\n".join(member.devices),
        "paid_until": member.paid_until,
    }


def read_member(form: TypedForm) -> MemberEntry:
    """Parses the form; `form.errors` says what is wrong. The members file is checked again when saved."""
    account = form.line(
        "account", ACCOUNT_CHARS_MAX, wanted=gettext_lazy("Write a short name, such as ana or household-17.")
    ).lower()
    name, tier = form.line("name", NAME_CHARS_MAX), form.line("tier", ACCOUNT_CHARS_MAX).lower()
    groups = _words(form.line("groups", GROUPS_MAX * 41).lower())
    typed = _words(form.text("devices", DEVICES_MAX * 30))
    devices: list[str] = []
    for text in typed:
        try:
            devices.append(parse_mac(text))
        except ValueError:
            wrong = gettext_lazy("“{text}” is not a device address such as 02:11:22:33:44:55.", text=text)
            form.refuse("devices", wrong)
    return MemberEntry(account, name, tier, groups, tuple(dict.fromkeys(devices)), form.day("paid_until"))


def _words(text: str) -> tuple[str, ...]:
    """Words between commas, semicolons and white space, without duplicates."""
    return tuple(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))


def _nobody() -> AdminResponse:
    return not_there(
        gettext_lazy("No member has this account."), gettext_lazy("Choose one from the list of members.")
    )
