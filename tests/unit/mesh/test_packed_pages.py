"""What is known of an author's pages, packed and unpacked."""

import sys

from hypothesis import given
from hypothesis import strategies as st

from mesh.packed_pages import HeldUsage, Streams, pack, unpack
from mesh.page_format import NUMBER_MAX

DAYS = ("2026-11-24", "2026-11-25", "unknown")
LABELS = st.builds(
    "{}/{}/{:04d}".format, st.sampled_from(["usage", "past"]), st.sampled_from(DAYS), st.integers(0, 9)
)
INCARNATIONS = st.from_regex(r"[A-Za-z0-9_-]{1,32}", fullmatch=True)
NUMBERS = st.integers(0, NUMBER_MAX)
COVERS = st.lists(st.tuples(INCARNATIONS, LABELS, NUMBERS), max_size=3).map(tuple)
DIGESTS = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)


@st.composite
def streams(draw: st.DrawFn) -> Streams:
    labels = st.lists(LABELS, min_size=1, max_size=5)
    return {
        incarnation: {
            label: HeldUsage(draw(NUMBERS), draw(DIGESTS), label.split("/")[1], draw(NUMBERS), draw(COVERS))
            for label in draw(labels)
        }
        for incarnation in draw(st.lists(INCARNATIONS, max_size=3))
    }


@given(streams())
def test_what_was_packed_is_unpacked_as_it_was(found: Streams) -> None:
    assert found == unpack(pack(found))


def test_a_page_takes_a_twentieth_of_its_own_size() -> None:
    """A page of ten rows has about 800 bytes."""
    pages = {
        f"usage/2026-11-{day:02d}/0000": HeldUsage(10**5, "0" * 16, f"2026-11-{day:02d}", 16)
        for day in range(30)
    }
    assert sys.getsizeof(pack({"12-m0a1b2c-01234567": pages})) < 30 * 40
