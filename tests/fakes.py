"""Stand-ins passed to the code under test: a clock that nobody waits for, a backend by script."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count

from tts_book import audio
from tts_book.backends import Health, Limits, VoiceInfo
from tts_book.errors import BackendError
from tts_book.model import (
    Book,
    Break,
    Chapter,
    Chunk,
    Mark,
    Origin,
    Plan,
    Run,
    Source,
    Speech,
    Voice,
)
from tts_book.synthesis.rate_limiter import Tools


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
            await asyncio.wait_for(work(time), 20)
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking

    asyncio.run(run())


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
