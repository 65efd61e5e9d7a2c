"""The admin overview, from the data of the backend."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mesh.ports import PeerView
from node.admin import overview as pages
from node.admin.routes import PageLayout
from node.app.admin_sessions import ADMIN
from node.app.status import FlowsRow, OnlineRow, Overview
from node.app.views import LINE_KNOWN
from node.config.model import SiteInfo
from node.units import AccountId, BitsPerSecond, Bytes, NodeId, Rates

FRAME = PageLayout(SiteInfo("Vall Alta", "library", "login.vall.example"), ADMIN, "csrf_token", "/")
HILLS = PeerView(NodeId("h" * 52), "hills", "trusted", ("fd42::2",), 2)
STRANGER = PeerView(NodeId("s" * 52), "", "stranger", (), None)


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
        uplink_known=None,
        waiting=1,
        online=online,
        peers=(HILLS, STRANGER),
        sentences=("Everybody has a lifeline.",),
        warnings=("Look at the clock.",),
    )


def test_the_uplink_is_shown_with_its_usage():
    uplink = Rates(BitsPerSecond(40_000_000), BitsPerSecond(8_000_000))
    page = pages.overview_page(overview(uplink), FRAME, is_live=True)
    assert (
        pages.Bar("down", "38 Mbit/s", "40 Mbit/s", 95, is_busy=True),
        pages.Bar("up", "2 Mbit/s", "8 Mbit/s", 25, is_busy=False),
    ) == page.bars


def test_a_bar_is_never_longer_than_the_capacity():
    page = pages.overview_page(overview(Rates(BitsPerSecond(1), BitsPerSecond(0))), FRAME, is_live=True)
    assert [100, 0] == [bar.percent for bar in page.bars]


def test_without_a_stated_speed_there_is_no_bar():
    page = pages.overview_page(overview(), FRAME, is_live=False)
    assert ((), "38 Mbit/s download and 2 Mbit/s upload") == (page.bars, page.rate)


def test_a_measured_speed_says_how_it_is_known():
    assert "" == pages.overview_page(overview(), FRAME, is_live=True).known
    for knowledge, says in LINE_KNOWN.items():
        page = pages.overview_page(replace(overview(), uplink_known=knowledge), FRAME, is_live=True)
        assert says == page.known


def test_what_the_line_carried_in_its_slowest_tenth_is_shown_by_direction():
    down, up = {"down": BitsPerSecond(6_000_000)}, {"up": BitsPerSecond(900_000)}
    shown = {
        "": {},
        "In its slowest tenth of the last 14 days: 6 Mbit/s download.": down,
        "In its slowest tenth of the last 14 days: 900 kbit/s upload.": up,
        "In its slowest tenth of the last 14 days: 6 Mbit/s download, 900 kbit/s upload.": {**down, **up},
    }
    for says, known in shown.items():
        view = replace(overview(), uplink_slowest=known)
        assert says == pages.overview_page(view, FRAME, is_live=True).slowest


def test_each_account_is_shown_with_what_it_could_have():
    most = Rates(BitsPerSecond(30_000_000), BitsPerSecond(500_000))
    rows = replace(row("ana", 9_000_000), could_have=most), row("ben", 1_000)
    ana, ben = pages.overview_page(overview(online=rows), FRAME, is_live=True).accounts
    assert ("9 Mbit/s", "30 Mbit/s", "500 kbit/s") == (ana.down, ana.most_down, ana.most_up)
    assert ("", "") == (ben.most_down, ben.most_up)


def test_a_stranger_is_distinguished_from_a_neighbour():
    page = pages.overview_page(overview(), FRAME, is_live=True)
    assert [("hills", False, "2 s ago"), ("without a name", True, "never")] == [
        (peer.name, peer.is_stranger, peer.heard) for peer in page.peers
    ]


def test_ten_thousand_accounts_do_not_make_an_endless_page():
    rows = tuple(row(f"a{n}", n) for n in range(10_000))
    page = pages.overview_page(overview(online=rows), FRAME, is_live=True)
    (rule,) = page.rules
    assert (5, 10_000, 20_000) == (len(page.accounts), page.account_count, page.device_count)
    assert (24, 9_976, 10_000) == (len(rule.accounts), rule.hidden, rule.count)


@given(
    st.lists(
        st.tuples(st.sampled_from(("guest-top", "equal-share", "")), st.sampled_from(("Low.", "Equal.", ""))),
        max_size=60,
    )
)
def test_each_sentence_is_said_once_with_every_account_that_it_binds(bindings):
    rows = tuple(
        replace(row(f"a{n}", 1), binding_rule=rule, sentence=sentence)
        for n, (rule, sentence) in enumerate(bindings)
    )
    rules = pages.bound_accounts(rows)
    said = [(each.rule, each.sentence) for each in rules]
    assert len(said) == len(set(said))
    assert sum(each.count for each in rules) == sum(bool(sentence) for _, sentence in bindings)
    assert [each.count for each in rules] == sorted((each.count for each in rules), reverse=True)
    assert all(each.sentence for each in rules)


def test_what_a_binding_rule_says_is_not_said_again_below():
    view = replace(overview(online=(row("ana", 1),)), sentences=("Equal.", "Everybody has a lifeline."))
    page = pages.overview_page(view, FRAME, is_live=False)
    assert [("Equal.", 1)] == [(each.sentence, each.count) for each in page.rules]
    assert ("Everybody has a lifeline.",) == page.sentences


def test_the_most_urgent_warning_is_open_and_the_others_are_folded():
    page = pages.overview_page(
        replace(overview(), warnings=("Disk.", "Clock.", "Rule.")), FRAME, is_live=False
    )
    assert (("Disk.",), ("Clock.", "Rule.")) == (page.first_warnings, page.more_warnings)


def test_an_age_is_given_in_one_unit():
    assert ["never", "0 s ago", "59 s ago", "1 min ago", "2 h ago"] == [
        pages.heard(seconds) for seconds in (None, 0, 59, 60, 7_200)
    ]


def test_connections_are_shown_with_the_device_that_has_the_most():
    view = replace(overview(), flows=FlowsRow(1_234, 262_144, 1_024, "02:00:00:00:00:01 of ana", 700))
    page = pages.overview_page(view, FRAME, is_live=False)
    assert "1,234 of 262,144" == page.flows
    assert "02:00:00:00:00:01 of ana: 700 of 1,024" == page.heaviest
    unknown = pages.overview_page(overview(), FRAME, is_live=False)
    assert ("", "") == (unknown.flows, unknown.heaviest)
