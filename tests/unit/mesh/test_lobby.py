"""The lobby: who is let in with an invite, and what the joining node believes."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh import join_client
from mesh.announcement import Address
from mesh.community_changes import RecordChange, changed_record, closed_invite, new_invite
from mesh.community_secret import SECRETS_MAX, commitment_of
from mesh.community_service import CommunityService
from mesh.community_state import CommunityState
from mesh.invite import (
    USES_MAX,
    Invite,
    InviteText,
    invite_key,
    invite_text,
    make_use,
    read_invite,
    read_invite_text,
)
from mesh.lobby import (
    ANSWER_BYTES_MAX,
    ATTEMPTS_OF_ONE_AT_ONCE,
    REQUEST_BYTES_MAX,
    SECRET_BYTES_MAX,
    SECRET_BYTES_MIN,
    JoinAnswer,
    JoinRequest,
    LobbyLimit,
    answer_join,
    join_request,
    joined_state,
    read_join_answer,
    read_join_request,
    welcome,
)
from mesh.page_format import Malformed
from mesh.signed_statement import SignedStatement, make_statement
from node.keyring import community_key_from
from tests.fakes.community_statements import SEED, begun, state_of
from tests.fakes.neighbours import id_of, key_of
from tests.fakes.secret_store import FakeSecretStore
from tests.fakes.statement_store import FakeStatementStore

FIRST = begun("square")
SECRET = bytes(32)


def member() -> CommunityState:
    return state_of(FIRST.community, FIRST.statements)


def invited(uses: int = 1) -> InviteText:
    statement = new_invite(member(), key_of("rosa"), SEED, uses)
    said = read_invite(statement)
    assert isinstance(said, Invite)
    found = read_invite_text(invite_text(SEED, statement, said, (Address("10.0.0.1", 7400),)))
    assert isinstance(found, InviteText)
    return found


def asked(node: str, uses: int = 1) -> JoinRequest:
    found = read_join_request(join_request(invited(uses), id_of(node), node))
    assert isinstance(found, JoinRequest)
    return found


def admitted(state: CommunityState, request: JoinRequest) -> CommunityState:
    for statement in (request.invite, request.use):
        assert not isinstance(state.add(statement), str)
    return state


def test_a_member_that_never_heard_of_the_invite_lets_a_node_in() -> None:
    state, request = member(), asked("coast")
    assert "" == request.refusal(state, id_of("coast"))
    assert id_of("coast") in admitted(state, request).nodes()


def test_an_invite_is_for_one_community_one_key_and_so_many_uses() -> None:
    state = admitted(member(), asked("coast"))
    assert "" == asked("coast").refusal(state, id_of("coast"))
    assert "used already" in asked("valley").refusal(state, id_of("valley"))
    assert "by another node" in asked("coast").refusal(state, id_of("valley"))
    other = begun("square", admin="eve")
    assert "another community" in asked("coast").refusal(
        state_of(other.community, other.statements), id_of("coast")
    )
    for statement in closed_invite(state, key_of("rosa"), invited().invite):
        state.add(statement)
    assert "closed" in asked("coast").refusal(state, id_of("coast"))


def test_a_forged_invite_or_use_is_not_taken_in() -> None:
    state = member()
    forged = new_invite(state_of(*_eves()), key_of("eve"), SEED, 1)
    text = forged.text.replace(_eves()[0].encode(), FIRST.community.encode())
    assert isinstance(state.add(SignedStatement("invite", text, forged.signatures)), str)
    state.add(asked("coast").invite)
    other_seed = make_use(bytes(16), FIRST.community, id_of("eve"), "eve")
    assert isinstance(state.add(other_seed), str)
    assert {id_of("square")} == state.nodes()


def _eves() -> tuple[str, tuple[SignedStatement, ...]]:
    other = begun("square", admin="eve")
    return other.community, other.statements


def test_the_joining_node_believes_only_a_member_of_the_community_of_its_invite() -> None:
    state = admitted(member(), asked("coast"))
    answer = read_join_answer(welcome(SECRET, state.statements()))
    assert isinstance(answer, JoinAnswer)
    joined = joined_state(invited(), answer, id_of("square"), id_of("coast"))
    assert isinstance(joined, CommunityState)
    assert (state.digest(), SECRET) == (joined.digest(), answer.secret)
    assert isinstance(joined_state(invited(), answer, id_of("eve"), id_of("coast")), str)
    assert isinstance(joined_state(invited(), answer, id_of("square"), id_of("valley")), str)
    eves = read_join_answer(welcome(SECRET, _eves()[1]))
    assert isinstance(eves, JoinAnswer)
    assert isinstance(joined_state(invited(), eves, id_of("square"), id_of("coast")), str)


def test_somebody_who_used_an_invite_with_large_statements_keeps_nobody_out() -> None:
    async def answered() -> bytes:
        service = CommunityService(
            own=id_of("square"),
            listed=(),
            store=FakeStatementStore(),
            secret=SECRET,
            secret_store=FakeSecretStore(),
        )
        await service.follow(FIRST.community, large)
        return await service.join(id_of("coast"), asked("coast"))

    eves_seed = bytes(16)
    large = [*FIRST.statements, new_invite(member(), key_of("rosa"), eves_seed, USES_MAX)]
    for number in range(USES_MAX):
        said = make_use(eves_seed, FIRST.community, id_of(f"eve {number}"), "eve").fields()
        large.append(make_statement("use", said | {"more": "x" * 15_000}, [invite_key(eves_seed)]))
    answer = read_join_answer(asyncio.run(answered()))
    assert isinstance(answer, JoinAnswer)
    assert isinstance(joined_state(invited(), answer, id_of("square"), id_of("coast")), CommunityState)


def test_a_member_cannot_give_a_secret_with_which_no_node_starts() -> None:
    for count in range(SECRET_BYTES_MAX + 2):
        answer, secret = (
            read_join_answer(welcome(bytes(count), FIRST.statements)),
            bytes(count).hex().encode(),
        )
        if isinstance(answer, JoinAnswer):
            assert answer.secret == community_key_from(secret)
        else:
            assert count > SECRET_BYTES_MAX or count < SECRET_BYTES_MIN
    assert isinstance(read_join_answer(welcome(SECRET, FIRST.statements)), JoinAnswer)


def test_later_secrets_come_with_all_statements_or_not_at_all() -> None:
    later = tuple(bytes([number]) * 32 for number in range(1, 4))
    answer = read_join_answer(welcome(SECRET, FIRST.statements, later))
    assert isinstance(answer, JoinAnswer)
    assert (SECRET, later) == (answer.secret, answer.later)
    large = [make_statement("use", {"x": "x" * 15_000, "n": number}, [key_of("eve")]) for number in range(64)]
    cut = read_join_answer(welcome(SECRET, [*FIRST.statements, *large], later))
    assert isinstance(cut, JoinAnswer)
    assert len(cut.statements) < len(large)
    assert () == cut.later
    assert len(welcome(SECRET, [*FIRST.statements, *large], later)) <= ANSWER_BYTES_MAX


@pytest.mark.parametrize("later", ["x", [7], ["ab"], ["A" * 64], ["0" * 64] * (SECRETS_MAX + 1)])
def test_later_secrets_that_cannot_be_read_are_refused(later: object) -> None:
    said = json.loads(welcome(SECRET, FIRST.statements)) | {"later": later}
    assert isinstance(read_join_answer(json.dumps(said).encode()), Malformed)


def test_the_joining_node_keeps_only_later_secrets_that_the_chain_names() -> None:
    right, wrong = b"r" * 32, b"w" * 32
    state = admitted(member(), asked("coast"))
    (rotated,) = changed_record(state, RecordChange(secret=commitment_of(right)), (key_of("rosa"),))
    state.add(rotated)
    answer = read_join_answer(welcome(SECRET, state.statements(), (wrong, right)))
    assert isinstance(answer, JoinAnswer)
    joined = join_client._joined(
        invited(), id_of("coast"), Address("10.0.0.1", 7400), (id_of("square"), answer)
    )
    assert isinstance(joined, join_client.JoinedCommunity)
    assert (SECRET, (right,)) == (joined.secret, joined.later)


def test_a_refusal_is_read_with_its_reason() -> None:
    said = read_join_answer(answer_join("the invite was used already"))
    assert isinstance(said, JoinAnswer)
    assert "the invite was used already" == said.refusal


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"is":"join"}',
        b"x" * (REQUEST_BYTES_MAX + 1),
        json.dumps({"is": "welcome"}).encode(),
    ],
)
def test_what_is_no_request_and_no_answer_is_refused(body: bytes) -> None:
    assert isinstance(read_join_request(body), Malformed)
    assert isinstance(read_join_answer(body), Malformed)


@given(st.binary(max_size=300))
def test_whatever_is_received_nothing_is_raised(body: bytes) -> None:
    read_join_request(body)
    read_join_answer(body)


def test_one_address_has_few_attempts_and_leaves_some_to_others() -> None:
    limit = LobbyLimit(0.0)
    assert ATTEMPTS_OF_ONE_AT_ONCE == sum(limit.take("eve", 0.0) for _ in range(100))
    assert limit.take("coast", 0.0)
