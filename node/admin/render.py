"""Renders pages with the templates beside this file. Reads files."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from node.admin.routes import AdminPage

TEMPLATES = Path(__file__).parent / "templates"
SOURCE = "en"
"""Language of the texts in the templates."""


class AdminTranslations(Protocol):
    """Translations for printed content. The admin pages themselves are in English."""

    def gettext(self, text: str) -> str: ...

    def ngettext(self, one: str, many: str, count: int) -> str: ...

    def day(self, day: str) -> str:
        """Formats an ISO date."""

    @property
    def direction(self) -> str:
        """``ltr`` or ``rtl``."""


class EnglishTranslations:
    """The source language."""

    direction = "ltr"

    def gettext(self, text: str) -> str:
        return text

    def ngettext(self, one: str, many: str, count: int) -> str:
        return one if count == 1 else many

    def day(self, day: str) -> str:
        return day


class AdminRenderer:
    """Loads templates when first needed. `words` returns the current translations by language tag; it is
    called for each page."""

    def __init__(self, words: Callable[[], Mapping[str, AdminTranslations]] = dict) -> None:
        self._words = words
        self._environment = _environment()
        styles = {path.stem: " ".join(path.read_text().split()) for path in sorted(TEMPLATES.glob("*.css"))}
        self._environment.globals["styles"] = {name: Markup(style) for name, style in styles.items()}  # noqa: S704 - our own
        sources = " ".join(map(_source, styles.values()))
        self.headers = {
            "Server": "procomu",
            "Cache-Control": "no-store",
            "Content-Security-Policy": (
                f"default-src 'none'; style-src {sources}; img-src data:; form-action 'self'; "
                "frame-ancestors 'none'; base-uri 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            # The sign-in token is in a URL; it must not leak to other sites.
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }

    def render(self, page: AdminPage, lang: str = SOURCE) -> bytes:
        words: AdminTranslations = self._words().get(lang) or EnglishTranslations()
        template = self._environment.get_template(page.template)
        return template.render(page=page, words=words).encode("utf-8", "replace")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        _said("gettext"), _said("ngettext"), newstyle=True
    )
    return environment


def _said(name: str) -> Callable[..., str]:
    # With a context, or Jinja would fold constants in the language of the first page.
    @pass_context
    def said(context: Context, *values: object) -> str:
        return str(getattr(context["words"], name)(*values))

    return said


def _source(style: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
