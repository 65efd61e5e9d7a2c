"""The rules page for people who do not program: one rule is opened and its blanks are filled in; the draft travels with the
form."""

import html
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from node.governance.rule_edit import NEW_RULES
from tests.bench.rule_editor import editor_p95_ms
from tests.bench.rules import ordinary_rules, roll
from tests.contracts.admin_browser import AdminBrowser, admin_browser
from tests.fakes.admin_pages import RULES, changed_lines


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[AdminBrowser]:
    async with admin_browser(tmp_path) as opened:
        await opened.sign_in()
        yield opened


def form_in(page: str) -> dict[str, str]:
    """The blanks of the open rule, as a browser without scripts would send them."""
    form = page[
        page.index('<form class="card" id="rules"') : page.index(
            "</form>", page.index('<form class="card" id="rules"')
        )
    ]
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input [^>]*?name="(\w+)"[^>]*? value="([^"]*)"', form)
        if 'type="checkbox"'
        not in form[form.index(f'name="{name}"') - 60 : form.index(f'name="{name}"') + 60]
    }
    for box in re.findall(r"<input [^>]*checkbox[^>]*>", form):
        if " checked" in box:
            fields[re.search(r'name="(\w+)"', box)[1]] = "yes"
    for name, options in re.findall(r'<select [^>]*?name="(\w+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        fields[name] = html.unescape(chosen[1])
    return {name: value for name, value in fields.items() if name not in ("csrf_token", "due", "no_trial")}


def fingerprint_of(browser: AdminBrowser) -> str:
    """Of the rules in force."""
    return browser.app.admin.rule_file().fingerprint


async def opened(browser: AdminBrowser, rule: str, text: str = RULES) -> dict[str, str]:
    page = await browser.submit("/rules", text=text, replacing=fingerprint_of(browser), change=rule)
    assert f"Change the rule {rule}" in page
    return form_in(page)


async def test_each_rule_in_force_can_be_opened_and_its_form_changes_nothing(browser):
    _, page = await browser.get("/rules")
    assert ["guest-top", "anchors", "passes"] == re.findall(r'name="change" value="([\w-]+)"', page)
    for rule in ("guest-top", "anchors", "passes"):
        fields = await opened(browser, rule)
        page = await browser.submit("/rules", **fields, do="check")
        assert "Nothing changes for anybody." in page
        assert RULES == form_in(page)["text"]
    assert RULES == browser.app.files.rules.read_text()


async def test_a_number_is_checked_saved_and_in_force_on_trial(browser):
    fields = await opened(browser, "guest-top")
    assert ("3", "Mbit/s", "tier:guest", "D-2025-002") == tuple(
        fields[name] for name in ("down", "down_unit", "who", "by")
    )
    page = await browser.submit("/rules", **fields | {"down": "5"}, do="check")
    assert "at most 5 Mbit/s download instead of 3 Mbit/s download." in page
    assert 1 == page.count('<span class="tag">Changed</span>'), "only the sentence that changed"
    fields = form_in(page)
    response, _ = await browser.send("/rules", **fields, do="save")
    assert (303, "/rules?saved") == (response.status, response.headers["Location"])
    assert 2 == len(changed_lines(RULES, browser.app.admin.rule_file().text))


async def test_a_rule_is_tied_to_one_of_several_lines_from_a_menu(browser):
    fields = await opened(browser, "guest-top")
    assert "uplink" not in fields, "with one line there is nothing to choose"
    several = RULES + '\n[uplink.mill]\ndown = "20 Mbit/s"\nup = "5 Mbit/s"\n'
    fields = await opened(browser, "guest-top", several)
    assert "" == fields["uplink"]
    page = await browser.submit("/rules", **fields | {"uplink": "mill"}, do="check")
    assert "On the line mill, guests never have more than 3 Mbit/s" in page
    assert "on the line main: no speed limit instead of at most 3 Mbit/s" in page
    response, _ = await browser.send("/rules", **form_in(page), do="save")
    assert (303, "/rules?saved") == (response.status, response.headers["Location"])
    _, page = await browser.get("/rules")
    assert "This node is the gateway of the line main." in page
    page = await browser.submit(
        "/rules", **await opened(browser, "guest-top", several) | {"uplink": "<b>"}, do="check"
    )
    assert "The file has no line &#39;&lt;b&gt;&#39;." in page
    assert "<b>" not in page


async def test_a_burst_is_added_changed_and_taken_away_again_by_its_blanks(browser):
    fields = await opened(browser, "guest-top")
    burst = {"burst_down": "9", "burst_up": "2,5", "burst_s": "20"}
    page = await browser.submit("/rules", **fields | burst, do="check")
    assert "up to 9 Mbit/s download and 2.5 Mbit/s upload for the first 20 seconds" in page
    fields = form_in(page)
    assert ['+ burst = "9 Mbit/s down, 2500 kbit/s up for 20 s"'] == changed_lines(RULES, fields["text"])
    page = await browser.submit("/rules", **fields | {"burst_s": "301"}, do="check")
    assert "write a whole number from 1 to 300" in html.unescape(page)
    page = await browser.submit("/rules", **fields | {"burst_down": "2"}, do="check")
    told = page[page.index('id="burst_down-said"') :]
    assert "The burst is not above the ceiling" in told[: told.index("</div></div>")]
    page = await browser.submit("/rules", **fields | dict.fromkeys(burst, ""), do="check")
    assert RULES == form_in(page)["text"]


@pytest.mark.parametrize("button", ["check", "save", "preview", "exception"])
async def test_mistakes_are_told_at_their_blanks_and_what_was_typed_stays(browser, button):
    fields = await opened(browser, "guest-top")
    wrong = {"down": "five", "start": "18:00", "why": "two\nlines"}
    response, page = await browser.send("/rules", **fields | wrong, do=button)
    assert (422 if button == "save" else 200) == response.status
    for blank in ("down", "end", "why"):
        (described,) = re.findall(rf'id="{blank}"[^>]* aria-describedby="([^"]+)"', page)
        assert f"{blank}-said" in described.split()
        assert f'<div id="{blank}-said"><div class="finding wrong">' in page
    assert 3 == page.count('aria-invalid="true"')
    assert "3 errors: nothing was changed" in page
    sent = form_in(page)
    assert ("five", "18:00", RULES) == (sent["down"], sent["start"], sent["text"])
    assert RULES == browser.app.files.rules.read_text()


async def test_what_only_the_check_finds_is_told_at_its_blank_too(browser):
    fields = await opened(browser, "guest-top")
    _, page = await browser.send("/rules", **fields | {"down": "10", "down_unit": "kbit/s"}, do="save")
    assert '<div id="down-said"><div class="finding wrong">' in page
    assert "E03" in page
    _, page = await browser.send("/rules", **fields | {"by": ""}, do="check")
    assert '<div id="by-said"><div class="finding wrong">' in page
    assert (
        "<details open>" in page[page.index("Who it is for") : page.index("From which day, why, and where")]
    )
    _, page = await browser.send("/rules", **fields | {"who": ""}, do="check")
    assert '<div id="who-said"><div class="finding wrong">' in page


async def test_a_limit_without_effect_says_so_and_becomes_an_exception_with_one_button(browser):
    page = await browser.submit("/rules", text=RULES, do="new", effect="ceiling")
    fields = form_in(page)
    assert ("ceiling", "5", "tier:guest", "D-2026-014") == tuple(
        fields[name] for name in ("rule", "down", "who", "by")
    )
    page = await browser.submit("/rules", **fields | {"start": "18:00", "end": "23:00"}, do="check")
    fields = form_in(page)
    said = page[page.index('<div id="down-said">') :]
    assert "Make it an exception" in said[: said.index("</fieldset>")]
    line = re.search(r'name="add" value="(\d+)"', said)[1]
    page = await browser.submit("/rules", **fields, add=line)
    assert "guest-top &lt;- ceiling" in page
    assert "at most 5 Mbit/s download instead of 3 Mbit/s download." in page
    fields = form_in(page)
    assert ("guest-top", "18:00") == (fields["exception_to"], fields["start"])
    assert fields["text"].startswith(RULES)


@pytest.mark.parametrize("effect", NEW_RULES)
async def test_every_kind_of_rule_can_be_added_and_its_form_sent_as_it_is(browser, effect):
    page = await browser.submit("/rules", text=RULES, do="new", effect=effect)
    assert '<span class="tag">New</span>' in page
    fields = form_in(page)
    again = await browser.submit("/rules", **fields, do="check")
    assert fields["text"] == form_in(again)["text"]
    page = await browser.submit("/rules", **fields, do="remove")
    assert 'name="rule"' not in page
    assert "Nothing changes for anybody." in page


async def test_named_days_and_decisions_of_the_file_are_offered(browser):
    calendar = '[calendar]\nholidays = ["2026-12-25"]\n'
    fields = await opened(browser, "guest-top", calendar + RULES)
    page = await browser.submit("/rules", **fields | {"closed": "holidays", "together": "yes"}, do="check")
    sent = form_in(page)
    assert ("holidays", "yes") == (sent["closed"], sent["together"])
    assert 'when = "daily 00:00-24:00 except holidays"\n' in sent["text"]
    assert '<option value="D-2025-004"></option>' in page
    _, page = await browser.send("/rules", **fields | {"closed": "nowhere"}, do="save")
    assert '<div id="start-said"><div class="finding wrong">' in page


async def test_a_rule_with_an_exception_is_removed_after_it(browser):
    page = await browser.submit("/rules", **await opened(browser, "guest-top"), do="exception")
    fields = form_in(page)
    assert ("guest-top-except", "guest-top") == (fields["rule"], fields["exception_to"])
    page = await browser.submit("/rules", text=fields["text"], do="remove", rule="guest-top")
    assert '<div id="rule-said"><div class="finding wrong">' in page
    assert "guest-top-except replaces this rule." in page
    page = await browser.submit("/rules", **fields, do="remove")
    text = html.unescape(re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)[1])
    page = await browser.submit("/rules", text=text, do="remove", rule="guest-top")
    assert '<span class="tag odd">Removed</span>' in page


async def test_another_rule_is_opened_with_what_was_typed_in_the_first(browser):
    fields = await opened(browser, "guest-top")
    page = await browser.submit("/rules", **fields | {"down": "4"}, change="anchors")
    assert "4 Mbit/s" in form_in(page)["text"]
    assert "anchors" == form_in(page)["rule"]
    page = await browser.submit("/rules", **form_in(page), do="close")
    assert ("<textarea" in page, 'name="rule"' in page) == (True, False)
    assert "4 Mbit/s down" in page


async def test_the_text_is_unfolded_when_an_error_is_outside_of_any_rule(browser):
    for text, is_open in (
        (RULES, False),
        (RULES.replace("share = 200", "share = 0"), False),
        (RULES.replace("[uplink.main]\ndown", "[uplink.main]\ndwn"), True),
        (RULES + "nonsense\n", True),
    ):
        page = await browser.submit("/rules", text=text, do="check")
        unfolded = "<details open>\n<summary>The rule file as text" in page
        assert is_open == unfolded, text
        assert '<li id="line-' in page, "a line with its number"


@pytest.mark.parametrize(
    "fields",
    [
        {"rule": "nobody", "do": "check"},
        {"rule": "nobody", "do": "remove"},
        {"rule": "nobody", "do": "exception"},
        {"do": "new", "effect": "burst"},
        {"do": "new"},
    ],
)
async def test_forms_that_no_page_has_are_refused_with_a_reason(browser, fields):
    page = await browser.submit("/rules", text=RULES, **fields)
    assert "One error: nothing was changed" in page
    assert "Fix:" in page


async def test_hostile_values_stay_inside_their_quotes(browser):
    fields = await opened(browser, "guest-top")
    why = """ends", by = "x" ' \\ ''' <script>&amp; [[rule]] # not a comment"""
    page = await browser.submit("/rules", **fields | {"why": why}, do="check")
    assert "No errors." in page
    assert "<script" not in page
    text = form_in(page)["text"]
    assert [f"+ {line}" for line in text.split("\n") if line.startswith("why")] == changed_lines(RULES, text)
    assert why == form_in(page)["why"]


def test_the_bench_fills_in_the_form_of_each_rule():
    assert editor_p95_ms(ordinary_rules(12), roll(20)) > 0
    with pytest.raises(ValueError, match="cannot be read"):
        editor_p95_ms("nonsense", roll(20))


async def test_the_history_says_what_each_version_changed_who_adopted_it_and_when(browser):
    fields = await opened(browser, "guest-top")
    await browser.submit("/rules", **fields | {"down": "4"}, do="save")
    await browser.submit("/rules/confirm", trial="2")
    text = browser.app.admin.rule_file().text
    await browser.app.write_rules(text.replace("[[rule]]", "# first\n[[rule]]", 1))
    await browser.submit(
        "/rules",
        text=RULES[: RULES.index('[[rule]]\nid = "passes"')],
        do="save",
        replacing=fingerprint_of(browser),
    )
    _, page = await browser.get("/rules/history")
    assert ["5", "4", "2", "1"] == re.findall(r"<h2>Version (\d)", page), "3 is the confirmation of 2"
    fourth, third, second, first = re.findall(r'<section class="card">(.*?)</section>', page, re.DOTALL)
    assert "in force, on trial" in fourth
    assert (
        'By admin, on <time datetime="2026-11-24T12:00:00+00:00">24 November 2026, 12:00 (\u2068UTC\u2069)</time>.'
    ) in fourth
    assert "<del>People in the group day-pass" in fourth
    assert "No sentence changed." in third
    assert "By an edit of the file" in third
    assert "Guests never have more than 4 Mbit/s download" in second
    assert "Until then: “Guests never have more than 3 Mbit/s download" in second
    assert 1 == second.count("<li>")
    assert "These are the first rules." in first
    assert 1 == fourth.count("Until then: “Guests never"), "a draft of version 1"
    await browser.submit("/rules/rollback", trial="5")
    await browser.submit("/rules", text=text + "# again\n", do="save", replacing=fingerprint_of(browser))
    _, page = await browser.get("/rules/history")
    assert "No sentence changed." in page[: page.index("Version 5")], (
        "what was taken back is not compared with"
    )


async def test_a_version_that_cannot_be_read_any_more_is_said_so(browser):
    await browser.submit("/rules", text=RULES + "# more\n", do="save", replacing=fingerprint_of(browser))
    log = browser.app.node.archive.log
    log[0] = replace(log[0], text="damaged")
    _, page = await browser.get("/rules/history")
    assert "What it changed cannot be read any more." in page


async def test_the_lines_speed_is_changed_by_its_blanks(browser):
    fields = await opened_table(browser, "[uplink.main]", "Change the line main")
    page = await browser.submit("/rules", **fields, do="check")
    assert RULES == form_in(page)["text"]
    page = await browser.submit(
        "/rules", **fields | {"line_down": "1.5", "line_down_unit": "Gbit/s"}, do="check"
    )
    assert 1 == page.count('<span class="tag">Changed</span>')
    assert ['down = "1.5 Gbit/s"'] == [
        line[2:] for line in changed_lines(RULES, form_in(page)["text"]) if line[0] == "+"
    ]
    page = await browser.submit("/rules", **fields | {"line_up": "none"}, do="check")
    told = page[page.index('id="line_up-said"') :]
    assert "“none” is not a number." in html.unescape(told[: told.index("</div></div>")])
    page = await browser.submit("/rules", **fields | {"line_up": "1", "line_up_unit": "kbit/s"}, do="check")
    assert "too little to share" in page[page.index('id="line_up-said"') :]


async def test_a_change_of_the_charter_is_checked_and_said(browser):
    fields = await opened_table(browser, "[charter]", "Change the charter")
    page = await browser.submit("/rules", **fields | {"max_weight_ratio": "3", "busy_after": "7"}, do="check")
    assert "Nobody’s share is more than 3 times someone else’s." in html.unescape(page)
    assert "A change of the charter comes into force" not in page, "one admin is enough"
    text = form_in(page)["text"]
    assert ["[charter]", "max_weight_ratio = 3", 'busy_after = "7 minutes"'] == [
        line[2:] for line in changed_lines(RULES, text) if line[0] == "+" and line[2:]
    ]
    page = await browser.submit("/rules", **fields | {"busy_above": "50", "busy_below": "49"}, do="check")
    assert "at least 5 percent under" in page[page.index('id="busy_below-said"') :]
    page = await browser.submit("/rules", **fields | {"lifeline_down": "1", "lifeline_up": "1"}, do="check")
    assert "No errors." in page
    page = await browser.submit(
        "/rules",
        **fields | {"lifeline_down": "1", "lifeline_down_unit": "kbit/s", "lifeline_up": "1"},
        do="check",
    )
    assert "that no vote can go under" in page[page.index('id="lifeline_down-said"') :]


@pytest.mark.parametrize(
    "place", ["[ruleset]", "[uplink]", "[uplink.mill]", "[rule]", "[uplink.<b>]", "[charter"]
)
async def test_tables_without_a_form_are_not_opened(browser, place):
    page = await browser.submit("/rules", text=RULES, replacing=fingerprint_of(browser), change=place)
    assert 'id="blanks"' not in page
    page = await browser.submit("/rules", text=RULES, rule=place, line_down="5", do="check")
    assert "<b>" not in page


async def test_an_error_in_the_charter_is_told_beside_it_while_the_text_cannot_be_read(browser):
    broken = f"{RULES}\n[charter]\nmax_weight_ratio = 900\n"
    page = await browser.submit("/rules", text=broken, replacing=fingerprint_of(browser), do="check")
    assert 'href="#rule-[charter]"' in page
    assert 'id="rule-[charter]"' in page
    page = await browser.submit("/rules", text=broken, replacing=fingerprint_of(browser), change="[charter]")
    assert "max_weight_ratio" in page[page.index('id="max_weight_ratio-said"') :]


async def opened_table(browser: AdminBrowser, place: str, said: str, text: str = RULES) -> dict[str, str]:
    page = await browser.submit("/rules", text=text, replacing=fingerprint_of(browser), change=place)
    assert said in page
    assert "Remove the rule" not in page
    return form_in(page)
