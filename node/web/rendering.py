"""Renders the pages of a site with its templates, in the language of the page.

The byte code of templates is kept (`compiled_files`): compiling those of the portal takes 0.13 s and 5 MB, of which 1.5 MB
stay.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import jinja2
from jinja2 import BytecodeCache, ChoiceLoader, Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup, escape

from node.translator import LazyText, isolated, translate
from node.web.compiled_files import load_compiled, save_compiled
from node.web.translations import SOURCE, Translations

PAGES_REMEMBERED = 64
FORMATS = ("number", "volume", "rate", "rates", "day", "moment", "duration")
"""Methods of `Translations` that templates use as filters: ``{{ page.used|volume }}``."""

# Not an argument, so that macros of other templates use it too; each thread has its own.
_translations: ContextVar[Translations] = ContextVar("translations")


class SitePage(Protocol):
    """A frozen value with everything that its template shows."""

    @property
    def template(self) -> str:
        """File name of its template."""

    def __hash__(self) -> int: ...


class Renderer:
    """Renders with the folder ``templates`` of a package: its HTML files, and its style sheets, which templates include
    as ``styles.NAME``. Each template is read when it is first needed."""

    def __init__(
        self,
        package: str,
        translations: Mapping[str, Translations] | None = None,
        filters: Mapping[str, Callable[..., str]] | None = None,
        shared: tuple[str, ...] = (),
    ) -> None:
        """`filters` are those of this site only. What the package does not have is taken from those that are `shared`."""
        self.translations = translations or {SOURCE: Translations(SOURCE)}
        """By language tag."""
        loader = ChoiceLoader([PackageLoader(each) for each in (package, *shared)])
        self._environment = environment = _environment(loader)
        environment.bytecode_cache = _CompiledTemplates()
        environment.filters.update(filters or {})
        environment.globals["printed"] = self._printed
        styles = {
            name.removesuffix(".css"): " ".join(loader.get_source(environment, name)[0].split())
            for name in environment.list_templates(["css"])
        }
        environment.globals["styles"] = {name: Markup(style) for name, style in styles.items()}  # noqa: S704 - own files
        self._styles = tuple(styles.values())
        self.render_cached = lru_cache(maxsize=PAGES_REMEMBERED)(self.render)
        """Like `render`, for pages without personal data."""

    def content_security_policy(self, *more: str) -> str:
        """Value of the header field: the style sheets of this site and `more`, its pictures, and nothing from elsewhere."""
        sources = " ".join(_source(style) for style in (*self._styles, *more) if style)
        return (
            f"default-src 'none'; style-src {sources}; img-src 'self' data:; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )

    def load(self) -> None:
        """Reads all templates now."""
        for name in self._environment.list_templates(["html"]):
            self._environment.get_template(name)

    def translations_for(self, tag: str) -> Translations:
        """Translations for a tag; the source language without a catalogue."""
        return self.translations.get(tag) or self.translations[SOURCE]

    def render(self, page: SitePage, lang: str = SOURCE, **layout: object) -> bytes:
        """The page as UTF-8; characters that it cannot have are replaced. `layout`: what the template of the layout
        shows on every page of the site."""
        return self._html(page.template, page, lang, layout).encode("utf-8", "replace")

    def _html(self, template: str, page: SitePage, lang: str, layout: Mapping[str, object]) -> str:
        translations = self.translations_for(lang)
        before = _translations.set(translations)
        try:
            return self._environment.get_template(template).render(
                page=page, language=translations.language, **layout
            )
        finally:
            _translations.reset(before)

    def _printed(self, template: str, page: SitePage, lang: str) -> Markup:
        """For templates: a part of the page for other readers, in their language."""
        return Markup(self._html(template, page, lang, {}))  # noqa: S704 - a template of this site


class _CompiledTemplates(BytecodeCache):
    """Used for the same text of a template, the same Jinja, and the same environment, which this module defines."""

    def __init__(self) -> None:
        self._version = hashlib.sha256(Path(__file__).read_bytes() + jinja2.__version__.encode()).hexdigest()

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        assert filename is not None, f"the template {name} is a file"
        return filename

    def get_source_checksum(self, source: str) -> str:
        return super().get_source_checksum(self._version + source)

    def load_bytecode(self, bucket: Bucket) -> None:
        compiled = load_compiled(Path(bucket.key), bucket.checksum)
        if compiled is not None:
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        save_compiled(Path(bucket.key), bucket.checksum, bucket.bytecode_to_string())


def _environment(loader: ChoiceLoader) -> Environment:
    environment = Environment(
        loader=loader,
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        _translated("gettext"),
        _translated("ngettext"),
        newstyle=True,
        pgettext=_translated("pgettext"),
        npgettext=_translated("npgettext"),
    )
    for name in FORMATS:
        environment.filters[name] = _translated(name)
    environment.filters["translated"] = pass_context(
        lambda _context, text: translate(text, _translations.get())
    )
    environment.filters["isolated"] = isolated
    environment.filters["timed"] = pass_context(lambda _context, at: _timed(at))
    environment.filters["message"] = pass_context(lambda _context, text: _message(text))
    return environment


def _message(text: str) -> str:
    """The text in the language of the page; what has no translations is marked as English."""
    translations = _translations.get()
    if translations.language.tag == SOURCE:
        return text
    if not isinstance(text, LazyText):
        return _english(text)
    return translate(text, translations, template=escape, english=_english)


def _timed(at: str) -> Markup:
    """The time that an ISO text says, with its distance from UTC, for people and for programs that read pages."""
    said = _translations.get().moment_in_zone(at)
    return Markup('<time datetime="{}">{}</time>').format(at, said) if said else Markup()


def _english(text: str) -> Markup:
    return Markup('<span lang="en" dir="ltr">{}</span>').format(text)


def _translated(name: str) -> Callable[..., str]:
    """A template function that calls one method of the translations of the page."""

    # With a context, or Jinja would fold constants in the language of the first page.
    @pass_context
    def translated(_context: Context, *values: object) -> str:
        return str(getattr(_translations.get(), name)(*values))

    return translated


def _source(style: str) -> str:
    """The Content-Security-Policy source of a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
