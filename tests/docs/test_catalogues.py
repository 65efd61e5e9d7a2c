"""Every catalogue is complete, with the same placeholders and the right plural forms."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import Environment, nodes

from node.web.translations import FOLDER, SOURCE, read_catalogues, unsound
from tests.docs.catalogues import texts, updated

TEMPLATES = [
    path
    for folder in ("captive_portal/templates", "node/admin/templates")
    for path in sorted((Path(__file__).parents[2] / folder).glob("*.*"))
]

FIX = "run: python -m tests.docs.catalogues, then translate what is new"
FILES = sorted(FOLDER.glob("*.po"))
TRANSLATED = [path for path in FILES if path.stem != SOURCE]
SENTENCE_WORDS_MAX = 30
LEFT_OR_RIGHT = re.compile(
    r"(?:^|[\s;{])((?:margin|padding|border|inset)-(?:left|right)|left|right|float|text-align:(?:left|right))\s*:",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def found() -> Catalog:
    return texts()


def catalogue(path: Path) -> Catalog:
    return read_po(BytesIO(path.read_bytes()), locale=path.stem.replace("-", "_"), abort_invalid=True)


def messages(path: Path) -> list[Message]:
    """Without the file's header."""
    return [message for message in catalogue(path) if message.id]


def forms(text: object) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def test_four_languages_and_a_right_to_left_one_are_here() -> None:
    assert {"en", "fr", "es", "ca", "ar"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_catalogue_has_every_text_that_people_can_read(path: Path, found: Catalog) -> None:
    assert updated(path, found) == path.read_bytes(), FIX


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_a_catalogue_is_complete_and_not_fuzzy(path: Path) -> None:
    found = messages(path)
    assert len(found) > 200
    assert [] == [message.id for message in found if message.fuzzy or not all(forms(message.string))], FIX


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_no_translation_has_other_placeholders_or_tags_than_its_source(path: Path) -> None:
    assert [] == [(message.id, message.string) for message in unsound(catalogue(path))]


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_a_translation_ends_with_the_punctuation_of_its_source(path: Path) -> None:
    """A full stop, a colon and a question mark change the meaning."""
    ends = str.maketrans("؟", "?")
    for message in messages(path):
        for source, said in zip(forms(message.id)[-1:], forms(message.string)[-1:], strict=True):
            if source and source[-1] in ".:?":
                assert source[-1] == said.translate(ends)[-1:], (source, said)
            assert said == said.strip()


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_the_plural_forms_are_those_of_the_language(path: Path) -> None:
    """One form of ours for each form of Unicode's CLDR, for every number that can occur."""
    locale = Locale.parse(path.stem, sep="-")
    forms_max = catalogue(path).num_plurals
    chooses = read_catalogues(FOLDER).translations[path.stem]._plural
    pairs = {(locale.plural_form(count), chooses(count)) for count in range(1_000)}
    assert len(pairs) == len({unicode for unicode, _ in pairs}) == len({form for _, form in pairs})
    assert {form for _, form in pairs} == set(range(forms_max))


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_a_catalogue_is_in_its_own_language(path: Path) -> None:
    """Few texts are the same in two languages; many would mean texts that were left untranslated."""
    worded = [message for message in messages(path) if re.search("[a-z]{3}", str(message.id))]
    same = [message.id for message in worded if message.id == message.string]
    assert len(same) < len(worded) / 25, same


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.stem)
def test_sentences_on_pages_are_short(path: Path) -> None:
    """Longer sentences are hard to follow for a twelve-year-old."""
    for message in messages(path):
        for said in forms(message.string):
            for sentence in re.split(r"(?<=[.:?!؟])\s", said):
                assert len(sentence.split()) <= SENTENCE_WORDS_MAX, sentence


def _html(node: nodes.Node) -> Iterator[str]:
    """In the order of the file."""
    if isinstance(node, nodes.TemplateData):
        yield node.data
    for child in node.iter_child_nodes():
        yield from _html(child)


def unmarked(source: str) -> list[str]:
    """Text of a template that is shown to people and not marked for translation."""
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(source)
    html = "".join(_html(tree))
    said = re.findall(r"(?:aria-label|title|placeholder|alt)=\"([^\"]*[A-Za-z][^\"]*)\"", html)
    # Macros produce attributes too, outside any tag.
    # A command is the same in every language.
    html = re.sub(r"<code>[^<]*</code>", "<code>", html)
    words = re.sub(r"<[^>]*>|&\w+;| aria-[a-z]+=\"[^\"]*\"| (?:open|autofocus)\b", "<", html)
    said += re.findall(r"[A-Za-z]{2,}[^<]*", words)
    shown = [child for output in tree.find_all(nodes.Output) for child in output.nodes]
    chosen = [choice for each in shown for choice in each.find_all(nodes.CondExpr)]
    chosen += [each for each in shown if isinstance(each, nodes.CondExpr)]
    consts = [end for each in chosen for end in (each.expr1, each.expr2) if isinstance(end, nodes.Const)]
    return said + [str(const.value) for const in consts if re.search(r"[A-Za-z]{2,} ", str(const.value))]


@pytest.mark.parametrize(
    "path",
    [path for path in TEMPLATES if path.suffix == ".html"],
    ids=lambda path: f"{path.parts[-3]} {path.stem}",
)
def test_all_visible_text_goes_through_the_catalogues(path: Path) -> None:
    assert [] == unmarked(path.read_text())


def test_an_unmarked_text_is_found() -> None:
    assert ["Hello there"] == unmarked("<p>Hello there</p>")
    assert ["More"] == unmarked('<nav aria-label="More">{{ _("Home") }}</nav>')
    assert ["Go on"] == unmarked('{{ "Go on" if page.x else _("Stop here") }}')
    assert [] == unmarked("<p><code>procomu admin link</code></p>")
    assert [] == unmarked('<p class="x">{% trans %}Hello{% endtrans %} {{ _("You") }} · {{ page.x }}</p>')


def test_no_style_uses_left_or_right() -> None:
    """Logical properties follow the writing direction."""
    for path in TEMPLATES:
        text = path.read_text()
        assert [] == LEFT_OR_RIGHT.findall(text), path.name


def test_names_do_not_reorder_an_arabic_sentence() -> None:
    """Ids, interfaces, files and addresses are left-to-right: each is between Unicode isolates."""
    names = (
        "key|table|example|word|decision|rule|group|tiers?|interfaces?|uplink|ports?|lan|radio|address|file|folder|"
        "manager|english|name"
    )
    for message in messages(FOLDER / "ar.po"):
        for said in forms(message.string):
            for name in re.findall(rf"\{{(?:{names})\}}|%\((?:decision|rule|english)\)s", said):
                assert f"\u2068{name}\u2069" in said, said


def test_french_punctuation_does_not_begin_a_line() -> None:
    for message in messages(FOLDER / "fr.po"):
        for said in forms(message.string):
            assert not re.search(r" [?:!;»]|« ", said), said
