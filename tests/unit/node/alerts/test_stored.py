"""The alerts as text."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.alerts.alert_list import AlertName
from node.alerts.digest import DigestState
from node.alerts.message import AlertMessage
from node.alerts.outbox import WAYS, Outbox
from node.alerts.states import AlertChange, AlertState
from node.alerts.stored import StoredAlerts, from_text, to_text
from node.units import Milliseconds

MOMENTS = st.none() | st.integers(0, 253_000_000_000)
WORDS = st.text(max_size=40)
NAMES = st.sampled_from(get_args(AlertName))
MESSAGES = st.builds(
    AlertMessage,
    id=WORDS,
    subject=WORDS,
    text=WORDS,
    kind=WORDS,
    name=WORDS,
    node=WORDS,
    at_s=MOMENTS,
    since_s=MOMENTS,
    is_urgent=st.booleans(),
)
STATES = st.builds(
    AlertState,
    is_raised=st.booleans(),
    opposed=st.integers(0, 10**9).map(Milliseconds),
    since_s=MOMENTS,
    subject_name=WORDS,
)
CHANGES = st.builds(
    AlertChange,
    name=NAMES,
    subject=WORDS,
    subject_name=WORDS,
    is_raised=st.booleans(),
    at_s=MOMENTS,
    since_s=MOMENTS,
)
STORED = st.builds(
    StoredAlerts,
    states=st.dictionaries(st.tuples(NAMES, WORDS), STATES, max_size=5),
    outbox=st.builds(
        Outbox,
        waiting=st.dictionaries(
            st.sampled_from(WAYS), st.lists(MESSAGES, min_size=1, max_size=4).map(tuple), max_size=4
        ),
        left_out=st.dictionaries(st.sampled_from(WAYS), st.integers(0, 99), max_size=4),
    ),
    digest=st.builds(
        DigestState, last_day=st.text(max_size=10), changes=st.lists(CHANGES, max_size=4).map(tuple)
    ),
)


@given(STORED)
def test_what_is_stored_is_read_again(alerts: StoredAlerts) -> None:
    assert alerts == from_text(to_text(alerts))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["states", "waiting", "left_out", "last_day", "changes"]), JSON))
def test_damaged_text_is_no_error(kept: dict[str, Any]) -> None:
    assert isinstance(from_text(json.dumps(kept)), StoredAlerts)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"states": [["no_such_alert", "", {}]]}'])
def test_nothing_can_be_read_of_these(text: str) -> None:
    assert StoredAlerts() == from_text(text)
