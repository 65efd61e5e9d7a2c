"""What earlier versions of the rules said."""

import asyncio

from node.app.rule_meanings import VERSIONS_MAX, RuleMeanings, says_the_same
from node.control.active_ruleset import fingerprint
from node.errors import StorageTrouble
from node.governance.canonical_form import meaning_fingerprint
from node.governance.rule_history import RuleVersion
from tests.fakes.rule_files import file_with, rule, rules_of

TOP = rule("top", 'ceiling = "3 Mbit/s down, 1 Mbit/s up"')
TEXTS = {1: file_with(TOP), 2: file_with(f"# a comment\n{TOP}"), 3: "nonsense", 4: file_with()}


class Log:
    def __init__(self) -> None:
        self.read: list[int] = []
        self.fails = False

    async def version_text(self, number: int) -> str | None:
        self.read.append(number)
        if self.fails:
            raise StorageTrouble("the disk is full", "free some space")
        return TEXTS.get(number)


def version(number: int) -> RuleVersion:
    return RuleVersion(number, "2026-12-01", "ana", fingerprint(TEXTS.get(number, str(number))))


def test_versions_that_say_the_same_have_the_same_and_each_text_is_read_once():
    log = Log()
    meanings = RuleMeanings(log.version_text)
    versions = [version(number) for number in (*TEXTS, 9)]
    top = meaning_fingerprint(rules_of(TOP))
    expected = {1: top, 2: top, 4: meaning_fingerprint(rules_of())}
    assert expected == asyncio.run(meanings.of(versions))
    assert expected == asyncio.run(meanings.of(versions))
    assert [9, 4, 3, 2, 1] == log.read


def test_only_the_newest_versions_are_read():
    log = Log()
    assert {} == asyncio.run(
        RuleMeanings(log.version_text).of([version(number) for number in range(100, 300)])
    )
    assert list(range(299, 299 - VERSIONS_MAX, -1)) == log.read


def test_what_the_log_could_not_say_is_asked_again():
    log = Log()
    meanings = RuleMeanings(log.version_text)
    log.fails = True
    assert {} == asyncio.run(meanings.of([version(1)]))
    log.fails = False
    assert {1} == asyncio.run(meanings.of([version(1)])).keys()


def test_a_text_says_the_same_as_rules_only_if_it_can_be_read():
    assert says_the_same(rules_of(TOP), TEXTS[2])
    assert not says_the_same(rules_of(TOP), TEXTS[4])
    assert not says_the_same(rules_of(TOP), TEXTS[3])
