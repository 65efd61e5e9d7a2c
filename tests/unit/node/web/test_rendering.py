"""Compiled templates are used for the same text only, and are not needed."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.web.rendering import Renderer


@dataclass(frozen=True, slots=True)
class SamplePage:
    template: str = "page.html"


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The templates of a package ``site_of_test``."""
    folder = tmp_path / "site_of_test" / "templates"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    (folder / "page.html").write_text("before")
    yield folder
    sys.modules.pop("site_of_test", None)


def rendered() -> bytes:
    return Renderer("site_of_test").render(SamplePage())


def test_a_template_is_compiled_once(templates: Path) -> None:
    assert b"before" == rendered()
    (kept,) = (templates / "__pycache__").iterdir()
    at = kept.stat().st_mtime_ns
    assert b"before" == rendered()
    assert [kept] == list((templates / "__pycache__").iterdir())
    assert at == kept.stat().st_mtime_ns


def test_a_changed_template_is_compiled_again(templates: Path) -> None:
    rendered()
    (templates / "page.html").write_text("after")
    assert b"after" == rendered()


def test_a_damaged_compiled_template_is_not_used(templates: Path) -> None:
    """A power cut leaves the beginning of a file, with nothing or zeros after it."""
    rendered()
    (kept,) = (templates / "__pycache__").iterdir()
    whole = kept.read_bytes()
    for size in range(0, len(whole), 7):
        for damaged in (whole[:size], whole[:size] + bytes(len(whole) - size)):
            kept.write_bytes(damaged)
            assert b"before" == rendered()


def test_templates_are_rendered_where_none_can_be_kept(templates: Path) -> None:
    (templates / "__pycache__").symlink_to("nowhere")  # neither a folder nor creatable, also for root
    assert b"before" == rendered()


def test_a_time_can_be_read_by_people_and_by_programs(templates: Path) -> None:
    at = "2026-04-01T23:05:00+02:00"
    (templates / "page.html").write_text("{{ '" + at + "'|timed }}{{ ''|timed }}")
    said = f'<time datetime="{at}">1 April 2026, 23:05 (\u2068UTC+2\u2069)</time>'
    assert said in rendered().decode()
