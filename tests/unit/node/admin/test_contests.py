"""The forms below contests: each has its own, and what was typed stands only where it was typed."""

from node.admin.contests import ContestsPage
from node.admin.fields import FormView
from node.admin.frame import Frame
from node.admin.paging import leaf
from node.admin.ports import Place
from node.admin.signin import ADMIN
from node.membership.contests import Contest
from node.units import AccountId

FRAME = Frame(Place("Vall Alta", "library", "login.vall.example"), ADMIN, "proof", "/contests")
MINE, THEIRS = (Contest(n, AccountId("ana"), "2027-03-01", "night-cap", "Why?", "Because.") for n in (1, 2))


def test_what_was_typed_stands_below_its_own_contest():
    typed = FormView({"text-1": "x" * 2_000}, {"text-1": "Too long."})
    page = ContestsPage(FRAME, leaf([MINE, THEIRS], 1, "/contests"), 0, "", typed, 1)
    assert ("Too long.", "Because.", "") == (
        page.form_of(MINE).error("text-1"),
        page.form_of(THEIRS).value("text-2"),
        page.form_of(THEIRS).error("text-2"),
    )
