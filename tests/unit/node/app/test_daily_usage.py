"""What an account used on each of the last days."""

from node.accounting.ledger import UsageBucket, UsageKey
from node.accounting.periods import DAY_UNKNOWN
from node.app.daily_usage import open_week, week_of
from node.units import NO_USAGE, AccountId, Bytes, NodeId, Usage
from tests.fakes.repository import FakeRepository
from tests.fakes.use_cases import ANA, AppFixture

OTHER = NodeId("h" * 51 + "q")


async def test_a_week_has_seven_days_of_all_nodes_the_latest_first(tmp_path):
    fixture = AppFixture(FakeRepository, tmp_path)
    async with fixture.life() as app:
        account = await app.join(ANA)
        today = app.loop.today()
        for day, down in ((today, 500), ("2026-11-20", 700), ("2026-11-10", 9_000)):
            app.loop.merge(
                UsageKey(OTHER, "1-x", account, day), UsageBucket(Usage(Bytes(down), Bytes(1)), NO_USAGE)
            )
        await app.use(ANA, down=3_000)
        days = await week_of(app.loop, account)
        assert [each.used.down for each in days] == [3_500, 0, 0, 0, 700, 0, 0]
        assert [days[0].day, days[4].day] == [today, "2026-11-20"]
        assert days == open_week(app.loop.effective_policy, account, today)
        assert all(each.used == NO_USAGE for each in await week_of(app.loop, AccountId("nobody")))


async def test_days_that_were_erased_are_not_shown_while_they_are_still_stored(tmp_path):
    fixture = AppFixture(FakeRepository, tmp_path)
    async with fixture.life() as app:
        account = await app.join(ANA)
        await app.use(ANA, down=3_000)
        assert (await week_of(app.loop, account))[0].used.down == 3_000
        await app.portal.erase(ANA)
        assert await app.join(ANA) == account, "a guest's device has the same account again"
        assert app.loop.effective_policy.used_this_month(account).total, "for the shares of others"
        assert all(each.used == NO_USAGE for each in await week_of(app.loop, account))


async def test_without_a_date_there_are_no_days(tmp_path):
    fixture = AppFixture(FakeRepository, tmp_path)
    fixture.clock.trust = "unknown"
    async with fixture.life() as app:
        assert await week_of(app.loop, AccountId("ana")) == ()


async def test_the_open_week_leaves_out_closed_days_and_days_of_an_unknown_date(tmp_path):
    fixture = AppFixture(FakeRepository, tmp_path)
    async with fixture.life() as app:
        account = await app.join(ANA)
        policy = app.loop.effective_policy
        days = [each.day for each in open_week(policy, account, "2026-11-03")]
        assert days == ["2026-11-03", "2026-11-02", "2026-11-01"]
        assert open_week(policy, account, "1970-01-01") == ()
        assert open_week(policy, account, DAY_UNKNOWN) == ()
