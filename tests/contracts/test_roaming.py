"""A device that one node let in is in at the others: with its account, until the same end, and no longer than that."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from mesh.registry_kind import registry_part
from node.accounts.registry_record import RegistryRecord
from node.accounts.vouchers import LASTS_MAX
from node.app.roaming_records import BINDING, BLOCKED, SESSION
from node.app.views import Refused, TermsAccepted
from node.sessions import state as session_state
from node.sessions.table import IDLE_OF_ACCOUNT
from node.units import MacAddress, Milliseconds, Monotonic, NodeId
from tests.fakes.roaming_nodes import SECRET, RoamingNode, exchange, names, tell
from tests.fakes.use_cases import ANA, BEN, CAI, HOUR_MS, LISTED


@pytest.fixture
async def nodes() -> AsyncIterator[tuple[RoamingNode, RoamingNode]]:
    async with AsyncExitStack() as stack:
        square, hills = RoamingNode("s"), RoamingNode("h")
        yield await stack.enter_async_context(square.life()), await stack.enter_async_context(hills.life())


Nodes = tuple[RoamingNode, RoamingNode]


async def walk(mac: MacAddress, here: RoamingNode, there: RoamingNode) -> None:
    """The device comes to the other node, which was told of it; and what follows is told back."""
    await exchange(here, there)
    there.roaming.seen(mac)
    await exchange(here, there)


async def test_a_guest_is_in_at_the_next_node_as_soon_as_it_is_heard(nodes: Nodes) -> None:
    square, hills = nodes
    account = await square.app.join(BEN)
    await exchange(square, hills)
    assert not hills.passes(BEN)
    hills.roaming.seen(BEN)
    assert "admitted" == hills.app.guest(BEN).state, (
        "before the kernel has it, so that its first request is not redirected"
    )
    await hills.settle()
    assert hills.passes(BEN)
    assert account == hills.app.guest(BEN).account
    here, there = square.app.guest(BEN).seconds_left, hills.app.guest(BEN).seconds_left
    assert here is not None
    assert there is not None
    assert abs(here - there) <= 1


async def test_a_device_between_two_nodes_makes_no_new_records(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join_by_passphrase(BEN)
    await exchange(square, hills)
    for _ in range(3):
        for node in nodes:
            node.roaming.seen(BEN)
            await exchange(square, hills)
    assert (
        [1, 1]
        == [node.version(SESSION, BEN) for node in nodes]
        == [node.version(BINDING, BEN) for node in nodes]
    )
    assert square.passes(BEN)
    assert hills.passes(BEN)


async def test_a_device_that_is_there_already_is_in_when_its_record_comes(nodes: Nodes) -> None:
    square, hills = nodes
    hills.roaming.seen(BEN)
    await square.app.join(BEN)
    await exchange(square, hills)
    assert hills.passes(BEN)


async def test_a_request_for_a_page_is_enough_where_the_kernels_word_was_lost(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await exchange(square, hills)
    assert "admitted" == hills.app.guest(BEN).state


@pytest.mark.parametrize("where", [0, 1])
async def test_a_session_that_is_left_at_one_node_ends_at_all(nodes: Nodes, where: int) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    await nodes[where].app.portal.leave(BEN)
    await exchange(square, hills)
    assert not square.passes(BEN)
    assert not hills.passes(BEN)
    for node in nodes:
        node.roaming.seen(BEN)
        await node.settle()
        assert not node.passes(BEN)
    await hills.app.join(BEN)
    await exchange(square, hills)
    square.roaming.seen(BEN)
    await exchange(square, hills)
    assert square.passes(BEN)


async def test_an_erased_device_is_out_everywhere_and_its_records_say_nothing_of_it(nodes: Nodes) -> None:
    square, hills = nodes
    account = await square.app.join_by_voucher(BEN)
    await walk(BEN, square, hills)
    await square.app.portal.erase(BEN)
    await exchange(square, hills)
    assert not hills.passes(BEN)
    about = [
        record
        for records in square.said().values()
        for record in records
        if record.kind in {SESSION, BINDING}
    ]
    assert about
    assert account not in repr(about)


async def test_a_block_holds_at_all_nodes_with_its_reason_until_one_lifts_it(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    await square.app.block(BEN, "noise at night")
    await exchange(square, hills)
    assert not hills.passes(BEN)
    assert "noise at night" == hills.app.guest(BEN).removed_because
    await hills.app.loop.unblock(BEN)
    await exchange(square, hills)
    assert session_state.Unauthorized() == square.app.loop.session_table.state(BEN)
    for node in nodes:
        node.roaming.seen(BEN)
        await node.settle()
        assert not node.passes(BEN), "its session ended with the block"
    await square.app.join(BEN)


async def test_a_blocked_device_cannot_join_at_a_node_that_never_saw_it(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await square.app.block(BEN, "noise at night")
    await exchange(square, hills)
    refused = Refused("removed", "noise at night")
    assert refused == await hills.app.portal.admission.admit(BEN, TermsAccepted(), "1", None)
    hills.roaming.seen(BEN)
    await hills.settle()
    assert "noise at night" == hills.app.guest(BEN).removed_because


async def test_a_pause_ends_at_all_nodes_also_where_the_one_that_began_it_is_off(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    await square.app.loop.block(
        BEN, "back at nine", Monotonic(square.fixture.clock.monotonic() + 2 * HOUR_MS)
    )
    await exchange(square, hills)
    await hills.app.pass_time(HOUR_MS)
    assert "back at nine" == hills.app.guest(BEN).removed_because
    await hills.app.pass_time(HOUR_MS)
    assert session_state.Unauthorized() == hills.app.loop.session_table.state(BEN)
    assert hills.roaming.block_of(BEN) is None
    await hills.app.join(BEN)
    assert hills.passes(BEN)


async def test_a_node_without_the_time_hears_of_the_end_of_a_pause(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    hills.fixture.clock.trust = "unknown"
    await square.app.loop.block(BEN, "back at nine", Monotonic(square.fixture.clock.monotonic() + HOUR_MS))
    await exchange(square, hills)
    for node in nodes:
        await node.app.pass_time(HOUR_MS)
    assert "back at nine" == hills.app.guest(BEN).removed_because
    await exchange(square, hills)
    assert session_state.Unauthorized() == hills.app.loop.session_table.state(BEN)


async def test_a_pause_that_is_made_longer_or_a_block_is_so_at_all_nodes(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    for hours in (1, 3, None):
        now = square.fixture.clock.monotonic()
        until = None if hours is None else Monotonic(now + hours * HOUR_MS)
        await square.app.loop.block(BEN, "a pause", until)
        await exchange(square, hills)
        state = hills.app.loop.session_table.state(BEN)
        assert isinstance(state, session_state.Blocked)
        left = None if state.until is None else state.until - hills.fixture.clock.monotonic()
        assert left is None if hours is None else left is not None and 0 <= left - hours * HOUR_MS <= 1000


async def test_a_session_that_only_ends_makes_no_record(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await exchange(square, hills)
    hills.roaming.seen(BEN)
    for node in nodes:
        await node.app.pass_time(4 * HOUR_MS + 1_000)
    await exchange(square, hills)
    assert [1, 1] == [node.version(SESSION, BEN) for node in nodes]
    for node in nodes:
        node.roaming.seen(BEN)
        await node.settle()
        assert not node.passes(BEN)


async def test_a_nodes_own_session_length_is_the_most_and_is_given_once() -> None:
    square, hills = RoamingNode("s"), RoamingNode("h", session_ms=Milliseconds(HOUR_MS))
    async with square.life(), hills.life():
        await square.app.join(BEN)
        await walk(BEN, square, hills)
        assert hills.app.guest(BEN).seconds_left == 3_600
        assert 1 == hills.version(SESSION, BEN)
        for node in (square, hills):
            await node.app.pass_time(HOUR_MS + 1_000)
        hills.roaming.seen(BEN)
        await hills.settle()
        assert not hills.passes(BEN)
        assert square.passes(BEN)
        await hills.app.join(BEN)
        assert 1 == hills.version(SESSION, BEN), "it ends later at the other node"


async def test_a_member_who_signs_in_again_stays_in_at_the_other_node_too(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join_by_passphrase(BEN)
    await walk(BEN, square, hills)
    for node in nodes:
        await node.app.pass_time(3 * HOUR_MS)
    await hills.app.use(BEN, down=1)
    await square.app.join_by_passphrase(BEN)
    await exchange(square, hills)
    assert 2 == hills.version(SESSION, BEN)
    left = hills.app.guest(BEN).seconds_left
    assert left is not None
    assert left > 3 * 3600


async def test_a_members_device_is_bound_everywhere_without_the_name_that_it_has(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join_by_passphrase(BEN)
    await square.app.portal.name_device(BEN, BEN, "kitchen tablet")
    await walk(BEN, square, hills)
    assert "ana" == hills.app.guest(BEN).account
    assert "" == hills.app.loop.registry.bindings.name_of(BEN)
    assert "passphrase" == hills.app.loop.registry.way_of(BEN)
    said = repr([*square.said().values(), *hills.said().values()])
    assert "ana" in said
    assert "kitchen" not in said
    assert BEN not in said
    assert BEN.replace(":", "") not in said


async def test_a_person_returns_to_the_account_at_a_node_where_the_device_never_was(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join_by_passphrase(BEN)
    await square.app.portal.leave(BEN)
    await exchange(square, hills)
    hills.roaming.seen(BEN)
    assert hills.app.loop.registry.bindings.get(BEN) is None, "it only passes by"
    hills.app.guest(BEN)
    assert "ana" == await hills.app.join(BEN)
    await exchange(square, hills)
    assert 1 == hills.version(BINDING, BEN)


async def test_a_device_that_is_removed_from_its_account_is_out_of_it_everywhere(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join_by_passphrase(BEN)
    await walk(BEN, square, hills)
    assert await square.app.portal.remove_device(BEN, BEN) is None
    await exchange(square, hills)
    assert hills.app.loop.registry.bindings.get(BEN) is None
    assert not hills.passes(BEN)


async def test_a_device_that_changes_its_account_changes_it_everywhere(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    await hills.app.join_by_passphrase(BEN)
    await exchange(square, hills)
    assert {"ana"} == {node.app.guest(BEN).account for node in nodes}


async def test_what_is_not_of_this_node_stays_as_it_is(nodes: Nodes) -> None:
    """Another version of the terms; a member that is not known here; a join method that is closed."""
    square, hills = nodes
    await square.app.join_by_passphrase(BEN)
    await square.app.join(CAI)
    await exchange(square, hills)
    await hills.app.adopt(members='[[account]]\nid = "carme"\n')
    hills.roaming.seen(BEN)
    await hills.settle()
    assert not hills.passes(BEN)
    hills.fixture.configure("node", terms_version="2")
    hills.app.portal._config, hills.app.portal._described = hills.fixture.config, None
    hills.roaming.seen(CAI)
    await hills.settle()
    assert not hills.passes(CAI)


async def test_a_node_that_is_started_again_knows_all_and_tells_nothing_again(nodes: Nodes) -> None:
    square, _ = nodes
    hills = RoamingNode("i")
    async with hills.life():
        await square.app.join_by_passphrase(BEN)
        await square.app.join(CAI)
        await square.app.block(CAI, "noise")
        await walk(BEN, square, hills)
    async with hills.life():
        await hills.settle()
        assert hills.passes(BEN)
        assert [1, 1] == [hills.version(kind, BEN) for kind in (SESSION, BINDING)]
        assert 1 == hills.version(BLOCKED, CAI)
        assert () == tuple(record for records in hills.said().values() for record in records)
        hills.roaming.seen(CAI)
        await hills.settle()
        assert "noise" == hills.app.guest(CAI).removed_because


async def test_a_session_that_ended_while_the_node_stood_still_is_over_when_it_starts(nodes: Nodes) -> None:
    square, _ = nodes
    hills = RoamingNode("i")
    async with hills.life():
        await square.app.join(BEN)
        await walk(BEN, square, hills)
    await square.app.portal.leave(BEN)
    async with hills.life():
        await exchange(square, hills)
        assert not hills.passes(BEN)


async def test_a_device_that_another_one_replaced_here_stays_in_where_it_is_used(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join_by_passphrase(BEN)
    await walk(BEN, square, hills)
    for node in nodes:
        await node.app.pass_time(IDLE_OF_ACCOUNT + 1_000)
    await square.app.join_by_passphrase(CAI)
    await square.app.pass_time(60_000)
    await exchange(square, hills)
    assert not square.passes(BEN)
    assert hills.passes(BEN)
    square.roaming.seen(BEN)
    await square.settle()
    assert square.passes(BEN)


async def test_devices_are_found_under_the_secrets_of_before(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await square.app.join(CAI)
    await square.app.block(CAI, "noise")
    hills.names._keys = names(b"n" * 32, SECRET)._keys
    await exchange(square, hills)
    for mac in (BEN, CAI):
        hills.roaming.seen(mac)
    await exchange(square, hills)
    assert hills.passes(BEN)
    assert "noise" == hills.app.guest(CAI).removed_because
    await hills.app.portal.leave(BEN)
    square.names._keys = hills.names._keys
    await exchange(square, hills)
    assert not square.passes(BEN)


async def test_a_node_without_a_clock_tells_of_a_session_once_it_knows_the_time(nodes: Nodes) -> None:
    square, hills = nodes
    square.fixture.clock.trust = "unknown"
    await square.app.join(BEN)
    assert 0 == square.version(SESSION, BEN)
    square.fixture.clock.trust = "synced"
    square.roaming._tell_undated()
    assert 1 == square.version(SESSION, BEN)
    hills.fixture.clock.trust = "unknown"
    await exchange(square, hills)
    hills.roaming.seen(BEN)
    await hills.settle()
    assert hills.passes(BEN)
    assert 4 * 3600 == hills.app.guest(BEN).seconds_left


async def test_a_device_of_the_directory_comes_into_its_account(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(LISTED)
    await walk(LISTED, square, hills)
    assert "ana" == hills.app.guest(LISTED).account
    assert [1, 0] == [hills.version(kind, LISTED) for kind in (SESSION, BINDING)]


async def test_admins_see_where_a_device_came_from(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    assert "" == square.roaming.came_from(BEN)
    assert square.own[:13] == hills.roaming.came_from(BEN)
    account = hills.app.guest(BEN).account
    assert account is not None
    assert 1 == hills.roaming.devices_with_sessions(account)


async def test_a_person_sees_what_nodes_tell_each_other_and_after_erasing_only_that_it_is_erased(
    nodes: Nodes,
) -> None:
    square, hills = nodes
    account = await square.app.join_by_passphrase(BEN)
    await exchange(square, hills)
    told = {each["told_kind"]: each for each in square.roaming.told(account, BEN)}
    assert {SESSION, BINDING} <= told.keys()
    assert account in told[SESSION]["said"]
    assert "hash" not in str(told)
    assert square.roaming.told(account, BEN) == hills.roaming.told(account, BEN)
    assert () == square.roaming.told(None, CAI)
    await square.app.portal.erase(BEN)
    await exchange(square, hills)
    for node in nodes:
        left = node.roaming.told(account, BEN)
        assert account not in str([each["said"] for each in left])
        assert all(each["until"] for each in left), "and it is forgotten"


async def test_a_limit_of_devices_holds_at_each_node_and_ends_nothing(nodes: Nodes) -> None:
    square, hills = nodes
    rules = '[[rule]]\nid = "two"\ndevices = 1\nwho = "everyone"\nby = "D-1"\n'
    for node in nodes:
        await node.app.adopt(rules)
    await square.app.join_by_passphrase(BEN)
    await hills.app.join_by_passphrase(CAI)
    await exchange(square, hills)
    square.roaming.seen(CAI)
    hills.roaming.seen(BEN)
    await exchange(square, hills)
    assert square.passes(BEN)
    assert hills.passes(CAI)
    assert not square.passes(CAI)
    assert 2 == square.roaming.devices_with_sessions(hills.app.guest(CAI).account)  # type: ignore[arg-type]


async def test_a_record_that_was_heard_in_a_split_is_never_stronger_than_leaving(nodes: Nodes) -> None:
    square, hills = nodes
    await square.app.join(BEN)
    await walk(BEN, square, hills)
    await square.app.portal.leave(BEN)
    for node in nodes:
        await node.app.pass_time(HOUR_MS)
    await hills.app.join(BEN)  # both wrote version 2
    tell(square, [hills])
    tell(hills, [square])
    await exchange(square, hills)
    assert not square.passes(BEN)
    assert not hills.passes(BEN)


LYING = (
    {},
    {"ended": 1},
    {"account": "ana", "way": ["terms"], "terms": "1", "end": 0, "node": "x"},
    {"account": "ana", "way": "terms", "terms": "1", "end": 2**60, "node": "x"},
    {"account": "a" * 2000, "way": "terms", "terms": "1", "end": 0, "node": "x"},
    {"account": "carme", "way": "terms", "terms": "1", "end": 0, "node": "x"},
    {"account": "guest-zz", "way": "terms", "terms": "1", "end": 0, "node": "x"},
    {"gone": "yes", "because": {}, "day": [], "host": 7},
    {"because": "x" * 5000},
)


@pytest.mark.parametrize("value", LYING)
async def test_what_a_member_node_makes_up_lets_nobody_into_an_account_that_is_not_theirs(
    nodes: Nodes, value: dict[str, object]
) -> None:
    """A record has the form that its kind has, or it says nothing."""
    _, hills = nodes
    hills.roaming.seen(BEN)
    for kind in (SESSION, BINDING, BLOCKED):
        name = hills.names.newest(BEN)
        record = RegistryRecord(kind, name, 9, "", value)
        hills.shared.take(NodeId("x" * 52), registry_part(kind, name), [record])
    await hills.settle()
    assert not hills.passes(BEN)
    assert session_state.Unauthorized() == hills.app.loop.session_table.state(BEN)
    assert hills.app.loop.registry.bindings.get(BEN) is None
    await hills.app.join(BEN)


async def test_an_end_in_another_age_is_taken_as_the_end_of_a_session_here() -> None:
    async with RoamingNode("h", session_ms=None).life() as hills:
        name = hills.names.newest(BEN)
        value = {"account": "guest-0b", "way": "terms", "terms": "1", "end": 2**53 - 1, "node": "x"}
        hills.shared.take(
            NodeId("x" * 52), registry_part(SESSION, name), [RegistryRecord(SESSION, name, 1, "", value)]
        )
        await hills.settle()
        hills.roaming.seen(BEN)
        await hills.settle()
        assert hills.passes(BEN)
        assert LASTS_MAX // 1000 == hills.app.guest(BEN).seconds_left


async def test_an_invented_address_leaves_nothing_but_a_limited_memory(nodes: Nodes) -> None:
    _, hills = nodes
    for number in range(10_000):
        hills.roaming.seen(MacAddress(f"06:00:00:00:{number >> 8:02x}:{number & 255:02x}"))
    assert 4_096 >= len(hills.roaming._devices._heard)
    assert not hills.roaming._tasks
    assert not hills.roaming._again
    assert not hills.app.loop.session_table.session_entries
    assert ANA not in hills.app.passing()
