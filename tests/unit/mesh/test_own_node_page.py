"""What a node says of itself: what it measured, coarse, and nothing that identifies a device or a place."""

from mesh.announcement import Address
from mesh.node_kind import LINKS_MAX, NodeFacts, NodeLink, node_facts
from mesh.node_page_schedule import SETTLE_S
from mesh.own_node_page import LinkCounters, LocalFacts, MeasuredLink, OwnNodePage
from mesh.page_format import NAME_CHARS_MAX
from tests.fakes.neighbours import id_of

HILL, COAST = sorted(map(id_of, ("hill", "coast")))
LOCAL = LocalFacts("1.2.0", ("main", "up"), 31.0)


def said(
    links: list[MeasuredLink], addresses: tuple[Address, ...] = (), local: LocalFacts = LOCAL
) -> NodeFacts:
    page = OwnNodePage("valley")
    page.look(None, local, addresses, links, now_s=0.0, nodes=3)
    body = page.look(None, local, addresses, links, now_s=SETTLE_S, nodes=3, unix_s=1_795_600_000)
    assert body is not None
    facts = node_facts(body)
    assert isinstance(facts, NodeFacts)
    return facts


def test_it_says_its_links_once_for_each_neighbour_and_sorted() -> None:
    links = [
        MeasuredLink(COAST, 2, LinkCounters(18.2, 400, 7)),
        MeasuredLink(HILL, 1, None),
        MeasuredLink(COAST, 3, None),
    ]
    expected = NodeFacts(
        "valley",
        "1.2.0",
        uplink=("main", "up"),
        load_percent=25,
        links=(NodeLink(HILL), NodeLink(COAST, 20, 2)),
        made_s=1_795_600_000,
    )
    assert expected == said(links)


def test_a_page_without_a_name_of_its_line_can_be_read() -> None:
    assert said([], local=LocalFacts("1.2.0", ("", "up"))).uplink is None


def test_it_says_over_whose_line_it_goes() -> None:
    assert said([]).through is None
    assert (HILL, 7) == said([], local=LocalFacts("1.2.0", ("main", "up"), through=(HILL, 7))).through


def test_it_names_no_address_that_leads_nowhere_or_holds_a_hardware_address() -> None:
    hosts = (
        "fe80::1",
        "127.0.0.1",
        "fd00::5054:ff:fe12:3456",
        "10.1.2.3",
        "",
        "10.1.2.3",
        "fd00::7",
        "10.1.2.4",
    )
    addresses = tuple(Address(host, 7400) for host in (*hosts, "10.1.2.5", "10.1.2.6"))
    assert ("10.1.2.3", "fd00::7", "10.1.2.4", "10.1.2.5") == tuple(
        each.host for each in said([], addresses).addresses
    )


def test_a_page_with_as_many_links_as_a_node_may_have_can_be_read() -> None:
    many = [MeasuredLink(id_of(str(number)), number, LinkCounters(1e9, 10**6, 10**7)) for number in range(64)]
    assert LINKS_MAX == len(said(many).links)


def test_what_is_measured_again_and_again_is_published_once() -> None:
    page, before, count = OwnNodePage("valley"), None, 0
    for number in range(2_000):
        counters = LinkCounters(20 + number % 7, 30 * number, number % 2)
        local = LocalFacts("1.2.0", ("main", "up"), 30 + number % 20)
        body = page.look(before, local, (), [MeasuredLink(HILL, 1, counters)], now_s=10.0 * number, nodes=3)
        if body is not None:
            found = node_facts(body)
            assert isinstance(found, NodeFacts)
            before, count = found, count + 1
    assert 1 <= count <= 2


def test_a_long_version_is_cut_and_the_page_can_still_be_read() -> None:
    assert 32 == len(said([], local=LocalFacts("9" * NAME_CHARS_MAX)).version)
