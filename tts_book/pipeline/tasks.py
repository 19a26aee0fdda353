"""The chunks of opened chapters as tasks for the pool, in reading order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from tts_book.model import Chapter, Chunk
from tts_book.pipeline.chapter_job import Open
from tts_book.synthesis.pool import Task


def tasks(chapters: Sequence[Open]) -> Iterator[Task]:
    """A task for every chunk; its group is the chapter's place among these."""
    order = 0
    for group, chapter in enumerate(chapters):
        item = chapter.item
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            yield Task(
                order,
                group,
                item.work.book.title,
                chunk,
                key,
                item.cast.voice,
                item.cast.backend,
                partial(place, chapter.chapter, chunk),
                again=key in item.redo,
                wanted=item.asks_for(chunk),
            )
            order += 1


def place(chapter: Chapter, chunk: Chunk) -> str:
    """Where a chunk begins in the source."""
    return str(chapter.origin.place(chunk.start))
