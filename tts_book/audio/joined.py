"""The pieces of segments that a chapter is joined of, in little memory: long books have hundreds
of thousands."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

_FIELDS = 4


@dataclass(frozen=True, slots=True)
class Piece:
    """Frames `start` to `stop` of segment number `segment`, after `rest` frames of silence."""

    segment: int
    rest: int
    start: int
    stop: int


class Pieces(Sequence[Piece]):
    """Pieces in order; they can be added, and the last one's end can be moved."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers = array("q")

    def append(self, piece: Piece) -> None:
        """One more piece at the end."""
        self._numbers.extend((piece.segment, piece.rest, piece.start, piece.stop))

    def shorten(self, frames: int) -> None:
        """Takes so many frames from the end of the last piece."""
        self._numbers[-1] -= frames

    def __len__(self) -> int:
        return len(self._numbers) // _FIELDS

    @overload
    def __getitem__(self, index: int) -> Piece: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Piece]: ...
    def __getitem__(self, index: int | slice) -> Piece | Sequence[Piece]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index] * _FIELDS
        return Piece(*self._numbers[at : at + _FIELDS])
