"""Limits of mDNS announcements to the node; tests/kernel/test_services_are_found.py sends real ones."""

from node.enforcement import announcements


def test_every_packet_is_counted_before_any_is_accepted() -> None:
    *limits, accepting = announcements.rules()
    assert all(rule.startswith("udp dport 5353 ") and rule.endswith(" drop") for rule in limits)
    assert all("limit rate over" in rule for rule in limits if "limit rate" in rule)
    assert "udp sport 5353 udp dport 5353 accept" == accepting


def test_one_device_leaves_most_of_the_reading_rate_to_others() -> None:
    assert announcements.OF_ONE_PER_SECOND <= announcements.PER_SECOND // 4
    assert announcements.OF_ONE_AT_ONCE <= announcements.AT_ONCE // 2
    assert "size 65535" in announcements.sets("inet procomu")
