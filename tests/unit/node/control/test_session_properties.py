"""Invariants of sessions after any calls of the loop, in any order, with restarts and a disk that is sometimes
full.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.plan import IDLE_MINOR, Admission
from node.sessions import state as session_state
from node.sessions.stored import Session
from node.sessions.table import SessionTable
from node.units import AccountId, MacAddress, Milliseconds, Monotonic

MACS = [MacAddress(f"02:00:00:00:00:0{number}") for number in range(3)]

START = Monotonic(1_000)


@dataclass
class TableFixture:
    """The session table as the loop uses it: storage and kernel get what each call changed."""

    session_table: SessionTable = field(init=False)
    now: Monotonic = START
    is_full: bool = False
    stored: dict[MacAddress, Session] = field(default_factory=dict)
    kernel: dict[MacAddress, Admission] = field(default_factory=dict)
    household: set[MacAddress] = field(default_factory=lambda: {MACS[0]})

    def __post_init__(self) -> None:
        self.session_table = SessionTable(self.account_of)

    def account_of(self, mac: MacAddress) -> AccountId:
        return AccountId("ana" if mac in self.household else f"guest-{mac[-2:]}")

    def call(self, what: str, who: int, amount: int) -> None:
        mac, session_table, now = MACS[who], self.session_table, self.now
        match what:
            case "accept":
                lasts_ms = Milliseconds(amount) if amount else None
                session_table.handle(mac, session_state.SessionGranted("1", lasts_ms), now)
            case "leave":
                session_table.handle(mac, session_state.LoggedOff(), now)
            case "remove":
                session_table.handle(mac, session_state.BlockedByAdmin("noise"), now)
            case "pardon":
                session_table.handle(mac, session_state.Unblocked(), now)
            case "shorten":
                session_table.handle(mac, session_state.Shortened(Monotonic(now + amount)), now)
            case "move":
                self.household ^= {mac}
                session_table.rebind((mac,))
            case "discard":
                session_table.forget_marks(list(session_table.retiring))
                session_table.forget_ended(tuple(session_table.guests), now)
            case "full":
                self.is_full = bool(amount % 2)
            case "restart":
                self.restart()
            case "pass":
                self.now = Monotonic(now + amount)
                self.time_out()

    def time_out(self) -> None:
        for mac, state in dict(self.session_table.guests).items():
            if isinstance(state, session_state.Authorized) and state.is_over(self.now):
                self.session_table.handle(mac, session_state.TimedOut(), self.now)

    def restart(self) -> None:
        self.session_table = SessionTable(self.account_of)
        self.session_table.keep_clear_of(admission.mark for admission in self.kernel.values())
        for session in self.stored.values():
            self.session_table.restore(session, self.now)
        for admission in self.kernel.values():
            if admission.ends is None or admission.ends > self.now:
                self.session_table.recognise(admission, self.now)

    def apply(self) -> None:
        """As `PlanApplier.run`: changes are stored first, then applied to the kernel."""
        if not self.is_full:
            sessions = [
                self.session_table.session(m)
                for m in self.session_table.unsaved
                if m in self.session_table.session_entries
            ]
            self.stored |= {session.mac: session for session in sessions}
            self.session_table.unsaved.clear()
        self.kernel = self.session_table.admitted()


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


def live(
    story: list[tuple[str, int, int]],
) -> Iterator[tuple[TableFixture, str, dict[MacAddress, session_state.DeviceSession]]]:
    """After each call, before anything is stored and applied: the node, the call, and the states before it."""
    node = TableFixture()
    for what, who, amount in story:
        before = dict(node.session_table.guests)
        node.call(what, who, amount)
        yield node, what, before
        node.apply()


@given(stories)
def test_a_mark_passes_while_its_device_is_admitted_and_drains_after_that(
    story: list[tuple[str, int, int]],
) -> None:
    for node, what, _ in live(story):
        session_table, passing = (
            node.session_table,
            {each.mark for each in node.session_table.admitted().values()},
        )
        admitted = {
            mac for mac, state in session_table.guests.items() if isinstance(state, session_state.Authorized)
        }
        assert admitted == session_table.admitted().keys()
        assert not passing & session_table.retiring.keys()
        if what != "restart":  # at a start the loop itself drains every mark that does not pass
            assert {each.mark for each in node.kernel.values()} <= passing | session_table.retiring.keys()


@given(stories, st.lists(st.sampled_from(("", "idle", "locate")), min_size=50, max_size=50))
def test_what_is_kept_of_the_plan_is_what_a_whole_look_at_the_table_finds(
    story: list[tuple[str, int, int]], meanwhile: list[str]
) -> None:
    idle: set[AccountId] = set()
    for (node, _, _), also in zip(live(story), meanwhile, strict=False):
        session_table = node.session_table
        here = {
            mac: session_table.session_entries[mac]
            for mac, state in session_table.guests.items()
            if isinstance(state, session_state.Authorized)
        }
        assert {each.account for each in here.values()} == session_table.accounts_here()
        if also == "idle":
            idle ^= {next((each.account for each in here.values()), AccountId("nobody"))}
        if also == "locate" and here:
            session_table.locate(next(iter(here)), () if session_table.addresses else ("10.0.0.7",))
        admitted = session_table.admitted(idle)
        expected = {
            mac: (
                each.mark,
                IDLE_MINOR if each.account in idle else session_table.minors[each.account],
                session_table.guests[mac].until,  # type: ignore[union-attr]
                session_table.addresses.get(mac, ()),
            )
            for mac, each in here.items()
        }
        assert expected == {
            mac: (each.mark, each.class_minor, each.ends, each.addresses) for mac, each in admitted.items()
        }


@given(stories)
def test_every_change_is_queued_to_be_stored(story: list[tuple[str, int, int]]) -> None:
    for node, _, _ in live(story):
        session_table = node.session_table
        changed = {
            mac for mac in session_table.session_entries if session_table.session(mac) != node.stored.get(mac)
        }
        assert changed <= session_table.unsaved


@given(stories)
def test_a_blocked_device_is_admitted_only_after_unblocking(story: list[tuple[str, int, int]]) -> None:
    for node, what, before in live(story):
        if what == "restart":  # a change that a full disk did not store is unknown after a kill
            removed = {mac for mac, session in node.stored.items() if session.state == "removed"}
        else:
            removed = {mac for mac, state in before.items() if isinstance(state, session_state.Blocked)}
        back = {
            mac for mac in removed if not isinstance(node.session_table.state(mac), session_state.Blocked)
        }
        assert not back or what == "pardon"


@given(stories)
def test_no_device_is_admitted_past_its_end(story: list[tuple[str, int, int]]) -> None:
    for node, what, _ in live([*story, ("pass", 0, 0)]):
        if what in {"pass", "restart"}:
            states = node.session_table.guests.values()
            assert not [s for s in states if isinstance(s, session_state.Authorized) and s.is_over(node.now)]


@given(stories)
def test_a_device_has_a_state_while_it_has_an_entry(story: list[tuple[str, int, int]]) -> None:
    for node, _, _ in live(story):
        assert node.session_table.session_entries.keys() == node.session_table.guests.keys()


@given(stories)
def test_nothing_is_left_of_discarded_entries(story: list[tuple[str, int, int]]) -> None:
    for node, what, _ in live([*story, ("discard", 0, 0)]):
        if what == "discard":
            states = node.session_table.guests.values()
            assert not [
                state
                for state in states
                if isinstance(state, session_state.Unauthorized | session_state.Expired)
            ]
