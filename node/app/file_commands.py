"""The files of the community on the control socket: their versions, the text here, and the community's in its place."""

from collections.abc import Mapping
from typing import Any

from mesh.file_version import FILES, FileName
from mesh.file_versions import HeldVersion
from mesh.signed_statement import as_json
from node.app.shared_files import SharedFiles
from node.console import Answer
from node.errors import NodeError
from node.units import NodeId


class FileCommands:
    """Each method answers one query. Raises NodeError when it is refused."""

    def __init__(self, shared: SharedFiles) -> None:
        self._shared = shared

    def all(self) -> Mapping[str, Answer]:
        return {
            "community-versions": self.versions,
            "community-text": self.text,
            "community-take": self.take,
            "community-newcomer": self.newcomer,
        }

    def versions(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """What admins signed of each file, with the statements, for a command that signs."""
        return {**{file: self._file(file) for file in FILES}, "today": self._shared.today()}

    async def newcomer(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """This node came with an invite: it takes the community's files, whatever its own are."""
        await self._shared.begin_as_newcomer()
        return {}

    async def text(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """The text of a file here; with a number, that of an earlier version of the rules."""
        file, number = _file_in(question), question.get("number")
        if number is None:
            return {"text": self._shared.text(file)}
        text = None
        if file == "rules" and isinstance(number, int):
            text = await self._shared.earlier_text(number)
        if text is None:
            raise NodeError(
                f"this node has no version {number!r:.20} of the {file} that was in force",
                "look at 'procomu rules log'",
            )
        return {"text": text}

    async def take(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """The community's version in place of the text here."""
        file = _file_in(question)
        head = self._shared.standing(file).head
        if head is None:
            raise NodeError(
                f"the community has no version of the {file} to take, or several",
                "look at 'procomu community versions'",
            )
        findings = await self._shared.take(file, head.statement.hash)
        if findings:
            raise NodeError(
                f"the community's {file} were refused here: {findings[0].message}", findings[0].fix
            )
        return {"number": head.version.number}

    def _file(self, file: FileName) -> Mapping[str, Any]:
        standing = self._shared.standing(file)
        return {
            "state": standing.kind,
            "hash": standing.hash,
            "versions": [_described(each) for each in standing.view.heads],
            "waiting": [_described(each) for each in standing.view.waiting],
            "statements": [as_json(each.statement) for each in standing.view.held],
            "refused": [str(each) for each in self._shared.refused(file)],
            "trouble": self._shared.trouble(file),
        }


def _described(held: HeldVersion) -> Mapping[str, Any]:
    version, signers = held.version, sorted(held.statement.signers)
    return {
        "number": version.number,
        "hash": version.hash,
        "by": version.decision.by,
        "reason": version.decision.reason,
        "day": version.decision.day,
        "signers": list[NodeId](signers),
    }


def _file_in(question: Mapping[str, Any]) -> FileName:
    found = next((each for each in FILES if each == question.get("file")), None)
    if found is None:
        raise NodeError("there is no such file of the community", "write rules or members")
    return found
