"""What the nodes of the community tell each other about people, and which node says it: for admins, who judge whether a node
lies."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mesh.registry_records import RegistryRecords
from node.accounts.registry_record import CREDENTIALS, RegistryRecord
from node.units import NodeId

TOLD_MAX = 1_000
WHO_CHARS_MAX = 64


def told_records(
    records: RegistryRecords, kinds: tuple[str, ...], who: str, name_of: Callable[[NodeId], str]
) -> tuple[list[Mapping[str, Any]], int]:
    """The records about this account, or all if `who` is empty, sorted; and how many more there are than `TOLD_MAX`."""
    found = sorted(
        (each for kind in kinds for each in records.all(kind) if not who or _is_about(each, who)),
        key=lambda each: (each.kind, each.key),
    )
    shown = found[:TOLD_MAX]
    return [_view(each, records, name_of) for each in shown], len(found) - len(shown)


def _is_about(record: RegistryRecord, who: str) -> bool:
    return who in {record.key, record.value.get("account")}


def _view(
    record: RegistryRecord, records: RegistryRecords, name_of: Callable[[NodeId], str]
) -> Mapping[str, Any]:
    return {
        "kind": record.kind,
        "key": record.key,
        "version": record.version,
        "until": record.until,
        "value": dict(_shown(record)),
        "told_by": [name_of(node) for node in records.carriers(record.kind, record.key)],
    }


def _shown(record: RegistryRecord) -> Iterator[tuple[str, Any]]:
    for name, value in record.value.items():
        yield name, "…" if name in CREDENTIALS else value
