"""The page kind `usage`: valid bodies are read, others refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.messages import FRAME_BYTES_MAX
from mesh.page_format import NUMBER_MAX, Malformed, is_account
from mesh.page_kinds import page_content
from mesh.pages import ROWS_PER_PART, UsagePages
from mesh.usage_kind import PageContent, usage_body, usage_rows
from node.units import AccountId
from tests.fakes.neighbours import TODAY, bucket, key_of


@given(
    st.dictionaries(
        st.from_regex(r"[a-z0-9é-]{1,20}", fullmatch=True).filter(is_account),
        st.integers(0, NUMBER_MAX),
        min_size=1,
        max_size=40,
    )
)
def test_any_usage_is_unchanged_by_encoding(amounts: dict[str, int]) -> None:
    body = usage_body({AccountId(account): bucket(down) for account, down in amounts.items()})
    assert tuple((AccountId(a), bucket(d)) for a, d in sorted(amounts.items())) == usage_rows(body)


def test_a_full_page_of_the_longest_names_and_numbers_fits_into_a_frame() -> None:
    pages = UsagePages(key_of("hill"), "v" * 64, "i" * 32)
    for number in range(ROWS_PER_PART):
        name = AccountId(f"{number:03d}" + '"' * 61)
        pages.note(TODAY, name, bucket(NUMBER_MAX, NUMBER_MAX))
    [page] = pages.write()
    said = page_content(page)
    assert isinstance(said, PageContent)
    assert ROWS_PER_PART == len(said.rows)
    assert len(page.raw) <= FRAME_BYTES_MAX


@pytest.mark.parametrize(
    "rows",
    [None, [], [[]], [["ana", 1, 2, 3]], [["ana", 1, 2, 3, 4, 5]], [["ana", 1, 2, 3, -4]], [["ana", 1, 2, 3, 4.5]],
     [["ana", 1, 2, 3, True]], [["", 1, 2, 3, 4]], [["é" * 33, 1, 2, 3, 4]], [[7, 1, 2, 3, 4]],
     [["ben", 1, 2, 3, 4], ["ana", 1, 2, 3, 4]], [["ana", 1, 2, 3, 4], ["ana", 1, 2, 3, 4]],
     [[f"g{n:05d}", 1, 2, 3, 4] for n in range(1001)]],
)  # fmt: skip
def test_invalid_usage_is_malformed(rows: object) -> None:
    assert isinstance(usage_rows(json.dumps({"rows": rows}).encode()), Malformed)
