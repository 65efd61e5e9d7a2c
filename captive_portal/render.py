"""Pages to bytes, through the templates beside this file."""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from captive_portal.place import Page

TEMPLATES = Path(__file__).parent / "templates"
PAGES_REMEMBERED = 64


class Renderer:
    """Templates are read once, at the start; equal pages are rendered once."""

    def __init__(self) -> None:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
        )
        environment.install_gettext_callables(_same, _either, newstyle=True)  # type: ignore[attr-defined]
        styles = {path.stem: " ".join(path.read_text().split()) for path in sorted(TEMPLATES.glob("*.css"))}
        environment.globals["styles"] = {name: Markup(style) for name, style in styles.items()}  # noqa: S704 - our own
        self._templates = {
            name: environment.get_template(name)
            for name in environment.list_templates(filter_func=lambda name: name.endswith(".html"))
        }
        self.style_source = " ".join(map(_source, styles.values()))
        """The styles that pages may use, as Content-Security-Policy sources."""
        self.render = lru_cache(maxsize=PAGES_REMEMBERED)(self._render)

    def _render(self, page: Page) -> bytes:
        return self._templates[page.template].render(page=page).encode()


def _source(style: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"


def _same(text: str) -> str:
    return text


def _either(one: str, many: str, count: int) -> str:
    return one if count == 1 else many
