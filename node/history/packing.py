"""Steps as bytes: the numbers of all steps, their first bytes together, then their second bytes and so on, compressed. The
upper bytes are nearly always the same, and need no room."""

import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence

from node.history.steps import Step, Steps

Sheet = Mapping[str, Steps]
"""Steps of several series, all of the same time and length."""

LEVEL = 6
SERIES_MAX = 200
"""In a sheet."""
NAME_CHARS_MAX = 40
_COLUMNS, _BYTES = len(Step._fields), 8


def pack(every: Sequence[Steps]) -> bytes:
    """All of the same length."""
    numbers = array("q")
    for column in range(_COLUMNS):
        for steps in every:
            numbers.extend(steps.columns[column])
    if sys.byteorder == "big":
        numbers.byteswap()
    plain = numbers.tobytes()
    return zlib.compress(b"".join(plain[place::_BYTES] for place in range(_BYTES)), LEVEL)


def unpack(packed: bytes, length: int, count: int = 1, only: int | None = None) -> list[Steps]:
    """So many times steps of this length, or only one of them by its number. Raises ValueError for damaged ones."""
    size = length * count * _COLUMNS * _BYTES
    inflating = zlib.decompressobj()
    try:
        planes = inflating.decompress(packed, size + 1)
    except zlib.error as error:
        raise ValueError("steps are damaged") from error
    if len(planes) != size or not inflating.eof:
        raise ValueError("steps are damaged")
    return [
        Steps.of_columns(
            tuple(_numbers(planes, (column * count + each) * length, length) for column in range(_COLUMNS))
        )
        for each in (range(count) if only is None else (only,))
    ]


def _numbers(planes: bytes, at: int, length: int) -> "array[int]":
    """So many, from this place on."""
    plain, part, numbers = bytearray(length * _BYTES), len(planes) // _BYTES, array("q")
    for place in range(_BYTES):
        plain[place::_BYTES] = planes[place * part + at : place * part + at + length]
    numbers.frombytes(plain)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def pack_sheet(sheet: Sheet) -> bytes:
    """With the names of the series before the numbers."""
    names = sorted(sheet)
    return "\n".join(names).encode() + b"\0" + pack([sheet[name] for name in names])


def unpack_sheet(packed: bytes, length: int, only: str = "") -> dict[str, Steps]:
    """All series, or only this one. Empty for a damaged sheet: plots can do without an hour."""
    listed, _, numbers = packed.partition(b"\0")
    try:
        names = listed.decode("ascii").split("\n") if listed else []
        if len(names) > SERIES_MAX or any(len(name) > NAME_CHARS_MAX for name in names):
            return {}
        if not only:
            return dict(zip(names, unpack(numbers, length, len(names)), strict=True))
        if only not in names:
            return {}
        return {only: unpack(numbers, length, len(names), names.index(only))[0]}
    except ValueError:
        return {}
