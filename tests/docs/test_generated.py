"""Generated documents are up to date with the lists in the code."""

import pytest

from tests.docs.generated import GENERATED, ROOT

FIX = "run: python -m tests.docs.generated"


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_document_is_up_to_date(name):
    assert GENERATED[name]() == (ROOT / name).read_text(), FIX
