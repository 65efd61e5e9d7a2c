"""The history of the rules, from what the log says."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from node.admin.rule_history import VersionChanges, newest_first, version_author, zone_sentence
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


def test_the_page_says_by_the_clock_of_which_zone_its_times_are():
    winter, summer = (datetime(2026, month, 1, tzinfo=ZoneInfo("Europe/Madrid")) for month in (1, 7))
    assert "Times are of the node’s clock: Europe/Madrid, now UTC+1." == zone_sentence(winter)
    assert "Times are of the node’s clock: Europe/Madrid, now UTC+2." == zone_sentence(summer)
    assert "Times are of the node’s clock, now UTC." == zone_sentence(winter.astimezone(UTC))
    with open("/usr/share/zoneinfo/Asia/Kathmandu", "rb") as file:
        copied = ZoneInfo.from_file(file)
    assert "Times are of the node’s clock, now UTC+5:45." == zone_sentence(winter.astimezone(copied))
