"""What is sent next on a connection: by priority, within the budget, and everything in the end."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.link_budget import BURST_BYTES, LinkBudget, wire_bytes
from mesh.link_queue import ROOM_BYTES, LinkQueue
from mesh.messages import FRAME_BYTES_MAX
from mesh.page_kind import Priority
from node.units import Monotonic

START = Monotonic(1_000)
OFFERS = st.lists(
    st.tuples(st.integers(0, 5_000), st.sampled_from(Priority), st.integers(1, FRAME_BYTES_MAX)), max_size=40
)


class Sender:
    """One connection with queues behind it, as a neighbour's."""

    def __init__(self) -> None:
        self.queue, self.now = LinkQueue(LinkBudget(START)), START
        self.behind: dict[Priority, list[bytes]] = {priority: [] for priority in Priority}
        self.sent: list[tuple[Monotonic, Priority, bytes]] = []

    def offer(self, priority: Priority, size: int) -> None:
        self.behind[priority].append(bytes([priority]) * size)

    def send(self) -> None:
        """All that may be sent now."""
        while True:
            for priority in Priority:
                if self.behind[priority] and self.queue.lacks(priority):
                    self.queue.put(priority, self.behind[priority].pop(0), self.now)
            frame = self.queue.next_frame(self.now)
            if frame is None:
                return
            self.sent.append((self.now, Priority(frame[0]), frame))

    def pass_time(self, milliseconds: int) -> None:
        self.send()
        until = self.now + milliseconds
        while (wait := self.queue.wait(self.now)) is not None and self.now + wait <= until:
            self.now = Monotonic(self.now + wait)
            self.send()
        self.now = Monotonic(until)
        self.send()


@given(OFFERS)
def test_all_is_sent_in_the_end_within_the_budget_and_in_order_within_a_priority(
    offers: list[tuple[int, Priority, int]],
) -> None:
    sender = Sender()
    for wait_ms, priority, size in offers:
        sender.pass_time(wait_ms)
        sender.offer(priority, size)
        sender.send()
    offered_bytes = sum(wire_bytes(size) for _, _, size in offers)
    sender.pass_time(offered_bytes * 8 * 1_000 // 16_000 + 600_000)
    for priority in Priority:
        sizes = [size for _, each, size in offers if each == priority]
        assert sizes == [len(frame) for _, each, frame in sender.sent if each == priority]
    for first in range(len(sender.sent)):
        began = sender.sent[first][0]
        total = 0
        for at, _, frame in sender.sent[first:]:
            total += wire_bytes(len(frame))
            assert total * 8_000 <= BURST_BYTES * 8_000 + 16_000 * (at - began)


@given(st.permutations(list(Priority)), st.integers(1, 2_000))
def test_what_waits_at_one_time_goes_by_priority(order: list[Priority], size: int) -> None:
    sender = Sender()
    for priority in order:
        sender.offer(priority, size)
    sender.send()
    assert list(Priority) == [priority for _, priority, _ in sender.sent]


def test_the_order_is_the_one_that_was_decided() -> None:
    assert (
        Priority.SIGN
        < Priority.GOVERNANCE
        < Priority.MEMBERSHIP
        < Priority.REGISTRY
        < Priority.USAGE_NEAR
        < Priority.USAGE_FAR
    )
    assert [ROOM_BYTES[each] for each in Priority] == sorted(ROOM_BYTES.values())


@given(st.integers(1, 20_000), st.sampled_from([Priority.GOVERNANCE, Priority.MEMBERSHIP, Priority.REGISTRY]))
def test_a_new_urgent_frame_goes_at_once_however_much_bulk_waits(size: int, urgent: Priority) -> None:
    sender = Sender()
    for priority in (Priority.LISTS, Priority.USAGE_NEAR, Priority.USAGE_FAR, Priority.OTHER):
        for _ in range(20):
            sender.offer(priority, FRAME_BYTES_MAX)
    sender.send()
    sender.pass_time(100_000)
    began = len(sender.sent)
    sender.offer(urgent, min(size, 19_000))
    sender.send()
    assert (sender.now, urgent) == sender.sent[began][:2]


def test_a_flood_of_urgent_frames_starves_nothing() -> None:
    sender = Sender()
    sender.offer(Priority.USAGE_FAR, FRAME_BYTES_MAX)
    for _ in range(400):
        sender.offer(Priority.REGISTRY, 4_000)
    sender.pass_time(500_000)
    sent = [priority for _, priority, _ in sender.sent]
    assert Priority.USAGE_FAR in sent
    assert len(sender.behind[Priority.REGISTRY]) > 50, "they still wait"


def test_nothing_waits_where_nothing_was_put() -> None:
    queue = LinkQueue(LinkBudget(START))
    assert (None, None) == (queue.next_frame(START), queue.wait(START))
    assert all(queue.lacks(priority) for priority in Priority)
