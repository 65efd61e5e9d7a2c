"""Updates the translation catalogues: ``python -m tests.docs.catalogues`` writes every text into every
language's file, new ones without a translation; ``python -m tests.docs.catalogues eu`` starts a language.
"""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from node.config.settings import TERMS
from node.web.translations import FOLDER, SOURCE

ROOT = Path(__file__).parents[2]
PACKAGES = ("captive_portal", "mesh", "node")
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}}
KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
}
LINE_CHARACTERS_MAX = 120
# Header lines of a file that change without a change of any text.
RESTLESS = (
    b'"POT-Creation-Date',
    b'"PO-Revision-Date',
    b'"Generated-By',
    b'"Report-Msgid-Bugs-To',
    b'"Last-Translator',
)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

HEAD = """\
# {language}: what people read on procomú's pages. This file is the whole language.
# Translate each msgid. Keep what stands in %(...)s, {{...}} and <...> as it is. Use short, plain words that a child of
# twelve understands. Another language begins with: python -m tests.docs.catalogues TAG
#"""


def texts() -> Catalog:
    """Every marked text, without translations, each with the files that use it."""
    found = Catalog()
    found.add(TERMS, None, [("node/config/settings.py", 1)])
    for file, message, comments, context in _extracted():
        found.add(message, None, [(file, 1)], auto_comments=comments, context=context)
    return found


def updated(path: Path, found: Catalog) -> bytes:
    """The file with the texts of `found` and its own translations, of which a new language has none."""
    tag = path.stem
    language = Locale.parse(tag, sep="-")
    catalogue = Catalog(locale=str(language), creation_date=EPOCH, revision_date=EPOCH, fuzzy=False)
    if path.exists():
        catalogue = read_po(BytesIO(path.read_bytes()), locale=str(language), abort_invalid=True)
    catalogue.creation_date = catalogue.revision_date = EPOCH
    catalogue.project, catalogue.version = "procomu", "1"
    catalogue.language_team = language.get_display_name(language) or tag
    catalogue.header_comment = HEAD.format(language=language.get_display_name("en"))
    catalogue.update(found, no_fuzzy_matching=True, update_creation_date=False)
    if tag == SOURCE:
        for message in catalogue:
            message.string = ("", "") if message.pluralizable else ""
    written = BytesIO()
    write_po(written, catalogue, width=LINE_CHARACTERS_MAX, include_lineno=False, ignore_obsolete=True)
    lines = written.getvalue().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(RESTLESS))


def _extracted() -> Iterator[tuple[str, str | tuple[str, ...], list[str], str | None]]:
    for package in PACKAGES:
        for file, _, message, comments, context in extract_from_dir(
            ROOT / package, METHODS, OPTIONS, KEYWORDS, ("Translators:",), strip_comment_tags=True
        ):
            yield f"{package}/{file}", message, comments, context


def main(tags: list[str]) -> None:
    found = texts()
    for path in sorted({*FOLDER.glob("*.po"), *(FOLDER / f"{tag}.po" for tag in (SOURCE, *tags))}):
        path.write_bytes(updated(path, found))
        lacking = sum(not _is_said(message) for message in read_po(BytesIO(path.read_bytes())) if message.id)
        if path.stem != SOURCE and lacking:
            print(f"{path.name}: {lacking} texts without a translation")


def _is_said(message) -> bool:
    return all(message.string) if message.pluralizable else bool(message.string)


if __name__ == "__main__":
    main(sys.argv[1:])
