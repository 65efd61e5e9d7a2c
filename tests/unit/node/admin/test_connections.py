"""Which connection to the admin server is closed for a new one."""

from node.admin.connections import AdminConnectionLimiter

ADMIN, CROWD = "192.0.2.1", "192.0.2.66"


def test_one_address_keeps_its_share_and_its_longest_idle_connection_is_closed() -> None:
    limiter: AdminConnectionLimiter[str] = AdminConnectionLimiter(10, 3)
    for name in "abc":
        assert (True, None) == limiter.enter(name, CROWD)
    limiter.begin("a")
    assert (True, "b") == limiter.enter("d", CROWD)
    limiter.end("a")
    assert (True, "c") == limiter.enter("e", CROWD)
    assert (True, "d") == limiter.enter("f", CROWD)
    assert (True, "a") == limiter.enter("g", CROWD)
    assert 3 == len(limiter)
    assert (True, None) == limiter.enter("z", ADMIN)


def test_when_all_are_used_the_address_with_most_loses_its_longest_idle_one() -> None:
    limiter: AdminConnectionLimiter[str] = AdminConnectionLimiter(4, 3)
    assert limiter.enter("admin", ADMIN)[0]
    for name in "abc":
        limiter.enter(name, CROWD)
    assert (True, "a") == limiter.enter("new", "192.0.2.2")
    assert (True, "b") == limiter.enter("newer", "192.0.2.3")


def test_requests_under_way_are_never_dropped() -> None:
    limiter: AdminConnectionLimiter[str] = AdminConnectionLimiter(2, 2)
    for name in "ab":
        limiter.enter(name, CROWD)
        limiter.begin(name)
    assert (False, None) == limiter.enter("c", ADMIN)
    assert (False, None) == limiter.enter("d", CROWD)
    limiter.leave("a")
    limiter.leave("a")
    assert (True, None) == limiter.enter("c", ADMIN)
    limiter.end("a")
    assert 2 == len(limiter)


def test_a_household_with_many_ipv6_addresses_has_one_share() -> None:
    limiter: AdminConnectionLimiter[str] = AdminConnectionLimiter(10, 2)
    for number, name in enumerate("ab"):
        assert (True, None) == limiter.enter(name, f"2001:db8::{number}")
    assert (True, "a") == limiter.enter("c", "2001:db8::ffff:7")
    assert (True, None) == limiter.enter("z", "2001:db8:0:1::1")
