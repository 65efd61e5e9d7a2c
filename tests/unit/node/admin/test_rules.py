"""The rule editor, from the data of the backend."""

from node.admin import rules
from node.admin.routes import PageLayout
from node.app.admin import RuleCheck, RuleFile
from node.app.admin_sessions import ADMIN
from node.config.model import SiteInfo
from node.errors import Finding
from node.governance.rule_history import RuleVersion

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


def test_lines_with_findings_are_shown_with_their_rule_and_their_numbers():
    text = "\n".join(["[ruleset]", "", "[[rule]]", 'id = "a"', "share = true", "", "[[rule]]", 'id = "b"'])
    found = (Finding("E01", 5, "It is true.", "write 1"), Finding("W05", 3, "One only.", "look"))
    (passage,) = rules.passages(
        text, (*found, Finding("W09", 0, "Many.", "join"), Finding("E01", 99, "?", "?"))
    )
    assert [(3, ("W05",)), (4, ()), (5, ("E01",))] == [
        (line.number, tuple(each.code for each in line.findings)) for line in passage
    ]
    first, second = rules.passages(text, (*found, Finding("W05", 8, "One only.", "look")))
    assert (3, 7) == (first[0].number, second[0].number)


def test_of_a_long_line_only_its_beginning_is_shown():
    ((line,),) = rules.passages("x" * 5_000, (Finding("E01", 1, "Wrong.", "write less"),))
    assert rules.LINE_CHARS_MAX + 1 == len(line.text)
