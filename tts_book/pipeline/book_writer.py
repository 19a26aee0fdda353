"""Chapters become files, each as soon as it is spoken, all with the gain of the whole book; in the
end whole-book files are made of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from tts_book import audio, events
from tts_book.audio.tags_id3 import Level
from tts_book.audio.tags_mp4_ogg import owner_of
from tts_book.errors import AudioError
from tts_book.events import Listener
from tts_book.model import ChapterMark, Pauses
from tts_book.output import atomic, audiobookshelf, stitcher, whole_book
from tts_book.output.captions import Captioner
from tts_book.output.loudness import Loudness
from tts_book.output.settings import OutputSettings
from tts_book.output.stitcher import StitchedChapter
from tts_book.output.whole_book import BoundChapter, Volume
from tts_book.pipeline import event_builders
from tts_book.pipeline.chapter_job import ChapterJob, ChapterSegments, make_tags
from tts_book.pipeline.manifest_writer import ManifestWriters
from tts_book.pipeline.planning import BookJob
from tts_book.pipeline.up_to_date import ChapterFile, EarlierFile, make_recipe
from tts_book.synthesis.chunk_cache import ChunkCache

_P = ParamSpec("_P")
_Result = TypeVar("_Result")


async def run_to_end(work: Callable[_P, _Result], *args: _P.args, **kwargs: _P.kwargs) -> _Result:
    """What `work` gives, carried out in a thread. A task that is cancelled waits for its end: the
    thread goes on all the same, and nothing may be taken away from under it."""
    at_work = asyncio.create_task(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(at_work)
    except asyncio.CancelledError:
        await asyncio.gather(at_work, return_exceptions=True)
        raise


class _Stopped(Exception):
    """Ends the threads that encode a file."""


class WholeBookWriter:
    """Has whole-book files made, told and taken down. `bound` are those that were written, by the
    book's first target."""

    def __init__(self, writer: BookWriter, tell: Listener, manifests: ManifestWriters) -> None:
        self._writer, self._tell, self._manifests = writer, tell, manifests
        self.bound: dict[Path, list[Path]] = {}

    async def bind(self, job: BookJob) -> bool:
        """Makes the files of a book and puts its facts beside them; whether nothing is missing."""
        volumes: list[Volume] = []
        missing, lost = self._writer.missing(job), False
        for kind, path in job.layout.whole:
            try:
                if missing:
                    raise AudioError(f"its chapters {', '.join(map(str, missing))} are not there")
                volumes = await self._whole(job, kind, path)
            except AudioError as error:
                self._tell(events.BookLost(job.request.book.title, str(path), str(error)))
                lost = True
            else:
                self._note(job, volumes)
        if not missing:
            await run_to_end(self._writer.shelve, job, volumes)
        return not (missing or lost)

    def _note(self, job: BookJob, volumes: list[Volume]) -> None:
        numbers = iter(self._writer.numbers(job))
        for made in volumes:
            self._manifests.volume(job, made, [next(numbers) for _ in made.chapters])
            self.bound.setdefault(job.layout.targets[0], []).append(made.path)
            self._tell(event_builders.book_done(job, made))

    async def _whole(self, job: BookJob, kind: str, path: Path) -> list[Volume]:
        """One of a book's whole files, made in other threads; how it grows is told in ours."""
        loop, stopped = asyncio.get_running_loop(), threading.Event()
        growth: asyncio.Queue[events.BookProgressed | None] = asyncio.Queue()

        def grows(path: Path, done_ms: int, all_ms: int) -> None:
            if stopped.is_set():
                raise _Stopped
            event = events.BookProgressed(job.request.book.title, str(path), done_ms, all_ms)
            loop.call_soon_threadsafe(growth.put_nowait, event)

        work = asyncio.create_task(asyncio.to_thread(self._writer.bind, job, kind, path, grows))
        work.add_done_callback(lambda _: growth.put_nowait(None))
        try:
            while event := await growth.get():
                self._tell(event)
            return await work
        finally:
            stopped.set()
            await asyncio.gather(work, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _WrittenChapter:
    """A chapter and its file; `aside`: it exists only as long as the run lasts."""

    chapter: ChapterJob
    made: ChapterFile
    aside: bool = False


class BookWriter:
    """Writes the files of a run. Its methods do work on disk: call them in a thread, one at a
    time. A context: unfinished files are gone when it ends."""

    def __init__(self, cache: ChunkCache, pauses: Pauses, finish: OutputSettings) -> None:
        self._cache, self._pauses, self._finish = cache, pauses, finish
        self._loudness = Loudness(finish.loudness_lufs)
        self._written: dict[Path, _WrittenChapter] = {}
        self._folders: dict[Path, Path] = {}
        self._captioner = Captioner(finish.captions)
        self._open = ExitStack()

    def __enter__(self) -> BookWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def write(self, chapter: ChapterJob, *, aside: bool = False) -> StitchedChapter:
        """Writes a chapter whose chunks are all there; `aside`: for the whole book only. Raises
        AudioError and UserError."""
        target, segments = chapter.target, ChapterSegments(chapter, self._cache)
        voice, number = _voice(chapter), chapter.chapter.number
        kept = chapter.job.layout.keeps_chapters and not aside
        stitched = stitcher.stitch_chapter(
            segments,
            target if kept else self._unfinished(chapter.job) / target.name,
            pauses=self._pauses,
            tags=make_tags(chapter.job, chapter.chapter),
            language=chapter.job.request.book.language,
            gain_steps=lambda level: self._loudness.steps(voice, number, level),
        )
        self._caption(chapter, target, stitched)
        made = ChapterFile(
            stitched.path,
            stitched.frames,
            stitched.duration_ms,
            stitched.gain_steps,
            stitched.meter,
            make_recipe(chapter, (taken.take for taken in segments.taken), self._pauses),
            tuple(segments.taken),
        )
        self._written[target] = _WrittenChapter(chapter, made, not kept)
        return stitched

    def stand(self, chapter: ChapterJob, made: ChapterFile) -> None:
        """Leaves a chapter's file as it is, unless the book's gain changes."""
        self._loudness.steps(_voice(chapter), chapter.chapter.number, made.meter)
        self._written[chapter.target] = _WrittenChapter(chapter, made)

    def relabel(self, chapter: ChapterJob, stands: EarlierFile) -> None:
        """Writes a chapter's file with the sound of another, which stays. Raises as `write`."""
        if not stands.is_unchanged():  # its name was given to another chapter meanwhile
            self.write(chapter)
            return
        old, target = stands.made, chapter.target
        tags = make_tags(chapter.job, chapter.chapter)
        stitcher.relabel_chapter(
            old.path, old.frames, target, tags=tags, meter=old.meter, gain_steps=old.steps
        )
        self.stand(chapter, replace(old, path=target))

    def made(self, job: BookJob) -> Iterator[tuple[ChapterFile, tuple[Path, ...]]]:
        """The files of a book's chapters as they are now, each with its captions."""
        for target in job.layout.targets:
            written = self._written.get(target)
            if written and not written.aside:
                yield written.made, (target, *self.captions(target))

    def _caption(self, chapter: ChapterJob, target: Path, stitched: StitchedChapter) -> None:
        job = chapter.job
        self._captioner.chapter(
            ChapterSegments(chapter, self._cache),
            stitched.timeline,
            job.request.book.language,
            chapter.chapter.title,
            target if stitched.path == target else None,
            self._kept(job, target) if job.layout.whole else None,
        )

    def _kept(self, job: BookJob, target: Path) -> Path:
        """Where a chapter's captions wait for the whole book."""
        return self._unfinished(job) / f"{target.name}.captions"

    def captions(self, path: Path) -> tuple[Path, ...]:
        """The captions written beside a file."""
        return self._captioner.beside(path)

    @property
    def guessed(self) -> bool:
        """Whether times of captions are guessed, because an engine gave no marks."""
        return self._captioner.guessed

    def _unfinished(self, job: BookJob) -> Path:
        """A folder for files that exist only as long as the run lasts."""
        beside = job.layout.whole[0][1].parent
        first = job.layout.targets[0]
        if first not in self._folders:
            self._folders[first] = self._open.enter_context(atomic.make_part_folder(beside))
        return self._folders[first]

    def unsettled(self) -> dict[Path, ChapterJob]:
        """The chapters whose files have not the gain that fits all chapters of their voice."""
        return {
            target: written.chapter
            for target, written in self._written.items()
            if written.made.steps != self._loudness.settled(_voice(written.chapter))
        }

    def settle(self, target: Path) -> None:
        """Writes a chapter again, with the gain of them all. Raises as `write` does."""
        written = self._written.pop(target)
        self.write(written.chapter, aside=written.aside)

    def rest(self, chapter: ChapterJob, stands: EarlierFile | None) -> None:
        """Takes a chapter into account that is not asked for now, if it was spoken before: its
        level is part of the book's, and a whole-book file holds it, too. Raises as `write`."""
        keys = chapter.keys
        if not keys or not all(map(self._cache.has, keys)):
            return
        if stands and stands.as_it_should:
            self.stand(chapter, stands.made)
        elif chapter.job.layout.whole:
            self.write(chapter, aside=True)
        else:
            sounds = (segment.entry.sound for segment in ChapterSegments(chapter, self._cache))
            level = audio.Meter(sounds)
            self._loudness.steps(_voice(chapter), chapter.chapter.number, level)

    def missing(self, job: BookJob) -> list[int]:
        """The numbers of the chapters that a whole-book file still lacks."""
        targets = job.layout.targets
        return [n for n in self.numbers(job) if targets[n - 1] not in self._written]

    def numbers(self, job: BookJob) -> list[int]:
        """The chapters that a whole-book file holds: all, or those of the excerpt."""
        if job.excerpt:
            return sorted(job.only.touched)
        return [chapter.number for chapter in job.request.book.chapters]

    def bind(
        self,
        job: BookJob,
        kind: str,
        target: Path,
        progress: Callable[[Path, int, int], None] = lambda path, done_ms, all_ms: None,
    ) -> list[Volume]:
        """Writes the whole book in one format, in several files where one would be too long.
        `progress` as for `books.write`, by file. Raises AudioError and UserError."""
        targets = [job.layout.targets[number - 1] for number in self.numbers(job)]
        written = [self._written[path] for path in targets]
        chapters = [self._bound(each) for each in written]
        about = replace(
            make_tags(written[0].chapter.job, job.request.book.chapters[0]),
            title=job.request.book.title + (" (excerpt)" if job.excerpt else ""),
            track=0,
            tracks=0,
        )
        groups = whole_book.split_volumes(kind, chapters, target)
        made = []
        for number, (path, group) in enumerate(groups, 1):
            if len(groups) > 1:
                if path.exists() and owner_of(path) != job.layout.owner:
                    raise AudioError(f"{path} exists and is not of this book: move it away")
                title = f"{about.title}, {number}/{len(groups)}"
                about = replace(about, title=title, track=number, tracks=len(groups))
            level = self._level(written)
            cores, grows = self._finish.cores, partial(progress, path)
            made.append(
                whole_book.write_volume(
                    kind, group, path, about, level=level, cores=cores, progress=grows
                )
            )
            kept = [self._kept(job, path) for path in targets]
            first = chapters.index(group[0])
            self._captioner.whole(made[-1], kept[first : first + len(group)], about.title)
        return made

    def shelve(self, job: BookJob, volumes: list[Volume]) -> None:
        """Puts what is known of the book beside its files. Raises UserError."""
        if not self._finish.shelved or job.excerpt:
            return
        written = [self._written[target] for target in job.layout.targets]
        marks = [mark for volume in volumes for mark in volume.chapters]
        if not marks:
            ends = list(accumulate((each.made.duration_ms for each in written), initial=0))
            titles = [each.chapter.chapter.title for each in written]
            spans = zip(titles, pairwise(ends), strict=True)
            marks = [ChapterMark(title, start, stop) for title, (start, stop) in spans]
        narrators = list(dict.fromkeys(each.chapter.job.cast.voice.name for each in written))
        audiobookshelf.write_facts(
            job.request.book, job.layout.folder, job.layout.owner, narrators, marks
        )

    def _bound(self, written: _WrittenChapter) -> BoundChapter:
        return BoundChapter(
            written.chapter.chapter.title,
            written.made.path,
            written.made.frames,
            written.made.duration_ms,
            self._rest_db(written),
        )

    def _rest_db(self, written: _WrittenChapter) -> float:
        """What is missing to the target after whole steps, as far as nothing clips."""
        level = self._loudness.level(_voice(written.chapter))
        target_lufs, loudness_lufs = self._finish.loudness_lufs, level.loudness_lufs
        if target_lufs is None or loudness_lufs is None or level.peak_dbfs is None:
            return 0.0
        done_db = written.made.steps * audio.GAIN_STEP_DB
        return min(target_lufs - loudness_lufs, -level.peak_dbfs) - done_db

    def _level(self, written: list[_WrittenChapter]) -> Level | None:
        """How loud a file of these chapters is."""
        first = written[0]
        meter = self._loudness.level(_voice(first.chapter))
        if meter.loudness_lufs is None or meter.peak_dbfs is None:
            return None
        gain_db = first.made.steps * audio.GAIN_STEP_DB
        return Level(meter.loudness_lufs + gain_db, meter.peak_dbfs + gain_db)


def _voice(chapter: ChapterJob) -> tuple[Path, str]:
    """A voice in a book of this run."""
    return chapter.job.layout.targets[0], chapter.job.cast.voice.name
