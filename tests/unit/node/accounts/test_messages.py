"""Messages to people: one for each account, until it was read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.accounts import messages as module
from node.accounts.messages import MESSAGE_CHARS_MAX, Message, MessageGone, Messages, message_finding
from node.errors import Finding
from node.units import AccountId

ANA, BEN, DAY = AccountId("ana"), AccountId("ben"), "2026-11-24"


def sent(messages: Messages, account: AccountId, text: str = "Hello") -> Message:
    made = messages.send(account, text, "admin Pere", DAY)
    assert not isinstance(made, Finding)
    message = made[-1]
    assert isinstance(message, Message)
    return message


def test_a_message_is_unread_until_its_people_say_so():
    messages = Messages()
    message = sent(messages, ANA)
    assert message == messages.unread(ANA)
    assert messages.unread(BEN) is None
    (read,) = messages.read(ANA, message.fingerprint, "2026-11-25")
    assert (True, "2026-11-25") == (read.is_read, read.read_day)
    assert messages.unread(ANA) is None
    assert read == messages.of(ANA)
    assert () == messages.read(ANA, message.fingerprint, DAY)


def test_an_old_page_marks_no_newer_message_as_read():
    messages = Messages()
    first, second = sent(messages, ANA), sent(messages, ANA, "Newer")
    assert first.number < second.number
    assert () == messages.read(ANA, first.fingerprint, DAY)
    assert second == messages.unread(ANA)


def test_a_page_from_before_a_withdrawal_and_a_restart_marks_no_unseen_message_as_read() -> None:
    before, after = Messages(), Messages()
    shown = sent(before, ANA, "Call me.")
    before.withdraw(ANA)
    after.take(before.all())
    unseen = sent(after, ANA, "Your hearing is tomorrow.")
    assert shown.number == unseen.number, "else this tests nothing"
    assert () == after.read(ANA, shown.fingerprint, DAY)
    assert unseen == after.unread(ANA)
    assert 1 == len(after.read(ANA, unseen.fingerprint, DAY))


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_fingerprint_says_which_text_was_shown_and_not_whether_it_was_read(one: str, other: str) -> None:
    message = Message(ANA, 1, DAY, "admin", one)
    assert (one == other) == (message.fingerprint == replace(message, text=other).fingerprint)
    assert message.fingerprint == replace(message, is_read=True, read_day=DAY).fingerprint
    assert message.fingerprint != replace(message, account=BEN).fingerprint


def test_a_withdrawn_message_is_gone():
    messages = Messages()
    sent(messages, ANA)
    assert (MessageGone(ANA),) == messages.withdraw(ANA)
    assert () == messages.withdraw(ANA)
    assert messages.of(ANA) is None


@pytest.mark.parametrize("text", ["", " \n ", "x" * (MESSAGE_CHARS_MAX + 1), "hello\u202eolleh"])
def test_what_cannot_be_sent_is_refused_and_changes_nothing(text: str) -> None:
    messages = Messages()
    kept = sent(messages, ANA)
    assert isinstance(messages.send(ANA, text, "admin", DAY), Finding)
    assert kept == messages.of(ANA)


def test_a_full_node_drops_what_was_read_and_else_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MESSAGES_MAX", 2)
    messages = Messages()
    first = sent(messages, ANA)
    sent(messages, BEN)
    assert isinstance(messages.send(AccountId("cai"), "Hello", "admin", DAY), Finding)
    messages.read(ANA, first.fingerprint, DAY)
    made = messages.send(AccountId("cai"), "Hello", "admin", DAY)
    assert not isinstance(made, Finding)
    assert MessageGone(ANA) == made[0]
    assert 2 == len(messages)


@given(st.text(max_size=MESSAGE_CHARS_MAX))
def test_a_stored_message_comes_back(text: str) -> None:
    messages, again = Messages(), Messages()
    if message_finding(text) is None:
        sent(messages, ANA, text)
    again.take(messages.all())
    assert messages.all() == again.all()
    assert all(sent(again, BEN).number > each.number for each in messages.all())
