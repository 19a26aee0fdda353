"""Chapters become files, each as soon as it is spoken, all with the gain of the whole book; at the
end whole-book files are made of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

from tts_book import audio, events
from tts_book.audio.file_tags import Level, owner_of
from tts_book.audio.loudness import Loudness, OffTarget
from tts_book.errors import AudioError
from tts_book.events import Listener
from tts_book.model import ChapterMark, Entry, Pauses, Segment
from tts_book.output import audiobookshelf, stitcher, whole_book
from tts_book.output.captions import Captioner
from tts_book.output.settings import OutputSettings
from tts_book.output.stitcher import ChapterSound, StitchedChapter
from tts_book.output.whole_book import BoundChapter, EncodedChapters, Volume
from tts_book.pipeline.earlier_files import ChapterFile, EarlierFile, make_recipe
from tts_book.pipeline.jobs import BookJob, ChapterJob
from tts_book.pipeline.manifest_writer import ManifestWriters
from tts_book.synthesis import atomic
from tts_book.synthesis.cache_prune import ENCODED
from tts_book.synthesis.chunk_cache import ChunkCache

# Digits of a gain in dB that count for the sound of a whole-book file.
GAIN_DIGITS = 1
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


@dataclass(frozen=True, slots=True)
class _WrittenChapter:
    """A chapter and its file; `aside`: it exists only as long as the run lasts. `sound` is what the
    file was joined of, None where it is that of an earlier run."""

    chapter: ChapterJob
    made: ChapterFile
    aside: bool = False
    sound: ChapterSound | None = None


class BookWriter:
    """Writes the files of a run. Its methods do work on disk: call them in a thread, one at a
    time. A context: unfinished files are gone when it ends."""

    def __init__(self, cache: ChunkCache, pauses: Pauses, output: OutputSettings) -> None:
        self._cache, self._pauses, self._output = cache, pauses, output
        self._loudness = Loudness(output.loudness_lufs)
        self._written: dict[Path, _WrittenChapter] = {}
        self._folders: dict[int, Path] = {}
        self._captioner = Captioner(output.captions)
        self._encoded = EncodedChapters(cache.folder / ENCODED)
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
        self._encoded.trim()

    def write(
        self, chapter: ChapterJob, sound: ChapterSound, *, aside: bool = False
    ) -> StitchedChapter:
        """Writes a chapter whose chunks are all there; `aside`: for the whole book only. Raises
        AudioError and UserError."""
        target = chapter.target
        kept = chapter.job.layout.keeps_chapters and not aside
        captions = self._captioner.begin(sound.timeline, chapter.job.splitter)

        def watch(number: int, entry: Entry) -> None:
            if captions is not None:
                captions.add(Segment(chapter.chunks[number], entry, cached=True))

        stitched = sound.write(
            target if kept else self._unfinished(chapter.job) / target.name,
            tags=chapter.tags,
            gain_steps=self._loudness.steps(chapter.voice, chapter.number, sound.meter),
            watch=watch,
        )
        if captions is not None:
            self._captioner.write_chapter(
                captions,
                chapter.chapter.title,
                target if kept else None,
                self._captions_aside(chapter.job, target) if chapter.job.layout.whole else None,
            )
        made = ChapterFile(
            stitched.path,
            stitched.frames,
            stitched.duration_ms,
            stitched.gain_steps,
            stitched.meter,
            make_recipe(chapter, (used.take for used in sound.used), self._pauses),
            tuple(sound.used),
        )
        self._written[target] = _WrittenChapter(chapter, made, not kept, sound)
        return stitched

    def keep(self, chapter: ChapterJob, made: ChapterFile) -> None:
        """Leaves a chapter's file as it is, unless the book's gain changes."""
        self._loudness.steps(chapter.voice, chapter.number, made.meter)
        self._written[chapter.target] = _WrittenChapter(chapter, made)

    def relabel(self, chapter: ChapterJob, earlier: EarlierFile) -> None:
        """Writes a chapter's file with the sound of another, which stays. Raises as `write`."""
        if not earlier.is_unchanged():  # its name was given to another chapter meanwhile
            self.write(chapter, self._gather(chapter))
            return
        old, target = earlier.made, chapter.target
        stitcher.relabel_chapter(
            old.path, old.frames, target, tags=chapter.tags, meter=old.meter, gain_steps=old.steps
        )
        self.keep(chapter, replace(old, path=target))

    def settle(self, target: Path) -> None:
        """Writes a chapter again, with the gain of them all. Raises as `write` does."""
        written = self._written.pop(target)
        sound = written.sound or self._gather(written.chapter)
        self.write(written.chapter, sound, aside=written.aside)

    def account(self, chapter: ChapterJob, earlier: EarlierFile | None) -> None:
        """Takes a chapter into account that is not asked for now, if it was spoken before: its
        level is part of the book's, and a whole-book file holds it, too. Raises as `write`."""
        keys = chapter.keys
        if not keys or not all(map(self._cache.has, keys)):
            return
        if earlier and earlier.is_current:
            self.keep(chapter, earlier.made)
            return
        sound = self._gather(chapter)
        if chapter.job.layout.whole:
            self.write(chapter, sound, aside=True)
        else:
            self._loudness.steps(chapter.voice, chapter.number, sound.meter)

    def _gather(self, chapter: ChapterJob) -> ChapterSound:
        """What a chapter is joined of, from the cache. Raises AudioError where it is not there."""
        sound = chapter.begin_sound(self._pauses)
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            entry = self._cache.get(key)
            if entry is None:
                self._cache.drop(key)  # or a file that is there would hide it from the next run
                raise AudioError(
                    f"what was spoken of chunk {chunk.number} has vanished, or is damaged"
                )
            sound.add(Segment(chunk, entry, cached=True))
        return sound

    def unsettled(self) -> dict[Path, ChapterJob]:
        """The chapters whose files have not the gain that fits all chapters of their voice."""
        return {
            target: written.chapter
            for target, written in self._written.items()
            if written.made.steps != self._loudness.settled(written.chapter.voice)
        }

    def list_files(self, job: BookJob) -> Iterator[tuple[ChapterFile, tuple[Path, ...]]]:
        """The files of a book's chapters as they are now, each with its captions."""
        for target in job.layout.targets:
            written = self._written.get(target)
            if written and not written.aside:
                yield written.made, (target, *self.captions(target))

    def captions(self, path: Path) -> tuple[Path, ...]:
        """The captions written beside a file."""
        return self._captioner.beside(path)

    @property
    def off_target(self) -> tuple[OffTarget, ...]:
        """The voices that are not as loud as asked for."""
        return tuple(self._loudness.find_off_target())

    @property
    def guessed(self) -> bool:
        """Whether times of captions are guessed, because an engine gave no marks."""
        return self._captioner.guessed

    def _captions_aside(self, job: BookJob, target: Path) -> Path:
        """Where a chapter's captions wait for the whole book."""
        return self._unfinished(job) / f"{target.name}.captions"

    def _unfinished(self, job: BookJob) -> Path:
        """A folder for files that exist only as long as the run lasts."""
        if job.number not in self._folders:
            beside = job.layout.whole[0][1].parent
            self._folders[job.number] = self._open.enter_context(atomic.make_part_folder(beside))
        return self._folders[job.number]

    # Whole books ----------------------------------------------------------------------------------

    def find_missing(self, job: BookJob) -> list[int]:
        """The numbers of the chapters that a whole-book file still lacks."""
        return [each.number for each in job.chapters if each.target not in self._written]

    def bind(
        self,
        job: BookJob,
        kind: str,
        target: Path,
        progress: Callable[[Path, int, int], None] = lambda path, done_ms, all_ms: None,
    ) -> list[Volume]:
        """Writes the whole book in one format, in several files where one would be too long.
        `progress` as for `write_volume`, by file. Raises AudioError and UserError."""
        written = [self._written[chapter.target] for chapter in job.chapters]
        chapters = [self._bound(each) for each in written]
        kept = [self._captions_aside(job, chapter.target) for chapter in job.chapters]
        title = job.request.book.title + (" (excerpt)" if job.excerpt else "")
        tags = replace(written[0].chapter.job.tags, title=title)
        groups = whole_book.split_volumes(kind, chapters, target, self._output.longest_ms)
        volumes: list[Volume] = []
        first = 0
        for number, (path, group) in enumerate(groups, 1):
            about = tags
            if len(groups) > 1:
                if path.exists() and owner_of(path) != job.layout.owner:
                    raise AudioError(f"{path} exists and is not of this book: move it away")
                name = f"{title}, {number}/{len(groups)}"
                about = replace(tags, title=name, track=number, tracks=len(groups))
            volume = whole_book.write_volume(
                kind,
                group,
                path,
                about,
                level=self._level(written),
                cores=self._output.cores,
                progress=partial(progress, path),
                encoded=self._encoded,
            )
            volumes.append(volume)
            self._captioner.whole(volume, kept[first : first + len(group)], about.title)
            first += len(group)
        return volumes

    def shelve(self, job: BookJob, volumes: Sequence[Volume]) -> None:
        """Puts what is known of the book beside its files. Raises UserError."""
        if not self._output.shelved or job.excerpt:
            return
        written = [self._written[chapter.target] for chapter in job.chapters]
        if volumes:
            files = [(volume.duration_ms, volume.chapters) for volume in volumes]
        else:
            titled = [(each.chapter.chapter.title, each.made.duration_ms) for each in written]
            files = [(length, (ChapterMark(title, 0, length),)) for title, length in titled]
        narrators = list(dict.fromkeys(each.chapter.job.cast.voice.name for each in written))
        audiobookshelf.write_facts(
            job.request.book, job.layout.folder, job.layout.owner, narrators, _in_a_row(files)
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
        """What is missing to the target after whole steps, unless more steps were not allowed."""
        level = self._loudness.level(written.chapter.voice)
        target_lufs, loudness_lufs = self._output.loudness_lufs, level.loudness_lufs
        if target_lufs is None or loudness_lufs is None or level.peak_dbfs is None:
            return 0.0
        done_db = written.made.steps * audio.GAIN_STEP_DB
        if written.made.steps == level.most_steps:
            return 0.0
        # A changed word moves the level of a long book by less than anybody hears: its other
        # chapters, as they are encoded, stay right.
        return round(target_lufs - loudness_lufs - done_db, GAIN_DIGITS)

    def _level(self, written: list[_WrittenChapter]) -> Level | None:
        """How loud a file of these chapters is."""
        first = written[0]
        meter = self._loudness.level(first.chapter.voice)
        if meter.loudness_lufs is None or meter.peak_dbfs is None:
            return None
        gain_db = first.made.steps * audio.GAIN_STEP_DB
        return Level(meter.loudness_lufs + gain_db, meter.peak_dbfs + gain_db)


def _in_a_row(files: Sequence[tuple[int, Sequence[ChapterMark]]]) -> list[ChapterMark]:
    """The marks of files that are played one after the other; each file has its length in ms."""
    begins = accumulate((length for length, _ in files), initial=0)
    return [
        ChapterMark(mark.title, begin + mark.start_ms, begin + mark.stop_ms)
        for begin, (_, marks) in zip(begins, files, strict=False)
        for mark in marks
    ]


class WholeBookWriter:
    """Has whole-book files made, reported and noted in the manifest. `bound` are those that were
    written, by the number of the book."""

    def __init__(self, writer: BookWriter, report: Listener, manifests: ManifestWriters) -> None:
        self._writer, self._report, self._manifests = writer, report, manifests
        self.bound: dict[int, list[Path]] = {}

    async def bind(self, job: BookJob) -> bool:
        """Makes the files of a book and puts its facts beside them; whether nothing is missing."""
        volumes: list[Volume] = []
        missing, lost = self._writer.find_missing(job), False
        title = job.request.book.title
        for kind, path in job.layout.whole:
            try:
                if missing:
                    raise AudioError(f"its chapters {', '.join(map(str, missing))} are not there")
                volumes = await self._whole(job, kind, path)
            except AudioError as error:
                self._report(events.BookLost(title, str(path), str(error), job.number))
                lost = True
            else:
                self._note(job, volumes)
        if not missing:
            await run_to_end(self._writer.shelve, job, volumes)
        return not (missing or lost)

    def _note(self, job: BookJob, volumes: list[Volume]) -> None:
        numbers = iter([chapter.number for chapter in job.chapters])
        for made in volumes:
            its = [next(numbers) for _ in made.chapters]
            self._manifests.of(job).add_volume(made, its)
            self.bound.setdefault(job.number, []).append(made.path)
            title, count = job.request.book.title, len(made.chapters)
            path, length_ms = str(made.path), made.duration_ms
            self._report(events.BookDone(title, path, length_ms, count, job.number))

    async def _whole(self, job: BookJob, kind: str, path: Path) -> list[Volume]:
        """One of a book's whole files, made in other threads; how it grows is reported in ours."""
        loop, stopped = asyncio.get_running_loop(), threading.Event()
        growth: asyncio.Queue[events.BookProgressed | None] = asyncio.Queue()
        title = job.request.book.title

        def grows(path: Path, done_ms: int, all_ms: int) -> None:
            if stopped.is_set():
                raise _Stopped
            event = events.BookProgressed(title, str(path), done_ms, all_ms, job.number)
            loop.call_soon_threadsafe(growth.put_nowait, event)

        work = asyncio.create_task(asyncio.to_thread(self._writer.bind, job, kind, path, grows))
        work.add_done_callback(lambda _: growth.put_nowait(None))
        try:
            while event := await growth.get():
                self._report(event)
            return await work
        finally:
            stopped.set()
            await asyncio.gather(work, return_exceptions=True)
