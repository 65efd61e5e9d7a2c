"""How this node's text stands to the community's."""

from hypothesis import given
from hypothesis import strategies as st

from mesh.community_state import CommunityState
from mesh.file_version import FILES, text_hash
from node.app.file_standing import NEWCOMER, Followed, read_followed, standing_of, write_followed
from tests.fakes.community_statements import a_village, state_of
from tests.fakes.file_versions import share

COMMUNITY, STATEMENTS = a_village()
NONE = Followed()


def a_state(*texts: str) -> CommunityState:
    state = state_of(COMMUNITY, STATEMENTS)
    for text in texts:
        share(state, "rules", text, "rosa")
    return state


def kind(state: CommunityState | None, text: str, followed: Followed = NONE) -> str:
    return standing_of("rules", text_hash(text), state, followed).kind


def test_without_a_record_and_before_anything_was_shared_nothing_is_followed() -> None:
    assert "no record" == kind(None, "a")
    assert "no record" == kind(CommunityState(COMMUNITY), "a")
    assert "not shared" == kind(a_state(), "a")


def test_a_text_that_the_version_has_replaced_is_behind_and_another_one_differs() -> None:
    state = a_state("a", "b")
    assert ("same", "behind", "differs") == (kind(state, "b"), kind(state, "a"), kind(state, "c"))
    assert "same" == kind(state, "b\r\n".replace("\r\n", ""))


def test_a_node_that_had_the_version_once_does_not_take_it_again_by_itself() -> None:
    state = a_state("a", "b")
    head = state.file("rules").head
    assert head is not None
    followed = NONE.with_version("rules", head.statement.hash)
    assert ("differs", "same") == (kind(state, "a", followed), kind(state, "b", followed))
    share(state, "rules", "c", "pau")
    assert "behind" == kind(state, "a", followed)


def test_a_newcomer_takes_the_version_whatever_its_text_is_and_only_once() -> None:
    state, newcomer = a_state("a"), read_followed(NEWCOMER)
    assert "behind" == kind(state, "mine", newcomer)
    head = state.file("rules").head
    assert head is not None
    after = newcomer.with_version("rules", head.statement.hash)
    assert frozenset({"members"}) == after.newcomer
    assert "differs" == kind(state, "mine", after)


def test_several_versions_that_were_signed_apart_are_a_question() -> None:
    one, other = a_state("a", "b"), a_state("a", "c")
    for statement in other.file_names().values():
        one.add(statement)
    assert {"split"} == {kind(one, text) for text in ("a", "b", "c")}


@given(st.dictionaries(st.sampled_from(FILES), st.text(max_size=64)), st.frozensets(st.sampled_from(FILES)))
def test_what_is_stored_is_read_again(versions: dict, newcomer: frozenset) -> None:
    followed = Followed(versions, newcomer)
    assert followed == read_followed(write_followed(followed))


@given(st.text() | st.sampled_from(["[]", "1", '{"versions":1,"newcomer":{}}', '{"newcomer":["x",1]}']))
def test_what_cannot_be_read_is_as_if_nothing_was_stored(text: str) -> None:
    assert frozenset(FILES) >= read_followed(text).newcomer
