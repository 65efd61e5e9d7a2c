"""A draft is a moment: the plan made of it later is the one that would have been made then."""

from hypothesis import given
from hypothesis import strategies as st

from node.enforcement.htb_classes import promises
from node.enforcement.plan import IDLE_MINOR, FirewallConfig
from node.sessions import state as session_state
from node.units import MacAddress
from tests.fakes.communities import plan_of
from tests.fakes.use_cases import GUEST_RULES
from tests.unit.node.control.test_effective_policy import PolicyFixture

FIREWALL = FirewallConfig("lan0", "wan0", 2080)
MACS = [MacAddress(f"02:00:00:00:00:{number:02x}") for number in range(6)]
CHANGES = st.lists(
    st.tuples(st.sampled_from(["come", "leave", "idle", "rules"]), st.integers(0, 5)), max_size=12
)


def change(place: PolicyFixture, what: str, number: int) -> None:
    mac, table = MACS[number], place.standing.session_table
    match what:
        case "come":
            place.let_in(mac)
        case "leave":
            table.handle(mac, session_state.LoggedOff(), place.clock.now)
        case "idle":
            table.idle = frozenset({place.standing.account_of(mac)}) & table.accounts_here()
        case _:
            place.standing.evaluate_all()


@given(CHANGES, CHANGES)
def test_the_plan_of_a_draft_does_not_change_with_what_happens_after_it(
    before: list[tuple[str, int]], after: list[tuple[str, int]]
) -> None:
    place, same = PolicyFixture(GUEST_RULES), PolicyFixture(GUEST_RULES)
    for each in before:
        change(place, *each)
        change(same, *each)
    draft = place.standing.draft(FIREWALL)
    for each in after:
        change(place, *each)
        list(place.standing.plan_ahead())
    planned = draft.planned()
    assert plan_of(same.standing) == planned.plan
    assert promises(planned.plan.classes.values()) == planned.promises


def test_idle_accounts_share_one_class_and_others_have_their_own() -> None:
    place = PolicyFixture(GUEST_RULES)
    for mac in MACS[:2]:
        place.let_in(mac)
    place.standing.session_table.idle = frozenset({place.standing.account_of(MACS[0])})
    plan = place.standing.draft(FIREWALL).planned().plan
    assert IDLE_MINOR == plan.admitted[MACS[0]].class_minor
    own = plan.admitted[MACS[1]].class_minor
    assert own != IDLE_MINOR
    assert {IDLE_MINOR, own} <= plan.classes.keys()
