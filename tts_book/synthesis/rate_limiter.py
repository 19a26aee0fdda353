"""Who may start next: the executor of the adaptive limit, for one backend and the whole run.

Waiters are let in by their order in the book, so that the first chapter is finished first.
Clock, sleep and chance are arguments.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from tts_book.backends.trace import Trace
from tts_book.synthesis.limiter import Spacing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tools:
    """Time, sleep and chance as arguments. `workers` caps requests at once, 0 leaves it open;
    `wait` asks again and again where a run would give up on a service that does not answer;
    `trace` is told what happens inside."""

    clock: Clock
    sleep: Sleep
    random: Callable[[], float]
    workers: int = 0
    wait: bool = False
    trace: Trace | None = None


class Gate:
    """Lets at most `limit` in at once, `spacing_s` apart on the average, nobody during a pause."""

    def __init__(self, limit: int, spacing_s: float, tools: Tools) -> None:
        self.limit = limit
        self.in_flight = 0
        self.most_in_flight = 0
        self._clock, self._sleep, self._random = tools.clock, tools.sleep, tools.random
        self._opens_at = tools.clock()
        self._spacing = Spacing(spacing_s, self._opens_at, self._opens_at)
        self._alone = False
        self._wide_open = False
        self._waiters: list[tuple[int, int, bool, asyncio.Future[None]]] = []
        self._number = count()
        self._wake = asyncio.Event()

    def set_limit(self, limit: int) -> None:
        """A new limit: those inside stay."""
        self.limit = limit
        self._wake.set()

    def pause(self, wait_s: float) -> None:
        """Nobody starts for `wait_s` from now on."""
        self._opens_at = max(self._opens_at, self._clock() + wait_s)

    def open_wide(self) -> None:
        """From now on nobody waits: for a run that has been given up."""
        self._wide_open = True
        while self._waiters:
            if not self._waiters[0][3].done():
                self._let_in()
            else:
                heapq.heappop(self._waiters)

    def enter(self, order: int, *, alone: bool = False) -> AbstractAsyncContextManager[None]:
        """A place inside, by `order`; `alone` waits until no other is inside."""
        return self._enter(order, alone)

    @asynccontextmanager
    async def _enter(self, order: int, alone: bool) -> AsyncIterator[None]:
        let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (order, next(self._number), alone, let_in))
        if self._wide_open:
            self._let_in()
        self._wake.set()
        try:
            await let_in
        except asyncio.CancelledError:
            if let_in.done() and not let_in.cancelled():
                self._leave(alone)
            raise
        try:
            yield
        finally:
            self._leave(alone)

    def _leave(self, alone: bool) -> None:
        self.in_flight -= 1
        if alone:
            self._alone = False
        self._wake.set()

    async def run(self) -> None:
        """Lets waiters in, for ever: run it as a task beside the work and cancel it at the end."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._room():
                wait_s = max(self._opens_at, self._spacing.next_s) - self._clock()
                if wait_s > 0:
                    await self._sleep(wait_s)
                else:
                    self._let_in()

    def _room(self) -> bool:
        while self._waiters and self._waiters[0][3].done():
            heapq.heappop(self._waiters)
        if not self._waiters or self._alone:
            return False
        return self.in_flight < (1 if self._waiters[0][2] else self.limit)

    def _let_in(self) -> None:
        _, _, alone, let_in = heapq.heappop(self._waiters)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._alone = alone
        self._spacing = self._spacing.after_start(self._clock(), self._random)
        let_in.set_result(None)
