"""Which devices of an account make room, with the state of the real session table."""

from pathlib import Path

from node.control.eviction import to_evict
from node.sessions.device_limit import IDLE_MIN, DeviceLimitReached
from tests.fakes.use_cases import ANA, BEN, CAI, AppFixture


async def test_the_device_that_was_chosen_or_is_idle_makes_room(tmp_path: Path) -> None:
    fixture = AppFixture(folder=tmp_path)
    async with fixture.life() as app:
        await app.join_by_passphrase(ANA)
        await app.join_by_passphrase(BEN)
        await app.give_passphrase()
        policy = app.loop.effective_policy
        await app.join_by_passphrase(CAI)
        await app.portal.leave(CAI)
        assert () == to_evict(policy, CAI, 3, None, fixture.clock.now)
        assert (BEN,) == to_evict(policy, CAI, 2, BEN, fixture.clock.now)
        assert DeviceLimitReached(2) == to_evict(policy, CAI, 2, None, fixture.clock.now)
        await app.pass_time(IDLE_MIN)
        await app.use(BEN, down=1)
        assert (ANA,) == to_evict(policy, CAI, 2, None, fixture.clock.now)


async def test_a_blocked_device_makes_nobody_leave(tmp_path: Path) -> None:
    fixture = AppFixture(folder=tmp_path)
    async with fixture.life() as app:
        await app.join_by_passphrase(ANA)
        await app.join_by_passphrase(BEN)
        await app.block(BEN, "noise")
        assert () == to_evict(app.loop.effective_policy, BEN, 1, None, fixture.clock.now)
