"""The texts of one language in one block of UTF-8: as objects they take three times the memory."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence

Key = str | tuple[str, str]
"""A msgid, or its context and msgid; for plural texts the singular msgid."""

_BETWEEN = "\0"


class PackedTexts(Mapping[Key, tuple[str, ...]]):
    """The plural forms of each text, by key."""

    def __init__(self, texts: Iterable[tuple[Key, Sequence[str]]], numbers: dict[Key, int]) -> None:
        """`numbers`: the place of each key, the same for all languages; new keys are added to it. A text without a
        character is none."""
        found = {
            numbers.setdefault(key, len(numbers)): _BETWEEN.join(
                form.replace(_BETWEEN, "") for form in forms
            ).encode()
            for key, forms in texts
        }
        self._numbers = numbers
        block = bytearray()
        self._ends = array("I")
        for number in range(max(found, default=-1) + 1):
            block += found.get(number, b"")
            self._ends.append(len(block))
        self._block = bytes(block)

    def __getitem__(self, key: Key) -> tuple[str, ...]:
        number = self._numbers[key]
        packed = self._packed(number) if number < len(self._ends) else b""
        if not packed:
            raise KeyError(key)
        return tuple(packed.decode().split(_BETWEEN))

    def __iter__(self) -> Iterator[Key]:
        return (
            key for key, number in self._numbers.items() if number < len(self._ends) and self._packed(number)
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _packed(self, number: int) -> bytes:
        begin = self._ends[number - 1] if number else 0
        return self._block[begin : self._ends[number]]
