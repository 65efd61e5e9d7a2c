"""Control socket commands about cases of ladders. They use the service of the admins' page."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from node.app.admin_sessions import Signed
from node.app.ladder_cases import LadderCaseService
from node.console import Answer
from node.errors import Finding, NodeError
from node.governance.ladder_case import LadderCase

TEXT_CHARS_MAX = 2_000
"""Longest argument; the service has lower limits of its own."""
NUMBER_DIGITS_MAX = 9
_CONSOLE = Signed("admin", "console")


class LadderCommands:
    """Each method runs one command. Raises NodeError when it is refused."""

    def __init__(self, cases: LadderCaseService) -> None:
        self._cases = cases

    def all(self) -> Mapping[str, Answer]:
        return {
            "ladder-list": self.list,
            "ladder-open": self.open,
            "ladder-lift": self.lift,
            "ladder-answer": self.answer,
        }

    def list(self, _question: dict[str, Any]) -> Mapping[str, Any]:
        """The ladders, who used more than their triggers, and all cases."""
        return {
            "ladders": [asdict(each) for each in self._cases.ladders()],
            "cases": [asdict(each) for each in self._cases.cases()],
        }

    async def open(self, question: dict[str, Any]) -> Mapping[str, Any]:
        account, ladder, reason = (_text(question, name) for name in ("account", "ladder", "reason"))
        return self._said(await self._cases.open(_CONSOLE.label, account, ladder, reason))

    async def lift(self, question: dict[str, Any]) -> Mapping[str, Any]:
        return self._said(await self._cases.lift(_CONSOLE.label, _number(question)))

    async def answer(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Answers the objection to a case."""
        text = _text(question, "text")
        return self._said(await self._cases.answer(_CONSOLE.label, _number(question), text))

    def _said(self, done: LadderCase | Finding) -> Mapping[str, Any]:
        if isinstance(done, Finding):
            raise NodeError(done.message, done.fix)
        return {"case": asdict(self._cases.view(done))}


def _text(question: dict[str, Any], name: str) -> str:
    return str(question.get(name) or "")[:TEXT_CHARS_MAX].strip()


def _number(question: dict[str, Any]) -> int:
    text = _text(question, "number")
    if not (text.isascii() and text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX):
        fix = "write the number of a case, as 'procomu ladder list' lists them"
        raise NodeError(f"{text!r:.40} is not the number of a case", fix)
    return int(text)
