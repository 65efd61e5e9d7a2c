"""Control socket command about the history."""

from collections.abc import Mapping
from typing import Any

from node.app.history_recorder import HistoryRecorder
from node.console import Answer
from node.errors import NodeError
from node.history.window import LONGEST_S


class HistoryCommands:
    """Raises NodeError when the query cannot be answered."""

    def __init__(self, recorder: HistoryRecorder) -> None:
        self._recorder = recorder

    def all(self) -> Mapping[str, Answer]:
        return {"history": self.history}

    async def history(self, question: dict[str, Any]) -> Mapping[str, Any]:
        """Without a ``series`` the list of all; with one its last ``seconds``. A point is [least, mean, most], or null where
        nothing is known."""
        name, seconds = question.get("series"), question.get("seconds")
        if not name:
            every = [
                {"name": each.name, "unit": each.unit, "combine": each.combine, "title": str(each.title)}
                for each in self._recorder.series()
            ]
            return {"list": every}
        if type(seconds) is not int or not 0 < seconds <= LONGEST_S:
            raise NodeError("that is no time of a history", "ask for at most three years, such as --last 30d")
        window = await self._recorder.last(str(name), seconds)
        titles = {each.name: str(each.title) for each in self._recorder.series()}
        return {
            "series": window.series,
            "title": titles.get(window.series, window.series),
            "unit": window.unit,
            "begin_s": window.begin_s,
            "step_s": window.step_s,
            "points": window.points,
        }
