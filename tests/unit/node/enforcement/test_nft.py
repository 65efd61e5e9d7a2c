"""The table as nft text: its content, and that every transition is one small transaction."""

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from node.enforcement import nft
from node.enforcement.plan import Admission, FirewallConfig, TrafficPlan
from node.units import MacAddress, Monotonic

FIREWALL = FirewallConfig("lan0", "wan0", 2080, mesh_interfaces=("mesh0",), mesh_port=7400)
ANA = Admission(MacAddress("02:00:00:00:00:0a"), 1, 0x11, Monotonic(60_000))
BEN = Admission(MacAddress("02:00:00:00:00:0b"), 2, 0x12, None)
NOW = Monotonic(10_000)
FORM = nft.ChainLayout(FIREWALL, shaped=False, links=(2, 3))


def standing(plan: TrafficPlan) -> nft.AppliedState:
    return nft.AppliedState(FORM, plan.admitted, nft.marks_of(plan))


def transition(before: nft.AppliedState, after: TrafficPlan, form: nft.ChainLayout = FORM) -> str:
    return nft.transition(before, after, form, NOW)


def plan(*admissions: Admission, retiring: dict[int, int] | None = None) -> TrafficPlan:
    return TrafficPlan(FIREWALL, {a.mac: a for a in admissions}, retiring or {})


def test_nothing_to_do_is_no_transaction() -> None:
    assert "" == transition(standing(plan(ANA, BEN)), plan(ANA, BEN))


def test_admitting_one_device_adds_six_elements_and_touches_no_other_device() -> None:
    text = transition(standing(plan(ANA)), plan(ANA, BEN))
    assert (
        """\
add counter inet procomu u2
add counter inet procomu d2
add element inet procomu classes { 2 : 1:12 }
add element inet procomu members { 02:00:00:00:00:0b : 2 }
add element inet procomu up { 0x02000000000b . 2 : "u2" }
add element inet procomu down { 2 : "d2" }
"""
        == text
    )


def test_a_lease_is_written_as_its_remaining_time() -> None:
    assert "02:00:00:00:00:0a timeout 50000ms : 1" in transition(standing(plan()), plan(ANA))


def test_ending_a_session_keeps_its_counters_until_they_are_booked() -> None:
    text = transition(standing(plan(ANA)), plan(retiring={1: 0x11}))
    assert "delete element inet procomu down { 1 }" in text
    assert "delete counter" not in text
    assert "delete counter inet procomu u1\ndelete counter inet procomu d1\n" == nft.forget([1])


def test_an_element_that_may_have_timed_out_is_added_before_it_is_deleted() -> None:
    """Deleting an element that has just expired would make the kernel refuse the whole transaction."""
    text = transition(standing(plan(ANA)), plan())
    for name in ("members", "up", "down"):
        assert text.index(f"add element inet procomu {name} ") < text.index(
            f"delete element inet procomu {name} "
        )


def test_a_longer_lease_never_touches_a_counter() -> None:
    longer = replace(ANA, ends=Monotonic(900_000))
    text = transition(standing(plan(ANA)), plan(longer))
    assert "timeout 890000ms" in text
    assert "counter inet" not in text


def test_rules_are_rewritten_only_when_their_inputs_change() -> None:
    assert "add rule" not in transition(standing(plan()), plan(ANA))
    moved = replace(FORM, firewall=replace(FIREWALL, portal_port=8080))
    assert ":8080" in transition(standing(plan()), plan(), moved)
    assert "@classes" not in nft.rules(FORM)
    assert "@classes" in transition(standing(plan()), plan(), replace(FORM, shaped=True))


def test_a_missing_or_recreated_interface_is_matched_by_name() -> None:
    assert 'iif "wan0"' in nft.rules(FORM)
    assert 'iif "' not in nft.rules(replace(FORM, links=None))
    assert 'iifname "lan0" goto leaving' in nft.rules(replace(FORM, links=None))
    assert "add rule" in transition(standing(plan()), plan(), replace(FORM, links=(2, 9)))


def test_no_mesh_traffic_uses_the_uplink_unless_the_community_allows_it() -> None:
    refused = 'iifname { "mesh0" } oifname "wan0" goto refuse'
    assert refused in nft.rules(FORM)
    assert refused not in nft.rules(replace(FORM, firewall=replace(FIREWALL, transit=True)))
    assert "mesh" not in nft.rules(replace(FORM, firewall=replace(FIREWALL, mesh_interfaces=())))


def test_only_our_own_table_is_ever_named() -> None:
    text = nft.create(1, (False, False)) + transition(nft.EMPTY, plan(ANA, BEN)) + nft.remove()
    assert all("inet procomu" in line for line in text.splitlines())
    assert "flush ruleset" not in text


def test_every_client_chain_ends_in_a_reject() -> None:
    def last(name: str) -> list[str]:
        return [
            line for line in nft.rules(FORM).splitlines() if line.startswith(f"add rule inet procomu {name} ")
        ][-2:]

    for name in ("leaving", "arriving"):
        assert last(name)[-1].endswith("goto refuse")
    for name in ("refuse", "asking"):
        assert "tcp reset" in last(name)[0]
        assert "reject with icmpx admin-prohibited" in last(name)[1]


MARKS = st.dictionaries(st.integers(1, 6), st.integers(1, 3), max_size=6)


def plans() -> st.SearchStrategy[TrafficPlan]:
    def build(marks: dict[int, int], ends: int | None, retiring: dict[int, int]) -> TrafficPlan:
        admitted = [
            Admission(MacAddress(f"02:00:00:00:00:{m:02x}"), m, c, None if ends is None else Monotonic(ends))
            for m, c in marks.items()
        ]
        return plan(*admitted, retiring={m: c for m, c in retiring.items() if m not in marks})

    return st.builds(build, MARKS, st.sampled_from([None, 20_000, 90_000]), MARKS)


def replay(text: str, sets: dict[str, dict[str, str]]) -> None:
    """What the kernel does with element statements: adding an existing one keeps it, deleting requires it to
    exist.
    """
    for line in text.splitlines():
        words = line.split(" ", 4)
        if words[1] != "element":
            continue
        elements = words[4].split(" ", 1)[1].strip("{} ").split(", ")
        for element in elements:
            key = element.split(" timeout ")[0].split(" : ")[0]
            if words[0] == "add":
                sets.setdefault(words[4].split()[0], {}).setdefault(key, element)
            else:
                del sets[words[4].split()[0]][key]


@given(st.lists(plans(), min_size=1, max_size=6))
def test_any_sequence_of_plans_ends_in_the_state_of_the_last_one(way: list[TrafficPlan]) -> None:
    walked: dict[str, dict[str, str]] = {}
    before = nft.EMPTY
    for each in way:
        replay(transition(before, each), walked)
        before = standing(each)
    direct: dict[str, dict[str, str]] = {}
    replay(transition(nft.EMPTY, way[-1]), direct)
    assert {k: v for k, v in direct.items() if v} == {k: v for k, v in walked.items() if v}


SERVICES = ((ip_address("203.0.113.9"), 443), (ip_address("fd66::2"), 8080))


def test_services_are_refilled_sets_and_do_not_disturb_a_running_flow() -> None:
    text = nft.rules(replace(FORM, firewall=replace(FIREWALL, services=SERVICES)))
    assert (
        "flush set inet procomu services4\nadd element inet procomu services4 { 203.0.113.9 . 443 }\n" in text
    )
    assert "add element inet procomu services6 { fd66::2 . 8080 }\n" in text
    inline = [line for line in text.splitlines() if line.startswith("add rule inet procomu forward ")]
    assert inline
    assert not any("services" in line for line in inline)


def test_a_node_without_services_creates_no_sets_and_leaves_none_open() -> None:
    text = nft.rules(FORM)
    assert "@services" not in text
    assert "flush set inet procomu services4\n" in text
    assert "add element inet procomu services" not in text
    assert "5353" not in text
    heard = nft.rules(replace(FORM, firewall=replace(FIREWALL, hears_services=True)))
    assert "udp dport 5353 limit rate over 20/second burst 40 packets drop" in heard
    assert "5353" in nft.rules(replace(FORM, firewall=replace(FIREWALL, hears_services=True)))


def test_a_peer_with_a_link_local_address_may_come_from_its_interface_only() -> None:
    peers = tuple(map(ip_address, ("fe80::7%mesh1", "10.88.0.254", "fd88::fe", "fd88::fd")))
    text = nft.rules(replace(FORM, firewall=replace(FIREWALL, mesh_peers=peers)))
    for rule in (
        'iifname "mesh1" ip6 saddr { fe80::7 } accept',
        "ip saddr { 10.88.0.254 } accept",
        "ip6 saddr { fd88::fe, fd88::fd } accept",
    ):
        assert f"add rule inet procomu other_nodes {rule}\n" in text
