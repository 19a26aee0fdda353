"""One chunk with every remedy: tried again, alone, later, in halves, until it is whole or given up.

What to do after a failure is decided by `retry`, how many may try at once by `limiter`; here both
are carried out against the real (or a test's) clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from tts_book import audio, events
from tts_book.backends import Backend, Hearing, Preconnecting
from tts_book.errors import (
    AudioError,
    BackendError,
    BackendIncomplete,
    BackendUnavailable,
    Failure,
)
from tts_book.events import Listener
from tts_book.model import Chunk, Mark, Sound, Speech, Voice
from tts_book.synthesis import rate_limiter, retry_policy
from tts_book.synthesis.rate_limiter import Gate, Tools
from tts_book.text.halving import split_in_half

_LOG = logging.getLogger("tts_book.pool")

# Between the halves of a chunk: two frames, so that neither decodes into the other.
JOINT_MS = 48
# Text without a letter or digit is never sent; it lasts as long as a short breath.
UNSPEAKABLE_MS = 240
# Sound is decoded to be measured: about 30 MB a piece, and a thread's memory comes back to it
# alone. Two keep up with any service, and with an engine on 16 cores, as encoding takes 5 % of what
# speaking takes; asyncio's own threads, six and more, held 250 MB.
MEASURED_AT_ONCE, MEASURED_SHARE = 2, 8
# Two replies are alike if they differ by no more than a frame.
ALIKE_MS = 24


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """A text, spoken: whole MP3 frames and what is known of them."""

    frames: bytes
    sound: Sound
    marks: tuple[Mark, ...]
    doubts: tuple[str, ...]
    attempts: int


@dataclass(frozen=True, slots=True)
class ChunkCall:
    """Whose chunk it is and how it shall be spoken."""

    order: int
    book: str
    chunk: Chunk
    voice: Voice
    book_id: int = 1


class ChunkSpeaker:
    """Speaks with one backend, for the whole run."""

    def __init__(self, backend: Backend, tell: Listener, tools: Tools) -> None:
        most = tools.workers or backend.limits.most
        self._backend, self._tell, self._tools = backend, tell, tools
        self._limit = rate_limiter.Limit(min(backend.limits.start, most), most)
        self._circuit = retry_policy.Circuit(tools.clock())
        self._gate = Gate(self._limit.now, backend.limits.spacing_s, tools)
        at_once = max(MEASURED_AT_ONCE, most // MEASURED_SHARE)
        self._measuring = ThreadPoolExecutor(at_once, "measuring")
        self.most = most
        self._letting_in: asyncio.Task[None] | None = None
        self._stopped_by: BackendError | None = None

    async def speak(self, call: ChunkCall) -> SpokenAudio:
        """The chunk's `spoken` text as one take. Raises BackendError where no remedy helps."""
        text = call.chunk.spoken
        if not any(character.isalnum() for character in text):
            return await self._measured(_silence)
        if self._letting_in is None:
            self._letting_in = asyncio.create_task(self._gate.run())
        return await self._say(call, text, 0)

    async def close(self) -> None:
        """Ends the gate's task and the threads."""
        self._measuring.shutdown(wait=False, cancel_futures=True)
        if self._letting_in is not None:
            self._letting_in.cancel()
            await asyncio.gather(self._letting_in, return_exceptions=True)

    async def _say(self, call: ChunkCall, text: str, depth: int) -> SpokenAudio:
        tries: Counter[Failure] = Counter()
        earlier: list[tuple[int, ...]] = []
        alone = False
        while True:
            try:
                return await self._try(call, text, tries.total() + 1, alone)
            except BackendError as error:
                tries[error.failure] += 1
                # A whole chunk is halved before it is believed: what the text does, a half of it
                # does again; what chance did to two replies alike, it hardly does to four.
                small = depth > 0 or split_in_half(text) is None
                if (kept := _twice_the_same(error, earlier)) is not None and small:
                    _LOG.debug("came twice the same and is kept: %s", error)
                    return await self._measured(_take, kept, tries.total())
                decision = self._decide(error, tries[error.failure], depth)
                if (
                    isinstance(decision, retry_policy.Split)
                    and (parts := split_in_half(text)) is not None
                ):
                    _LOG.debug("spoken in halves from now on: %s", error)
                    return await self._in_halves(call, parts, depth + 1, tries.total())
                if not isinstance(decision, retry_policy.TryAgain):
                    raise
                alone = decision.alone
                await self._wait(call, error, decision, tries.total())

    async def _try(self, call: ChunkCall, text: str, attempt: int, alone: bool) -> SpokenAudio:
        events.CURRENT_CHUNK.set(f"{call.chunk.chapter}/{call.chunk.number}")
        async with self._gate.enter(call.order, alone=alone):
            if self._stopped_by is not None:
                raise self._stopped_by
            self._tell(self._started(call, attempt))
            if isinstance(self._backend, Preconnecting) and self._gate.has_waiters:
                self._backend.preconnect()
            try:
                check = await self._heard(text, call.voice)
            except BackendError as error:
                self._learn(error)
                raise
        # The place inside is free again: the service need not wait for our arithmetic.
        await asyncio.sleep(0)
        try:
            speech = check()
        except BackendError as error:
            self._learn(error)
            raise
        take = await self._measured(_take, speech, attempt)
        self._learn(None)
        return take

    async def _heard(self, text: str, voice: Voice) -> Callable[[], Speech]:
        if isinstance(self._backend, Hearing):
            return await self._backend.hear(text, voice)
        speech = await self._backend.speak(text, voice)
        return lambda: speech

    async def _measured(self, work: Callable[..., SpokenAudio], *arguments: object) -> SpokenAudio:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._measuring, work, *arguments)

    def _started(self, call: ChunkCall, attempt: int) -> events.ChunkStarted:
        chunk = call.chunk
        return events.ChunkStarted(
            call.book,
            chunk.chapter,
            chunk.number,
            attempt,
            self._gate.in_flight,
            call.book_id,
        )

    def _learn(self, error: BackendError | None) -> None:
        """What a try says about the service: how many at once, and whether it is still there."""
        now_s = self._tools.clock()
        failure = error.failure if error else None
        before = self._limit.now
        self._limit = self._limit.after(failure, now_s)
        if self._limit.now != before:
            self._gate.set_limit(self._limit.now)
            reason = str(failure) if failure else "all is well"
            self._tell(events.LimitChanged(self._backend.name, self._limit.now, reason))
        if failure is None:
            self._circuit = self._circuit.after_success(now_s)
        elif failure not in _OF_THE_TEXT:
            self._circuit = self._circuit.after_failure(failure, now_s)

    def _decide(self, error: BackendError, attempt: int, depth: int) -> retry_policy.Decision:
        if error is self._stopped_by:
            return retry_policy.GiveUp()
        after_s = error.retry_after_s if isinstance(error, BackendUnavailable) else None
        decision = retry_policy.decide(
            error.failure,
            attempt,
            random=self._tools.random,
            retry_after_s=after_s,
            consecutive_overloads=self._circuit.consecutive_overloads,
            failures_in_row=self._circuit.failures_in_row,
            depth=depth,
        )
        if isinstance(decision, retry_policy.GiveUp) and decision.stops_run:
            self._stop(error, str(error))
            return decision
        reason = self._circuit.stops(self._tools.clock())
        if self._tools.wait and error.failure in _OF_THE_LINE:
            # One piece asks once a minute, everybody else waits for it.
            gone = reason or isinstance(decision, retry_policy.GiveUp)
            return (
                retry_policy.TryAgain(retry_policy.PROBE_EVERY_S, True, True) if gone else decision
            )
        if reason:
            self._stop(error, f"The service is given up: {reason}. The last answer was: {error}")
            return retry_policy.GiveUp(stops_run=True)
        return decision

    def _stop(self, error: BackendError, reason: str) -> None:
        if self._stopped_by is None:
            _LOG.debug("%s is given up: %s", self._backend.name, reason)
            self._stopped_by = BackendUnavailable(reason, error.failure, stops_run=True)
            self._gate.open_wide()

    @property
    def stopped(self) -> str:
        """Why the run can get no more from this backend, or ""."""
        return str(self._stopped_by) if self._stopped_by else ""

    async def _wait(
        self, call: ChunkCall, error: BackendError, decision: retry_policy.TryAgain, attempt: int
    ) -> None:
        chunk = call.chunk
        self._tell(
            events.ChunkRetried(
                call.book,
                chunk.chapter,
                chunk.number,
                attempt,
                str(error.failure),
                str(error),
                decision.wait_s,
                call.book_id,
            )
        )
        if decision.pause_all:
            self._gate.pause(decision.wait_s)
            self._tell(
                events.LimitChanged(
                    self._backend.name, self._limit.now, str(error), decision.wait_s
                )
            )
        else:
            await self._tools.sleep(decision.wait_s)

    async def _in_halves(
        self, call: ChunkCall, parts: tuple[str, int, str], depth: int, attempts: int
    ) -> SpokenAudio:
        left, at, right = parts
        takes = [await self._say(call, left, depth), await self._say(call, right, depth)]
        return await self._measured(_joined, takes, at, attempts)


# A text's length says nothing about whether the service is there. A bad request may: a service
# that calls every text malformed has changed, and the next chunk that is spoken takes it back.
_OF_THE_TEXT = frozenset({Failure.TOO_LONG})


# What a line or a service may recover from, given time.
_OF_THE_LINE = frozenset({Failure.TRANSIENT, Failure.OVERLOAD})


def _twice_the_same(error: BackendError, earlier: list[tuple[int, ...]]) -> Speech | None:
    """The speech of a suspicious reply that came the same twice: then it is the text that sounds
    so, and it is kept with its doubt."""
    if not isinstance(error, BackendIncomplete) or not isinstance(error.speech, Speech):
        return None
    again = any(_alike(error.print_of_reply, other) for other in earlier)
    earlier.append(error.print_of_reply)
    return replace(error.speech, doubts=(str(error),)) if again else None


def _alike(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) == len(other) and all(
        abs(a - b) <= ALIKE_MS for a, b in zip(one, other, strict=True)
    )


def _take(speech: Speech, attempts: int) -> SpokenAudio:
    """Frames and their analysis. Raises BackendIncomplete if they are not whole."""
    try:
        if speech.encoding == "pcm":
            frames = audio.encode(audio.trim_pcm(speech.audio, speech.rate_hz), speech.rate_hz)
            marks = tuple(mark.moved(audio.DELAY_MS) for mark in speech.marks)
        else:
            frames, marks = audio.frames_of(speech.audio), speech.marks
        sound = audio.analyse(frames)
    except AudioError as error:
        raise BackendIncomplete(f"the sound is damaged: {error}") from error
    return SpokenAudio(frames, sound, marks, speech.doubts, attempts)


def _silence() -> SpokenAudio:
    frames = audio.silence(UNSPEAKABLE_MS)
    return SpokenAudio(frames, audio.analyse(frames), (), (), 0)


def _joined(takes: list[SpokenAudio], at: int, attempts: int) -> SpokenAudio:
    left, right = takes
    joint = audio.silence(JOINT_MS, audio.format_at(left.frames))
    frames = left.frames + joint + right.frames
    later_ms = left.sound.duration_ms + JOINT_MS
    return SpokenAudio(
        frames,
        audio.analyse(frames),
        left.marks + tuple(mark.moved(later_ms, at) for mark in right.marks),
        left.doubts + right.doubts,
        attempts + left.attempts + right.attempts,
    )
