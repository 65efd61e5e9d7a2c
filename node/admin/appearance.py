"""Appearance: the community's logo, accent colour, sentence of welcome and Wi-Fi name."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from node.accounts.appearance import (
    BACKGROUNDS,
    BUTTON_TEXT,
    DEFAULT_ACCENTS,
    LOGO_BYTES_MAX,
    LOGO_SIDE_MAX,
    WELCOME_CHARS_MAX,
    WIFI_NAME_BYTES_MAX,
    WIFI_PASSPHRASE_CHARS_MAX,
    Appearance,
    Logo,
    Mode,
    WelcomeText,
    appearance_findings,
    is_colour,
    logo_in,
    nearest_readable,
    read_logo,
)
from node.accounts.terms import is_language
from node.admin.fields import LINE_CHARS_MAX, FormView, TypedForm
from node.admin.routes import AdminRedirect, AdminRequest, AdminResponse, PageLayout, Route, page_layout
from node.app.admin import AdminService
from node.app.admin_content import fingerprint
from node.config.model import SiteInfo
from node.errors import CONFLICT, Finding

LOGO_FIELD, KEPT_LOGO = "logo", "logo_kept"
"""A chosen file, and the logo that stays without one."""
KEPT_CHARS_MAX = 4 * LOGO_BYTES_MAX


@dataclass(frozen=True, slots=True)
class ModeSample:
    """How the colours look in one mode."""

    mode: Mode
    accent: str

    @property
    def card(self) -> str:
        return BACKGROUNDS[self.mode][0]

    @property
    def paper(self) -> str:
        return BACKGROUNDS[self.mode][1]

    @property
    def button_text(self) -> str:
        return BUTTON_TEXT[self.mode]


@dataclass(frozen=True, slots=True)
class AppearancePage:
    """The form, and how it looks now."""

    template = "appearance.html"
    frame: PageLayout
    form: FormView
    replacing: str
    """Fingerprint of the appearance that it changes."""
    languages: tuple[tuple[str, str], ...]
    samples: tuple[ModeSample, ...]
    logo: Logo | None
    """That of the form."""
    is_saved: bool
    undo: FormView | None
    """Form values that restore the appearance before it was saved."""
    logo_kb: int = LOGO_BYTES_MAX // 1_000
    logo_side: int = LOGO_SIDE_MAX
    welcome_chars: int = WELCOME_CHARS_MAX

    @property
    def has_unreadable_colour(self) -> bool:
        return any(
            self.form.error(name) and is_colour(self.form.value(name)) for name in ("accent", "accent_dark")
        )


class AppearanceViews:
    """Views for the appearance."""

    def __init__(self, backend: AdminService) -> None:
        self._backend, self._content = backend, backend.content

    def routes(self) -> tuple[Route, ...]:
        return Route("GET", "/appearance", self._show), Route("POST", "/appearance", self._save)

    async def _show(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        appearance = self._content.appearance()
        return self._page(request, FormView(appearance_values(appearance)), fingerprint(appearance))

    async def _save(self, request: AdminRequest) -> AdminResponse | AdminRedirect:
        form, before = TypedForm(request.fields), self._content.appearance()
        replacing = request.fields.get("replacing", "")[:LINE_CHARS_MAX]
        wanted = read_appearance(form, self._backend.site(), request.files)
        for name, finding in appearance_findings(wanted).items():
            form.take((finding,), name)
        if form.errors:
            return self._page(request, form.view(), replacing, status=422)
        findings = await self._content.save_appearance(request.signed, wanted, replacing)
        if findings:
            for name, finding in findings.items():
                form.take((finding,), name or LOGO_FIELD)
            status = 409 if any(each.code == CONFLICT for each in findings.values()) else 422
            return self._page(request, form.view(), replacing, status=status)
        after = self._content.appearance()
        undo = FormView(appearance_values(before)) if after != before else None
        return self._page(
            request, FormView(appearance_values(after)), fingerprint(after), is_saved=True, undo=undo
        )

    def _page(
        self,
        request: AdminRequest,
        form: FormView,
        replacing: str,
        *,
        is_saved: bool = False,
        undo: FormView | None = None,
        status: int = 200,
    ) -> AdminResponse:
        site = self._backend.site()
        return AdminResponse(
            AppearancePage(
                frame=page_layout(request, site, "/appearance"),
                form=form,
                replacing=replacing,
                languages=languages_of(site, form),
                samples=samples_of(form),
                logo=logo_in(form.value(KEPT_LOGO)),
                is_saved=is_saved,
                undo=undo,
            ),
            status,
        )


def appearance_values(appearance: Appearance) -> dict[str, str]:
    """Form values of an appearance."""
    light, dark = appearance.accent or DEFAULT_ACCENTS["light"], appearance.accent_dark
    is_found = dark == (nearest_readable(light, "dark") if appearance.accent else "")
    values = {
        "accent": light,
        "accent_dark": dark or DEFAULT_ACCENTS["dark"],
        "accent_auto": "yes" if is_found else "",
        "wifi_name": appearance.wifi_name,
        "wifi_passphrase": appearance.wifi_passphrase,
        KEPT_LOGO: appearance.logo,
    }
    return values | {f"welcome-{each.language}": each.text for each in appearance.welcome}


def read_appearance(form: TypedForm, site: SiteInfo, files: Mapping[str, bytes]) -> Appearance:
    """Parses the form; `form.errors` says what is wrong with a field that cannot be read."""
    languages = languages_of(site, FormView(form.sent))
    texts = [(tag, form.line(f"welcome-{tag}", WELCOME_CHARS_MAX)) for tag, _ in languages]
    appearance = Appearance(
        welcome=tuple(WelcomeText(tag, text) for tag, text in texts if text),
        wifi_name=form.line("wifi_name", WIFI_NAME_BYTES_MAX),
        wifi_passphrase=form.line("wifi_passphrase", WIFI_PASSPHRASE_CHARS_MAX + 1),
        logo=_read_logo(form, files.get(LOGO_FIELD, b"")),
    )
    light, dark = _read_accents(form)
    return replace(appearance, accent=light, accent_dark=dark)


def _read_accents(form: TypedForm) -> tuple[str, str]:
    """Both colours; empty for those of Procomú."""
    light = form.line("accent", LINE_CHARS_MAX).lower() or DEFAULT_ACCENTS["light"]
    dark = form.line("accent_dark", LINE_CHARS_MAX).lower() or DEFAULT_ACCENTS["dark"]
    takes_nearest, is_default = form.sent.get("do") == "nearest", light == DEFAULT_ACCENTS["light"]
    if form.flag("accent_auto") and is_colour(light):
        dark = DEFAULT_ACCENTS["dark"] if is_default else nearest_readable(light, "dark")
    elif takes_nearest and is_colour(dark):
        dark = nearest_readable(dark, "dark")
    if takes_nearest and is_colour(light):
        light = nearest_readable(light, "light")
    form.values |= {"accent": light, "accent_dark": dark}
    if (light, dark) == (DEFAULT_ACCENTS["light"], DEFAULT_ACCENTS["dark"]):
        return "", ""
    return light, dark


def _read_logo(form: TypedForm, file: bytes) -> str:
    """The chosen file; without one the logo that the form brings back, unless it is to be removed."""
    kept = logo_in(form.sent.get(KEPT_LOGO, "")[:KEPT_CHARS_MAX])
    logo = None if form.flag("logo_gone") and not file else kept
    if file:
        found = read_logo(file)
        if isinstance(found, Finding):
            form.take((found,), LOGO_FIELD)
        else:
            logo = found
    form.values[KEPT_LOGO] = "" if logo is None else logo.uri
    return form.values[KEPT_LOGO]


def languages_of(site: SiteInfo, form: FormView) -> tuple[tuple[str, str], ...]:
    """Languages of the portal, and those in which there is a sentence already."""
    known = dict(site.languages)
    for name in form.values:
        kind, _, tag = name.partition("-")
        if kind == "welcome" and is_language(tag):
            known.setdefault(tag, tag)
    return tuple(known.items())


def samples_of(form: FormView) -> tuple[ModeSample, ...]:
    """Both modes, with the colours of the form where it has valid ones."""
    modes: tuple[tuple[Mode, str], ...] = (("light", "accent"), ("dark", "accent_dark"))
    return tuple(
        ModeSample(mode, form.value(name) if is_colour(form.value(name)) else DEFAULT_ACCENTS[mode])
        for mode, name in modes
    )
