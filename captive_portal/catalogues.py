"""Message catalogues from the folder beside this file: one ``.po`` file for each language, named by its tag
(RFC 5646)."""

import gc
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from gettext import c2py
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from captive_portal.language_negotiation import is_tag
from captive_portal.translations import Key, Translations, is_sound

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

FOLDER = Path(__file__).parent / "languages"
SOURCE = "en"
"""Language of the texts in the code; its file is the template for a new language."""
LANGUAGES_MAX = 40
CATALOGUE_BYTES_MAX = 500_000
COUNTS_TRIED = 1_000
"""Plural formulas depend on the last three digits at most."""


@dataclass(frozen=True, slots=True)
class Catalogues:
    """All usable languages, and problems with the files of others."""

    words: Mapping[str, Translations]
    """By tag, the source language first."""
    troubles: tuple[str, ...]
    """One sentence each, with the file name and the fix."""


def read_catalogues(folder: Path = FOLDER) -> Catalogues:
    """Reads all catalogues. An unusable file is left out and an unusable translation is replaced by English;
    both are reported in `troubles` and never prevent a page."""
    is_babel_in_use = bool(_babel())
    words = {SOURCE: Translations(SOURCE)}
    troubles: list[str] = []
    paths = sorted(folder.glob("*.po"))
    if len(paths) > LANGUAGES_MAX:
        troubles.append(f"{folder} has {len(paths)} languages; only the first {LANGUAGES_MAX} are read")
    for path in paths[:LANGUAGES_MAX]:
        try:
            words[path.stem], found = _read(path)
        except (OSError, ValueError) as error:
            troubles.append(f"{path.name} is not used: {error}")
        else:
            troubles += found
    if not is_babel_in_use:
        _forget_babel()
    return Catalogues(words, tuple(troubles))


def _read(path: Path) -> tuple[Translations, list[str]]:
    if not is_tag(path.stem):
        raise ValueError("its name is not a language; write one such as ca.po or pt-BR.po")
    # Babel takes memory while it reads, and is not needed afterwards.
    from babel.messages.pofile import PoFileError, read_po  # noqa: PLC0415

    text = path.read_bytes()
    if len(text) > CATALOGUE_BYTES_MAX:
        raise ValueError(f"it has {len(text)} bytes; {CATALOGUE_BYTES_MAX} are allowed")
    try:
        catalogue = read_po(BytesIO(text), ignore_obsolete=True, abort_invalid=True)
    except PoFileError as error:
        raise ValueError(f"it cannot be read; check it with: msgfmt --check {path.name} ({error})") from error
    troubles = [
        f"{path.name}: {message.id!r} is said in English, because its translation has other marks or tags"
        for message in unsound(catalogue)
    ]
    texts = {
        _key(message): _texts(message.string) for message in catalogue if message.id and _is_usable(message)
    }
    return Translations(path.stem, texts, _plural(catalogue)), troubles


def _plural(catalogue: "Catalog") -> Callable[[int], int]:
    """Raises ValueError unless the plural formula always selects a form that the file has."""
    plural: Callable[[int], int] = c2py(catalogue.plural_expr)
    if not all(0 <= plural(count) < catalogue.num_plurals for count in range(COUNTS_TRIED)):
        raise ValueError(
            f"its plural formula chooses among more than {catalogue.num_plurals} forms; "
            "see Plural-Forms in another language's file"
        )
    return plural


def _key(message: "Message") -> Key:
    one = sys.intern(_texts(message.id)[0])  # shared by all languages
    return (message.context, one) if message.context else one


def _is_usable(message: "Message") -> bool:
    return not message.fuzzy and all(_texts(message.string)) and _may_be_shown(message)


def unsound(catalogue: "Catalog") -> "list[Message]":
    """Messages whose translation must not be shown."""
    return [message for message in catalogue if message.id and not _may_be_shown(message)]


def _may_be_shown(message: "Message") -> bool:
    return all(is_sound(_texts(message.id), text) for text in _texts(message.string) if text)


def _texts(text: object) -> tuple[str, ...]:
    """The plural forms of a message or its translation; one if there is no plural."""
    return (text,) if isinstance(text, str) else tuple(text) if isinstance(text, list | tuple) else ()


def _babel() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "babel"]


def _forget_babel() -> None:
    """Unloads Babel: it is needed once, and the node runs for months."""
    for name in _babel():
        del sys.modules[name]
    gc.collect()
