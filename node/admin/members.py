"""Members: the members' file in the browser, one-time passphrases, and membership cards to print."""

import hashlib
from dataclasses import dataclass, replace

from node.admin.fields import Form, FormView
from node.admin.frame import Asked, Frame, Go, Reply, Route, frame, not_there, number_in, refused
from node.admin.paging import Leaf, leaf
from node.admin.ports import CONFLICT, CardView, DeviceRow, House, Member
from node.admin.sheet import square
from node.errors import Finding
from node.governance.roll import DEVICES_MAX, GROUPS_MAX
from node.units import parse_mac

QUERY_CHARS_MAX = 80
ACCOUNT_CHARS_MAX = 40
NAME_CHARS_MAX = 80


@dataclass(frozen=True, slots=True)
class MembersPage:
    """Everybody in the members' file, or who was found."""

    template = "members.html"
    frame: Frame
    query: FormView
    members: Leaf[Member]
    findings: tuple[Finding, ...]
    strained: tuple[Finding, ...]
    """What of the rules does not fit the members any more."""
    notice: str
    """``saved`` or empty."""
    removed: Member | None
    """Who was taken out by this answer, so that it can be undone."""
    replacing: str


@dataclass(frozen=True, slots=True)
class MemberPage:
    """The form for one member, old or new."""

    template = "member.html"
    frame: Frame
    form: FormView
    was: str
    """The account as it stands in the file; empty for a new one."""
    replacing: str
    is_conflict: bool
    strains: tuple[Finding, ...]
    """What of the rules will not fit any more, which is asked before it is done."""
    knowing: str
    """The mark of these, which the second try gives back."""
    is_removal: bool
    """Whether that is about taking them out."""
    tiers: tuple[str, ...]
    bound: tuple[DeviceRow, ...]
    has_passphrase: bool
    notice: str
    """``voided`` or empty."""


@dataclass(frozen=True, slots=True)
class PassphrasePage:
    """A new passphrase, shown once."""

    template = "passphrase.html"
    frame: Frame
    account: str
    passphrase: str


@dataclass(frozen=True, slots=True)
class CardPage:
    """A membership card to print."""

    template = "card.html"
    frame: Frame
    card: CardView
    lang: str
    """In which its holder reads it: the community's own."""

    @property
    def square(self) -> str:
        """The QR code, made when it is shown."""
        return square(f"{self.frame.place.portal}/?card={self.card.text}")


class MembersDesk:
    """Answers for the pages about members."""

    def __init__(self, house: House) -> None:
        self._house, self._members = house, house.members

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

    async def _list(self, asked: Asked) -> Reply | Go:
        return self._found(asked, notice="saved" if "saved" in asked.query else "")

    def _found(self, asked: Asked, *, notice: str = "", removed: Member | None = None) -> Reply:
        form = Form({"q": asked.query.get("q", "")})
        query = form.line("q", QUERY_CHARS_MAX)
        view = self._members.find(query)
        page = MembersPage(
            frame=frame(asked, self._house.place(), "/members"),
            query=form.view(),
            members=leaf(view.members, number_in(asked.query, "page"), "/members", q=query),
            findings=view.findings,
            strained=view.strained,
            notice=notice,
            removed=removed,
            replacing=view.fingerprint,
        )
        return Reply(page)

    async def _edit(self, asked: Asked) -> Reply | Go:
        account = asked.query.get("id", "")
        if not account:
            return self._form(asked, FormView({"tier": "member"}), "")
        member = self._members.member(account)
        if member is None:
            return _nobody()
        return self._form(asked, FormView(member_values(member)), member.account)

    def _form(
        self,
        asked: Asked,
        form: FormView,
        was: str,
        *,
        replacing: str = "",
        notice: str = "",
        status: int = 200,
        strains: tuple[Finding, ...] = (),
        is_removal: bool = False,
    ) -> Reply:
        view = self._members.find("")
        is_conflict = status == 409
        page = MemberPage(
            frame=frame(asked, self._house.place(), "/members"),
            form=form,
            was=was,
            # After a conflict the next try is about the file as it is now, which the page says.
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
        return Reply(page, status)

    async def _save(self, asked: Asked) -> Reply | Go:
        form, was = Form(asked.fields), asked.fields.get("was", "")[:ACCOUNT_CHARS_MAX]
        member, replacing = read_member(form), asked.fields.get("replacing", "")
        if form.errors:
            return self._form(asked, form.view(), was, replacing=replacing, status=422)
        strains = await self._members.strains(member, was, replacing)
        if strains and asked.fields.get("knowing") != mark_of(strains):
            return self._form(asked, form.view(), was, replacing=replacing, strains=strains, status=422)
        findings = await self._members.save(member, was, replacing)
        wrong = [finding for finding in findings if finding.is_error]
        if not wrong:
            return Go("/members?saved")
        if any(finding.code == CONFLICT for finding in wrong):
            return self._form(asked, form.view(), was, status=409)
        form.take(wrong, "account")
        return self._form(asked, form.view(), was, replacing=replacing, status=422)

    async def _remove(self, asked: Asked) -> Reply | Go:
        account = asked.fields.get("account", "")
        member = self._members.member(account)
        if member is None:
            return _nobody()
        replacing = asked.fields.get("replacing", "")
        strains = await self._members.strains(None, account, replacing)
        if strains and asked.fields.get("knowing") != mark_of(strains):
            form = FormView(member_values(member))
            return self._form(
                asked, form, account, replacing=replacing, strains=strains, is_removal=True, status=422
            )
        findings = await self._members.remove(account, replacing)
        if wrong := next((finding for finding in findings if finding.is_error), None):
            return refused(wrong)
        return self._found(replace(asked, query={}), removed=member)

    async def _passphrase(self, asked: Asked) -> Reply | Go:
        account = asked.fields.get("account", "")
        made = await self._members.new_passphrase(account)
        if isinstance(made, Finding):
            return refused(made)
        return Reply(PassphrasePage(frame(asked, self._house.place(), "/members"), account, made))

    async def _card(self, asked: Asked) -> Reply | Go:
        card = await self._members.new_card(asked.fields.get("account", ""))
        if isinstance(card, Finding):
            return refused(card)
        place = self._house.place()
        lang = place.languages[0][0]
        return Reply(CardPage(frame(asked, place, "/members"), card, lang), lang=lang, is_heavy=True)

    async def _void(self, asked: Asked) -> Reply | Go:
        account = asked.fields.get("account", "")
        member = self._members.member(account)
        wrong = await self._members.void_cards(account)
        if wrong is not None or member is None:
            return _nobody() if wrong is None else refused(wrong)
        return self._form(asked, FormView(member_values(member)), account, notice="voided")


def mark_of(strains: tuple[Finding, ...]) -> str:
    """What the page gives back when somebody has read these; other ones are asked about anew."""
    told = "\n".join(str(finding) for finding in strains)
    return hashlib.sha256(told.encode()).hexdigest()[:16] if strains else ""


def member_values(member: Member) -> dict[str, str]:
    """As the form shows a member."""
    return {
        "account": member.account,
        "name": member.name,
        "tier": member.tier,
        "groups": ", ".join(member.groups),
        "devices": "\n".join(member.devices),
    }


def read_member(form: Form) -> Member:
    """What the form says; `form.errors` says what is wrong with it. The members' file has the last word."""
    account = form.line(
        "account", ACCOUNT_CHARS_MAX, wanted="a short name such as ana or household-17"
    ).lower()
    name, tier = form.line("name", NAME_CHARS_MAX), form.line("tier", ACCOUNT_CHARS_MAX).lower()
    groups = _words(form.line("groups", GROUPS_MAX * 41).lower())
    typed = _words(form.text("devices", DEVICES_MAX * 30))
    devices: list[str] = []
    for text in typed:
        try:
            devices.append(parse_mac(text))
        except ValueError as error:
            form.refuse("devices", f"{error}.")
    return Member(account, name, tier, groups, tuple(dict.fromkeys(devices)))


def _words(text: str) -> tuple[str, ...]:
    """What stands between commas, spaces and line ends, each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").replace(";", " ").split()))


def _nobody() -> Reply:
    return not_there("No member has this account.", "Choose one from the list of members.")
