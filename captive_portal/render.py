"""Pages to bytes, through the templates beside this file."""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from captive_portal.pages import Page

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
        )
        style = " ".join((TEMPLATES / "style.css").read_text().split())
        environment.globals["style"] = Markup(style)  # noqa: S704 - our own file
        self._templates = {
            name: environment.get_template(name)
            for name in environment.list_templates(filter_func=lambda name: name.endswith(".html"))
        }
        self.style_source = f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'"
        """The one style that pages may use, as a Content-Security-Policy source."""
        self.render = lru_cache(maxsize=PAGES_REMEMBERED)(self._render)

    def _render(self, page: Page) -> bytes:
        return self._templates[page.template].render(page=page).encode()
