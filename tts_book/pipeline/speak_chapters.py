"""Chapters are spoken together, and each is finished as soon as its last chunk is there. Where the
service is gone, fallback voices take over those that are not whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

from tts_book.events import Listener
from tts_book.pipeline import event_builders
from tts_book.pipeline.chapter_job import ChapterJob, list_tasks, take_over_chapters
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Pool, Tools


class ChapterSpeaker:
    """Has chapters spoken; `finish` is awaited for each that is whole, one at a time. `reasons` say
    why services were given up."""

    def __init__(
        self,
        cache: ChunkCache,
        tell: Listener,
        tools: Tools,
        finish: Callable[[ChapterJob], Awaitable[None]],
    ) -> None:
        self._cache, self._tell, self._tools, self._finish = cache, tell, tools, finish
        self._in_doubt: list[ChapterJob] = []
        self.reasons: list[str] = []

    async def speak(self, chapters: Sequence[ChapterJob]) -> None:
        """Speaks these chapters, and tells which are lost."""
        await self._by_their_voices(chapters)
        while self._in_doubt:
            await self._by_their_voices(await self._taken_over())

    async def _by_their_voices(self, chapters: Sequence[ChapterJob]) -> None:
        """Where the service is gone and a fallback is named, the chapters that are not whole are
        kept in doubt."""
        pool = Pool(self._cache, self._tell, self._tools)
        one_at_a_time = asyncio.Lock()  # the disk gains nothing from two
        async with (
            asyncio.TaskGroup() as finishing,
            aclosing(pool.speak(list_tasks(chapters))) as spoken,
        ):
            async for task, key in spoken:
                chapter = chapters[task.group]
                chapter.waiting -= 1
                chapter.missing += key is None
                chapter.left_out += key is None and not task.wanted
                if chapter.waiting == 0 and not chapter.missing:
                    finishing.create_task(self._finished(chapter, one_at_a_time))
        if pool.stopped:
            self.reasons.append(pool.stopped)
        for chapter in chapters:
            if chapter.missing and pool.stopped and chapter.job.cast.fallback:
                self._in_doubt.append(chapter)
            elif chapter.missing:
                self._lose(chapter)

    async def _finished(self, chapter: ChapterJob, lock: asyncio.Lock) -> None:
        async with lock:
            finishing = asyncio.ensure_future(self._finish(chapter))
            try:
                await asyncio.shield(finishing)
            except asyncio.CancelledError:
                # Its thread goes on all the same: what it writes shall be known.
                await asyncio.gather(finishing, return_exceptions=True)
                raise

    async def _taken_over(self) -> list[ChapterJob]:
        """The chapters in doubt, begun anew by the next fallback voice that can speak."""
        doubtful, self._in_doubt = self._in_doubt, []
        heirs: dict[int, dict[int, ChapterJob]] = {}  # chapters by number, of each book
        taken = []
        for chapter in doubtful:
            book = id(chapter.job)
            if book not in heirs:
                found = await take_over_chapters(chapter.job)
                heirs[book] = {each.chapter.number: each for each in found}
            again = heirs[book].get(chapter.chapter.number)
            if again is None:
                self._lose(chapter)
                continue
            taken.append(again)
            self._tell(event_builders.voice_changed(chapter, again.job.cast.voice.name))
        return taken

    def _lose(self, chapter: ChapterJob) -> None:
        self._tell(event_builders.chapter_lost(chapter, event_builders.explain_missing(chapter)))
