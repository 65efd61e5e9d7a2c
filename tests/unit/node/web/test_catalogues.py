"""One file is one language; an error in it costs a text or a language, never a page."""

import subprocess
import sys
from pathlib import Path

import pytest

from captive_portal import info_pages
from captive_portal.request_context import PageContext
from captive_portal.server import portal_renderer
from node.web.translations import CATALOGUE_BYTES_MAX, LANGUAGES_MAX, read_catalogues

HEAD = """\
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);\\n"

msgctxt "language"
msgid "English"
msgstr "Euskara"
"""
DAYS = """
msgid "%(count)s day"
msgid_plural "%(count)s days"
msgstr[0] "egun bat"
msgstr[1] "bi egun"
msgstr[2] "%(count)s egun"
"""


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder


def test_a_new_language_is_one_file(tmp_path: Path) -> None:
    renderer = portal_renderer(written(tmp_path, "eu.po", HEAD + DAYS))
    assert {"en", "eu"} == set(renderer.translations)
    basque = renderer.translations["eu"]
    assert ("Euskara", "ltr") == (basque.language.name, basque.language.direction)
    assert "egun bat" == basque.duration(86_400)
    assert "bi egun" == basque.duration(2 * 86_400)
    assert "21 egun" == basque.duration(21 * 86_400)


def test_an_untranslated_text_is_shown_in_english(tmp_path: Path) -> None:
    renderer = portal_renderer(written(tmp_path, "eu.po", HEAD))
    place = PageContext("Vall Verda", "", "login.example", "", "", lang="eu")
    said_in_english = renderer.render(info_pages.NotFound(place), "eu").replace(b'lang="eu"', b'lang="en"')
    assert said_in_english == renderer.render(
        info_pages.NotFound(PageContext("Vall Verda", "", "login.example", "", "", lang="en"))
    )


def test_a_fuzzy_translation_is_not_shown(tmp_path: Path) -> None:
    fuzzy = '\n#, fuzzy\nmsgid "Welcome"\nmsgstr "Agur"\n'
    assert "Welcome" == read_catalogues(written(tmp_path, "eu.po", HEAD + fuzzy)).translations["eu"].gettext(
        "Welcome"
    )


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("Open %(host)s", "Ireki"),
        ("Open %(host)s", "Ireki %(hots)s"),
        ("Open %(host)s", "Ireki %(host)s %s"),
        ("Open %(host)s", "Ireki %(host)"),
        ("Wait", "Itxaron % bat"),
        ("{who} pay", "{nor} ordaindu"),
        ("{who} pay", "{who.__class__} ordaindu"),
        ("<b>Wait</b>", "<b>Itxaron"),
        ("<b>Wait</b>", "Itxaron"),
        ("Wait", "<script>Itxaron</script>"),
        ('<a href=\\"/me\\">Me</a>', '<a href=\\"https://evil.example\\">Ni</a>'),
        ("Wait", "Itxaron <"),
    ],
)
def test_a_translation_with_other_placeholders_or_tags_is_shown_in_english_and_reported(
    tmp_path: Path, text: str, translation: str
) -> None:
    broken = f'\nmsgid "{text}"\nmsgstr "{translation}"\n\nmsgid "Yes"\nmsgstr "Bai"\n'
    found = read_catalogues(written(tmp_path, "eu.po", HEAD + broken))
    source = text.replace('\\"', '"')
    assert source == found.translations["eu"].gettext(source)
    assert "Bai" == found.translations["eu"].gettext("Yes")
    (trouble,) = found.problems
    assert "eu.po" in trouble
    assert "other marks or tags" in trouble


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("my language.po", HEAD.encode(), "its name is not a language; write one such as ca.po or pt-BR.po"),
        (
            "eu.po",
            b"msgid nothing",
            "eu.po is not used: it cannot be read: missing msgstr for msgid 'othin' on 0",
        ),
        ("eu.po", b"\xff\xfe\x00", "eu.po is not used"),
        (
            "eu.po",
            HEAD.replace("nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2)", "nplurals=2; plural=n").encode(),
            "more than 2 forms",
        ),
        ("eu.po", HEAD.replace("n==1 ?", "__import__(1) ?").encode(), "eu.po is not used"),
        ("eu.po", b"#" * (CATALOGUE_BYTES_MAX + 1), f"{CATALOGUE_BYTES_MAX} are allowed"),
    ],
)
def test_an_unreadable_file_costs_its_own_language_only(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    written(tmp_path, "ca.po", HEAD)
    (tmp_path / name).write_bytes(content)
    found = read_catalogues(tmp_path)
    assert {"en", "ca"} == set(found.translations)
    (trouble,) = found.problems
    assert said in trouble


def test_a_folder_full_of_files_uses_no_more_memory_than_its_limit(tmp_path: Path) -> None:
    for number in range(LANGUAGES_MAX + 3):
        written(tmp_path, f"x{chr(97 + number // 26)}{chr(97 + number % 26)}.po", HEAD)
    found = read_catalogues(tmp_path)
    assert LANGUAGES_MAX + 1 == len(found.translations)
    assert f"only the first {LANGUAGES_MAX} are read" in found.problems[0]


def test_memory_of_the_parser_is_released() -> None:
    """In its own process, because other tests may use the modules."""
    program = (
        "import sys; from node.web.translations import read_catalogues; read_catalogues(); "
        "print([name for name in sys.modules if name.startswith('babel')])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "[]" == ended.stdout.strip()


def test_every_shipped_language_is_fully_usable() -> None:
    found = read_catalogues()
    assert () == found.problems
    assert {"en", "ca", "es", "fr", "ar"} <= set(found.translations)


def test_a_compiled_catalogue_gives_the_same_texts(tmp_path: Path) -> None:
    written(tmp_path, "eu.po", HEAD + DAYS)
    read_catalogues(tmp_path)
    assert (tmp_path / "__pycache__" / "eu.po.compiled").exists()
    basque = read_catalogues(tmp_path).translations["eu"]
    assert ("Euskara", "bi egun") == (basque.language.name, basque.duration(2 * 86_400))


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    read_catalogues(written(tmp_path, "eu.po", HEAD + DAYS))
    changed = read_catalogues(written(tmp_path, "eu.po", HEAD + DAYS.replace("bi egun", "2 egun")))
    assert "2 egun" == changed.translations["eu"].duration(2 * 86_400)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"digest": ""}'])
def test_a_damaged_compiled_catalogue_is_not_used(tmp_path: Path, content: str) -> None:
    read_catalogues(written(tmp_path, "eu.po", HEAD + DAYS))
    (tmp_path / "__pycache__" / "eu.po.compiled").write_text(content)
    found = read_catalogues(tmp_path)
    assert () == found.problems
    assert "bi egun" == found.translations["eu"].duration(2 * 86_400)


def test_problems_are_reported_at_each_start(tmp_path: Path) -> None:
    written(tmp_path, "eu.po", HEAD + '\nmsgid "Open %(host)s"\nmsgstr "Ireki"\n')
    assert read_catalogues(tmp_path).problems
    assert read_catalogues(tmp_path).problems


def test_catalogues_are_read_where_none_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").write_text("in the way, also for root")
    found = read_catalogues(written(tmp_path, "eu.po", HEAD + DAYS))
    assert "bi egun" == found.translations["eu"].duration(2 * 86_400)
