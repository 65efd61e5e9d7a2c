"""Findings in the language of the reader: every code, in every catalogue."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

import node.governance
from node.errors import Finding, InvalidValue
from node.governance.admin_findings import minutes_to_attest, too_few_admins
from node.governance.checks import check_file
from node.governance.guarantees import measured_findings
from node.governance.local_findings import ending, softened, unknown_nodes
from node.governance.members import parse_members
from node.governance.rule_evaluation import Direction
from node.governance.rules import Ruleset
from node.governance.times import parse_times
from node.governance.uplink_findings import unknown_uplink
from node.translator import LazyText, translate
from node.units import BitsPerSecond
from node.web.translations import read_catalogues
from tests.fakes.rule_files import HEAD, MINUTES, file_with, rule, village

CATALOGUES = read_catalogues().translations
TOP = rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"')
LATER_TOP = 'ceiling = "5 Mbit/s down, 1 Mbit/s up"\nwhen = "daily 18:00-23:00"'
FLOOR = 'floor = "{}"\nwhen = "mon-fri 08:00-16:00"'
MEASURED = HEAD.replace("[charter]", 'rate = "measured"\nleast = "5 Mbit/s down, 2 Mbit/s up"\n[charter]')
CLOSED = '[joining]\nways = ["card", "introduction"]\nby = "D-2"\n'
LATER = '[[rule]]\nid = "later"\nby = "D-1"\nceiling = "none"\nexception_to = "top"\n'
LINE_L, LINE_M = (f'[uplink.{name}]\ndown = "9 Mbit/s"\nup = "9 Mbit/s"\n' for name in "lm")
ON = ('["main", "l"]', '["main", "m"]', '["l", "m"]')
UNCOUNTED = {
    "a": "devices = 2",
    "b": 'quota = "1 GB per day"\nthen = "tell"',
    "c": 'share = 50\nemergency = true\nfrom = "2026-12-01"\nexpires = "2026-12-02"',
}
WRONG = (
    "a = 1\nhello\n",
    "a = [\n",
    "a = 1\na = 2\n",
    'a = "\u202e"\n',
    "x" * 200,
    "[a" + ".b" * 20 + "]",
    "a = " + "[" * 40,
    "x" * 20_000,
    "x = 1\n" * 100_000,
    "\ud800",
    "rule = 3\nruleset = 4\nfoo = 5\n",
    file_with(rule("a", "share = true\nwhile = 3\nburst = 3\nfloor = 3\nwho = []")),
    file_with(rule("a", 'ceiling = "3 Mbit/s"\nwhen = "monday"\nfoo = 3\nfrom = "2027-02-30"')),
    file_with(rule("A b", 'share = 3\ntogether = 4\nwhy = "sch\u043e\u043el"\nexpires = "x + 200 months"')),
    file_with(rule("a", 'ceiling = "none"'), rule("a", 'quota = "3"\ncounts = "all"\nthen = "never"')),
    file_with(rule("a", 'session = "5 minutes"\nwhile = "busy"', '"everyone", "unit:ana"]'.join(("[", "")))),
    file_with(rule("a", 'devices = 2\nwhile = "busy"\ntogether = true\nexception_to = "b"', '"Ana"')),
    file_with(rule("a", 'credit = "share +0"\nfrom = "1999-01-01"\nwhen = "daily 08:00-08:00"')),
    file_with(rule("a", "share = 1\ntogether = true", '["everyone"]'), rule("b", 'ceiling = "1 GB"')),
    f"{file_with()}[calendar]\nA = []\nb = ['2026-12-25..2026-12-24', 'x']\n[decisions]\n\" \" = 3\n",
    file_with().replace("ratio = 4", 'ratio = 4\nbusy_above = 20\nbusy_below = 19\nbusy_after = "3 s"'),
    HEAD.replace("46 Mbit/s", "3 kbit/s").replace("[charter]", "least = 3\n[charter]"),
    file_with(rule("a", "share = 50\nobserve = true"), rule("b", 'share = 3\nexception_to = "a"')),
    file_with(*(rule(f"r{n}", f"share = {n + 1}\nobserve = true") for n in range(11))),
    file_with(*(rule(name, f"{effect}\nobserve = true") for name, effect in UNCOUNTED.items())),
    file_with(rule("a", 'ceiling = "100 kbit/s down, 1 Mbit/s up"\nobserve = true')),
    file_with(rule("a", 'share = 50\nuplink = "river"'), rule("b", "session = '1 hour'\nuplink = []")),
    HEAD.replace("uplink.main", "uplink"),
    HEAD.replace("uplink.main", "uplink.'Mill 2'"),
    HEAD + "".join(f'[uplink.l{n}]\ndown = "2 Mbit/s"\nup = "2 Mbit/s"\n' for n in range(8)),
    file_with(TOP.replace("who", 'uplink = "main"\nwho'), f'{LATER}uplink = "l"\n') + LINE_L,
    file_with(*(rule(f"r{n}", f"devices = 2\nuplink = {ON[n % 3]}") for n in range(200))) + LINE_L + LINE_M,
    file_with(
        '[[ladder]]\nid = 3\nsteps = ["tell", "x", "share 50"]\ntrigger = "3"\ndecay = "x"\nwho = []\n'
    ),
    file_with('[[ladder]]\nid = "a"\nwho = "everyone"\nsteps = ["tell", "share 50"]\n' * 2),
    f'{HEAD}[joining]\nways = ["door", "terms", "terms"]\nwhen_full = "never"\n[[test]]\n',
)
MILL = '[uplink.mill]\ndown = "46 Mbit/s"\nup = "46 Mbit/s"\n'
FILES = {
    "E01": WRONG[0],
    "E02": file_with(rule("a", FLOOR.format("300 kbit/s down, 96 kbit/s up") + "\ntogether = true")),
    "E03": file_with(rule("a", 'ceiling = "200 kbit/s down, 1 Mbit/s up"')),
    "E04": file_with(rule("a", FLOOR.format("30 Mbit/s down, 1 Mbit/s up"), '"group:mast-host"')),
    "E05": file_with(TOP, rule("f", FLOOR.format("4 Mbit/s down, 1 Mbit/s up"), '"group:mast-host"')),
    "E06": file_with(rule("a", "share = 100"), rule("b", "share = 200", '"group:mast-host"')),
    "E07": file_with('[[rule]]\nid = "a"\nwho = "everyone"\nshare = 100\n'),
    "E08": file_with('[[ladder]]\nid = "a"\nby = "D-1"\nwho = "everyone"\nsteps = ["share 50 for 7 days"]\n'),
    "E09": file_with(rule("a", "share = 50\nemergency = true")),
    "E10": file_with() + '[[account]]\nid = "ana"\n',
    "E12": file_with(f'[[test]]\ngiven = "member, fri 21:00"\nexpect = "down >= {46} Mbit/s"\n'),
    "E13": HEAD.replace("uplink.main", "uplink.north") + MILL,
    "W01": file_with(rule("a", "devices = 2", '"group:mast-hosts"')),
    "W02": file_with(TOP, rule("evening", LATER_TOP)),
    "W04": file_with(rule("a", "share = 500")),
    "W05": file_with(rule("a", "devices = 2", '"group:school"')),
    "W06": file_with(rule("a", 'credit = "share +50"\nproposed_by = "group:mast-host"', '"group:mast-host"')),
    "W07": file_with(rule("a", LATER_TOP)),
    "W08": f"{HEAD}overbook_percent = 200\n{rule('f', 'floor = "900 kbit/s down, 96 kbit/s up"')}",
    "W09": file_with(*(rule(f"r{n}", f"devices = {n + 1}") for n in range(26))),
    "W10": file_with(rule("q", 'quota = "5 GB per month"\ncounts = "uplink"\nthen = "tell"')),
    "W11": HEAD.replace("usable_percent = 80", "usable_percent = 95"),
    "W12": HEAD + CLOSED,
    "W13": file_with(
        rule("a", FLOOR.format("4600 kbit/s down, 96 kbit/s up"), '"group:mast-host"'),
        rule("b", 'floor = "600 kbit/s down, 96 kbit/s up"\nwhen = "daily 17:00-20:00"'),
    ),
    "W15": MEASURED,
    "W16": file_with(rule("a", 'devices = 2\nexpires = "D-9 + 12 months"')),
    "W17": file_with(rule("a", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"\nobserve = true')),
    "W19": file_with(rule("a", "devices = 2")) + MINUTES,
    "W18": file_with(rule("a", 'devices = 2\nexpires = "2026-12-31"')),
    "W20": file_with(rule("a", 'devices = 2\nat = "node:libary"')),
    "W23": file_with(rule("a", "devices = 2")) + MINUTES.replace("D-9", "D-1"),
    "W22": HEAD.replace("[charter]", "[charter]\napprovals = 2"),
    "W21": MEASURED.replace('least = "5 Mbit/s down, 2 Mbit/s up', 'least = "15 Mbit/s down, 5 Mbit/s up'),
}
"""A file for each code that has it; W14 is made of another finding, and W03 of usage."""
TODAY, NODES = date(2026, 12, 1), {"library", "Mill 2"}
SLOWEST: dict[Direction, BitsPerSecond] = {"down": BitsPerSecond(6_029_312), "up": BitsPerSecond(950_272)}
"""What the line carried in its slowest tenth, in the file of W21."""


def found_in(code: str) -> tuple[Finding, ...]:
    units = () if code == "W12" else village()
    ruleset, findings = check_file(FILES[code], units, "unknown" if code == "W07" else "synced")
    if ruleset is None:
        return findings
    measured = measured_findings(ruleset, units, SLOWEST if code == "W21" else {})
    return (
        *findings,
        *ending(ruleset, TODAY),
        *unknown_nodes(ruleset, NODES),
        *too_few_admins(ruleset, 1),
        *(minutes_to_attest(_attested_by_two(), ruleset) if code == "W23" else ()),
        *unknown_uplink(ruleset, ""),
        *measured,
    )


def _attested_by_two() -> Ruleset:
    """The rules in force, in the case of W23."""
    ruleset, _ = check_file(HEAD.replace("[charter]", "[charter]\nminutes_attested_by = 2"), village())
    assert ruleset is not None
    return ruleset


def texts_of(text: str) -> Iterator[LazyText]:
    """The lazy texts in a message, its own included."""
    assert isinstance(text, LazyText), text
    yield text
    for value in text.fields.values():
        if isinstance(value, LazyText):
            yield from texts_of(value)


def test_every_code_of_the_document_has_a_file_here():
    document = (Path(node.governance.__file__).parent / "README.md").read_text()
    assert {*FILES, "W03", "W14"} == set(re.findall(r"^\| ([EW]\d\d) \|", document, re.MULTILINE))


@pytest.mark.parametrize("code", FILES)
def test_a_finding_of_each_code_is_said_in_every_language(code):
    findings = [finding for finding in found_in(code) if finding.code == code]
    assert findings, found_in(code)
    for finding in (*findings, softened(findings[0])):
        for text in (finding.message, finding.fix):
            shown = {tag: translate(text, words) for tag, words in CATALOGUES.items()}
            assert text == shown["en"]
            assert len(CATALOGUES) == len(set(shown.values())), shown
            assert all("{" not in each for each in shown.values()), shown


@pytest.mark.parametrize("code", sorted({*FILES} - {"E01", "W09", "W15"}))
def test_the_file_of_a_code_has_no_other(code):
    assert {code} == {finding.code for finding in found_in(code)}


@pytest.mark.parametrize("text", [*WRONG, *FILES], ids=lambda text: text[-30:].encode("ascii", "replace"))
def test_nothing_is_found_in_english_only(text):
    findings = found_in(text) if text in FILES else check_file(text, village())[1]
    assert findings
    for finding in (*findings, *parse_members(text)[1]):
        for each in (*texts_of(finding.message), *texts_of(finding.fix)):
            assert is_translated(each), each.template


def is_translated(text: LazyText) -> bool:
    if not re.search(r"[a-z]{3}", re.sub(r"\{\w+\}", "", text.template)):
        return True  # punctuation between fields
    others = [words for tag, words in CATALOGUES.items() if tag != "en"]
    if text.many:
        return all(words.ngettext(text.template, text.many, 2) != text.many for words in others)
    return all(words.gettext(text.template) != text.template for words in others)


def test_a_value_that_cannot_be_read_says_what_is_wrong_and_what_to_write():
    with pytest.raises(
        InvalidValue, match="'never' is not a time of the week; write times such as"
    ) as raised:
        parse_times("never")
    french = CATALOGUES["fr"]
    assert "'never' n’est pas un moment de la semaine" == translate(raised.value.message, french)
    assert raised.value.fix is not None
    assert translate(raised.value.fix, french).startswith("écrivez des heures comme")


def test_a_proposal_has_the_line_that_carries_it_out():
    (finding,) = [each for each in found_in("W02") if each.code == "W02"]
    assert 'exception_to = "top"' == finding.addition
    assert "top (line 14) is for the same people at the same time, and it decides" in finding.message
