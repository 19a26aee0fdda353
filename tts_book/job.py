"""The whole way of one run: books are planned, cast, spoken and stitched; everything is reported.

`prepare` decides everything before the first word (chunks, voices, places), so that `plan` and
`convert` show and do the same. `convert` speaks what is missing and writes each chapter as soon
as its last chunk is there.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from tts_book import chunker, events, layout, stitcher, tags
from tts_book.backends import Backend
from tts_book.cache import Cache, key_of
from tts_book.casting import TELLING_CHARACTERS, Cast, Casting, Spoken, Wish
from tts_book.errors import AudioError
from tts_book.events import Listener
from tts_book.layout import Layout
from tts_book.model import Book, Chapter, Chunk, Pauses, Plan, Segment, Voice
from tts_book.pace import estimated_ms
from tts_book.pool import Pool, Task, Tools


@dataclass(frozen=True, slots=True)
class Work:
    """A book to convert: what its files are called after, and where it was read (None: stdin)."""

    book: Book
    stem: str
    source: Path | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A book with everything decided. `keys[i]` is the cache key of `plan.chunks[i]`."""

    work: Work
    plan: Plan
    cast: Cast
    keys: tuple[str, ...]
    layout: Layout

    @property
    def estimated_ms(self) -> int:
        """Estimated length at the voice's rate, without pauses."""
        rate_pct = self.cast.voice.rate_pct
        language = self.work.book.language
        return sum(estimated_ms(c.spoken, language, rate_pct) for c in self.plan.chunks)


@dataclass(frozen=True, slots=True)
class Output:
    """Where files go: `out` as given with -o (None: `cwd`), and whether strangers give way."""

    cwd: Path
    out: Path | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What a run left: written files, chapters lost, doubts, files no chapter owns any more."""

    written: tuple[Path, ...]
    lost: tuple[events.ChapterLost, ...]
    left_over: tuple[Path, ...]
    doubts: tuple[events.ChunkDone, ...]
    done: events.JobDone


async def prepare(
    works: Sequence[Work], casting: Casting, wish: Wish, cache: Cache, output: Output
) -> tuple[Prepared, ...]:
    """Plans and casts every book. Speaks and writes nothing. Raises UserError or EngineGone."""
    prepared = []
    for work in works:
        plan = chunker.plan(work.book)
        cast = await casting.cast(wish, work.book.language, _counter(plan, cache))
        places = layout.layout(work.book, work.stem, work.source, output.out, output.cwd)
        prepared.append(Prepared(work, plan, cast, _keys(plan, cast.voice, cast.backend), places))
    return tuple(prepared)


def _keys(plan: Plan, voice: Voice, backend: Backend) -> tuple[str, ...]:
    fingerprint = backend.fingerprint(voice)
    return tuple(key_of(fingerprint, voice, chunk.spoken) for chunk in plan.chunks)


def _counter(plan: Plan, cache: Cache) -> Callable[[Voice, Backend], Spoken]:
    def count(voice: Voice, backend: Backend) -> Spoken:
        there = [cache.has(key) for key in _keys(plan, voice, backend)]
        long = (len(chunk.spoken) >= TELLING_CHARACTERS for chunk in plan.chunks)
        telling = sum(has and telling for has, telling in zip(there, long, strict=True))
        return Spoken(telling, all(there))

    return count


def ready_to_write(prepared: Sequence[Prepared], force: bool) -> None:
    """Makes the folders; raises UserError where a file or folder stands in the way."""
    places = [item.layout for item in prepared]
    layout.refuse_strangers(places, tags.owner, force)
    layout.make_folders(places)


async def convert(
    prepared: Sequence[Prepared],
    pauses: Pauses,
    cache: Cache,
    listener: Listener,
    tools: Tools | None = None,
) -> Result:
    """Speaks what is missing and writes every chapter whose chunks are all there.

    `listener` is told everything as it happens. Raises UserError if the disk takes no more.
    """
    run = _Run(prepared, pauses, cache, listener, tools or default_tools())
    return await run.to_end()


def default_tools(workers: int = 0) -> Tools:
    """The real clock, sleep and chance. `workers` caps the requests at once, 0 leaves it open."""
    return Tools(time.monotonic, asyncio.sleep, random.random, workers)


@dataclass(slots=True)
class _Open:
    """A chapter on its way: how many of its chunks are still out, and how many were lost."""

    item: Prepared
    chapter: Chapter
    first: int
    chunks: tuple[Chunk, ...]
    waiting: int
    missing: int = 0


class _Segments(Sequence[Segment]):
    """The segments of a chapter, each read from the cache when it is asked for: a chapter of any
    length needs the memory of one."""

    def __init__(self, chapter: _Open, cache: Cache) -> None:
        self._chapter, self._cache = chapter, cache

    def __len__(self) -> int:
        return len(self._chapter.chunks)

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Segment]: ...
    def __getitem__(self, index: int | slice) -> Segment | Sequence[Segment]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        at = index % len(self)
        key = self._chapter.item.keys[self._chapter.first + at]
        entry = self._cache.get(key)
        if entry is None:
            raise AudioError(f"the cache entry {key[:12]} has vanished or is damaged")
        return Segment(self._chapter.chunks[at], entry, cached=True)


@dataclass(slots=True)
class _Score:
    spoken: int = 0
    cached: int = 0
    failed: int = 0
    requests: int = 0
    characters: int = 0
    sound_ms: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    doubts: list[events.ChunkDone] = field(default_factory=list)
    lost: list[events.ChapterLost] = field(default_factory=list)

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
            case events.ChapterLost():
                self.lost.append(event)
            case _:
                pass

    def _done(self, event: events.ChunkDone) -> None:
        self.sound_ms += event.duration_ms
        if event.doubts:
            self.doubts.append(event)
        if event.cached:
            self.cached += 1
        else:
            self.spoken += 1
            self.characters += event.characters


class _Run:
    """One run over several books, with one pool for all of them."""

    def __init__(
        self,
        prepared: Sequence[Prepared],
        pauses: Pauses,
        cache: Cache,
        listener: Listener,
        tools: Tools,
    ) -> None:
        self._prepared, self._pauses, self._cache = prepared, pauses, cache
        self._score = _Score()
        self._listener, self._tools = listener, tools
        self._written: dict[Path, None] = {}
        self._pool = Pool(cache, self._tell, tools)

    def _tell(self, event: events.Event) -> None:
        self._score(event)
        self._listener(event)

    async def to_end(self) -> Result:
        began_s = self._tools.clock()
        self._tell(self._started())
        try:
            await self._speak_and_stitch()
        finally:
            done = self._done(began_s)
            self._tell(done)
        return Result(
            tuple(
                path
                for item in self._prepared
                for path in item.layout.targets
                if path in self._written
            ),
            tuple(self._score.lost),
            tuple(p for item in self._prepared for p in layout.left_over(item.layout, tags.owner)),
            tuple(self._score.doubts),
            done,
        )

    def _started(self) -> events.JobStarted:
        plans = [item.plan for item in self._prepared]
        return events.JobStarted(
            books=len(plans),
            chapters=sum(len(plan.book.chapters) for plan in plans),
            chunks=sum(len(plan.chunks) for plan in plans),
            cached=sum(self._cache.has(key) for item in self._prepared for key in item.keys),
            characters=sum(len(chunk.spoken) for plan in plans for chunk in plan.chunks),
            estimated_ms=sum(item.estimated_ms for item in self._prepared),
        )

    def _done(self, began_s: float) -> events.JobDone:
        score = self._score
        return events.JobDone(
            chapters_done=len(self._written),
            chapters_lost=len(score.lost),
            chunks_spoken=score.spoken,
            chunks_cached=score.cached,
            chunks_failed=score.failed,
            requests=score.requests,
            retries=dict(score.retries),
            characters_spoken=score.characters,
            sound_ms=score.sound_ms,
            wall_s=self._tools.clock() - began_s,
            reason=self._pool.stopped,
        )

    async def _speak_and_stitch(self) -> None:
        chapters: dict[tuple[int, int], _Open] = {}
        for book, item in enumerate(self._prepared):
            for chapter in _open_chapters(item):
                chapters[book, chapter.chapter.number] = chapter
        one_at_a_time = asyncio.Lock()  # the disk gains nothing from two
        async with (
            asyncio.TaskGroup() as stitching,
            aclosing(self._pool.speak(self._tasks())) as spoken,
        ):
            async for task, key in spoken:
                chapter = chapters[task.book_number, task.chunk.chapter]
                chapter.waiting -= 1
                chapter.missing += key is None
                if chapter.waiting == 0:
                    stitching.create_task(self._finish(chapter, one_at_a_time))

    def _tasks(self) -> Iterator[Task]:
        order = 0
        for book_number, item in enumerate(self._prepared):
            book = item.work.book
            for chunk, key in zip(item.plan.chunks, item.keys, strict=True):
                origin = book.chapters[chunk.chapter - 1].origin
                yield Task(
                    order,
                    book_number,
                    book.title,
                    chunk,
                    key,
                    item.cast.voice,
                    item.cast.backend,
                    lambda o=origin, c=chunk: str(o.place(c.start)),
                )
                order += 1

    async def _finish(self, chapter: _Open, lock: asyncio.Lock) -> None:
        if chapter.missing:
            self._lose(chapter, f"{chapter.missing} of its chunks are not spoken")
            return
        try:
            async with lock:
                stitched = await asyncio.to_thread(self._stitch, chapter)
        except AudioError as error:
            self._lose(chapter, str(error))
            return
        self._written[stitched.path] = None
        self._tell(
            events.ChapterDone(
                chapter.item.work.book.title,
                chapter.chapter.number,
                chapter.chapter.title,
                str(stitched.path),
                stitched.duration_ms,
            )
        )

    def _stitch(self, chapter: _Open) -> stitcher.Stitched:
        target = chapter.item.layout.targets[chapter.chapter.number - 1]
        return stitcher.stitch(
            _Segments(chapter, self._cache),
            target,
            pauses=self._pauses,
            tags=_tags(chapter.item, chapter.chapter),
        )

    def _lose(self, chapter: _Open, reason: str) -> None:
        self._tell(
            events.ChapterLost(
                chapter.item.work.book.title,
                chapter.chapter.number,
                chapter.chapter.title,
                chapter.missing,
                reason,
            )
        )


def _open_chapters(item: Prepared) -> Iterator[_Open]:
    chunks = item.plan.chunks
    first = 0
    for chapter in item.work.book.chapters:
        last = first
        while last < len(chunks) and chunks[last].chapter == chapter.number:
            last += 1
        yield _Open(item, chapter, first, chunks[first:last], last - first)
        first = last


def _tags(item: Prepared, chapter: Chapter) -> tags.Tags:
    book, count = item.work.book, len(item.work.book.chapters)
    return tags.Tags(
        title=chapter.title if count > 1 else book.title,
        album=book.title,
        artist=book.author,
        narrator=item.cast.voice.name,
        track=chapter.number,
        tracks=count,
        language=book.language,
        cover=book.cover,
        owner=item.layout.owner,
    )
