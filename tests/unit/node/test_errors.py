"""Errors let go of what they were raised in."""

import weakref

from node.errors import forget_frames


class Work:
    """What a function works with."""


def test_an_error_without_its_frames_keeps_nothing_of_what_raised_it() -> None:
    kept: list[weakref.ref[Work]] = []

    def fail() -> None:
        work = Work()
        kept.append(weakref.ref(work))
        raise OSError

    def fail_again() -> None:
        try:
            fail()
        except OSError as error:
            raise ValueError from error

    try:
        fail_again()
    except ValueError as error:
        caught = error
    assert kept[0]() is not None
    forget_frames(caught)
    assert kept[0]() is None
