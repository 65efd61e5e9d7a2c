"""What admins are shown, from what the house says."""

from node.admin import pages
from node.admin.ports import OnlineRow, Overview, PeerRow, RuleCheck, RuleFile, RuleVersion
from node.errors import Finding
from node.units import AccountId, BitsPerSecond, Bytes, NodeId, Rates

HILLS = PeerRow(NodeId("h" * 52), "hills", "trusted", ("fd42::2",), 2)
STRANGER = PeerRow(NodeId("s" * 52), "", "stranger", (), None)


def row(account: str, down: int) -> OnlineRow:
    rates = Rates(BitsPerSecond(down), BitsPerSecond(1_000))
    return OnlineRow(
        AccountId(account), "member", 2, rates, Bytes(1_500_000_000), 100, "", "equal-share", "Equal."
    )


def overview(uplink: Rates | None = None, online: tuple[OnlineRow, ...] = ()) -> Overview:
    return Overview(
        community="Vall Alta",
        node="library",
        node_id=NodeId("n" * 52),
        uplink=uplink,
        uplink_rate=Rates(BitsPerSecond(38_000_000), BitsPerSecond(2_000_000)),
        waiting=1,
        online=online,
        peers=(HILLS, STRANGER),
        sentences=("Everybody has a lifeline.",),
        warnings=("Look at the clock.",),
    )


def test_the_line_is_shown_with_how_much_of_it_is_used():
    uplink = Rates(BitsPerSecond(40_000_000), BitsPerSecond(8_000_000))
    page = pages.overview_page(overview(uplink), "proof", is_live=True)
    assert (
        pages.Bar("down", "38 Mbit/s", "40 Mbit/s", 95, is_busy=True),
        pages.Bar("up", "2 Mbit/s", "8 Mbit/s", 25, is_busy=False),
    ) == page.bars


def test_a_bar_is_never_longer_than_the_line():
    page = pages.overview_page(overview(Rates(BitsPerSecond(1), BitsPerSecond(0))), "proof", is_live=True)
    assert [100, 0] == [bar.percent for bar in page.bars]


def test_without_a_stated_speed_there_is_no_bar():
    page = pages.overview_page(overview(), "proof", is_live=False)
    assert ((), "38 Mbit/s down, 2 Mbit/s up") == (page.bars, page.rate)


def test_a_stranger_is_told_apart_from_a_neighbour():
    page = pages.overview_page(overview(), "proof", is_live=True)
    assert [("hills", False, "2 s ago"), ("without a name", True, "never")] == [
        (peer.name, peer.is_stranger, peer.heard) for peer in page.peers
    ]


def test_ten_thousand_accounts_make_no_endless_page():
    page = pages.overview_page(
        overview(online=tuple(row(f"a{n}", n) for n in range(10_000))), "p", is_live=True
    )
    assert (200, 9_800, 10_000, 20_000) == (
        len(page.accounts),
        page.accounts_hidden,
        page.account_count,
        page.device_count,
    )


def test_errors_and_second_looks_are_told_apart_and_the_difference_has_colours():
    check = RuleCheck(
        findings=(
            Finding("W05", 9, "One household only.", "look again"),
            Finding("E01", 3, "No unit.", "add one"),
        ),
        difference=("--- in force", "+++ draft", "@@ -1 +1 @@", " same", "-old", "+new"),
        sentences=(),
    )
    verdict = pages.verdict(check)
    assert ["E01"] == [each.code for each in verdict.errors]
    assert ["W05"] == [each.code for each in verdict.second_looks]
    assert ["place", "place", "place", "same", "removed", "added"] == [
        line.kind for line in verdict.difference
    ]


def test_the_newest_version_comes_first_and_a_draft_keeps_what_it_replaces():
    versions = [RuleVersion(1, "2026-11-01", "ana", "f1"), RuleVersion(2, "2026-11-02", "ben", "f2")]
    page = pages.rules_page(
        overview(), RuleFile("text", "f2"), versions, "proof", draft="draft", replacing="f1"
    )
    assert [2, 1] == [each.number for each in page.versions]
    assert ("draft", "f1", "f2") == (page.text, page.replacing, page.fingerprint)


def test_how_long_ago_is_said_in_one_unit():
    assert ["never", "0 s ago", "59 s ago", "1 min ago", "2 h ago"] == [
        pages.heard(seconds) for seconds in (None, 0, 59, 60, 7_200)
    ]
