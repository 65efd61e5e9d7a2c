"""Renders pages with the templates beside this file, in the language of the page."""

import base64
import hashlib
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from captive_portal.catalogues import FOLDER, SOURCE, read_catalogues
from captive_portal.page_context import PortalPage
from captive_portal.translations import Translations

TEMPLATES = Path(__file__).parent / "templates"
PAGES_REMEMBERED = 64
FORMATS = ("label", "number", "volume", "rate", "rates", "day", "moment", "duration")
"""Methods of `Translations` that templates use as filters: ``{{ page.used|volume }}``."""

log = logging.getLogger(__name__)


class Renderer:
    """Reads templates and catalogues once, at start; `render` caches equal pages."""

    def __init__(self, languages: Path = FOLDER) -> None:
        catalogues = read_catalogues(languages)
        for trouble in catalogues.troubles:
            log.warning("%s", trouble)
        self.words = catalogues.words
        """Translations by language tag."""
        self._spoken = self.words[SOURCE]
        environment = self._environment()
        styles = {path.stem: " ".join(path.read_text().split()) for path in sorted(TEMPLATES.glob("*.css"))}
        environment.globals["styles"] = {name: Markup(style) for name, style in styles.items()}  # noqa: S704 - own files
        self._templates = {
            name: environment.get_template(name)
            for name in environment.list_templates(filter_func=lambda name: name.endswith(".html"))
        }
        self.style_source = " ".join(map(_source, styles.values()))
        """Allowed styles, as Content-Security-Policy sources."""
        self.render = lru_cache(maxsize=PAGES_REMEMBERED)(self.render_once)

    def words_for(self, tag: str) -> Translations:
        """Translations for a tag; the source language without a catalogue."""
        return self.words.get(tag, self.words[SOURCE])

    def _environment(self) -> Environment:
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
            self._said("gettext"),
            self._said("ngettext"),
            newstyle=True,
            pgettext=self._said("pgettext"),
            npgettext=self._said("npgettext"),
        )
        for name in FORMATS:
            environment.filters[name] = self._said(name)
        return environment

    def _said(self, name: str) -> Callable[..., str]:
        """A template function that calls one method of the current `Translations`."""

        # With a context, or Jinja would fold constants in the language of the first page.
        @pass_context
        def said(_context: Context, *values: object) -> str:
            return str(getattr(self._spoken, name)(*values))

        return said

    def render_once(self, page: PortalPage) -> bytes:
        """Renders without the cache, for pages with personal data."""
        # An attribute instead of an argument, so that macros of other templates use it too.
        self._spoken = self.words_for(page.place.lang)
        return self._templates[page.template].render(page=page).encode()


def _source(style: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
