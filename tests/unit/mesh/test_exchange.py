"""Several exchange cores connected by lists: with lost, duplicated or reordered frames they reach the same state."""

import pytest

from mesh.exchange import (
    FLOWING_TICKS,
    PAGE_KIND,
    PATIENCE_TICKS,
    TOO_MANY_OTHERS,
    Exchange,
    PageAccepted,
    PageRefused,
)
from mesh.messages import EXTENSIONS, Changed, Have, Prune, Root, Streams, decode, encode
from mesh.other_pages import OTHER_PAGES_MAX
from mesh.page_format import Malformed, Page, assemble_page, page_head
from node.identity import sign
from node.units import NodeId, Usage
from tests.fakes.mesh_exchange import VILLAGE, ExchangeFixture, a_page, an_other_page
from tests.fakes.neighbours import TODAY, FakeUsageLedger, id_of, key_of


def test_usage_booked_on_one_node_counts_on_all_others_even_through_another() -> None:
    village = ExchangeFixture("hill", "valley", "coast")
    village.connect("hill", "valley")
    village.connect("valley", "coast")
    village.settle()
    village.book("hill", "ana", 5)
    village.book("coast", "ana", 7)
    village.send()
    village.settle()
    assert [12, 12, 12] == [village.usage_ledger[name].used("ana") for name in village.names]


def test_a_page_is_pushed_without_being_asked_for() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.settle()
    [page] = village.book("hill", "ana", 5)
    assert page.raw == village.exchange["hill"].next_frame(id_of("valley"))
    assert village.exchange["hill"].next_frame(id_of("valley")) is None


def test_only_the_newest_of_two_waiting_pages_is_sent() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.settle()
    village.book("hill", "ana", 5)
    [newest] = village.book("hill", "ana", 5)
    village.send()
    assert [newest.raw] == village.wire["hill", "valley"]


def test_a_round_costs_one_short_frame_each_way_when_nothing_is_new() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.book("hill", "ana", 5)
    village.settle()
    assert village.settle() <= 2 * 64


def test_after_a_long_split_little_more_than_the_changed_pages_travels() -> None:
    """Three round trips, and at most a tenth more than the pages themselves and one list of names."""
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    for number in range(3000):
        village.usage_ledger["hill"].book(f"guest-{number:05d}", Usage(1, 0))
    village.book("hill", "ana", 1)
    village.settle()
    village.wire.clear()
    village.exchange["hill"].part(id_of("valley"))
    changed = village.book("hill", "guest-00007", 5) + village.book("hill", "guest-02999", 5)
    village.connect("hill", "valley")
    assert village.settle() < 1.1 * sum(len(page.raw) for page in changed) + 3000
    assert 6 == village.usage_ledger["valley"].used("guest-00007")


def test_a_page_of_an_unknown_kind_is_passed_on_unchanged_and_counts_nothing() -> None:
    village = ExchangeFixture("hill", "valley", "coast")
    village.connect("hill", "valley")
    village.connect("valley", "coast")
    page = an_other_page()
    village.say("hill", page)
    village.send()
    village.settle()
    assert [page.raw] == village.exchange["coast"].others_of(id_of("hill"))
    assert 0 == village.usage_ledger["coast"].pages_merged
    assert 1 == len(village.roots())


def test_a_neighbour_gets_what_it_lacks_by_priority() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.settle()
    village.say("hill", an_other_page())
    [usage] = village.book("hill", "ana", 5)
    village.send()
    assert [usage.raw, an_other_page().raw] == village.wire["hill", "valley"]


def test_on_a_full_mesh_each_page_soon_comes_once_and_is_named_to_the_rest() -> None:
    names = tuple(f"node-{number}" for number in range(6))
    village = ExchangeFixture(*names)
    village.connect_all()
    village.settle()
    copies = []
    for number in range(6):
        village.book(names[0], "ana", 1 + number)
        copies.append(0)
        for _ in range(6):
            village.send()
            for (left, right), frames in list(village.wire.items()):
                waiting, frames[:] = list(frames), []
                for frame in waiting:
                    copies[-1] += isinstance(decode(frame), Page)
                    village.deliver(left, right, frame)
            village.tick()
        assert {village.usage_ledger[name].used("ana") for name in names} == {sum(range(1, 2 + number))}
    assert copies[0] > 2 * (len(names) - 1)
    assert [len(names) - 1] * 3 == copies[-3:]


def test_a_page_that_a_broken_branch_does_not_carry_comes_from_a_neighbour_that_named_it() -> None:
    village = ExchangeFixture("hill", "valley", "coast")
    village.connect_all()
    village.settle()
    village.exchange["coast"].receive(id_of("hill"), Prune())
    village.exchange["hill"].receive(id_of("coast"), Prune())
    village.book("hill", "ana", 5)
    for _ in range(5):
        village.send()
        village.wire["valley", "coast"].clear()
        for (left, right), frames in list(village.wire.items()):
            waiting, frames[:] = list(frames), []
            for frame in waiting:
                village.deliver(left, right, frame)
        village.tick()
    assert 5 == village.usage_ledger["coast"].used("ana")


def test_what_an_author_says_beyond_its_limit_is_refused_and_named() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    for number in range(OTHER_PAGES_MAX):
        village.deliver("hill", "valley", an_other_page(period=f"b{number}").raw)
    village.deliver("hill", "valley", an_other_page(period="a").raw)
    assert [PageRefused(id_of("hill"), TOO_MANY_OTHERS)] == village.refused
    assert OTHER_PAGES_MAX == len(village.exchange["valley"].others_of(id_of("hill")))


def forged() -> bytes:
    """Signed by another member than the one it names."""
    mine, theirs = a_page("valley"), a_page("hill")
    return assemble_page(theirs.signed, mine.signature)


def altered() -> bytes:
    page = a_page("hill")
    return assemble_page(page.signed.replace(b'"ana",5', b'"ana",6'), page.signature)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (a_page(community="the-city").raw, "of another community"),
        (a_page("stranger").raw, "its author is not a member"),
        (forged(), "its signature is wrong"),
        (altered(), "its signature is wrong"),
        (assemble_page(a_page().signed, bytes(64)), "its signature is wrong"),
        (assemble_page(an_other_page().signed, bytes(64)), "its signature is wrong"),
        (assemble_page(an_other_page().signed, an_other_page(seq=2).signature), "its signature is wrong"),
        (an_other_page("stranger").raw, "its author is not a member"),
        (an_other_page().signed + b"x" * 65_536 + b"\n" + b"0" * 128, "larger than"),
        (a_page().raw[:-1], "three lines"),
        (b"\0" * 100, "not JSON"),
    ],
)
def test_no_false_page_is_ever_accepted(frame: bytes, reason: str) -> None:
    village = ExchangeFixture("hill", "valley", strangers=("stranger",))
    village.connect_all()
    root = village.exchange["hill"].root()
    village.deliver("valley", "hill", frame)
    assert [True] == [reason in refused.reason for refused in village.refused]
    assert (root, 0) == (village.exchange["hill"].root(), village.usage_ledger["hill"].pages_merged)


def test_a_replayed_page_changes_nothing_and_costs_no_signature_check() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    [old] = village.book("hill", "ana", 5)
    [new] = village.book("hill", "ana", 5)
    village.settle()
    before = village.usage_ledger["valley"].pages_merged
    for frame in (old.raw, new.raw, new.raw):
        village.deliver("hill", "valley", frame)
    assert before == village.usage_ledger["valley"].pages_merged
    assert [PageRefused(id_of("hill"), "older than ours")] == village.refused


def test_a_signed_page_with_invalid_usage_is_refused() -> None:
    head = page_head(
        community=VILLAGE, author=id_of("hill"), incarnation="life-1", period=TODAY, part=0, seq=1
    )
    signed = head + b'\n{"rows":[["ana",-5,0,0,0]]}'
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.deliver("hill", "valley", assemble_page(signed, sign(key_of("hill"), PAGE_KIND, signed)))
    assert 0 == village.usage_ledger["valley"].pages_merged
    assert 1 == len(village.refused)


def test_many_incarnations_of_one_day_are_all_accepted() -> None:
    """The fourth had been refused, and its bytes were missing everywhere."""
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    for number in (3, 1, 2, 5, 4, 6):
        village.deliver("hill", "valley", a_page(incarnation=f"{number}-x").raw)
    assert [] == village.refused
    assert 30 == village.usage_ledger["valley"].used("ana")


def test_a_node_that_signs_conflicting_pages_is_noticed_and_all_keep_the_same_one() -> None:
    left, right = a_page(account="ana"), a_page(account="ben")
    village = ExchangeFixture("hill", "valley", "coast")
    village.connect("valley", "coast")
    village.exchange["valley"].offer(left)
    village.exchange["coast"].offer(right)
    village.settle()
    village.settle()
    assert {id_of("hill")} == {event.author for event in village.equivocated}
    assert village.exchange["valley"].root() == village.exchange["coast"].root()


def test_pages_of_a_removed_member_are_not_passed_on() -> None:
    village = ExchangeFixture("hill", "valley", "coast")
    village.connect("valley", "coast")
    village.exchange["valley"].offer(a_page("hill"))
    village.roster -= {id_of("hill")}
    village.send()
    village.settle()
    assert 0 == village.usage_ledger["coast"].pages_merged


def test_our_own_page_that_returns_after_a_loss_is_restored() -> None:
    """A power cut removed the last minute from the node's disk, and a neighbour still holds it."""
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.book("hill", "ana", 5)
    village.settle()
    village.usage_ledger["hill"] = FakeUsageLedger(id_of("hill"))
    village.exchange["hill"] = Exchange(VILLAGE, lambda: village.roster)
    village.connect_all()
    village.settle()
    assert 5 == village.usage_ledger["hill"].used("ana")


def test_pages_from_the_page_cache_are_checked_like_any_other() -> None:
    exchange = Exchange(VILLAGE, lambda: frozenset({id_of("hill")}))
    assert [PageAccepted] == [type(event) for event in exchange.restore(a_page())]
    assert () == exchange.restore(a_page())
    stranger = exchange.restore(a_page("stranger"))
    assert (PageRefused(id_of("stranger"), "its author is not a member"),) == stranger


def test_a_neighbour_before_its_hello_is_ignored_and_gets_nothing() -> None:
    exchange = Exchange(VILLAGE, lambda: frozenset({id_of("hill"), id_of("valley")}))
    assert () == exchange.receive(id_of("valley"), a_page())
    exchange.greet(id_of("valley"))
    exchange.part(id_of("valley"))
    exchange.part(id_of("valley"))
    exchange.offer(a_page())
    assert exchange.next_frame(id_of("valley")) is None


def test_malformed_frames_are_reported_and_dropped() -> None:
    exchange = Exchange(VILLAGE, frozenset[NodeId])
    exchange.greet(id_of("valley"))
    assert (PageRefused(None, "noise"),) == exchange.receive(id_of("valley"), Malformed("noise"))
    assert encode(Root(exchange.root())) == exchange.next_frame(id_of("valley"))


def test_a_round_with_a_parted_neighbour_sends_nothing() -> None:
    """The part is announced first; the writer of the connection may start one more round before it is closed."""
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.exchange["hill"].part(id_of("valley"))
    village.exchange["hill"].begin_round(id_of("valley"))
    assert village.exchange["hill"].next_frame(id_of("valley")) is None


def test_a_page_lost_on_the_way_is_offered_again_by_the_next_round() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.settle()
    village.book("hill", "ana", 5)
    village.send()
    assert 1 == len(village.wire["hill", "valley"])
    village.wire["hill", "valley"].clear()
    assert 0 == village.usage_ledger["valley"].used("ana")
    village.settle()
    assert 5 == village.usage_ledger["valley"].used("ana")


def test_a_page_lost_again_in_that_round_is_offered_by_the_one_after() -> None:
    village = ExchangeFixture("hill", "valley")
    village.connect_all()
    village.book("hill", "ana", 5)
    for _ in range(3):
        village.exchange["hill"].begin_round(id_of("valley"))
        for _ in range(6):
            village.send()
            for (left, right), frames in list(village.wire.items()):
                waiting, frames[:] = list(frames), []
                for frame in waiting:
                    if not isinstance(decode(frame), Page):
                        village.deliver(left, right, frame)
    village.settle()
    assert 5 == village.usage_ledger["valley"].used("ana")


def streams_answered(exchange: Exchange) -> bool:
    exchange.receive(id_of("valley"), Root("0" * 32))
    frames = []
    while frame := exchange.next_frame(id_of("valley")):
        frames.append(decode(frame))
    return any(isinstance(frame, Streams) for frame in frames)


def test_while_pages_are_on_their_way_a_root_that_differs_is_not_answered_for_two_minutes_at_most() -> None:
    exchange = Exchange(VILLAGE, lambda: frozenset({id_of("hill"), id_of("valley")}))
    exchange.greet(id_of("valley"), EXTENSIONS)
    assert streams_answered(exchange), "after a split at once"
    answered = []
    for second in range(1, 2 * PATIENCE_TICKS + 1):
        exchange.offer(a_page(seq=second))
        exchange.tick()
        answered.append(streams_answered(exchange))
    assert 2 == sum(answered)
    for _ in range(FLOWING_TICKS):
        exchange.tick()
    assert streams_answered(exchange)


def test_a_neighbour_of_the_first_form_is_always_answered() -> None:
    exchange = Exchange(VILLAGE, lambda: frozenset({id_of("hill"), id_of("valley")}))
    exchange.greet(id_of("valley"))
    for second in range(1, 20):
        exchange.offer(a_page(seq=second))
        exchange.tick()
        assert streams_answered(exchange)


def frames_of(village: ExchangeFixture) -> list[object]:
    """Everything on the wire, decoded and delivered, until nothing is left."""
    found: list[object] = []
    for _ in range(50):
        village.send()
        for (left, right), frames in list(village.wire.items()):
            waiting, frames[:] = list(frames), []
            for frame in waiting:
                found.append(decode(frame))
                village.deliver(left, right, frame)
    return found


def apart_again(names: tuple[str, ...] = ("hill", "valley")) -> ExchangeFixture:
    """Two nodes that held the same pages when their connection ended; then each published, and coast, which both know."""
    village = ExchangeFixture("hill", "valley", strangers=("coast",))
    village.roster |= {id_of("coast")}
    village.connect("hill", "valley")
    for name in names:
        village.book(name, "before", 5)
    village.settle()
    village.settle()  # in the second round both know that they agree
    village.exchange["hill"].part(id_of("valley"))
    village.exchange["valley"].part(id_of("hill"))
    for name in names:
        village.book(name, "after", 7)
    village.wire.clear()
    return village


def test_after_a_split_only_what_changed_is_listed() -> None:
    village = apart_again()
    village.connect("hill", "valley")
    said = frames_of(village)
    assert 1 == len(village.roots())
    assert not any(isinstance(each, Streams | Have) for each in said)
    assert 2 == sum(isinstance(each, Page) for each in said)
    assert all(14 == village.usage_ledger[name].used("after") for name in village.names)


def test_a_node_that_restarted_does_not_know_what_changed_and_compares_all() -> None:
    village = apart_again()
    held = village.exchange["hill"].held_of(id_of("hill")) + village.exchange["hill"].held_of(id_of("valley"))
    village.exchange["hill"] = Exchange(VILLAGE, lambda: village.roster)
    for raw in held:
        page = decode(raw)
        assert isinstance(page, Page)
        village.exchange["hill"].restore(page)
    village.connect("hill", "valley")
    said = frames_of(village)
    assert 1 == len(village.roots())
    assert any(isinstance(each, Streams) for each in said)


def test_what_the_list_of_changes_does_not_repair_the_next_round_does() -> None:
    """A page that one of them lost without noticing, as when the roster changed in between."""
    village = apart_again()
    coast = a_page("coast", seq=1)
    village.roster -= {id_of("coast")}
    assert [] == [each for each in village.exchange["valley"].offer(coast) if isinstance(each, PageRefused)]
    village.exchange["valley"]._agreements = village.exchange["valley"]._agreements.__class__()
    village.roster |= {id_of("coast")}
    village.connect("hill", "valley")
    frames_of(village)
    village.settle()
    assert 1 == len(village.roots())


def test_a_list_of_changes_with_a_root_that_nobody_agreed_on_is_answered_with_all_lists() -> None:
    village = apart_again()
    village.connect("hill", "valley")
    village.exchange["hill"].receive(id_of("valley"), Changed("0" * 32, ("0" * 16,)))
    found = []
    while frame := village.exchange["hill"].next_frame(id_of("valley")):
        found.append(decode(frame))
    assert any(isinstance(each, Streams) for each in found)


def test_pages_of_an_author_who_left_are_not_sent_by_a_list_of_changes() -> None:
    village = apart_again()
    village.exchange["hill"].offer(a_page("coast", seq=1))
    village.roster -= {id_of("coast")}
    village.connect("hill", "valley")
    assert [] == [
        each for each in frames_of(village) if isinstance(each, Page) and each.author == id_of("coast")
    ]
