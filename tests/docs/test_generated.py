"""Documents that come from lists in the code say what the lists say now."""

import pytest

from tests.docs.generated import GENERATED, ROOT

MEND = "run: python -m tests.docs.generated"


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_document_is_up_to_date(name):
    assert GENERATED[name]() == (ROOT / name).read_text(), MEND
