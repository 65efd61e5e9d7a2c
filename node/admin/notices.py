"""Notices: write, preview, publish, edit and delete."""

from dataclasses import dataclass

from node.accounts.notices import (
    EVERYWHERE,
    HERE,
    NODE_PREFIX,
    TEXT_CHARS_MAX,
    TITLE_CHARS_MAX,
    ZONE_PREFIX,
    Notice,
    NoticeText,
)
from node.accounts.terms import is_language
from node.admin.fields import LINE_CHARS_MAX, FormView, ListPage, TypedForm, paginate
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
from node.app.admin import AdminService
from node.app.admin_content import fingerprint
from node.characters import is_name
from node.config.model import SiteInfo
from node.errors import CONFLICT, Finding
from node.translator import LazyText, gettext_lazy

GROUP_CHARS_MAX = 40
AUDIENCES = (
    ("everyone", gettext_lazy("Everyone, even before they join")),
    ("online", gettext_lazy("Everyone who is online")),
    ("members", gettext_lazy("Members")),
    ("guests", gettext_lazy("Guests")),
    ("group", gettext_lazy("One group")),
)


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """One notice in the list."""

    notice: Notice
    title: str
    where: str
    audience: str
    is_shown: bool
    """At this node, today."""
    replacing: str
    """Fingerprint of what its button removes."""


@dataclass(frozen=True, slots=True)
class NoticesPage:
    """Every notice, and the one that was just deleted."""

    template = "notices.html"
    frame: PageLayout
    notices: ListPage[NoticeLine]
    heard: tuple[NoticeLine, ...]
    """Those of other nodes."""
    notice: str
    """``saved`` or empty."""
    taken_down: FormView | None
    """Form values that restore it."""


@dataclass(frozen=True, slots=True)
class NoticePage:
    """The form for one notice, existing or new, and its preview."""

    template = "notice.html"
    frame: PageLayout
    form: FormView
    number: int
    replacing: str
    """Fingerprint of the notice that it changes; empty for a new one."""
    languages: tuple[tuple[str, str], ...]
    places: tuple[tuple[str, str], ...]
    preview: Notice | None
    audiences: tuple[tuple[str, str], ...] = AUDIENCES


class NoticesViews:
    """Views for notices."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._content = backend, backend.content

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("GET", "/notices", self._list),
            Route("GET", "/notices/edit", self._edit),
            Route("POST", "/notices/edit", self._save),
            Route("POST", "/notices/remove", self._take_down),
        )

    async def _list(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        return self._notices(request, notice="saved" if "saved" in request.query else "")

    def _notices(
        self, request: AdminRequest, *, notice: str = "", taken_down: Notice | None = None
    ) -> AdminResponse:
        rows = paginate(self._content.notices(), number_in(request.query, "page"), "/notices", size=20)
        page = NoticesPage(
            frame=page_layout(request, self._backend.site(), "/notices"),
            notices=rows.turned(self._line),
            heard=tuple(map(self._line, self._content.heard_notices())),
            notice=notice,
            taken_down=None
            if taken_down is None
            else FormView(notice_values(taken_down, self._backend.site())),
        )
        return AdminResponse(page)

    def _line(self, notice: Notice) -> NoticeLine:
        site = self._backend.site()
        places = dict(places_of(site, notice.where))
        audiences = dict(AUDIENCES)
        return NoticeLine(
            notice=notice,
            title=notice.texts[0].title if notice.texts else "",
            where=places[_place(notice, site)],
            audience=audiences.get(notice.audience) or _group(notice.audience),
            is_shown=self._content.shows_today(notice),
            replacing=fingerprint(notice),
        )

    async def _edit(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        if "number" not in request.query:
            return self._form(request, FormView({"where": HERE, "audience": "everyone"}), 0)
        number = number_in(request.query, "number")
        notice = self._find(number)
        if notice is None:
            return _gone()
        return self._form(
            request,
            FormView(notice_values(notice, self._backend.site())),
            number,
            replacing=fingerprint(notice),
        )

    def _find(self, number: int) -> Notice | None:
        return next((each for each in self._content.notices() if each.number == number), None)

    def _form(
        self,
        request: AdminRequest,
        form: FormView,
        number: int,
        *,
        replacing: str = "",
        preview: Notice | None = None,
        status: int = 200,
    ) -> AdminResponse:
        site = self._backend.site()
        page = NoticePage(
            frame=page_layout(request, site, "/notices"),
            form=form,
            number=number,
            replacing=replacing or request.fields.get("replacing", "")[:LINE_CHARS_MAX],
            languages=languages_of(site, form),
            places=places_of(site, form.value("where")),
            preview=preview,
        )
        return AdminResponse(page, status)

    async def _save(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form, number = TypedForm(request.fields), number_in(request.fields, "number")
        site = self._backend.site()
        notice = read_notice(form, site, number, request.signed.label)
        if not form.errors:
            form.take(self._content.check_notice(notice), "where")
        if form.errors:
            return self._form(request, form.view(), number, status=422)
        if request.fields.get("do") != "save":
            return self._form(request, form.view(), number, preview=notice)
        findings = await self._content.save_notice(
            request.signed, notice, request.fields.get("replacing", "")
        )
        if findings:
            form.take(findings, "where")
            status = 409 if findings[0].code == CONFLICT else 422
            return self._form(request, form.view(), number, status=status)
        return AdminRedirect("/notices?saved")

    async def _take_down(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        number, replacing = number_in(request.fields, "number"), request.fields.get("replacing", "")
        gone = await self._content.take_down(number, replacing, by=request.signed)
        if gone is None:
            return _gone()
        if isinstance(gone, Finding):
            return refused(gone)
        return self._notices(request, taken_down=gone)


def notice_values(notice: Notice, site: SiteInfo) -> dict[str, str]:
    """Form values of a notice."""
    audience, _, group = notice.audience.partition(":")
    values = {
        "where": _place(notice, site),
        "audience": audience,
        "group": group,
        "first_day": notice.first_day,
        "last_day": notice.last_day,
        "urgent": "yes" if notice.is_urgent else "",
    }
    for text in notice.texts:
        values |= {f"title-{text.language}": text.title, f"text-{text.language}": text.text}
    return values


def read_notice(form: TypedForm, site: SiteInfo, number: int, by: str) -> Notice:
    """Parses the form; `form.errors` says what is wrong."""
    where = form.line("where", wanted=gettext_lazy("Choose where it is shown."))
    audience = form.choice("audience", [name for name, _ in AUDIENCES], "everyone")
    group = form.line("group", GROUP_CHARS_MAX).lower()
    if audience == "group" and not is_name(group):
        form.refuse(
            "group", gettext_lazy("Write the name of the group: small letters a-z, digits and hyphens.")
        )
    first, last, urgent = form.day("first_day"), form.day("last_day"), form.flag("urgent")
    if first and last and last < first:
        form.refuse("last_day", gettext_lazy("The last day is before the first. Swap them."))
    texts = []
    for tag, _ in languages_of(site, FormView(form.sent)):
        title, text = form.line(f"title-{tag}", TITLE_CHARS_MAX), form.text(f"text-{tag}", TEXT_CHARS_MAX)
        if text and not title:
            form.refuse(f"title-{tag}", gettext_lazy("Write a title of a few words."))
        if title:
            texts.append(NoticeText(tag, title, text))
    if not texts:
        form.refuse(
            f"title-{site.languages[0][0]}", gettext_lazy("Write the notice in one language at least.")
        )
    audience = f"group:{group}" if audience == "group" else audience
    return Notice(number, where, audience, first, last, urgent, tuple(texts), by)


def languages_of(site: SiteInfo, form: FormView) -> tuple[tuple[str, str], ...]:
    """Languages of the portal, and those that the notice already has."""
    known = dict(site.languages)
    for name in form.values:
        kind, _, tag = name.partition("-")
        if kind == "title" and is_language(tag):
            known.setdefault(tag, tag)
    return tuple(known.items())


def places_of(site: SiteInfo, where: str) -> tuple[tuple[str, str], ...]:
    """Places for a notice, including the present one of this notice."""
    places = {
        HERE: gettext_lazy("Only at this node, {node}", node=site.node),
        EVERYWHERE: gettext_lazy("At all nodes"),
    }
    places |= {f"{ZONE_PREFIX}{zone}": _in_zone(zone) for zone in site.zones}
    if where and where != f"{NODE_PREFIX}{site.node}":
        kind, _, name = where.partition(":")
        elsewhere = _in_zone(name) if kind == "zone" else gettext_lazy("At the node {node}", node=name)
        places.setdefault(where, elsewhere)
    return tuple(places.items())


def _place(notice: Notice, site: SiteInfo) -> str:
    """This node by its name is this node."""
    return HERE if notice.where == f"{NODE_PREFIX}{site.node}" else notice.where


def _in_zone(zone: str) -> LazyText:
    return gettext_lazy("In the zone {zone}", zone=zone)


def _group(audience: str) -> LazyText:
    return gettext_lazy("The group {group}", group=audience.partition(":")[2])


def _gone() -> AdminResponse:
    return not_there(
        gettext_lazy("This notice no longer exists."), gettext_lazy("Choose one from the list of notices.")
    )
