"""Contests: people say that a limit is wrong; here somebody answers, where both can read it."""

from dataclasses import dataclass

from node.admin.fields import Form, FormView
from node.admin.frame import Asked, Frame, Go, Reply, Route, frame, number_in
from node.admin.paging import Leaf, leaf
from node.admin.ports import House
from node.membership.contests import ANSWER_CHARS_MAX, Contest

CONTESTS_A_PAGE = 20


@dataclass(frozen=True, slots=True)
class ContestsPage:
    """Those without an answer first."""

    template = "contests.html"
    frame: Frame
    contests: Leaf[Contest]
    waiting: int
    notice: str
    """``answered`` or empty."""
    form: FormView
    number: int
    """Which contest the form answers; 0 for none."""

    def form_of(self, contest: Contest) -> FormView:
        """The form below one contest; its fields have names of their own, as its labels need."""
        if contest.number != self.number:
            return FormView({f"text-{contest.number}": contest.answer})
        return self.form


class ContestsDesk:
    """Answers for the page of contests."""

    def __init__(self, house: House) -> None:
        self._house, self._words = house, house.words

    def routes(self) -> tuple[Route, ...]:
        return Route("GET", "/contests", self._show), Route("POST", "/contests", self._answer)

    async def _show(self, asked: Asked) -> Reply | Go:
        return self._page(asked, notice="answered" if "answered" in asked.query else "")

    async def _answer(self, asked: Asked) -> Reply | Go:
        number, form = number_in(asked.fields, "number"), Form(asked.fields)
        name = f"text-{number}"
        text = form.text(name, ANSWER_CHARS_MAX, wanted="an answer: the person will read it on their page")
        if not form.errors:
            refused = await self._words.answer_contest(number, text)
            form.take((refused,) if refused else (), name)
        if form.errors:
            return self._page(asked, form=form.view(), number=number, status=422)
        return Go("/contests?answered")

    def _page(
        self,
        asked: Asked,
        *,
        notice: str = "",
        form: FormView | None = None,
        number: int = 0,
        status: int = 200,
    ) -> Reply:
        contests = self._words.contests()
        turn = number_in(asked.fields, "page") or number_in(asked.query, "page")
        page = ContestsPage(
            frame=frame(asked, self._house.place(), "/contests"),
            contests=leaf(contests, turn, "/contests", size=CONTESTS_A_PAGE),
            waiting=sum(not contest.answer for contest in contests),
            notice=notice,
            form=form or FormView(),
            number=number,
        )
        return Reply(page, status)
