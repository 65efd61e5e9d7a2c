"""The example file and the reference, generated from the list of settings."""

from collections.abc import Iterator, Mapping

from node.config.settings import SECTIONS, SETTINGS, Setting

_EXAMPLE_HEAD = """\
# A node's settings. Lines that begin with "# " and a name show the default value.
# Generated from the list of settings in the code; 'procomu doctor' checks a written file.
"""
_REFERENCE_HEAD = """\
# Settings

Everything that `node.toml` may hold. Generated from the list of settings in the code.
A setting or a section that is not listed here is an error, so a typing mistake never goes unnoticed.
Durations are written as `"30 minutes"` or `"4 hours"`. `node.example.toml` is this list as a file.
"""
_TABLE_HEAD = "| setting | value | when not written | meaning |\n|---|---|---|---|\n"
_COMMENT_COLUMNS = 100


def example(written: Mapping[str, str] | None = None) -> str:
    """A commented ``node.toml`` that is valid as generated; `written` maps names of settings to TOML
    values."""
    parts = [_EXAMPLE_HEAD]
    for section, says in SECTIONS.items():
        parts.append(f"\n# {says}\n[{section}]\n")
        parts += [
            _example_lines(setting, written or {}) for setting in SETTINGS if setting.section == section
        ]
    return "".join(parts)


def reference() -> str:
    """Every setting as a Markdown table: type, default and meaning."""
    parts = [_REFERENCE_HEAD]
    for section, says in SECTIONS.items():
        parts.append(f"\n## [{section}]\n\n{says}\n\n{_TABLE_HEAD}")
        parts += [_reference_row(setting) for setting in SETTINGS if setting.section == section]
    return "".join(parts)


def _example_lines(setting: Setting, written: Mapping[str, str]) -> str:
    comment = "".join(f"# {line}\n" for line in _wrapped(_help_with_default(setting)))
    if setting.name in written:
        return f"\n{comment}{setting.key} = {written[setting.name]}\n"
    hidden = "" if setting.required else "# "
    return f"\n{comment}{hidden}{setting.key} = {_shown(setting)}\n"


def _shown(setting: Setting) -> str:
    return setting.example if setting.required or setting.derived else str(setting.default)


def _help_with_default(setting: Setting) -> str:
    text = setting.help
    if setting.derived:
        text += f" When not written: {setting.derived}."
    elif not setting.required and setting.example != setting.default:
        text += f" For example {setting.example}"
    return text


def _reference_row(setting: Setting) -> str:
    default = "must be written" if setting.required else setting.derived or f"`{setting.default}`"
    # "|" would end the table cell.
    meaning = _help_with_example(setting).replace("|", "\\|")
    return f"| `{setting.key}` | {setting.kind.name} | {default} | {meaning} |\n"


def _help_with_example(setting: Setting) -> str:
    shown = setting.example if setting.example != setting.default else ""
    return f"{setting.help} Example: `{shown}`" if shown else setting.help


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > _COMMENT_COLUMNS:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
