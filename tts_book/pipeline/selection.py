"""Selects parts of a book by their numbers: chapters ("3", "2-5") and chunks ("3/17")."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tts_book.errors import UserError
from tts_book.model import Chunk, Plan

_PART = re.compile(r"(\d{1,6})(?:-(\d{1,6})|/(\d{1,6}))?")


@dataclass(frozen=True, slots=True)
class Selection:
    """Chapters, and single chunks as (chapter, chunk). Empty: everything."""

    chapters: frozenset[int] = frozenset()
    chunks: frozenset[tuple[int, int]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.chapters or self.chunks)

    @property
    def touched(self) -> frozenset[int]:
        """All chapters that are named or hold a named chunk."""
        return self.chapters | {chapter for chapter, _ in self.chunks}

    def names(self, chunk: Chunk) -> bool:
        """Whether the chunk is named, by itself or with its chapter."""
        return self.holds(chunk.chapter, chunk.number)

    def holds(self, chapter: int, chunk: int) -> bool:
        """Whether a chunk is named, by its numbers."""
        return chapter in self.chapters or (chapter, chunk) in self.chunks


EVERYTHING = Selection()


def parse_selection(text: str, option: str) -> Selection:
    """The selection that "3, 5-7, 9/2" means. Raises UserError."""
    chapters: set[int] = set()
    chunks: set[tuple[int, int]] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _PART.fullmatch(part)
        if found is None:
            raise UserError(
                f'{option} "{part}" is not understood: name chapters (3 or 2-5) or chunks (3/17).'
            )
        first, last, chunk = found.groups()
        if chunk:
            chunks.add((int(first), int(chunk)))
        else:
            if int(last or first) < int(first):
                raise UserError(f'{option} "{part}" runs backwards: write {last}-{first}.')
            chapters.update(range(int(first), int(last or first) + 1))
    if text and not (chapters or chunks):
        raise UserError(
            f'{option} "{text}" names nothing: name chapters (3 or 2-5) or chunks (3/17).'
        )
    return Selection(frozenset(chapters), frozenset(chunks))


def _name_range(chapters: int) -> str:
    return f"chapters 1 to {chapters}" if chapters > 1 else "only chapter 1"


def check_selection(selection: Selection, plan: Plan, option: str) -> None:
    """Raises UserError if the plan has no such chapter or chunk."""
    there = {(chunk.chapter, chunk.number) for chunk in plan.chunks}
    count = len(plan.book.chapters)
    for chapter in sorted(selection.chapters):
        if not 1 <= chapter <= count:
            raise UserError(
                f'{option}: "{plan.book.title}" has {_name_range(count)}, no {chapter}.'
            )
    for chapter, chunk in sorted(selection.chunks - there):
        last = max((number for at, number in there if at == chapter), default=0)
        known = (
            f"chapter {chapter} has chunks 1 to {last}"
            if last
            else f"the book has {_name_range(count)}"
        )
        raise UserError(f"{option}: there is no chunk {chapter}/{chunk}: {known}.")
