"""The whole way of one run: what is jobs is spoken and stitched; everything is reported.

`convert` speaks what is missing and writes each chapter as soon as its last chunk is there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from tts_book import events
from tts_book.audio.tags_mp4_ogg import owner_of
from tts_book.errors import AudioError, TtsBookError
from tts_book.events import Listener
from tts_book.model import Pauses
from tts_book.output.paths import find_stale_files
from tts_book.output.settings import OutputSettings
from tts_book.pipeline import event_builders, ownership
from tts_book.pipeline.book_writer import BookWriter, WholeBookWriter, run_to_end
from tts_book.pipeline.chapter_job import ChapterJob, list_chapter_jobs
from tts_book.pipeline.manifest_writer import ManifestWriters, open_manifests
from tts_book.pipeline.planning import (
    BookJob,
)
from tts_book.pipeline.selection import EVERYTHING
from tts_book.pipeline.speak_chapters import ChapterSpeaker
from tts_book.pipeline.up_to_date import EarlierFile, describe_file, find_earlier_files, order_moves
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Tools


@dataclass(slots=True)
class RunTotals:
    """A listener that counts chunks, requests, characters and sound."""

    spoken: int = 0
    cached: int = 0
    failed: int = 0
    requests: int = 0
    characters: int = 0
    sounds_ms: Counter[tuple[str, int]] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    doubts: list[events.ChunkDone] = field(default_factory=list)
    lost: list[events.ChapterLost] = field(default_factory=list)
    books_lost: list[events.BookLost] = field(default_factory=list)

    def __call__(self, event: events.Event) -> None:
        match event:
            case events.ChunkStarted():
                self.requests += 1
            case events.ChunkRetried():
                self.retries[event.failure] += 1
            case events.ChunkDone():
                self._done(event)
            case events.ChunkFailed():
                self.failed += 1
            case events.VoiceChanged():
                self.failed -= event.missing
                del self.sounds_ms[event.book, event.chapter]  # its chunks are told anew
            case events.ChapterLost():
                self.lost.append(event)
            case events.BookLost():
                self.books_lost.append(event)
            case _:
                pass

    def _done(self, event: events.ChunkDone) -> None:
        self.sounds_ms[event.book, event.chapter] += event.duration_ms
        if event.doubts:
            self.doubts.append(event)
        if event.cached:
            self.cached += 1
        else:
            self.spoken += 1
            self.characters += event.characters

    def total(
        self, chapters_done: int, chapters_kept: int, wall_s: float, reason: str
    ) -> events.JobDone:
        """All of it, as the last event of the run."""
        return events.JobDone(
            chapters_done=chapters_done,
            chapters_lost=len(self.lost),
            chunks_spoken=self.spoken,
            chunks_cached=self.cached,
            chunks_failed=self.failed,
            requests=self.requests,
            retries=dict(self.retries),
            characters_spoken=self.characters,
            sound_ms=self.sounds_ms.total(),
            wall_s=wall_s,
            reason=reason,
            chapters_kept=chapters_kept,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left: written files, chapters lost, doubts, files no chapter owns any more, and
    captions that are older than their sound."""

    written: tuple[Path, ...]
    lost: tuple[events.ChapterLost, ...]
    left_over: tuple[Path, ...]
    doubts: tuple[events.ChunkDone, ...]
    done: events.JobDone
    books_lost: tuple[events.BookLost, ...] = ()
    guessed_captions: bool = False
    outdated: tuple[Path, ...] = ()


async def convert_jobs(
    jobs: Sequence[BookJob],
    pauses: Pauses,
    cache: ChunkCache,
    listener: Listener,
    tools: Tools | None = None,
    finish: OutputSettings | None = None,
) -> Result:
    """Speaks what is missing, writes every chapter whose chunks are all there, and leaves a record
    of each book beside its files.

    `listener` is told everything as it happens. Raises UserError if the disk takes no more.
    """
    finish = finish or OutputSettings()
    with (
        open_manifests(jobs, pauses) as manifests,
        BookWriter(cache, pauses, finish) as writer,
    ):
        stands: dict[Path, EarlierFile] = {}
        for job in jobs:
            stands |= await asyncio.to_thread(find_earlier_files, job, pauses, finish, cache)
        run = _ConversionRun(
            jobs, writer, cache, listener, tools or make_tools(), manifests, stands
        )
        return await run.to_end()


def make_tools(workers: int = 0, *, wait: bool = False) -> Tools:
    """The real clock, sleep and chance; see `Tools`."""
    return Tools(time.monotonic, asyncio.sleep, random.random, workers, wait)


class _ConversionRun:
    """One run over several books, which are spoken together."""

    def __init__(
        self,
        jobs: Sequence[BookJob],
        writer: BookWriter,
        cache: ChunkCache,
        listener: Listener,
        tools: Tools,
        manifests: ManifestWriters,
        earlier: Mapping[Path, EarlierFile],
    ) -> None:
        self._jobs, self._writer, self._cache = jobs, writer, cache
        self._totals = RunTotals()
        self._listener, self._clock = listener, tools.clock
        self._manifests, self._earlier = manifests, earlier
        self._written: dict[Path, None] = {}
        self._rejoined: set[Path] = set()
        self._anew: set[Path] = set()
        self._binding = WholeBookWriter(writer, self._tell, manifests)
        self._speaking = ChapterSpeaker(cache, self._tell, tools, self._write)

    def _tell(self, event: events.Event) -> None:
        self._totals(event)
        self._manifests.listen(event)
        self._listener(event)

    async def to_end(self) -> Result:
        began_s = self._clock()
        chapters = [chapter for job in self._jobs for chapter in list_chapter_jobs(job)]
        started = event_builders.job_started(len(self._jobs), chapters, self._earlier, self._cache)
        self._tell(started)
        try:
            if started.cached < started.chunks:
                self._cache.try_out()
            self._lose_empty(chapters)
            await self._speaking.speak(await self._not_standing(chapters))
            for job in self._jobs:
                if job.only and not job.excerpt:
                    await self._rest(job)
            await self._settle()
            await run_to_end(self._clear_up)
            self._note_files()
            for job in self._jobs:
                if await self._binding.bind(job):
                    self._manifests.whole(job, tuple(self._files(job)))
        except ExceptionGroup as group:
            raise _the_users(group) from None
        finally:
            done = self._done(began_s)
            self._tell(done)
        owner = cache(owner_of)  # books may share a folder, with all their files
        return Result(
            tuple(path for job in self._jobs for path in self._files(job)),
            tuple(self._totals.lost),
            tuple(
                path
                for job in self._jobs
                if not job.excerpt
                for path in find_stale_files(job.layout, owner)
            ),
            tuple(self._totals.doubts),
            done,
            tuple(self._totals.books_lost),
            guessed_captions=self._writer.guessed,
            outdated=tuple(path for job in self._jobs for path in self._outdated(job)),
        )

    def _outdated(self, job: BookJob) -> tuple[Path, ...]:
        anew = {path for path in job.layout.targets if path in self._anew}
        if anew:
            anew.update(path for _, path in job.layout.whole)
        return ownership.find_outdated_captions(job, anew, set(self._files(job)))

    async def _not_standing(self, chapters: Sequence[ChapterJob]) -> list[ChapterJob]:
        """Tells of the chapters that need not be joined, and gives those their name and tags that
        have others; the rest is still to be written."""
        rest, others = [], []
        for chapter in chapters:
            stands = self._earlier.get(chapter.target)
            if stands is None:
                rest.append(chapter)
            elif stands.as_it_should:
                self._writer.stand(chapter, stands.made)
                self._tell_standing(chapter, stands)
            else:
                others.append((chapter, stands))
        for chapter, stands in order_moves(others):
            try:
                await run_to_end(self._writer.relabel, chapter, stands)
            except AudioError:  # it is damaged, or gone: made anew
                rest.append(chapter)
            else:
                self._tell_standing(chapter, stands)
        return rest

    def _tell_standing(self, chapter: ChapterJob, stands: EarlierFile) -> None:
        for event in event_builders.chunks_done(chapter, stands):
            self._tell(event)
        self._manifests.kept(chapter, stands.made.path)
        self._stands(chapter, chapter.target, stands.made.duration_ms, kept=stands.as_it_should)

    async def _rest(self, job: BookJob) -> None:
        """Takes those chapters into account that are not asked for now."""
        for chapter in list_chapter_jobs(replace(job, only=EVERYTHING)):
            stands = self._earlier.get(chapter.target)
            if chapter.target in self._written:
                continue
            if stands and stands.as_it_should:
                self._manifests.kept(chapter, stands.made.path)
            with suppress(AudioError):  # what is damaged counts as not spoken
                await run_to_end(self._writer.rest, chapter, stands)

    def _clear_up(self) -> None:
        """Takes away the files whose chapters have other names now, if nobody changed them."""
        targets = {path for job in self._jobs for path in job.layout.files}
        for job in self._jobs:
            for target in job.layout.targets:
                stands = self._earlier.get(target)
                if stands and target in self._written and stands.made.path not in targets:
                    stands.remove(job.layout.owner)

    async def _settle(self) -> None:
        """Brings all chapters of a book to one gain."""
        unsettled = self._writer.unsettled()
        if unsettled:
            self._tell(events.GainSettled(len(unsettled)))
            self._rejoined.update(unsettled)
        for target, chapter in unsettled.items():
            try:
                await run_to_end(self._writer.settle, target)
            except AudioError as error:
                self._written.pop(target, None)
                self._lose(chapter, str(error))

    def _note_files(self) -> None:
        for job in self._jobs:
            for made, files in self._writer.made(job):
                self._manifests.made(job, describe_file(made, files))

    def _stands(
        self, chapter: ChapterJob, path: Path, duration_ms: int, *, kept: bool = False
    ) -> None:
        self._written[path] = None
        self._tell(event_builders.chapter_done(chapter, path, duration_ms, kept=kept))

    def _files(self, job: BookJob) -> Iterator[Path]:
        """What is written of a book, its chapters before its whole."""
        chapters = [path for path in job.layout.targets if path in self._written]
        for path in (*chapters, *self._binding.bound.get(job.layout.targets[0], ())):
            yield path
            yield from self._writer.captions(path)

    def _done(self, began_s: float) -> events.JobDone:
        kept = sum(
            stands.as_it_should and target in self._written and target not in self._rejoined
            for target, stands in self._earlier.items()
        )
        wall_s = self._clock() - began_s
        return self._totals.total(
            len(self._written), kept, wall_s, "; ".join(self._speaking.reasons)
        )

    def _lose_empty(self, chapters: Sequence[ChapterJob]) -> None:
        for chapter in chapters:
            if not chapter.chunks:
                self._lose(chapter, "there is nothing in it to say")

    async def _write(self, chapter: ChapterJob) -> None:
        try:
            stitched = await asyncio.to_thread(self._writer.write, chapter)
        except AudioError as error:
            self._lose(chapter, str(error))
            return
        self._anew.add(chapter.target)
        self._manifests.chapter(chapter, stitched)
        self._stands(chapter, stitched.path, stitched.duration_ms)

    def _lose(self, chapter: ChapterJob, reason: str) -> None:
        self._tell(event_builders.chapter_lost(chapter, reason))


def _the_users(group: ExceptionGroup[Exception]) -> Exception:
    """What stopped several tasks at once, as one: our own error, or the system's, if it is
    nothing else."""
    ours, other = group.split((TtsBookError, OSError))
    if other is not None or ours is None:
        return group
    first = ours.exceptions[0]
    return _the_users(first) if isinstance(first, ExceptionGroup) else first
