"""Speaks chunks, several at once, in reading order, each once.

What is in the cache is taken from there; chunks that say the same share one request; all of a
backend's requests of the whole run pass one gate. Where several runs share the cache, a chunk that
another one has claimed is set aside until its entry is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial

from tts_book import events
from tts_book.audio.timeline import find_text_offset
from tts_book.backends import Backend
from tts_book.errors import BackendError, BackendRefused
from tts_book.events import Listener
from tts_book.model import Chunk, Doubt, DoubtKind, Entry, Voice
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.chunk_speaker import ChunkSpeaker
from tts_book.synthesis.claims import Claims
from tts_book.synthesis.rate_limiter import Proof, Tools
from tts_book.synthesis.spoken_audio import ChunkCall, Speaking, SpokenAudio

_LOG = logging.getLogger("tts_book.pool")

__all__ = ["Pool", "Task", "Tools"]

# Chunks taken up beyond those in flight: enough to keep every slot busy while others wait out a
# retry, few enough that a book of any length costs the same memory.
AHEAD = 32
WORDS_SHOWN_CHARACTERS = 60
# How often a chunk that another run speaks is looked for.
POLL_S = 2.0
# Claims beyond the requests in flight: what is encoded and measured is not in flight any more.
CLAIMS_AHEAD = 1
LEFT_OUT = "left out"  # not a failure of any service: nobody asked for the chunk


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk to be spoken: `order` is its place in the whole run, `group` whatever the caller
    knows its chapter by, `key` its cache key; `locate` gives the place in the source of a character
    that is spoken. It is spoken `again` although it is there, and only taken from the cache if it
    is not `wanted`. `language` is that of the text."""

    order: int
    group: int
    book: str
    chunk: Chunk
    key: str
    voice: Voice
    backend: Backend
    locate: Callable[[int], str]
    again: bool = False
    wanted: bool = True
    book_id: int = 1
    language: str = ""


def _as_doubts(faults: Iterable[str]) -> Iterator[Doubt]:
    return (Doubt(DoubtKind.SOUND, fault) for fault in faults)


def locate_doubts(
    doubts: Iterable[Doubt], chunk: Chunk, locate: Callable[[int], str]
) -> tuple[Doubt, ...]:
    """Doubts about the spoken text of a chunk as doubts about its own text, with their places."""
    return tuple(
        replace(
            doubt,
            start=find_text_offset(chunk.alignment, doubt.start),
            stop=find_text_offset(chunk.alignment, doubt.stop),
            place=locate(doubt.start),
        )
        for doubt in doubts
    )


Outcome = tuple[Task, Entry | None]


@dataclass(frozen=True, slots=True)
class _NewEntry:
    """A chunk that was spoken now, and by which machine of a cluster; `cached`: by another run."""

    entry: Entry
    worker: str = ""
    cached: bool = False


class Pool:
    """One for a run."""

    def __init__(self, cache: ChunkCache, listener: Listener, tools: Tools) -> None:
        self._cache, self._tell, self._tools = cache, listener, tools
        self._speakers: dict[str, Speaking] = {}
        self._coming: dict[str, asyncio.Future[_NewEntry | BackendError]] = {}
        self._renewed: set[str] = set()
        self._claimed: Counter[str] = Counter()  # by backend
        self._may_claim = asyncio.Condition()
        self._aside = 0
        self._wake: Callable[[], None] = lambda: None

    @property
    def stopped(self) -> str:
        """Why it gave up on everything, or ""."""
        return "; ".join(filter(None, (speaker.stopped for speaker in self._speakers.values())))

    async def speak(self, tasks: Iterable[Task]) -> AsyncGenerator[Outcome, None]:
        """Yields each task with its entry, or with None where it stays unspoken.

        Closing the generator cancels what is in flight; finished chunks are in the cache.
        """
        outcomes: asyncio.Queue[asyncio.Task[Outcome] | None] = asyncio.Queue()
        self._wake = partial(outcomes.put_nowait, None)
        running: set[asyncio.Task[Outcome]] = set()
        waiting = iter(tasks)
        try:
            self._take_up(waiting, running, outcomes)
            while running:
                done = await outcomes.get()
                if done is not None:
                    running.discard(done)
                self._take_up(waiting, running, outcomes)
                if done is not None:
                    yield done.result()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            for speaker in self._speakers.values():
                await speaker.close()

    def _take_up(
        self,
        waiting: Iterator[Task],
        running: set[asyncio.Task[Outcome]],
        outcomes: asyncio.Queue[asyncio.Task[Outcome] | None],
    ) -> None:
        ahead = max(AHEAD, *(2 * speaker.most for speaker in self._speakers.values()), 0)
        while len(running) - self._aside < ahead:
            task = next(waiting, None)
            if task is None:
                return
            work = asyncio.create_task(self._one(task))
            work.add_done_callback(outcomes.put_nowait)
            running.add(work)

    async def _one(self, task: Task) -> Outcome:
        again = task.again and task.key not in self._renewed
        entry = None if again else await self._kept(task.key)
        self._note(task, entry, again)
        if entry is not None:
            self._done(task, entry, cached=True)
            return task, entry
        if not task.wanted:
            self._failed(task, BackendRefused("--only leaves it out."))
            return task, None
        first = task.key not in self._coming
        if first:
            self._coming[task.key] = asyncio.get_running_loop().create_future()
        coming = self._coming[task.key]
        if first:
            await self._answer(task, coming)
        answer = await asyncio.shield(coming)
        if isinstance(answer, BackendError):
            self._failed(task, answer)
            return task, None
        cached, worker = (answer.cached, answer.worker) if first else (True, "")
        self._done(task, answer.entry, cached=cached, worker=worker)
        return task, answer.entry

    def _note(self, task: Task, entry: Entry | None, again: bool) -> None:
        if not _LOG.isEnabledFor(logging.DEBUG):
            return
        damaged = self._cache.has(task.key) and not again
        missing = "spoken anew" if again else "damaged" if damaged else "not in the cache"
        events.CURRENT_CHUNK.set(f"{task.chunk.chapter}/{task.chunk.number}")
        found = "in the cache" if entry else missing
        _LOG.debug("%s: %s", found, self._cache.path(task.key))

    async def _kept(self, key: str) -> Entry | None:
        # What is not there needs no thread, and so keeps its place in the reading order.
        return await asyncio.to_thread(self._cache.get, key) if self._cache.has(key) else None

    async def _answer(self, task: Task, coming: asyncio.Future[_NewEntry | BackendError]) -> None:
        """Speaks the chunk and lets all who wait for its key know."""
        try:
            claims = self._tools.claims
            answer = await (self._share(task, claims) if claims else self._spoken(task))
        except BackendError as error:
            coming.set_result(error)
        except BaseException:  # a cancelled task as well: nobody may wait for its key for ever
            coming.cancel()
            raise
        else:
            self._renewed.add(task.key)
            coming.set_result(answer)
        finally:
            del self._coming[task.key]

    async def _share(self, task: Task, claims: Claims) -> _NewEntry:
        """The chunk, spoken here or by another run, whichever claims it first."""
        while True:
            async with self._claim(task, claims) as ours:
                if ours:
                    # It may have come between our look and our claim.
                    entry = await self._kept(task.key)
                    return _NewEntry(entry, cached=True) if entry else await self._spoken(task)
            entry = await self._wait_for(task, claims)
            if entry is not None:
                return _NewEntry(entry, cached=True)

    @asynccontextmanager
    async def _claim(self, task: Task, claims: Claims) -> AsyncIterator[bool]:
        """Claims the chunk as soon as it is among the next, so that others can have the rest;
        whether it is ours."""
        path, name = self._cache.claim_path(task.key), task.backend.name
        speaker = self._speaker(task.backend)
        async with self._may_claim:
            await self._may_claim.wait_for(
                lambda: self._claimed[name] < speaker.most + CLAIMS_AHEAD
            )
            self._claimed[name] += 1
        try:
            with self._cache.report_failure():
                taking = asyncio.ensure_future(asyncio.to_thread(claims.take, path))
                try:
                    ours = await asyncio.shield(taking) is None
                except asyncio.CancelledError:
                    # The thread goes on all the same: what it claims is let go of below.
                    await asyncio.gather(taking, return_exceptions=True)
                    raise
            yield ours
        finally:
            claims.release(path)
            self._claimed[name] -= 1
            async with self._may_claim:
                self._may_claim.notify_all()

    async def _wait_for(self, task: Task, claims: Claims) -> Entry | None:
        """The entry that another run makes; None when that let go of the chunk, or died."""
        path = self._cache.claim_path(task.key)
        self._aside += 1
        self._wake()  # another chunk may be taken up in its place
        try:
            while True:
                await self._tools.sleep(POLL_S)
                # In this order: a claim goes when its entry is there.
                with self._cache.report_failure():
                    held = await asyncio.to_thread(claims.is_held, path)
                entry = await self._kept(task.key)
                if entry is not None or not held:
                    return entry
        finally:
            self._aside -= 1

    async def _spoken(self, task: Task) -> _NewEntry:
        speaker = self._speaker(task.backend)
        call = ChunkCall(task.order, task.book, task.chunk, task.voice, task.book_id, task.key)
        take = await speaker.speak(call)
        if self._tools.proof is not None:
            take = await self._heard(self._tools.proof, task, take, partial(speaker.speak, call))
        return _NewEntry(await asyncio.to_thread(self._put, task, take), take.worker)

    async def _heard(
        self,
        proof: Proof,
        task: Task,
        take: SpokenAudio,
        again: Callable[[], Awaitable[SpokenAudio]],
    ) -> SpokenAudio:
        """The recording, if it is heard to be the text; else another one, with its doubts. Never
        more than two: what is wrong twice is for a person to judge."""
        text, chunk = task.chunk.spoken, task.chunk
        faults = await proof.find_faults(take.frames, text, task.language)
        if not faults:
            return take
        self._tell(
            events.ChunkRetried(
                task.book,
                chunk.chapter,
                chunk.number,
                take.attempts,
                "heard",
                faults[0],
                0.0,
                task.book_id,
            )
        )
        try:
            other = await again()
        except BackendError:  # the first one is better than none
            return replace(take, doubts=(*take.doubts, *_as_doubts(faults)))
        left = await proof.find_faults(other.frames, text, task.language)
        attempts = take.attempts + other.attempts
        return replace(other, attempts=attempts, doubts=(*other.doubts, *_as_doubts(left)))

    def _put(self, task: Task, take: SpokenAudio) -> Entry:
        about = {
            "backend": task.voice.backend,
            "voice": task.voice.id,
            "language": task.voice.language,
            "rate_pct": str(task.voice.rate_pct),
            "pitch_hz": str(task.voice.pitch_hz),
            "volume_pct": str(task.voice.volume_pct),
            "spoken": task.chunk.spoken,
        }
        return self._cache.put(
            task.key,
            take.frames,
            take.sound,
            take.marks,
            about,
            doubts=take.doubts,
            attempts=take.attempts,
            again=task.again,
        )

    def _speaker(self, backend: Backend) -> Speaking:
        if backend.name not in self._speakers:
            make = self._tools.make_speaker or ChunkSpeaker
            self._speakers[backend.name] = make(backend, self._tell, self._tools)
        return self._speakers[backend.name]

    def _done(self, task: Task, entry: Entry, *, cached: bool, worker: str = "") -> None:
        chunk = task.chunk
        self._tell(
            events.ChunkDone(
                task.book,
                chunk.chapter,
                chunk.number,
                len(chunk.spoken),
                entry.sound.duration_ms,
                cached,
                entry.attempts,
                task.locate(0),
                locate_doubts(entry.doubts, chunk, task.locate),
                book_id=task.book_id,
                worker=worker,
            )
        )

    def _failed(self, task: Task, error: BackendError) -> None:
        chunk = task.chunk
        self._tell(
            events.ChunkFailed(
                task.book,
                chunk.chapter,
                chunk.number,
                len(chunk.spoken),
                str(error.failure) if task.wanted else LEFT_OUT,
                str(error),
                task.locate(0),
                " ".join(chunk.text.split())[:WORDS_SHOWN_CHARACTERS],
                error.stops_run or not task.wanted,
                book_id=task.book_id,
            )
        )
