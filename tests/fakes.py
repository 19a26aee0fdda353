"""Stand-ins passed to the code under test: a clock that nobody waits for, a backend by script."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import count
from typing import Any, TypeVar, TypeVarTuple

from tts_book import audio
from tts_book.backends import (
    Backend,
    Health,
    Limits,
    ProofTexts,
    SoundFinding,
    Span,
    Verdict,
    VoiceInfo,
)
from tts_book.errors import BackendError
from tts_book.model import (
    Book,
    Break,
    Chapter,
    Chunk,
    Doubt,
    Mark,
    Origin,
    Plan,
    Run,
    Source,
    Speech,
    Voice,
)
from tts_book.synthesis.chunk_cache import key_of
from tts_book.synthesis.pool import Task
from tts_book.synthesis.rate_limiter import Tools

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Time:
    """A clock that moves only when everybody sleeps: no test waits in real time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._number = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._somebody_sleeps = asyncio.Event()

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, wait_s: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_s + wait_s, next(self._number), woken))
        self._somebody_sleeps.set()
        await woken

    async def run(self) -> None:
        """Wakes the next sleeper whenever nothing else can go on."""
        while True:
            await self._somebody_sleeps.wait()
            for _ in range(50):
                await asyncio.sleep(0)
            await _threads_are_back()  # nobody knows how long they take: time waits for them
            self.now_s, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)
            if not self._sleepers:
                self._somebody_sleeps.clear()

    def tools(self, workers: int = 0, *, wait: bool = False) -> Tools:
        return Tools(self.clock, self.sleep, lambda: 0.5, workers, wait)


def in_time(work: Callable[[Time], Awaitable[None]]) -> None:
    """Runs `work` with a virtual clock."""

    async def run() -> None:
        time = Time()
        ticking = asyncio.create_task(time.run())
        try:
            await asyncio.wait_for(work(time), 60)
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking

    with asyncio.Runner(loop_factory=_CountingLoop) as runner:
        runner.run(run())


class _CountingLoop(asyncio.SelectorEventLoop):
    """Knows the work that is in threads."""

    def __init__(self) -> None:
        super().__init__()
        self.in_threads: set[asyncio.Future[Any]] = set()

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        work = super().run_in_executor(executor, func, *args)
        self.in_threads.add(work)
        work.add_done_callback(self.in_threads.discard)
        return work


async def _threads_are_back() -> None:
    loop = asyncio.get_running_loop()
    while isinstance(loop, _CountingLoop) and loop.in_threads:
        await asyncio.wait(loop.in_threads)
        for _ in range(50):
            await asyncio.sleep(0)


Answer = Callable[[str, int], Speech | BackendError]


def spoken(text: str, tail_ms: int = 480) -> Speech:
    """Speech of the right length for `text`: silence with a mark for the whole of it."""
    frames = audio.silence(240 + 60 * len(text) + tail_ms)
    return Speech(frames, "mp3", marks=(Mark("sentence", 100, 100 + 60 * len(text), 0, len(text)),))


class ScriptedBackend:
    """Answers as `answer(text, attempt)` says; counts what it was asked and how much at once."""

    def __init__(
        self,
        answer: Answer = lambda text, attempt: spoken(text),
        *,
        name: str = "scripted",
        limits: Limits | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        takes_s: float = 1.0,
        health: Health | None = None,
        offers: tuple[VoiceInfo, ...] = (),
    ) -> None:
        self.name = name
        self.limits = limits or Limits(2, 4)
        self.asked: Counter[str] = Counter()
        self.order: list[str] = []
        self.in_flight = self.most_in_flight = 0
        self.closed = False
        self._answer, self._sleep, self._takes_s = answer, sleep, takes_s
        self._health = health or Health(True, "speaks by script")
        self._offers = offers

    def fingerprint(self, voice: Voice) -> str:
        return f"{self.name} 1"

    async def health(self) -> Health:
        return self._health

    async def voices(self) -> tuple[VoiceInfo, ...]:
        return self._offers

    async def speak(self, text: str, voice: Voice) -> Speech:
        self.asked[text] += 1
        self.order.append(text)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self._sleep is not None:
                await self._sleep(self._takes_s)
            answer = self._answer(text, self.asked[text])
        finally:
            self.in_flight -= 1
        if isinstance(answer, BackendError):
            raise answer
        return answer

    async def aclose(self) -> None:
        self.closed = True


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """A reply that a ScriptedJudge gave."""

    text: str
    speech_s: float
    findings: tuple[SoundFinding, ...]

    def examine(self) -> ScriptedReply:
        return self


class ScriptedJudge(ScriptedBackend):
    """Answers with speech of a length and with findings, by script; judges nothing before it has
    `wanted` replies. What was proven is kept."""

    def __init__(
        self,
        judged: Callable[[str, int], tuple[float, tuple[SoundFinding, ...]]],
        *,
        wanted: int = 0,
        proof: tuple[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._judged, self._wanted, self._proof = judged, wanted, proof
        self.entered = 0
        self.settled = False
        self.unspoken: list[str] = []
        self.spoken: list[str] = []
        self.proven: list[str] = []

    async def hear(self, text: str, voice: Voice) -> ScriptedReply:
        await self.speak(text, voice)
        return ScriptedReply(text, *self._judged(text, self.asked[text]))

    def enter(self, examined: ScriptedReply) -> None:
        self.entered += 1

    def judge(self, examined: ScriptedReply) -> Verdict | None:
        if self.entered < self._wanted and not self.settled:
            return None
        known = {*self.unspoken, *self.spoken}
        findings = tuple(
            finding
            for finding in examined.findings
            if not finding.spans or {examined.text[a:b] for a, b in finding.spans} - known
        )
        speech = spoken(examined.text)
        return Verdict(speech, audio.analyse(speech.audio), examined.speech_s, findings)

    def settle(self) -> None:
        self.settled = True

    def proof_texts(
        self, examined: ScriptedReply, span: Span, others: Sequence[Span]
    ) -> ProofTexts | None:
        return ProofTexts(*self._proof, (span, *others)) if self._proof else None

    def prove_unspoken(self, examined: ScriptedReply, span: tuple[int, int]) -> None:
        self.unspoken.append(examined.text[slice(*span)])

    def prove_spoken(self, examined: ScriptedReply, span: tuple[int, int]) -> None:
        self.spoken.append(examined.text[slice(*span)])

    def prove_text(self, examined: ScriptedReply, kinds: Iterable[str]) -> None:
        self.proven.append(examined.text)

    def says_nothing_of(self, text: str, voice: Voice, attempts: int) -> Doubt | None:
        return None

    def notes(self) -> tuple[tuple[str, str], ...]:
        return (("voice", "it is scripted"),)


def chapter(number: int, title: str, text: str) -> Chapter:
    """A chapter whose text is its own source."""
    starts = (0, *(at + 1 for at, character in enumerate(text) if character == "\n"))
    origin = Origin(Source("book.txt", starts), (Run(0, 0, len(text)),))
    return Chapter(number, title, text, origin)


def book(*texts: str, title: str = "The Book", language: str = "en") -> Book:
    """A book with a chapter for each text."""
    chapters = tuple(chapter(n, f"Chapter {n}", text) for n, text in enumerate(texts, 1))
    return Book(title, language, chapters)


def chunks(*texts: str, number: int = 1) -> tuple[Chunk, ...]:
    """Chunks of one chapter, made by hand: each text a paragraph."""
    start = 0
    made = []
    for at, text in enumerate(texts, 1):
        after = Break.CHAPTER if at == len(texts) else Break.PARAGRAPH
        made.append(Chunk(number, at, start, start + len(text), text, text, after))
        start += len(text) + 2
    return tuple(made)


def plan(*texts: str) -> Plan:
    """One chapter, each text a chunk."""
    return Plan(book("\n\n".join(texts)), chunks(*texts))


def tasks(
    backend: Backend, voice: Voice, asked: Iterable[Chunk], fingerprint: str = ""
) -> list[Task]:
    """What the pool is asked for: these chunks by this voice; `fingerprint` is the backend's unless
    it is given."""
    fingerprint = fingerprint or backend.fingerprint(voice)
    return [
        Task(
            order,
            0,
            "Book",
            chunk,
            key_of(fingerprint, voice, chunk.spoken),
            voice,
            backend,
            lambda spoken: "book.txt:1:1",
        )
        for order, chunk in enumerate(asked)
    ]
