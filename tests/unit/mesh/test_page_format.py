"""The format of signed pages."""

from mesh.page_format import Page, page_digest
from mesh.pages import UsagePages
from node.units import AccountId
from tests.fakes.neighbours import TODAY, bucket, key_of


def a_page(**amounts: int) -> Page:
    pages = UsagePages(key_of("hill"), "the-village", "life-1")
    for account, down in (amounts or {"ana": 5}).items():
        pages.note(TODAY, AccountId(account), bucket(down))
    return next(pages.write())


def test_a_digest_depends_only_on_what_the_author_signed() -> None:
    page = a_page()
    assert page_digest(page) == page_digest(a_page())
    assert page_digest(page) != page_digest(a_page(ana=6))
