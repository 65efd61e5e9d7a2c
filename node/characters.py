"""Characters that can make a text read as another one (UTS 39, UAX 9, CVE-2021-42574), and the scripts of a word.

Invisible characters are rejected, except those that a language needs: joiners between Arabic or Indic letters and in
emoji, direction marks beside right-to-left letters, accents, and the dots and hyphens of words.
"""

import re
import unicodedata
from collections.abc import Iterator

from node.translator import gettext_lazy

# Cheap first check: a text without any of these has no hidden character.
_SUSPECT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Also as wide characters, which some spreadsheets take for the same."""
_BREAKS = ("\t", "\r", "\n")
_JOINERS = "\u200c\u200d"
_DIRECTION_MARKS = "\u061c\u200e\u200f"
_VARIATIONS = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TOUCHED = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef\u200c\u200d]")
_JOINED_SCRIPTS = frozenset(
    {
        "ARABIC",
        "SYRIAC",
        "MANDAIC",
        "NKO",
        "ADLAM",
        "MONGOLIAN",
        "DEVANAGARI",
        "BENGALI",
        "GURMUKHI",
        "GUJARATI",
    }
    | {
        "ORIYA",
        "TAMIL",
        "TELUGU",
        "KANNADA",
        "MALAYALAM",
        "SINHALA",
        "KHMER",
        "MYANMAR",
        "TIBETAN",
        "BALINESE",
    }
    | {"JAVANESE", "SUNDANESE"}
)
"""Scripts whose letters change form beside ZERO WIDTH JOINER or NON-JOINER."""
_TOGETHER = (
    frozenset({"LATIN", "CJK", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "CJK", "BOPOMOFO"}),
    frozenset({"LATIN", "CJK", "HANGUL"}),
)
"""Scripts that one word may mix (UTS 39, highly restrictive)."""
_ALIKE = frozenset({"LATIN", "CYRILLIC"})
"""Scripts with so many similar letters that they are never mixed in one word, even in prose."""
_NO_SCRIPT = frozenset(
    {"MODIFIER", "FEMININE", "MASCULINE", "MICRO", "OHM", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"}
)
"""First words in the names of letters that belong to no script, or to several."""
_WORD = re.compile(r"[^\W_]+")


def hidden_character(text: str) -> tuple[int, str] | None:
    """Offset and name (``U+200B ZERO WIDTH SPACE``) of the first character that is invisible and not needed there; None
    when there is none. Tabs and line ends count as visible."""
    for match in _SUSPECT.finditer(text):
        if not _is_needed(text, match.start()):
            return match.start(), character_name(match[0])
    return None


def mixed_scripts(text: str, *, alike_only: bool = False) -> str:
    """The first word of `text` that mixes scripts which no language writes together, with two of its characters named;
    empty when there is none. `alike_only`: only scripts whose letters look alike (Latin and Cyrillic)."""
    for word in _words(text):
        letters = [(script, letter) for letter in word if (script := _script(letter))]
        scripts = {script for script, _ in letters}
        if len(scripts) < 2 or any(scripts <= together for together in _TOGETHER):
            continue
        if alike_only and not scripts >= _ALIKE:
            continue
        first = dict(reversed(letters))
        one, other = sorted(scripts, key=lambda script: (script != "LATIN", script))[:2]
        return gettext_lazy(
            "{word} mixes {one} and {other}",
            word=f"{word!r:.60}",
            one=character_name(first[one]),
            other=character_name(first[other]),
        )
    return ""


def character_name(character: str) -> str:
    """For example ``U+0430 CYRILLIC SMALL LETTER A``; control characters have no name of their own."""
    name = unicodedata.name(character, "CONTROL CHARACTER" if unicodedata.category(character) == "Cc" else "")
    return f"U+{ord(character):04X} {name}".rstrip()


def _is_needed(text: str, at: int) -> bool:
    character = text[at]
    if character == "\r":
        return text[at + 1 : at + 2] == "\n"
    if character in _DIRECTION_MARKS:
        return any(_is_right_to_left(each) for each in _line_around(text, at))
    before = _seen_before(text, at)
    if character in _JOINERS:
        return _script(before) in _JOINED_SCRIPTS or (character == "\u200d" and _is_picture(before))
    if _VARIATIONS.match(character):
        return (
            _is_picture(before)
            or _script(before) in {"CJK", "MONGOLIAN", "MYANMAR", "PHAGS-PA"}
            or (before in "0123456789#*" and before != "")
        )
    return False


def _seen_before(text: str, at: int) -> str:
    """The last visible character before this offset, skipping variation selectors, joiners and combining marks."""
    for character in reversed(text[max(0, at - 8) : at]):
        if not _TOUCHED.match(character) and not _is_plain_mark(character):
            return character
    return ""


def _is_plain_mark(character: str) -> bool:
    """A combining mark of no script, such as COMBINING ACUTE ACCENT; marks of a script count as its letters."""
    return unicodedata.category(character).startswith("M") and unicodedata.name(character, "").startswith(
        "COMBINING"
    )


def _is_picture(character: str) -> bool:
    return character != "" and unicodedata.category(character) in {"So", "Sk", "Sm"}


def _is_right_to_left(character: str) -> bool:
    is_letter = unicodedata.category(character).startswith("L")
    return is_letter and unicodedata.bidirectional(character) in {"R", "AL"}


def _line_around(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text[text.rfind("\n", 0, at) + 1 : end if end >= 0 else len(text)]


def _words(text: str) -> Iterator[str]:
    """Words of letters and digits; combining marks and joiners are removed first."""
    plain = "".join(c for c in text if not unicodedata.category(c).startswith("M") and c not in _JOINERS)
    return (match[0] for match in _WORD.finditer(plain))


def _script(character: str) -> str:
    """The script of a letter or mark, taken from its Unicode name; empty for other characters."""
    if not character or unicodedata.category(character)[0] not in "LM":
        return ""
    words = unicodedata.name(character, "").split()
    if words and words[0] in {"FULLWIDTH", "HALFWIDTH"}:
        words = words[1:]
    return "" if not words or words[0] in _NO_SCRIPT or words[0] == "COMBINING" else words[0]


_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def is_name(text: str) -> bool:
    """Whether `text` can be the name of a rule, tier or group: lower-case ASCII letters, digits and hyphens."""
    return _NAME.fullmatch(text) is not None


def spreadsheet_text(text: str) -> str:
    """The text for a cell of a CSV file: one that a spreadsheet would take for a formula begins with an apostrophe, also
    if white space is before it."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text.startswith(_BREAKS) else text


def plain(typed: str) -> str:
    """Normalized form: equal for different spellings of one name (Unicode NFKC, case folded, single
    spaces)."""
    return " ".join(unicodedata.normalize("NFKC", typed).casefold().split())
