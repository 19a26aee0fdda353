"""Runs that share a cache folder, also on several machines, divide the work on a book.

Each claims what it speaks, and takes what the others spoke from the cache (`synthesis.claims`).
Only one at a time writes the files of a book; the others speak along, wait until it is done, and
then find the files up to date, or write what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from tts_book import events
from tts_book.events import Event, Listener, RunTotals
from tts_book.pipeline.chapter_speaker import list_tasks, start_elsewhere
from tts_book.pipeline.jobs import BookJob
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.claims import Claims
from tts_book.synthesis.pool import Pool, Tools

# How often a run looks whether another one is done with the files.
POLL_S = 2.0


@dataclass(slots=True)
class Help:
    """What a run does before it may write files: a listener that passes on and counts what happens
    then, so that it is not reported again later. A failure is: another run may do better."""

    listener: Listener
    began_s: float
    totals: RunTotals = field(default_factory=RunTotals)
    _told: set[tuple[int, int, int]] = field(default_factory=set)

    def __call__(self, event: Event) -> None:
        if isinstance(event, events.ChunkFailed):
            return
        if isinstance(event, events.ChunkDone):
            self._told.add((event.book_id, event.chapter, event.chunk))
        self.totals(event)
        self.listener(event)

    def has_told(self, event: Event) -> bool:
        """Whether an event of the run that writes files was passed on before."""
        match event:
            case events.JobStarted():
                return True
            case events.ChunkDone():
                return (event.book_id, event.chapter, event.chunk) in self._told
            case events.VoiceChanged():  # the chapter is spoken anew
                chapter = event.book_id, event.chapter
                self._told = {told for told in self._told if told[:2] != chapter}
        return False


@asynccontextmanager
async def open_claims(tools: Tools) -> AsyncIterator[Claims]:
    """Claims of a new run, which are kept alive, and let go of at the end."""
    claims = Claims()
    renewing = asyncio.create_task(claims.keep_alive(tools.sleep))
    try:
        yield claims
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        claims.release_all()


async def speak_along(
    jobs: Sequence[BookJob], cache: ChunkCache, listener: Listener, tools: Tools
) -> None:
    """Speaks what no other run speaks, until every chunk is in the cache or has failed here. Raises
    UserError where the cache takes no more."""
    pool = Pool(cache, listener, tools)
    chapters = [chapter for job in jobs for chapter in job.asked_chapters]
    async with aclosing(pool.speak(list_tasks(start_elsewhere(chapters, tools)))) as spoken:
        async for _ in spoken:
            pass
