"""Rules that several admins approve, on the admins' pages and by the console's command."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.app.admin_sessions import Signed
from node.errors import Finding
from node.translator import gettext_lazy
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.contracts.test_rule_approvals import ORDER
from tests.fakes.admin_pages import ISSUER_LINK, RULES

BEN = "admin Ben"


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        token, _ = await opened.app.admin.access.new_token(Signed("admin", "Ana"))
        await opened.sign_in(token)
        yield opened


async def propose(browser: AdminBrowser, text: str = RULES + ORDER) -> int:
    form = {"do": "save", "text": text, "replacing": browser.app.admin.rule_file().fingerprint}
    response, page = await browser.send("/rules", **form)
    assert (303, "/rules?proposed") == (response.status, response.headers["Location"]), page
    waiting = browser.app.adoption.waiting()
    assert waiting is not None
    return waiting.number


async def test_every_page_asks_for_approval_and_the_one_who_proposed_it_cannot_give_it(browser) -> None:
    number = await propose(browser)
    for path in ("/", "/rules", "/people"):
        _, page = await browser.get(path)
        assert "One more admin must approve it." in page
        assert (
            "You approve it; another admin has to approve it too." in page,
            "Approve the rules" in page,
        ) == (
            True,
            False,
        )
    response, _ = await browser.send("/rules/approve", number=str(number))
    assert "/rules?proposed" == response.headers["Location"], "the same admin again"
    assert RULES == browser.app.admin.rule_file().text
    _, page = await browser.get(f"/rules?version={number}")
    assert ("It waits, and is not in force yet." in page, "What would change" in page) == (True, True)


async def test_a_second_admin_approves_with_one_button_and_the_trial_begins(browser) -> None:
    await browser.app.adoption.adopt(RULES + ORDER, BEN)
    _, page = await browser.get("/")
    assert "proposed by admin Ben, is not in force yet." in page
    number = browser.app.adoption.waiting().number
    response, _ = await browser.post("/rules/approve", {"number": str(number)})
    assert 403 == response.status, "without the token of the session"
    response, _ = await browser.send("/rules/approve", number=str(number))
    assert "/rules?saved" == response.headers["Location"]
    _, page = await browser.get("/rules")
    assert ("approved by admin" in page, "Confirm the rules" in page) == (True, True)
    assert RULES + ORDER == browser.app.admin.rule_file().text


async def test_a_version_that_was_not_shown_or_no_longer_waits_is_not_approved(browser) -> None:
    await browser.app.adoption.adopt(RULES + ORDER, BEN)
    for number in ("", "0", "9" * 10):
        response, _ = await browser.send("/rules/approve", number=number)
        assert 404 == response.status
    response, page = await browser.send("/rules/approve", number="1")
    assert (409, True) == (response.status, "does not wait for approvals" in page)
    await browser.submit("/rules/rollback", trial=str(browser.app.adoption.waiting().number))
    response, _ = await browser.send("/rules/approve", number="2")
    assert (409, RULES) == (response.status, browser.app.admin.rule_file().text)


async def test_an_issuer_neither_reads_nor_approves_what_waits(browser) -> None:
    await browser.app.adoption.adopt(RULES + ORDER, BEN)
    browser.session.cookie_jar.clear()
    await browser.sign_in(ISSUER_LINK)
    _, page = await browser.get("/vouchers")
    assert "must approve it" not in page
    response, _ = await browser.send("/rules/approve", number="2")
    assert (403, RULES) == (response.status, browser.app.admin.rule_file().text)


async def test_an_admin_without_a_name_chooses_one_before_approving(browser) -> None:
    await browser.app.adoption.adopt(RULES + ORDER, BEN)
    browser.session.cookie_jar.clear()
    await browser.sign_in()
    _, page = await browser.get("/rules")
    said = ("first choose a name" in page, "Approve the rules" in page, "Withdraw them" in page)
    assert (True, False, True) == said
    response, page = await browser.send("/rules/approve", number="2")
    assert (409, True) == (response.status, "An admin without a name cannot approve rules." in page)
    assert RULES == browser.app.admin.rule_file().text


async def test_approved_rules_that_no_longer_fit_are_not_said_to_be_in_force(browser, monkeypatch) -> None:
    await browser.app.adoption.adopt(RULES + ORDER, BEN)
    finding = Finding("E04", 0, gettext_lazy("Too much is promised."), gettext_lazy("promise less"))
    monkeypatch.setattr("node.app.adoption_checks.amend", lambda *_: (None, (finding,)))
    response, _ = await browser.send("/rules/approve", number="2")
    assert (303, "/rules?ended") == (response.status, response.headers["Location"])


async def test_a_change_of_the_charter_by_its_form_waits_for_as_many_as_the_charter_says(browser) -> None:
    two = RULES + "\n[charter]\ncharter_approvals = 2\n"
    await browser.app.adoption.adopt(two, BEN)
    await browser.app.adoption.confirm(BEN)
    replacing = browser.app.admin.rule_file().fingerprint
    page = await browser.submit("/rules", text=two, replacing=replacing, change="[charter]")
    assert "A change of the charter comes into force when 2 admins have approved it." in page
    form = {"text": two, "replacing": replacing, "do": "save"}
    changed = form | {"rule": "[charter]", "max_weight_ratio": "3", "charter_approvals": ""}
    response, _ = await browser.send("/rules", **changed)
    assert (303, "/rules?proposed") == (response.status, response.headers["Location"])
    assert two == browser.app.admin.rule_file().text
    response, _ = await browser.send("/rules", **form | {"rule": "guest-top", "down": "4"})
    assert (303, "/rules?saved") == (response.status, response.headers["Location"]), "of rules one is enough"


MINUTES = """
[decisions."D-2026-021"]
day = "2026-03-08"
place = "School"
present = 31
yes = 27
no = 2
signers = ["Ana Pons", "Cora Mas"]
"""


async def test_minutes_that_two_admins_must_attest_count_when_the_second_approves(browser) -> None:
    rules = f"{RULES}\n[charter]\nminutes_attested_by = 2\n"
    await browser.app.write_rules(rules)
    form = {"do": "check", "text": rules + MINUTES, "replacing": browser.app.admin.rule_file().fingerprint}
    _, page = await browser.send("/rules", **form)
    assert "<code>W23</code> The minutes of D-2026-021 are new: they count when 2 different admins" in page
    number = await propose(browser, rules + MINUTES)
    _, page = await browser.get("/rules")
    assert ("One more admin must approve it." in page, "Attested by" in page) == (True, False)
    token, _ = await browser.app.admin.access.new_token(Signed("admin", "Ben"))
    browser.session.cookie_jar.clear()
    await browser.sign_in(token)
    response, _ = await browser.send("/rules/approve", number=str(number))
    assert "/rules?saved" == response.headers["Location"]
    _, page = await browser.get("/rules")
    assert "D-2026-021 (8 March 2026, School): 31 present, 27 yes, 2 no." in page
    assert "Attested by Ana and Ben." in page


async def test_one_admin_alone_does_not_make_one_enough_for_minutes(browser) -> None:
    rules = f"{RULES}\n[charter]\nminutes_attested_by = 2\n"
    await browser.app.write_rules(rules)
    await propose(browser, RULES + MINUTES)
    assert rules == browser.app.admin.rule_file().text
