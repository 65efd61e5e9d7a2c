"""One setting of ``node.toml``."""

from dataclasses import dataclass

from node.config.field_types import FieldType


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of ``node.toml``."""

    section: str
    key: str
    kind: FieldType
    default: str | None
    """As TOML text; None if the setting is required or `derived`."""
    help: str
    example: str
    """A valid value as TOML text, shown in the example file."""
    derived: str = ""
    """How the value is computed if it is not written; empty if the setting has a fixed default."""

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def required(self) -> bool:
        return self.default is None and not self.derived


def must(section: str, key: str, kind: FieldType, help_text: str, *, example: str) -> Setting:
    return Setting(section, key, kind, None, help_text, example)


def may(
    section: str, key: str, kind: FieldType, default: str, help_text: str, *, example: str = ""
) -> Setting:
    return Setting(section, key, kind, default, help_text, example or default)


def derived_from(
    section: str, key: str, kind: FieldType, help_text: str, *, derived: str, example: str
) -> Setting:
    return Setting(section, key, kind, None, help_text, example, derived)
