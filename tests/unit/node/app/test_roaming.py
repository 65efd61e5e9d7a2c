"""A device from another node is let in exactly as its own join method would let it in here, and never for longer."""

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from node.accounting.session_leases import Lease
from node.accounts.device_bindings import Binding
from node.accounts.vouchers import LASTS_MAX, Voucher
from node.app.roaming import Comes, DeviceHere, IsBlocked, NodeRules, Stays, ToldDevice, decide
from node.app.roaming_records import NoBinding, NoBlock, SessionEnded, TheBinding, TheBlock, TheSession
from node.governance.rules import WAYS
from node.sessions.state import Authorized, Blocked, Expired, Unauthorized
from node.units import Now

MAC, GUEST = "02:00:00:00:00:0a", "guest-aaaaaaaaaaaa"
WALL_S = 1_800_000_000
AT = Now(5_000_000, "boot", WALL_S, "2027-01-15")
UNDATED = replace(AT, wall_s=None, today="")
RULES = NodeRules(WAYS, "1")
HERE = DeviceHere(MAC, Unauthorized(), None, None, GUEST)
OWN = Binding(MAC, GUEST, "terms", "")


@dataclass(frozen=True)
class Known:
    members: tuple[str, ...] = ("ana",)
    vouchers: dict[str, Voucher] = field(default_factory=dict)

    def is_member(self, account: str) -> bool:
        return account in self.members

    def voucher(self, account: str) -> Voucher | None:
        return self.vouchers.get(account)


def session(
    account: str = GUEST, way: str = "terms", end_s: int = WALL_S + 600, terms: str = "1"
) -> TheSession:
    return TheSession(account, way, terms, end_s, "hills")


def told(account: str, way: str, host: str | None = None) -> ToldDevice:
    return ToldDevice(session(account, way), TheBinding(account, way, "2027-01-14", host))


MEMBER = told("ana", "passphrase")
GUEST_TOLD = ToldDevice(session())


def test_a_guest_comes_in_as_the_same_guest_until_the_same_end():
    assert Comes(None, "1", 600_000) == decide(GUEST_TOLD, HERE, RULES, Known(), AT)


def test_a_members_device_is_bound_without_being_asked():
    bound = Binding(MAC, "ana", "passphrase", "2027-01-14")
    assert Comes(bound, "1", 600_000) == decide(MEMBER, HERE, RULES, Known(), AT)
    named = replace(bound, name="kitchen")
    assert Comes(None, "1", 600_000) == decide(MEMBER, replace(HERE, bound=named), RULES, Known(), AT)


def test_a_device_that_the_directory_lists_here_comes_into_that_account():
    listed = replace(HERE, owner="carme")
    assert Comes(None, "1", 600_000) == decide(MEMBER, listed, RULES, Known(), AT)


def test_a_session_without_an_end_and_a_node_without_a_clock_last_as_long_as_sessions_here():
    endless = ToldDevice(session(end_s=0))
    assert Comes(None, "1", None) == decide(endless, HERE, RULES, Known(), AT)
    assert Comes(None, "1", None) == decide(GUEST_TOLD, HERE, RULES, Known(), UNDATED)


def test_an_end_that_no_clock_reaches_is_as_far_away_as_that_of_a_voucher():
    found = decide(ToldDevice(session(end_s=2**53 - 1)), HERE, RULES, Known(), AT)
    assert Comes(None, "1", LASTS_MAX) == found


def test_a_block_of_another_node_holds_here_with_its_reason():
    blocked = replace(GUEST_TOLD, block=TheBlock("noise at night"))
    assert IsBlocked("noise at night") == decide(blocked, HERE, RULES, Known(), AT)
    online = replace(HERE, state=Authorized(1, None))
    assert IsBlocked("noise at night") == decide(blocked, online, RULES, Known(), AT)
    lifted = replace(GUEST_TOLD, block=NoBlock())
    assert isinstance(decide(lifted, HERE, RULES, Known(), AT), Comes)


def test_the_device_stays_as_it_is_when_something_speaks_against_it():
    cases = {
        "unknown": (ToldDevice(), HERE, RULES),
        "ended": (ToldDevice(SessionEnded()), HERE, RULES),
        "over": (ToldDevice(session(end_s=WALL_S)), HERE, RULES),
        "terms": (ToldDevice(session(terms="0")), HERE, RULES),
        "had": (GUEST_TOLD, replace(HERE, state=Expired(), had=True), RULES),
        "way": (GUEST_TOLD, HERE, NodeRules(("voucher",), "1")),
        "account": (told("cai", "card"), HERE, RULES),
        "here": (GUEST_TOLD, replace(HERE, state=Authorized(1, None)), RULES),
    }
    found = {each: decide(device, here, rules, Known(), AT) for each, (device, here, rules) in cases.items()}
    assert {each: Stays(each) for each in cases} == found


def test_an_expired_session_begins_again_when_the_person_signed_in_again_elsewhere():
    assert isinstance(decide(GUEST_TOLD, replace(HERE, state=Expired()), RULES, Known(), AT), Comes)


def test_a_guest_of_a_sponsor_comes_while_the_sponsor_is_a_member():
    sponsored = told(GUEST, "introduction", "ana")
    assert isinstance(decide(sponsored, HERE, RULES, Known(), AT), Comes)
    assert Stays("account") == decide(sponsored, HERE, RULES, Known(members=()), AT)


def test_a_voucher_counts_while_it_is_in_use_also_where_no_new_ones_are_taken():
    name = "voucher-aaaaaaaaaaaa"
    device, closed = told(name, "voucher"), NodeRules(("terms",), "1")

    def with_lease(lease: Lease | None, *, is_revoked: bool = False) -> Known:
        return Known(vouchers={name: Voucher("f", 1, name, lease, is_revoked)})

    assert isinstance(decide(device, HERE, closed, with_lease(Lease(0, AT.now + 1)), AT), Comes)
    for known in (
        Known(),
        with_lease(None),
        with_lease(Lease(0, AT.now)),
        with_lease(Lease(0, 9**9), is_revoked=True),
    ):
        assert Stays("account") == decide(device, HERE, RULES, known, AT)


def test_a_device_that_was_removed_from_its_account_does_not_bring_it_along():
    removed = replace(MEMBER, binding=NoBinding())
    assert Stays("account") == decide(removed, HERE, RULES, Known(), AT)


accounts = st.sampled_from([GUEST, "guest-bbbbbbbbbbbb", "ana", "cai", "voucher-aaaaaaaaaaaa"])
ways = st.sampled_from(WAYS)
ends = st.sampled_from([0, 1, WALL_S - 1, WALL_S, WALL_S + 1, WALL_S + 10**6])
devices = st.builds(
    ToldDevice,
    st.none()
    | st.just(SessionEnded())
    | st.builds(session, accounts, ways, ends, st.sampled_from(["1", "2"])),
    st.none()
    | st.just(NoBinding())
    | st.builds(TheBinding, accounts, ways, st.just(""), st.none() | accounts),
    st.none() | st.just(NoBlock()) | st.just(TheBlock("noise")),
)
states = st.sampled_from([Unauthorized(), Expired(), Blocked("x"), Authorized(1, None)])
bound = st.none() | st.builds(Binding, st.just(MAC), accounts, ways, st.just(""))
heres = st.builds(
    DeviceHere, st.just(MAC), states, st.none() | st.just("ana"), bound, st.just(GUEST), st.booleans()
)
rules = st.builds(NodeRules, st.sets(ways), st.sampled_from(["1", "2"]))


@given(devices, heres, rules, st.sampled_from([AT, UNDATED]))
def test_nobody_comes_in_by_a_closed_way_or_an_unknown_account_or_for_longer(device, here, of_node, at):
    found = decide(device, here, of_node, Known(), at)
    if isinstance(found, Comes):
        assert isinstance(device.session, TheSession)
        assert not isinstance(device.block, TheBlock)
        assert device.session.terms == of_node.terms
        account = (
            here.owner
            or (
                found.binding or here.bound or replace(HERE, bound=Binding(MAC, GUEST, "terms", "")).bound
            ).account
        )
        assert account in {"ana", GUEST, "guest-bbbbbbbbbbbb"}
        if here.owner is None:
            way = (found.binding or here.bound or OWN).way
            assert way in of_node.ways
        if found.lasts_ms is not None:
            assert found.lasts_ms == min(1000 * (device.session.end_s - WALL_S), LASTS_MAX) > 0
        else:
            assert at.wall_s is None or device.session.end_s == 0
    if isinstance(device.block, TheBlock):
        assert isinstance(found, IsBlocked) or isinstance(here.state, Blocked)
