"""One run: the chapters of its jobs are spoken and stitched, and everything is reported.

`convert` speaks what is missing and writes each chapter as soon as its last chunk is there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from tts_book import events
from tts_book.audio.file_tags import is_whole_book, owner_of
from tts_book.audio.loudness import OffTarget
from tts_book.errors import AudioError, TtsBookError
from tts_book.events import Listener
from tts_book.model import DoubtKind, Pauses
from tts_book.output.paths import find_stale_files
from tts_book.output.settings import OutputSettings
from tts_book.output.stitcher import ChapterSound
from tts_book.pipeline.book_writer import BookWriter, WholeBookWriter, run_to_end
from tts_book.pipeline.chapter_speaker import ChapterSpeaker, chapter_done, chapter_lost
from tts_book.pipeline.earlier_files import (
    EarlierFile,
    describe_file,
    find_earlier_files,
    find_outdated_captions,
    order_moves,
)
from tts_book.pipeline.jobs import BookJob, ChapterJob
from tts_book.pipeline.manifest_writer import ManifestWriters, open_manifests
from tts_book.pipeline.sharing import Help
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Tools, locate_doubts
from tts_book.text.speech_rate import estimate_ms


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left: written files, chapters lost, chunks in doubt, files no chapter owns any
    more, captions that are older than their sound, and what was learned of the voices and
    which are not as loud as asked for."""

    written: tuple[Path, ...]
    lost: tuple[events.ChapterLost, ...]
    left_over: tuple[Path, ...]
    doubts: tuple[events.ChunkDone, ...]
    done: events.JobDone
    books_lost: tuple[events.BookLost, ...] = ()
    guessed_captions: bool = False
    outdated: tuple[Path, ...] = ()
    notes: tuple[events.VoiceNoted, ...] = ()
    off_target: tuple[OffTarget, ...] = ()

    def is_complete(self, *, strict: bool = False) -> bool:
        """Whether nothing is missing and no sound may be; `strict`: and there is no doubt."""
        kinds = {doubt.kind for event in self.doubts for doubt in event.doubts}
        in_doubt = kinds - {DoubtKind.TIMES} if strict else kinds & {DoubtKind.SOUND}
        return not (self.lost or self.books_lost or in_doubt)


async def convert_jobs(
    jobs: Sequence[BookJob],
    pauses: Pauses,
    cache: ChunkCache,
    listener: Listener,
    tools: Tools | None = None,
    output: OutputSettings | None = None,
    before: Help | None = None,
) -> Result:
    """Speaks what is missing, writes every chapter whose chunks are all there, and leaves a
    manifest of each book beside its files.

    `listener` gets every event as it happens, but for those that it got `before`. Raises UserError
    if the disk takes no more.
    """
    output = output or OutputSettings()
    with (
        open_manifests(jobs, pauses) as manifests,
        BookWriter(cache, pauses, output) as writer,
    ):
        earlier: dict[Path, EarlierFile] = {}
        for job in jobs:
            earlier |= await asyncio.to_thread(find_earlier_files, job, pauses, output, cache)
        run = _ConversionRun(
            jobs, writer, cache, pauses, listener, tools or make_tools(), manifests, earlier, before
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
        pauses: Pauses,
        listener: Listener,
        tools: Tools,
        manifests: ManifestWriters,
        earlier: Mapping[Path, EarlierFile],
        before: Help | None = None,
    ) -> None:
        self._jobs, self._writer, self._cache = jobs, writer, cache
        self._before = before
        self._totals = before.totals if before else events.RunTotals()
        self._listener, self._clock = listener, tools.clock
        self._manifests, self._earlier = manifests, earlier
        # By target, all that is there now; of these, what this run joined, or joined again.
        self._there: set[Path] = set()
        self._joined: set[Path] = set()
        self._rejoined: set[Path] = set()
        self._whole_books = WholeBookWriter(writer, self._report, manifests)
        self._speaker = ChapterSpeaker(cache, pauses, self._report, tools, self._write)

    def _report(self, event: events.Event) -> None:
        self._manifests.add_event(event)
        if self._before is None or not self._before.has_told(event):
            self._totals(event)
            self._listener(event)

    async def to_end(self) -> Result:
        began_s = self._before.began_s if self._before else self._clock()
        asked = [chapter for job in self._jobs for chapter in job.asked_chapters]
        started = describe_start(self._jobs, self._earlier, self._cache)
        self._report(started)
        try:
            if started.cached < started.chunks:
                self._cache.try_out()
            for chapter in asked:
                if not chapter.chunks:
                    reason = chapter.chapter.unread or "there is nothing in it to say"
                    self._report(chapter_lost(chapter, reason))
            await self._speaker.speak(await self._keep_earlier(asked))
            await self._account_for_rest()
            await self._settle()
            await run_to_end(self._remove_renamed)
            for job in self._jobs:
                for made, files in self._writer.list_files(job):
                    self._manifests.of(job).add_file(describe_file(made, files))
                if await self._whole_books.bind(job) and self._totals.is_complete(job.number):
                    self._manifests.of(job).finish_book(tuple(self._files(job)))
        except ExceptionGroup as group:
            raise _the_users(group) from None
        finally:
            done = self._done(began_s)
            self._report(done)
        return self._result(done)

    def _result(self, done: events.JobDone) -> Result:
        owner = cache(owner_of)  # books may share a folder, with all their files
        whole = [job for job in self._jobs if not job.excerpt]
        return Result(
            tuple(path for job in self._jobs for path in self._files(job)),
            tuple(self._totals.lost),
            tuple(
                path for job in whole for path in find_stale_files(job.layout, owner, is_whole_book)
            ),
            tuple(self._totals.doubts),
            done,
            tuple(self._totals.books_lost),
            guessed_captions=self._writer.guessed,
            notes=tuple(self._totals.notes),
            outdated=tuple(path for job in self._jobs for path in self._outdated(job)),
            off_target=self._writer.off_target,
        )

    def _outdated(self, job: BookJob) -> tuple[Path, ...]:
        joined = {path for path in job.layout.targets if path in self._joined}
        if joined:
            joined.update(path for _, path in job.layout.whole)
        return find_outdated_captions(job, joined, set(self._files(job)))

    async def _keep_earlier(self, asked: Sequence[ChapterJob]) -> list[ChapterJob]:
        """Keeps the chapters that need not be joined, and gives those their name and tags that
        have others; the rest is still to be written."""
        rest, moves = [], []
        for chapter in asked:
            earlier = self._earlier.get(chapter.target)
            if earlier is None:
                rest.append(chapter)
            elif earlier.is_current:
                self._writer.keep(chapter, earlier.made)
                self._report_kept(chapter, earlier)
            else:
                moves.append((chapter, earlier))
        for chapter, earlier in order_moves(moves):
            try:
                await run_to_end(self._writer.relabel, chapter, earlier)
            except AudioError:  # it is damaged, or gone: joined again
                rest.append(chapter)
            else:
                self._report_kept(chapter, earlier)
        return rest

    def _report_kept(self, chapter: ChapterJob, earlier: EarlierFile) -> None:
        for event in _chunks_done(chapter, earlier):
            self._report(event)
        self._manifests.of(chapter.job).keep_chapter(chapter, earlier.made.path)
        self._there.add(chapter.target)
        length_ms, kept = earlier.made.duration_ms, earlier.is_current
        self._report(chapter_done(chapter, chapter.target, length_ms, kept=kept))

    async def _account_for_rest(self) -> None:
        """Takes those chapters into account that are not asked for now."""
        rest = (chapter for job in self._jobs for chapter in job.chapters if not chapter.asked)
        for chapter in rest:
            earlier = self._earlier.get(chapter.target)
            if earlier and earlier.is_current:
                self._manifests.of(chapter.job).keep_chapter(chapter, earlier.made.path)
            with suppress(AudioError):  # what is damaged counts as not spoken
                await run_to_end(self._writer.account, chapter, earlier)

    def _remove_renamed(self) -> None:
        """Removes the files whose chapters have other names now, if nobody changed them."""
        targets = {path for job in self._jobs for path in job.layout.files}
        for job in self._jobs:
            for target in job.layout.targets:
                earlier = self._earlier.get(target)
                if earlier and target in self._there and earlier.made.path not in targets:
                    earlier.remove(job.layout.owner)

    async def _settle(self) -> None:
        """Brings all chapters of a book to one gain."""
        unsettled = self._writer.unsettled()
        if unsettled:
            self._report(events.GainSettled(len(unsettled)))
            self._rejoined.update(unsettled)
        for target, chapter in unsettled.items():
            try:
                await run_to_end(self._writer.settle, target)
            except AudioError as error:
                self._there.discard(target)
                self._report(chapter_lost(chapter, str(error)))

    def _files(self, job: BookJob) -> Iterator[Path]:
        """What is written of a book, its chapters before its whole."""
        chapters = job.layout.targets if job.layout.keeps_chapters else ()
        whole = self._whole_books.bound.get(job.number, ())
        for path in (*(path for path in chapters if path in self._there), *whole):
            yield path
            yield from self._writer.captions(path)

    def _done(self, began_s: float) -> events.JobDone:
        kept = sum(
            earlier.is_current and target in self._there and target not in self._rejoined
            for target, earlier in self._earlier.items()
        )
        wall_s = self._clock() - began_s
        return self._totals.make_last_event(
            len(self._there), kept, wall_s, "; ".join(self._speaker.reasons)
        )

    async def _write(self, chapter: ChapterJob, sound: ChapterSound) -> None:
        try:
            stitched = await asyncio.to_thread(self._writer.write, chapter, sound)
        except AudioError as error:
            self._report(chapter_lost(chapter, str(error)))
            return
        self._joined.add(chapter.target)
        self._there.add(chapter.target)
        self._manifests.of(chapter.job).add_chapter(chapter, stitched)
        path = stitched.path if chapter.job.layout.keeps_chapters else None
        self._report(chapter_done(chapter, path, stitched.duration_ms))


def _the_users(group: ExceptionGroup[Exception]) -> Exception:
    """What stopped several tasks at once, as one: our own error, or the system's, if it is
    nothing else."""
    ours, other = group.split((TtsBookError, OSError))
    if other is not None or ours is None:
        return group
    first = ours.exceptions[0]
    return _the_users(first) if isinstance(first, ExceptionGroup) else first


def describe_start(
    jobs: Sequence[BookJob], earlier: Mapping[Path, EarlierFile], cache: ChunkCache
) -> events.JobStarted:
    """What is asked for, and what of it is there already."""
    chapters = [chapter for job in jobs for chapter in job.asked_chapters]
    sums: Counter[str] = Counter()
    for chapter in chapters:
        job = chapter.job
        language = job.request.book.language
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            characters = len(chunk.spoken)
            is_new = key in job.redo or not cache.has(key)
            sums["chunks"] += 1
            sums["cached"] += not is_new
            sums["characters"] += characters
            sums["new_characters"] += characters if is_new else 0
            rate_pct = job.reader_of(chunk).voice.rate_pct
            sums["estimated_ms"] += estimate_ms(chunk.spoken, language, rate_pct)
    found = [earlier[chapter.target] for chapter in chapters if chapter.target in earlier]
    return events.JobStarted(
        books=len(jobs),
        chapters=len(chapters),
        chunks=sums["chunks"],
        cached=sums["cached"],
        characters=sums["characters"],
        estimated_ms=sums["estimated_ms"],
        joined=sum(bool(each.chunks) and each.target not in earlier for each in chapters),
        new_characters=sums["new_characters"],
        relabelled=sum(not each.is_current for each in found),
    )


def _chunks_done(chapter: ChapterJob, earlier: EarlierFile) -> Iterator[events.ChunkDone]:
    """The chunks of a chapter whose file is up to date."""
    for chunk, used in zip(chapter.chunks, earlier.made.used, strict=True):
        yield events.ChunkDone(
            chapter.job.request.book.title,
            chunk.chapter,
            chunk.number,
            len(chunk.spoken),
            used.duration_ms,
            True,
            used.attempts,
            chapter.locate(chunk),
            locate_doubts(used.doubts, chunk, partial(chapter.locate, chunk)),
            chapter.job.number,
        )
