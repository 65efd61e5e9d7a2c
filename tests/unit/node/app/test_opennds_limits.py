"""How fast an openNDS router lets an account go."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from node.app.opennds_limits import SLOWEST, DownwardLimit, downward_limit
from node.governance.allowance import Allowance
from tests.fakes.fas_fixture import SLOW_RULES, FasFixture, one_life
from tests.fakes.use_cases import ANA, AppFixture

GB = 10**9


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[FasFixture]:
    async with one_life(AppFixture(None, tmp_path, rules_text=SLOW_RULES)) as opened:
        yield opened


def allowance(at: FasFixture) -> Allowance:
    found = at.run.portal.guest(ANA).allowance
    assert found is not None
    return found


async def test_the_ceiling_holds_until_a_quota_is_used_up_and_then_that_of_the_quota(at) -> None:
    await at.run.join(ANA)
    assert DownwardLimit(10_000_000, is_slowed=False) == downward_limit(allowance(at))
    await at.run.use(ANA, down=61 * GB)
    assert DownwardLimit(2_000_000, is_slowed=True) == downward_limit(allowance(at))


async def test_without_rules_there_is_no_limit_and_nobody_is_ever_given_nothing(tmp_path) -> None:
    async with one_life(AppFixture(None, tmp_path)) as at:
        await at.run.join(ANA)
        found = downward_limit(allowance(at))
    assert not found.is_slowed
    assert found.bits_s is None or found.bits_s >= SLOWEST.down
