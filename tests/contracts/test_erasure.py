"""Erased data is nowhere on the disk: not in the tables, not in free pages, not in the write-ahead log."""

from pathlib import Path

from node.app.views import Admitted, CodeTyped, TermsAccepted
from node.storage.database import Store
from node.storage.repository import StoredRepository
from tests.fakes.use_cases import ANA, BEN, AppFixture, UseCases

NAME, WORDS = "a telling name of mine", "words that nobody else should read"


def found_in(folder: Path, text: str) -> list[str]:
    return [path.name for path in sorted(folder.iterdir()) if text.encode() in path.read_bytes()]


async def leaves_marks(app: UseCases) -> None:
    assert isinstance(await app.portal.admit(ANA, TermsAccepted(), "1"), Admitted)
    assert await app.portal.name_device(ANA, ANA, NAME) is None
    assert await app.portal.add_objection(ANA, "", WORDS) is None


async def test_erased_data_is_on_no_page_of_any_file_while_the_node_runs(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    store = Store(folder / "procomu.db")
    try:
        async with AppFixture(lambda: StoredRepository(store), tmp_path).life() as app:
            (code,) = await app.codes()
            assert isinstance(await app.portal.admit(BEN, CodeTyped(code), "1"), Admitted)
            await leaves_marks(app)
            assert found_in(folder, NAME)
            assert found_in(folder, WORDS)
            await app.portal.erase(ANA)
            assert [] == found_in(folder, NAME)
            assert [] == found_in(folder, WORDS)
            assert "admitted" == app.portal.guest(BEN).state
            await leaves_marks(app)
            assert found_in(folder, NAME), "and it is kept again as before"
    finally:
        store.close()
