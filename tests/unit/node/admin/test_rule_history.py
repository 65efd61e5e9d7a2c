"""The history of the rules, from what the log says."""

from node.admin.rule_history import VersionChanges, newest_first, version_author
from node.app.admin import BY_ADMIN
from node.app.rule_files import BY_START
from node.governance.rule_history import RuleVersion


def test_the_newest_version_comes_first():
    versions = [RuleVersion(number, "2026-11-01T12:00:00", "ana", f"f{number}") for number in (1, 3, 2)]
    assert [3, 2, 1] == [each.number for each in newest_first(versions)]


def test_a_person_is_named_and_the_node_describes_itself():
    for by, shown in (("Ana Mas", "Ana Mas"), (BY_START, "the node's start"), (BY_ADMIN, BY_ADMIN)):
        row = VersionChanges(RuleVersion(1, "2026-11-01T12:00:00", by, "f", "active"), True, None)
        assert (shown, "in force") == (row.by, row.became)
        assert row.by == version_author(row.version)
