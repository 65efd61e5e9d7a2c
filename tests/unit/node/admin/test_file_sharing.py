"""What an admin is asked before a file is shared."""

import pytest

from mesh.file_version import FILES, FileName
from node.admin.file_sharing import TITLES, sharing_question


@pytest.mark.parametrize("file", FILES)
def test_the_form_names_the_file_and_keeps_which_text_is_meant(file: FileName) -> None:
    question = sharing_question(file, "f" * 32, 0, is_own=True)
    assert file in str(question.title)
    assert (("hash", "f" * 32),) == question.hidden
    assert (f"/{file}/share", f"/{file}/shared") == (question.action, question.back[0])
    assert TITLES[file] == question.back[1]
    assert question.needs_admin


def test_an_earlier_version_is_named_by_its_number_and_another_one_is_used() -> None:
    earlier = sharing_question("rules", "f" * 32, 7, is_own=False)
    assert "7" in str(earlier.title)
    assert ("version", "7") in earlier.hidden
    other = sharing_question("members", "f" * 32, 0, is_own=False)
    assert "Use this one" == str(other.button)
