"""The search for events, as it is typed into the address."""

from hypothesis import given
from hypothesis import strategies as st

from node.accounts.events import EVENT_KINDS, EventQuery
from node.admin.events import TEXT_CHARS_MAX, read_query
from node.admin.fields import TypedForm


def typed(**fields: str) -> tuple[EventQuery, TypedForm]:
    form = TypedForm(fields)
    return read_query(form, 0), form


def test_nothing_typed_means_everything():
    assert (EventQuery(), {}) == (typed()[0], typed()[1].errors)


def test_each_field_narrows_the_search():
    query, form = typed(
        q=" Puig ", kind="blocked", by="admin Ana", since="2026-11-01", until="2026-11-30", account="ana"
    )
    assert {} == form.errors
    assert ("Puig", "blocked", "admin Ana", "2026-11-01", "2026-11-30", "ana") == (
        query.text, query.kind, query.by, query.since, query.until, query.account,
    )  # fmt: skip


def test_what_cannot_be_read_is_said_at_its_field():
    for field, value in (("kind", "exploded"), ("since", "yesterday"), ("q", "x" * (TEXT_CHARS_MAX + 1))):
        assert [field] == list(typed(**{field: value})[1].errors)


@given(st.dictionaries(st.sampled_from(["q", "kind", "by", "since", "until", "account"]), st.text()))
def test_whatever_is_typed_gives_a_search_within_limits(fields: dict[str, str]) -> None:
    query, _ = typed(**fields)
    assert len(query.text) <= TEXT_CHARS_MAX
    assert query.kind in {"", *EVENT_KINDS}
