"""Speaks chapters together, and has each written as soon as its last chunk is there. Where the
service is gone, fallback voices take over those that are not whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from tts_book import events
from tts_book.errors import AudioError, BackendError, UserError
from tts_book.events import Listener
from tts_book.model import Entry, Pauses, Segment
from tts_book.output.stitcher import ChapterSound
from tts_book.pipeline.jobs import BookJob, ChapterJob, make_keys
from tts_book.pipeline.voice_selection import ChosenVoice
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Pool, Task, Tools
from tts_book.text.spoken_text import apply_readings

# How a chapter begins its reason that lacks chunks which were not asked for.
ONLY = "--only leaves out"

WriteChapter = Callable[[ChapterJob, ChapterSound], Awaitable[None]]


@dataclass(slots=True)
class _ChapterProgress:
    """How far a chapter is. Chunks come in any order and are added to its `sound` in that of the
    text; `early` are those that wait for others, never more than are spoken at once."""

    chapter: ChapterJob
    sound: ChapterSound
    waiting: int
    missing: int = 0
    left_out: int = 0
    error: AudioError | None = None
    early: dict[int, Entry] = field(default_factory=dict)

    def add(self, task: Task, entry: Entry | None) -> None:
        """A chunk is there, or is known to be missing (None)."""
        self.waiting -= 1
        chunks = self.chapter.chunks
        if entry is None:
            self.missing += 1
            self.left_out += not task.wanted
        if entry is None or self.missing or self.error is not None:
            self.early.clear()
            return
        self.early[task.chunk.number - chunks[0].number] = entry
        while (at := len(self.sound.used)) in self.early:
            try:
                self.sound.add(Segment(chunks[at], self.early.pop(at), cached=True))
            except AudioError as error:
                self.error = error
                return


class ChapterSpeaker:
    """Has chapters spoken; `write` is awaited for each that is whole, one at a time. `reasons` say
    why services were given up."""

    def __init__(
        self,
        cache: ChunkCache,
        pauses: Pauses,
        report: Listener,
        tools: Tools,
        write: WriteChapter,
    ) -> None:
        self._cache, self._pauses, self._report, self._tools = cache, pauses, report, tools
        self._write = write
        self._in_doubt: list[_ChapterProgress] = []
        self.reasons: list[str] = []

    async def speak(self, chapters: Sequence[ChapterJob]) -> None:
        """Speaks these chapters, and reports which are lost."""
        await self._by_their_voices(start_elsewhere(chapters, self._tools))
        while self._in_doubt:
            await self._by_their_voices(await self._take_over())

    async def _by_their_voices(self, chapters: Sequence[ChapterJob]) -> None:
        """Where the service is gone and a fallback is named, the chapters that are not whole are
        kept in doubt."""
        pool = Pool(self._cache, self._report, self._tools)
        one_at_a_time = asyncio.Lock()  # the disk gains nothing from two
        going = [
            _ChapterProgress(chapter, chapter.begin_sound(self._pauses), len(chapter.chunks))
            for chapter in chapters
        ]
        async with (
            asyncio.TaskGroup() as writing,
            aclosing(pool.speak(list_tasks(chapters))) as spoken,
        ):
            async for task, entry in spoken:
                progress = going[task.group]
                progress.add(task, entry)
                if progress.waiting == 0 and not progress.missing:
                    writing.create_task(self._finish(progress, one_at_a_time))
        if pool.stopped:
            self.reasons.append(pool.stopped)
        for progress in going:
            if progress.missing and pool.stopped and progress.chapter.job.cast.fallback:
                self._in_doubt.append(progress)
            elif progress.missing:
                self._lose(progress)

    async def _finish(self, progress: _ChapterProgress, lock: asyncio.Lock) -> None:
        if progress.error is not None:
            self._report(chapter_lost(progress.chapter, str(progress.error)))
            return
        async with lock:
            writing = asyncio.ensure_future(self._write(progress.chapter, progress.sound))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                # Its thread goes on all the same: what it writes shall be known.
                await asyncio.gather(writing, return_exceptions=True)
                raise

    async def _take_over(self) -> list[ChapterJob]:
        """The chapters in doubt, read from their beginning by the next voice that can speak."""
        doubtful, self._in_doubt = self._in_doubt, []
        heirs: dict[tuple[int, str], BookJob | None] = {}
        taken = []
        for progress in doubtful:
            chapter = progress.chapter
            book = chapter.job.number, chapter.job.request.book.language
            if book not in heirs:
                heirs[book] = await _choose_fallback(chapter.job)
            heir = heirs[book]
            if heir is None:
                self._lose(progress)
                continue
            taken += [each for each in heir.asked_chapters if each.number == chapter.number]
            voice = heir.cast.voice.name
            self._report(_voice_changed(chapter, voice, progress.missing))
        return taken

    def _lose(self, progress: _ChapterProgress) -> None:
        reason = _explain_missing(progress.missing, progress.left_out)
        self._report(chapter_lost(progress.chapter, reason, progress.missing))


def start_elsewhere(chapters: Sequence[ChapterJob], tools: Tools) -> Sequence[ChapterJob]:
    """The chapters in the order of this run: one that shares the work begins in another place than
    the others, so that they seldom want the same chunk."""
    if tools.claims is None or not chapters:
        return chapters
    first = int(tools.claims.claimant.run, 16) % len(chapters)
    return [*chapters[first:], *chapters[:first]]


def list_tasks(chapters: Sequence[ChapterJob]) -> Iterator[Task]:
    """A task for every chunk; its group is the chapter's place among these."""
    order = 0
    for group, chapter in enumerate(chapters):
        job = chapter.job
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            reader = job.reader_of(chunk)
            yield Task(
                order,
                group,
                job.request.book.title,
                chunk,
                key,
                reader.voice,
                reader.backend,
                partial(chapter.locate, chunk),
                again=key in job.redo,
                wanted=job.asks_for(chunk),
                book_id=job.number,
                language=job.request.book.language,
            )
            order += 1


async def _choose_fallback(job: BookJob) -> BookJob | None:
    """The book for the next fallback voice that can speak now; None without one, and for a cast,
    whose voices are chosen for one another."""
    if job.readers:
        return None
    for at, (voice, backend_of) in enumerate(job.cast.fallback):
        try:
            backend = backend_of(voice.backend)
            if not (await backend.health()).usable:
                continue
            plan = await asyncio.to_thread(apply_readings, job.plan, voice, job.request.readings)
            keys = await asyncio.to_thread(make_keys, plan, voice, backend)
        except (BackendError, UserError):  # its engine or its model is not there
            continue
        cast = ChosenVoice(voice, backend, "it takes over", job.cast.fallback[at + 1 :])
        return replace(job, plan=plan, cast=cast, keys=keys)
    return None


def _explain_missing(missing: int, left_out: int) -> str:
    """Why a chapter with missing chunks is not written; `left_out` of them were not asked for."""
    be = "is" if missing == 1 else "are"
    if left_out == missing:
        return f"{ONLY} {missing} of its chunks that {be} not spoken yet"
    return f"{missing} of its chunks {be} not spoken"


def chapter_done(
    chapter: ChapterJob, path: Path | None, duration_ms: int, *, kept: bool = False
) -> events.ChapterDone:
    """A chapter is written; `path` is None where it has no file of its own."""
    name = "" if path is None else str(path)
    return events.ChapterDone(*_name_fields(chapter), name, duration_ms, kept, chapter.job.number)


def chapter_lost(chapter: ChapterJob, reason: str, missing: int = 0) -> events.ChapterLost:
    """A chapter cannot be written."""
    return events.ChapterLost(*_name_fields(chapter), missing, reason, chapter.job.number)


def _voice_changed(chapter: ChapterJob, voice: str, missing: int) -> events.VoiceChanged:
    """A chapter is read by another voice from its beginning."""
    return events.VoiceChanged(*_name_fields(chapter), voice, missing, chapter.job.number)


def _name_fields(chapter: ChapterJob) -> tuple[str, int, str]:
    return chapter.job.request.book.title, chapter.number, chapter.chapter.title
