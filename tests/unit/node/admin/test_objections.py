"""The forms below objections: each objection has its own, and typed text is kept only in that one."""

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
