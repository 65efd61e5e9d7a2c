"""The adoption of a gateway: what each event does in each phase."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.gateways.adoption import (
    TRANSITIONS,
    AdoptionEvent,
    RouterAccepted,
    RouterAdded,
    RouterAsked,
    RouterDropped,
    RouterRefused,
    RouterSpoke,
    SecretReplaced,
    SourcesLimited,
    step,
)
from node.gateways.gateway import Gateway

ASKED = RouterAsked("0a1b2c3d", "wifidog", "X1", "10.1.2.3")
EVENTS = (
    ASKED,
    RouterAdded("0a1b2c3d", "apfree", "the bakery"),
    RouterAccepted("the bakery"),
    RouterRefused(),
    RouterDropped(),
    SecretReplaced(),
    SourcesLimited(("10.1.2.0/24",)),
    RouterSpoke("wifidog", "X1", "10.1.2.3"),
    RouterSpoke("apfree", "X2", "10.9.9.9"),
)


def after(*events: AdoptionEvent) -> Gateway | None:
    gateway = None
    for event in events:
        gateway = step(gateway, event)
    return gateway


def test_a_router_that_asks_waits_for_an_admin():
    assert Gateway("0a1b2c3d", "wifidog", "asked", "", "X1", "10.1.2.3") == after(ASKED)


@given(st.lists(st.sampled_from(EVENTS)))
def test_only_an_admin_accepts(events):
    gateway = after(*events)
    is_accepted = gateway is not None and gateway.phase == "accepted"
    by_admin = any(isinstance(each, RouterAccepted | RouterAdded) for each in events)
    assert by_admin or not is_accepted


@given(st.lists(st.sampled_from(EVENTS)))
def test_a_refused_router_does_not_ask_again(events):
    refused = after(ASKED, RouterRefused())
    assert refused == step(refused, ASKED)
    gateway = after(ASKED, RouterRefused(), *(e for e in events if isinstance(e, RouterAsked | RouterSpoke)))
    assert refused == gateway


@pytest.mark.parametrize("event", [RouterSpoke("wifidog", "X1", "10.1.2.3"), SecretReplaced()])
def test_before_it_is_accepted_a_router_changes_nothing_by_speaking(event):
    assert after(ASKED) == after(ASKED, event)
    assert None is after(event)


def test_the_first_router_that_speaks_with_the_secret_is_the_gateway():
    accepted = after(EVENTS[1], RouterSpoke("wifidog", "X1", "10.1.2.3"))
    assert accepted is not None
    assert ("X1", "10.1.2.3", "wifidog") == (accepted.called, accepted.address, accepted.kind)
    assert accepted == step(accepted, RouterSpoke("apfree", "X2", "10.9.9.9"))
    assert accepted == step(accepted, RouterSpoke("apfree", "X1", "10.9.9.9")), "nothing to be written"


def test_with_another_secret_another_router_can_take_its_place():
    accepted = after(EVENTS[1], RouterSpoke("wifidog", "X1", "10.1.2.3"), SecretReplaced())
    assert accepted is not None
    assert (2, "") == (accepted.serial, accepted.called)
    spoken = step(accepted, RouterSpoke("wifidog", "X2", "10.1.2.4"))
    assert replace(accepted, kind="wifidog", called="X2", address="10.1.2.4") == spoken


def test_sources_and_removal():
    assert ("10.1.2.0/24",) == after(*EVENTS[1:2], EVENTS[6]).sources  # type: ignore[union-attr]
    for phase in ((ASKED,), (ASKED, RouterRefused()), (ASKED, RouterAccepted("x"))):
        assert None is after(*phase, RouterDropped())


def test_each_event_has_a_row():
    assert {type(each) for each in EVENTS} == {event for _, event in TRANSITIONS}
