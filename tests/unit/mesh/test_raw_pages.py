"""Which pages stay in memory."""

from hypothesis import given
from hypothesis import strategies as st

from mesh import raw_pages
from mesh.raw_pages import PageKey, RawPages
from tests.fakes.neighbours import id_of

KEYS: list[PageKey] = [(id_of("hill"), "1-a", f"usage/2026-11-2{number}/0000") for number in range(5)]
BIG = raw_pages.RECENT_BYTES_MAX // 2
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "stored", "used", "drop", "get"]), st.sampled_from(KEYS), st.integers(1, 3)
    )
)


def raw(number: int) -> bytes:
    return b"%d" % number * (BIG - 1)


@given(STEPS)
def test_a_page_that_is_not_stored_stays_and_the_others_have_a_limit(
    steps: list[tuple[str, PageKey, int]],
) -> None:
    pages, unstored = RawPages(), dict[PageKey, bytes]()
    for step, key, number in steps:
        match step:
            case "put":
                pages.put(key, raw(number))
                unstored[key] = raw(number)
            case "stored":
                pages.stored(key, raw(number))
                if unstored.get(key) == raw(number):
                    del unstored[key]
            case "used":
                pages.used(key, raw(number))
            case "drop":
                pages.drop(key)
                unstored.pop(key, None)
            case "get":
                pages.get(key)
        found = dict(pages)
        assert unstored.items() <= found.items()
        assert (
            sum(len(each) for at, each in found.items() if at not in unstored) <= raw_pages.RECENT_BYTES_MAX
        )
        assert len(found) == len(list(pages))
        assert all(pages.get(at) == found.get(at) for at in KEYS)


def test_those_that_were_used_last_stay() -> None:
    pages = RawPages()
    for key in KEYS[:2]:
        pages.used(key, raw(1))
    pages.get(KEYS[0])
    pages.used(KEYS[2], raw(1))
    assert [raw(1), None, raw(1)] == [pages.get(key) for key in KEYS[:3]]


def test_of_a_start_none_stays() -> None:
    pages = RawPages()
    pages.put(KEYS[0], raw(1))
    pages.stored(KEYS[0], raw(1), is_recent=False)
    assert pages.get(KEYS[0]) is None
