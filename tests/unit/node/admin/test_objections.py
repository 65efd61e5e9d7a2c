"""The forms below objections: each objection has its own, and typed text is kept only in that one."""

from dataclasses import replace

from node.accounts.objections import Objection
from node.admin.fields import FormView, paginate
from node.admin.objections import ObjectionsPage
from node.admin.routes import PageLayout
from node.app.admin_sessions import ADMIN
from node.config.model import SiteInfo
from node.units import AccountId

FRAME = PageLayout(SiteInfo("Vall Alta", "library", "login.vall.example"), ADMIN, "csrf_token", "/objections")
MINE, THEIRS = (Objection(n, AccountId("ana"), "2027-03-01", "night-cap", "Why?", "Because.") for n in (1, 2))


def test_typed_text_is_kept_below_its_own_objection():
    typed = FormView({"text-1": "x" * 2_000}, {"text-1": "Too long."})
    page = ObjectionsPage(FRAME, paginate([MINE, THEIRS], 1, "/objections"), 0, "", typed, 1)
    assert ("Too long.", "Because.", "") == (
        page.form_of(MINE).error("text-1"),
        page.form_of(THEIRS).value("text-2"),
        page.form_of(THEIRS).error("text-2"),
    )


def test_one_that_was_filed_at_another_node_is_said_to_be():
    page = ObjectionsPage(FRAME, paginate([MINE], 1, "/objections"), 0, "", FormView(), 0, origin="hill")
    found = [page.is_from_elsewhere(replace(MINE, key=key)) for key in ("", "00ff-hill", "00ff-valley")]
    assert [False, False, True] == found
