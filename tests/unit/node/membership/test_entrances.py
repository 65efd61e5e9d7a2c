"""What the register says to a person, the door can say, too."""

from typing import get_args

from captive_portal.ports import RefusalReason
from node.membership.entrances import DenialReason


def test_every_denial_is_a_refusal_that_the_page_has_words_for():
    assert set(get_args(DenialReason)) <= set(get_args(RefusalReason))
