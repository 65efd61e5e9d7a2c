"""A closed transport goes when it is let go, without a garbage collection."""

import gc
import weakref

from node.reference_cycles import untie


class ClosedTransport:
    """As asyncio's: it keeps methods of itself."""

    def __init__(self, other: object = None) -> None:
        self.read_ready, self.write_ready, self.other = self.read, self.read, other

    def read(self) -> str:
        return "read"


def test_methods_of_itself_are_let_go_and_others_stay() -> None:
    other = ClosedTransport()
    transport = ClosedTransport(other.read)
    untie(transport)
    assert (None, None) == (transport.read_ready, transport.write_ready)
    assert transport.other is not None
    assert "read" == transport.other()


def test_it_goes_without_a_garbage_collection() -> None:
    gc.disable()
    try:
        transport = ClosedTransport()
        seen = weakref.ref(transport)
        untie(transport)
        del transport
        assert seen() is None
    finally:
        gc.enable()


def test_what_has_no_attributes_of_its_own_is_left_alone() -> None:
    untie(object())
    untie(None)
