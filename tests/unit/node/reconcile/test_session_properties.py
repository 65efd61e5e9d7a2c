"""What holds for sessions after any calls of the loop, in any order, with restarts and a disk that is sometimes full."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from captive_portal import guests
from node.accounting.sessions import Session
from node.enforcement.plan import Admission
from node.reconcile.presence import Presence
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

MACS = [MacAddress(f"02:00:00:00:00:0{number}") for number in range(3)]

START = Monotonic(1_000)


@dataclass
class Node:
    """The table with what the loop does around it: storage and kernel get what each call changed."""

    presence: Presence = field(init=False)
    now: Monotonic = START
    is_full: bool = False
    stored: dict[MacAddress, Session] = field(default_factory=dict)
    kernel: dict[MacAddress, Admission] = field(default_factory=dict)
    household: set[MacAddress] = field(default_factory=lambda: {MACS[0]})

    def __post_init__(self) -> None:
        self.presence = Presence(self.account_of)

    def account_of(self, mac: MacAddress) -> AccountId:
        return AccountId("ana" if mac in self.household else f"guest-{mac[-2:]}")

    def call(self, what: str, who: int, amount: int) -> None:
        mac, presence, now = MACS[who], self.presence, self.now
        match what:
            case "accept":
                lasts_ms = Milliseconds(amount) if amount else None
                presence.handle(mac, guests.TermsAccepted("1", lasts_ms), now)
            case "leave":
                presence.handle(mac, guests.Left(), now)
            case "remove":
                presence.handle(mac, guests.RemovedByAdmin("noise"), now)
            case "pardon":
                presence.handle(mac, guests.Pardoned(), now)
            case "shorten":
                presence.handle(mac, guests.Shortened(Monotonic(now + amount)), now)
            case "move":
                self.household ^= {mac}
                presence.rebind((mac,))
            case "discard":
                presence.forget_marks(list(presence.retiring))
                presence.forget_ended(tuple(presence.guests), now)
            case "full":
                self.is_full = bool(amount % 2)
            case "restart":
                self.restart()
            case "pass":
                self.now = Monotonic(now + amount)
                self.time_out()

    def time_out(self) -> None:
        for mac, state in dict(self.presence.guests).items():
            if isinstance(state, guests.Admitted) and state.is_over(self.now):
                self.presence.handle(mac, guests.TimedOut(), self.now)

    def restart(self) -> None:
        self.presence = Presence(self.account_of)
        self.presence.keep_clear_of(admission.mark for admission in self.kernel.values())
        for session in self.stored.values():
            self.presence.restore(session, self.now)
        for admission in self.kernel.values():
            if admission.ends is None or admission.ends > self.now:
                self.presence.recognise(admission, self.now)

    def apply(self) -> None:
        """As `Enactment.run`: what changed is stored, then the kernel is told."""
        if not self.is_full:
            sessions = [self.presence.session(m) for m in self.presence.unsaved if m in self.presence.seats]
            self.stored |= {session.mac: session for session in sessions}
            self.presence.unsaved.clear()
        self.kernel = self.presence.admitted()


CALLS = (
    "accept",
    "accept",
    "leave",
    "remove",
    "pardon",
    "shorten",
    "move",
    "discard",
    "full",
    "restart",
    "pass",
)
stories = st.lists(
    st.tuples(st.sampled_from(CALLS), st.integers(0, 2), st.integers(0, 5_000)), min_size=20, max_size=50
)


def live(story: list[tuple[str, int, int]]) -> Iterator[tuple[Node, str, dict[MacAddress, guests.Guest]]]:
    """After each call, before anything is stored and the kernel is told: the node, the call, and the states before."""
    node = Node()
    for what, who, amount in story:
        before = dict(node.presence.guests)
        node.call(what, who, amount)
        yield node, what, before
        node.apply()


@given(stories)
def test_a_mark_passes_while_its_device_is_admitted_and_retires_after_that(
    story: list[tuple[str, int, int]],
) -> None:
    for node, what, _ in live(story):
        presence, passing = node.presence, {each.mark for each in node.presence.admitted().values()}
        admitted = {mac for mac, state in presence.guests.items() if isinstance(state, guests.Admitted)}
        assert admitted == presence.admitted().keys()
        assert not passing & presence.retiring.keys()
        if what != "restart":  # at a start the loop itself has every mark retire that does not pass
            assert {each.mark for each in node.kernel.values()} <= passing | presence.retiring.keys()


@given(stories)
def test_every_change_waits_to_be_stored(story: list[tuple[str, int, int]]) -> None:
    for node, _, _ in live(story):
        presence = node.presence
        changed = {mac for mac in presence.seats if presence.session(mac) != node.stored.get(mac)}
        assert changed <= presence.unsaved


@given(stories)
def test_a_removed_device_comes_back_only_when_pardoned(story: list[tuple[str, int, int]]) -> None:
    for node, what, before in live(story):
        if what == "restart":  # what a full disk did not take is not known after a kill
            removed = {mac for mac, session in node.stored.items() if session.state == "removed"}
        else:
            removed = {mac for mac, state in before.items() if isinstance(state, guests.Removed)}
        back = {mac for mac in removed if not isinstance(node.presence.state(mac), guests.Removed)}
        assert not back or what == "pardon"


@given(stories)
def test_no_device_is_admitted_past_its_end(story: list[tuple[str, int, int]]) -> None:
    for node, what, _ in live([*story, ("pass", 0, 0)]):
        if what in {"pass", "restart"}:
            states = node.presence.guests.values()
            assert not [s for s in states if isinstance(s, guests.Admitted) and s.is_over(node.now)]


@given(stories)
def test_a_device_has_a_state_while_it_has_a_seat(story: list[tuple[str, int, int]]) -> None:
    for node, _, _ in live(story):
        assert node.presence.seats.keys() == node.presence.guests.keys()


@given(stories)
def test_nothing_is_left_of_discarded_entries(story: list[tuple[str, int, int]]) -> None:
    for node, what, _ in live([*story, ("discard", 0, 0)]):
        if what == "discard":
            states = node.presence.guests.values()
            assert not [state for state in states if isinstance(state, guests.Waiting | guests.Expired)]
