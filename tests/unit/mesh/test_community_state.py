"""The community as a node holds it: the order of arrival does not count, and nothing forged comes in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import community_state
from mesh.community_changes import closed_invite, replaced_key
from mesh.community_record import record_fields
from mesh.community_state import CommunityState
from mesh.invite import Invite, invite_fields, make_use
from mesh.membership import NODE_ROLE
from mesh.signed_statement import SignedStatement, add_signatures, make_statement, read_statement
from node.identity import own_node_id
from tests.fakes.community_statements import SEED, a_village, begun, next_record, said_of, state_of
from tests.fakes.neighbours import id_of, key_of

COMMUNITY, STATEMENTS = a_village()
VILLAGE = state_of(COMMUNITY, STATEMENTS)


def nodes_of(state: CommunityState) -> set[str]:
    names = ("square", "hills", "library", "coast", "valley")
    return {name for name in names if id_of(name) in state.nodes()}


def view(state: CommunityState) -> object:
    return state.digest(), state.head, state.members(), state.invites(), state.nodes()


def test_the_village_is_as_its_admins_said() -> None:
    assert {"square", "coast", "valley"} == nodes_of(VILLAGE)
    states = {each.label or each.node: each.state for each in VILLAGE.members()}
    assert ("suspended", "removed") == (states["library"], states[id_of("hills")])
    assert 1 == sum(each.is_over for each in VILLAGE.members())


@given(st.permutations(STATEMENTS))
def test_the_order_of_arrival_does_not_count(statements: list[SignedStatement]) -> None:
    assert view(VILLAGE) == view(state_of(COMMUNITY, statements))


@given(st.frozensets(st.sampled_from(["square", "hills", "coast", "valley", "moon"])))
def test_what_is_said_of_these_nodes_is_told_before_that_of_others_and_all_once(
    names: frozenset[str],
) -> None:
    first = frozenset(map(id_of, names))
    told = list(VILLAGE.statements(first))
    assert sorted(VILLAGE.names()) == sorted(each.name for each in told)
    of_others = [each.fields()["node"] not in first for each in told if each.kind in {"membership", "use"}]
    assert sorted(of_others) == of_others
    state = CommunityState(COMMUNITY)
    assert all(isinstance(state.add(each), SignedStatement) for each in told)


@given(st.permutations(STATEMENTS))
def test_after_each_statement_names_and_lists_are_those_of_what_is_held(
    statements: list[SignedStatement],
) -> None:
    state = CommunityState(COMMUNITY)
    for statement in statements:
        state.add(statement)
        assert {each.name: each for each in state.statements()} == state.names()
        assert view(state_of(COMMUNITY, state.statements())) == view(state)


def test_what_is_asked_again_costs_nothing_while_nothing_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and each frame ask for it, and a large community has thousands of statements."""
    state = state_of(COMMUNITY, STATEMENTS)
    before = view(state)
    with monkeypatch.context() as patched:
        for name in ("read_membership", "read_invite", "read_use"):
            patched.delattr(community_state, name)
        patched.delattr(CommunityState, "statements")
        assert before == view(state)
    state.add(said_of(COMMUNITY, "coast", "removed", 7, "rosa"))
    assert nodes_of(VILLAGE) - {"coast"} == nodes_of(state)


@given(st.lists(st.sampled_from(STATEMENTS), max_size=30))
def test_a_statement_that_is_known_changes_nothing(again: list[SignedStatement]) -> None:
    state = state_of(COMMUNITY, STATEMENTS)
    assert [] == [each for each in map(state.add, again) if isinstance(each, SignedStatement)]
    assert view(VILLAGE) == view(state)


@given(st.sampled_from(STATEMENTS), st.integers(0, 63), st.integers(1, 255))
def test_a_changed_signature_or_text_is_refused(statement: SignedStatement, at: int, change: int) -> None:
    state = state_of(COMMUNITY, [each for each in STATEMENTS if each.hash != statement.hash])
    key, signature = statement.signatures[0]
    wrong = bytes([*signature[:at], signature[at] ^ change, *signature[at + 1 :]])
    assert isinstance(state.add(replace(statement, signatures=((key, wrong),))), str)
    text = statement.text.replace(b'"v":1', b'"v":1 ')
    assert isinstance(state.add(replace(statement, text=text)), str)


def test_statements_of_another_community_are_refused() -> None:
    other = begun("square", admin="eve")
    for statement in other.statements:
        assert isinstance(VILLAGE.add(statement), str)
    with_a_seed = make_use(SEED, other.community, id_of("eve"), "eve")
    assert isinstance(VILLAGE.add(with_a_seed), str)


def test_only_admins_say_who_is_a_member() -> None:
    for signer in ("eve", "square"):
        assert "no admin signed it" == VILLAGE.add(said_of(COMMUNITY, "eve", "active", 9, signer))
    assert id_of("eve") not in VILLAGE.nodes()


@pytest.mark.parametrize("kind", ["membership", "invite"])
def test_a_removed_admin_cannot_use_up_the_room(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state, most = state_of(COMMUNITY, STATEMENTS), 12
    for limit in ("MEMBERS_MAX", "INVITES_MAX"):
        monkeypatch.setattr(community_state, limit, most)
    refused = ""
    for number in range(most):
        refused = str(state.add(_said(kind, f"flood {number}", "pau")))
    assert f"more than {most} are not kept" == refused == state.add(_said(kind, "coast", "rosa"))
    assert state.head is not None
    state.add(next_record(state.head, state.head_hash, ["rosa"], 1, ["rosa"]))
    before = state.nodes()
    for name in ("beach", "shore"):
        made = _said(kind, name, "rosa")
        assert made == state.add(made)
        assert f"more than {most} are not kept" == state.add(_said(kind, f"another {name}", "pau"))
    if kind == "membership":
        assert before | {id_of("beach"), id_of("shore")} == state.nodes()
    else:
        assert {id_of("beach"), id_of("shore")} <= {view.invite.key for view in state.invites()}
    assert state.digest() == state_of(COMMUNITY, state.statements()).digest()


def _said(kind: str, subject: str, signer: str) -> SignedStatement:
    if kind == "membership":
        return said_of(COMMUNITY, subject, "active", 1, signer)
    said = Invite(COMMUNITY, id_of(subject), NODE_ROLE, 1, "open", 1)
    return make_statement(kind, invite_fields(said), [key_of(signer)])


def test_an_older_membership_does_not_come_back() -> None:
    state = state_of(COMMUNITY, STATEMENTS)
    assert "older than ours" == state.add(said_of(COMMUNITY, "hills", "active", 1, "rosa"))
    assert "hills" not in nodes_of(state)


def test_of_two_with_one_number_the_stricter_holds() -> None:
    for order in (("active", "removed"), ("removed", "active")):
        state = state_of(COMMUNITY, STATEMENTS)
        for said, signer in zip(order, ("rosa", "pau"), strict=True):
            state.add(said_of(COMMUNITY, "coast", said, 5, signer))
        assert "coast" not in nodes_of(state)


@pytest.mark.parametrize(
    ("admins", "signers", "reason"),
    [
        (["rosa", "pau"], ["eve"], "too few votes of the version before"),
        (["pau", "nuria"], ["nuria"], "too few votes of the version before"),
        (["pau", "nuria"], ["rosa", "nuria"], "too few of its own votes"),
        (["pau", "nuria"], ["rosa"], "too few of its own votes"),
    ],
)
def test_a_version_needs_the_votes_of_the_one_before_and_its_own(
    admins: list[str], signers: list[str], reason: str
) -> None:
    state = state_of(COMMUNITY, STATEMENTS)
    assert state.head is not None
    outcome = state.add(next_record(state.head, state.head_hash, admins, 2, signers))
    assert isinstance(outcome, str)
    assert reason in outcome
    assert isinstance(state.add(next_record(state.head, state.head_hash, admins, 2, admins)), SignedStatement)


def test_a_version_that_skips_one_or_whose_keys_cannot_reach_the_threshold_is_refused() -> None:
    state = state_of(COMMUNITY, STATEMENTS)
    assert state.head is not None
    skips = next_record(replace(state.head, version=3), state.head_hash, ["rosa", "pau"], 1, ["rosa"])
    assert "it skips a version" == state.add(skips)
    undercut = next_record(state.head, state.head_hash, ["rosa"], 2, ["rosa", "pau"])
    assert isinstance(state.add(undercut), str)
    assert 2 == state.head.version


def test_of_competing_versions_more_votes_hold_then_one_that_removes_then_the_lower_hash() -> None:
    head, previous = VILLAGE.head, VILLAGE.head_hash
    assert head is not None
    one_vote = next_record(head, previous, ["rosa", "pau", "eve"], 1, ["rosa"])
    removes = next_record(head, previous, ["pau"], 1, ["pau"])
    two_votes = next_record(head, previous, ["rosa", "pau", "nuria"], 1, ["rosa", "pau"])
    other = next_record(head, previous, ["rosa", "pau", "joan"], 1, ["pau"])

    def chosen(*versions: SignedStatement) -> str:
        found = {state_of(COMMUNITY, [*STATEMENTS, *order]).head_hash for order in (versions, versions[::-1])}
        assert 1 == len(found)
        return found.pop()

    assert two_votes.hash == chosen(one_vote, two_votes) == chosen(removes, two_votes)
    assert removes.hash == chosen(one_vote, removes)
    assert min(one_vote.hash, other.hash) == chosen(one_vote, other)


def test_a_key_counts_once_and_signatures_of_strangers_do_not_stay() -> None:
    state = state_of(COMMUNITY, STATEMENTS)
    assert state.head is not None
    made = next_record(state.head, state.head_hash, ["rosa", "pau"], 2, ["rosa"])
    assert isinstance(state.add(add_signatures(made, [key_of("rosa"), key_of("eve")])), str)
    held = state.add(add_signatures(made, [key_of("pau"), key_of("eve")]))
    assert isinstance(held, SignedStatement)
    assert {id_of("rosa"), id_of("pau")} == held.signers


def test_a_recovery_key_alone_changes_the_record_and_admits_nobody() -> None:
    first = begun("square")
    alone = state_of(first.community, first.statements)
    assert alone.head is not None
    with_paper = replace(alone.head, recovery=(id_of("paper"),))
    start = make_statement("community", record_fields(with_paper), [key_of("rosa")])
    state = state_of(start.hash, [start])
    assert state.head is not None
    assert isinstance(state.add(said_of(start.hash, "eve", "active", 1, "paper")), str)
    saved = next_record(state.head, state.head_hash, ["nuria"], 1, ["paper"])
    assert isinstance(state.add(saved), SignedStatement)
    assert state.head.admin_keys == {id_of("nuria")}


def test_a_closed_invite_brings_nobody_and_those_who_came_stay() -> None:
    state = state_of(COMMUNITY, STATEMENTS)
    invite = state.invites()[0].invite
    for statement in closed_invite(state, key_of("pau"), invite):
        assert isinstance(state.add(statement), SignedStatement)
    state.add(make_use(SEED, COMMUNITY, id_of("eve"), "eve"))
    assert {"square", "coast", "valley"} == nodes_of(state)
    assert id_of("eve") not in state.nodes()


def test_a_new_admin_key_keeps_every_node_and_ends_the_old_one() -> None:
    state = state_of(COMMUNITY, STATEMENTS)
    before = state.nodes()
    for statement in replaced_key(state, key_of("rosa"), key_of("rosa-2")):
        assert isinstance(state.add(statement), SignedStatement)
        assert before == state.nodes()
    assert state.head is not None
    assert {own_node_id(key_of("rosa-2")), id_of("pau")} == state.head.admin_keys
    state.add(said_of(COMMUNITY, "eve", "active", 1, "rosa"))
    assert id_of("eve") not in state.nodes()
    assert before == state_of(COMMUNITY, state.statements()).nodes()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
    | st.fixed_dictionaries(
        {"text": st.text(), "signatures": st.lists(st.lists(st.text(), max_size=2), max_size=3)}
    )
)
def test_whatever_is_received_nothing_is_raised(value: object) -> None:
    read_statement(value)
