"""How this node's text of a file stands to what the admins of its community signed. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from mesh.community_state import CommunityState
from mesh.file_version import FILES, FileName
from mesh.file_versions import FileView, HeldVersion

STATE = "shared_files"
"""Name of the node state in which a `Followed` is stored."""

StandingKind = Literal["no record", "not shared", "same", "behind", "differs", "split"]
"""``behind``: the node adopts the community's version by itself; ``differs``: a person decides; ``split``: several versions
were signed apart, and a person chooses one."""
NOTHING: Mapping[FileName, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Followed:
    """Which versions were the node's own text once, so that it does not go back to one that was left on purpose."""

    versions: Mapping[FileName, str] = field(default=NOTHING)
    """Hash of the statement by file."""
    newcomer: frozenset[FileName] = frozenset()
    """Files of a node that came with an invite and has adopted none of the community's yet: its own text does not count."""

    def with_version(self, file: FileName, statement: str) -> "Followed":
        return Followed({**self.versions, file: statement}, self.newcomer - {file})


@dataclass(frozen=True, slots=True)
class FileStanding:
    """One file."""

    kind: StandingKind
    hash: str
    """Of the text here."""
    view: FileView = field(default_factory=FileView)

    @property
    def head(self) -> HeldVersion | None:
        """The version that nodes follow."""
        return self.view.head


def standing_of(
    file: FileName, text_hash: str, state: CommunityState | None, followed: Followed
) -> FileStanding:
    if state is None or state.head is None:
        return FileStanding("no record", text_hash)
    view = state.file(file)
    if len(view.heads) > 1:
        return FileStanding("split", text_hash, view)
    if view.head is None:
        return FileStanding("not shared", text_hash, view)
    return FileStanding(_beside(file, text_hash, view.head, followed), text_hash, view)


def _beside(file: FileName, text_hash: str, head: HeldVersion, followed: Followed) -> StandingKind:
    if head.version.hash == text_hash:
        return "same"
    if followed.versions.get(file) == head.statement.hash:
        return "differs"
    return "behind" if file in followed.newcomer or head.version.has_replaced(text_hash) else "differs"


def write_followed(followed: Followed) -> str:
    """For the node state."""
    return json.dumps({"versions": dict(followed.versions), "newcomer": sorted(followed.newcomer)})


def read_followed(text: str) -> Followed:
    """As far as it can be read."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return Followed()
    if not isinstance(found, dict):
        return Followed()
    versions, newcomer = found.get("versions"), found.get("newcomer")
    named = versions if isinstance(versions, dict) else {}
    new = newcomer if isinstance(newcomer, list) else []
    return Followed(
        {file: str(named[file]) for file in FILES if file in named},
        frozenset(file for file in FILES if file in new),
    )


NEWCOMER = write_followed(Followed(newcomer=frozenset(FILES)))
"""The node state of a node that comes with an invite."""
