"""The token for metrics: shown once, stored as a hash, revoked at once, and no oracle for guesses."""

import asyncio
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts.login_throttle import CODE_THROTTLE
from node.app.admin_sessions import TOKEN_CHARS_MAX
from node.app.metrics_token import PARTIES_MAX, STATE, MetricsToken, bearer_token
from node.errors import NodeError, StorageTrouble
from tests.fakes.repository import FakeArchive, FakeClock, FakeRepository

SERVER = "02:00:00:00:00:77"


class TokenFixture:
    """A token on a fake archive."""

    def __init__(self) -> None:
        self.repository, self.clock = FakeRepository(), FakeClock()
        self.archive = FakeArchive(self.repository)
        self.token = MetricsToken(self.archive, self.clock, secrets.token_bytes)

    def verdict(self, given: str, party: str = SERVER) -> str:
        return self.token.check(given, party).verdict


@pytest.fixture
def kept() -> TokenFixture:
    return TokenFixture()


async def test_without_a_token_nothing_is_right(kept: TokenFixture) -> None:
    assert {"off"} == {kept.verdict(given) for given in ("", "x", "None")}


async def test_only_the_last_token_made_is_right_also_after_a_restart(kept: TokenFixture) -> None:
    first, second = await kept.token.make(), await kept.token.make()
    assert ("wrong", "right") == (kept.verdict(first), kept.verdict(second))
    again = MetricsToken(kept.archive, kept.clock, secrets.token_bytes)
    assert "off" == again.check(second, SERVER).verdict
    await again.recall()
    assert "right" == again.check(second, SERVER).verdict
    assert kept.token.state == again.state


async def test_what_is_stored_does_not_contain_the_token(kept: TokenFixture) -> None:
    token = await kept.token.make()
    assert token not in kept.repository.facts[STATE]
    assert len(token) >= 43, "256 bits"


async def test_a_revoked_token_is_off_at_once_and_after_a_restart(kept: TokenFixture) -> None:
    token = await kept.token.make()
    assert await kept.token.revoke()
    assert "off" == kept.verdict(token)
    await kept.token.recall()
    assert "off" == kept.verdict(token)
    assert not await kept.token.revoke()


async def test_a_token_that_cannot_be_stored_is_not_made_and_a_revoked_one_is_revoked(
    kept: TokenFixture,
) -> None:
    token = await kept.token.make()
    kept.repository.full = True
    with pytest.raises(StorageTrouble):
        await kept.token.make()
    assert "right" == kept.verdict(token)
    with pytest.raises(StorageTrouble):
        await kept.token.revoke()
    assert "off" == kept.verdict(token)


async def test_a_token_that_is_revoked_while_it_is_stored_never_works(kept: TokenFixture) -> None:
    kept.archive.disk_is_free.clear()
    async with asyncio.TaskGroup() as tasks:
        making = tasks.create_task(_refused(kept))
        await asyncio.sleep(0)
        revoking = tasks.create_task(kept.token.revoke())
        await asyncio.sleep(0)
        kept.archive.disk_is_free.set()
    assert "meanwhile" in making.result()
    assert not revoking.result()
    await kept.token.recall()
    assert not kept.token.state.exists


async def _refused(kept: TokenFixture) -> str:
    with pytest.raises(NodeError) as refused:
        await kept.token.make()
    return str(refused.value)


async def test_guesses_make_a_device_wait_and_no_other_one(kept: TokenFixture) -> None:
    token = await kept.token.make()
    for number in range(CODE_THROTTLE.mistakes - 1):
        assert "wrong" == kept.verdict(f"guess {number}")
    check = kept.token.check("last guess", SERVER)
    assert ("wait", 60) == (check.verdict, check.wait_s)
    assert "wait" == kept.verdict(token), "while it waits nothing is looked at"
    assert "right" == kept.verdict(token, "another device")
    kept.clock.pass_time(60_000)
    assert "right" == kept.verdict(token)


async def test_a_program_with_an_old_token_never_waits(kept: TokenFixture) -> None:
    old = await kept.token.make()
    token = await kept.token.make()
    assert {"wrong"} == {kept.verdict(old) for _ in range(1_000)}
    assert {"wrong"} == {kept.verdict("") for _ in range(1_000)}
    assert "right" == kept.verdict(token)


async def test_many_parties_are_counted_in_bounded_memory(kept: TokenFixture) -> None:
    await kept.token.make()
    for number in range(PARTIES_MAX + 50):
        kept.verdict("x", f"party {number}")
    assert len(kept.token._wrong) == len(kept.token._last_wrong) == PARTIES_MAX


@pytest.mark.parametrize("stored", ["", "x", "[]", "{}", '{"hash": 3}', '{"hash": "00"}', "null", '"x"'])
async def test_a_damaged_record_is_no_token(kept: TokenFixture, stored: str) -> None:
    kept.repository.facts[STATE] = stored
    await kept.token.recall()
    assert "off" == kept.verdict("")


@given(st.text(max_size=200))
def test_no_other_text_is_right(text: str) -> None:
    kept = TokenFixture()
    token = asyncio.run(kept.token.make())
    assert (text == token) == (kept.verdict(text) == "right")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc-_123", "abc-_123"),
        ("bearer   abc", "abc"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Basic abc", ""),
        ("Bearer a b", ""),
        ("Bearer a\x00", ""),
        ("Bearer é", ""),
        ("Bearer " + "x" * (TOKEN_CHARS_MAX + 20), ""),
    ],
)
def test_the_token_is_in_the_authorization_header(header: str, token: str) -> None:
    assert token == bearer_token(header)


@given(st.text())
def test_any_header_has_a_token_or_none(header: str) -> None:
    assert bearer_token(header) in header
