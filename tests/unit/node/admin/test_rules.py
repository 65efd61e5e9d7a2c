"""The rule editor, from the data of the backend."""

from node.admin import rules
from node.admin.routes import PageLayout
from node.app.admin import RuleCheck, RuleFile, RuleVersion
from node.app.admin_sessions import ADMIN
from node.config.model import SiteInfo
from node.errors import Finding

FRAME = PageLayout(SiteInfo("Vall Alta", "library", "login.vall.example"), ADMIN, "csrf_token", "/rules")


def test_errors_and_warnings_are_distinguished_and_the_difference_has_colours():
    check = RuleCheck(
        findings=(
            Finding("W05", 9, "One household only.", "look again"),
            Finding("E01", 3, "No unit.", "add one"),
        ),
        difference=("--- in force", "+++ draft", "@@ -1 +1 @@", " same", "-old", "+new"),
        sentences=(),
    )
    verdict = rules.verdict(check)
    assert ["E01"] == [each.code for each in verdict.errors]
    assert ["W05"] == [each.code for each in verdict.second_looks]
    assert ["header", "header", "header", "same", "removed", "added"] == [
        line.kind for line in verdict.difference
    ]


def test_the_newest_version_comes_first_and_a_draft_keeps_what_it_replaces():
    versions = [RuleVersion(1, "2026-11-01", "ana", "f1"), RuleVersion(2, "2026-11-02", "ben", "f2")]
    page = rules.rules_page(
        ("Everybody has a lifeline.",), RuleFile("text", "f2"), versions, FRAME, draft="draft", replacing="f1"
    )
    assert [2, 1] == [each.number for each in page.versions]
    assert ("draft", "f1", "f2") == (page.text, page.replacing, page.fingerprint)
