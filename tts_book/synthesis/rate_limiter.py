"""Who may start next: carries out the adaptive limit, for one backend and the whole run.

Waiters are let in by their order in the book, so that the first chapter is finished first.
Clock, sleep and chance are arguments.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Protocol

from tts_book.errors import Failure

if TYPE_CHECKING:
    from tts_book.synthesis.claims import Claims
    from tts_book.synthesis.spoken_audio import SpeakerFactory

# Simulated over a ten-hour book: growing by one a clean piece until the first cut takes 1.02
# times the ideal time, growing by one per thirty pieces from the start 1.15 times.
CLEAN_TO_GROW = 30
CALM_TO_GROW_S = 60.0
# However many in flight fail together, they are one sign.
CUT_EVERY_S = 10.0
# One damaged reply may be chance; two among the last twenty pieces are the load, unless they come
# one at a time as well: then it is the service's bad day, and waiting does not help.
DAMAGE_CUTS = 2
DAMAGE_AMONG = 20
# Connections that are opened in a burst look like an attack; equal gaps look like a machine.
JITTER = 0.5
LEAST_GAP_SHARE = 1 / 3
KEPT_GAPS = 2

_DAMAGE = frozenset({Failure.INCOMPLETE, Failure.NO_AUDIO})


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `now` requests at once, never more than `most`, never less than 1.

    Until the first cut every clean piece lifts it by one; `clean` counts the pieces since then,
    `recent` whether the last pieces were damaged, and `damage_cuts` whether that is held against
    the load.
    """

    now: int
    most: int
    cut_at_s: float | None = None
    clean: int = 0
    recent: tuple[bool, ...] = ()
    damage_cuts: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.now <= self.most:
            raise ValueError(f"a limit of {self.now} among 1 to {self.most}")

    def after(self, failure: Failure | None, now_s: float) -> Limit:
        """The limit after a try that ended with `failure`, or well (None)."""
        if failure is None:
            return self.after_success(now_s)
        if failure is Failure.OVERLOAD:
            return self.after_overload(now_s)
        if failure in _DAMAGE:
            return self.after_damage(now_s)
        return replace(self, clean=0)

    def after_success(self, now_s: float) -> Limit:
        """The limit after a piece that came whole."""
        seen = replace(self, clean=self.clean + 1, recent=self._remembering(damaged=False))
        if not seen._may_grow(now_s):
            return seen
        return replace(seen, now=seen.now + 1, clean=0)

    def after_overload(self, now_s: float) -> Limit:
        """The limit after the service said that it is too much."""
        return replace(self, clean=0, damage_cuts=True)._cut(now_s)

    def after_damage(self, now_s: float) -> Limit:
        """The limit after a reply that was empty or not whole."""
        if not self.damage_cuts:
            return self
        seen = replace(self, clean=0, recent=self._remembering(damaged=True))
        if sum(seen.recent) < DAMAGE_CUTS:
            return seen
        if seen.now == 1:
            return replace(seen, recent=(), damage_cuts=False, cut_at_s=None)
        return seen._cut(now_s)

    def _may_grow(self, now_s: float) -> bool:
        if self.now == self.most:
            return False
        if self.cut_at_s is None:
            return True
        return self.clean >= CLEAN_TO_GROW and now_s - self.cut_at_s >= CALM_TO_GROW_S

    def _cut(self, now_s: float) -> Limit:
        if self.cut_at_s is not None and now_s - self.cut_at_s < CUT_EVERY_S:
            return self
        return replace(self, now=max(1, self.now // 2), cut_at_s=now_s, recent=())

    def _remembering(self, *, damaged: bool) -> tuple[bool, ...]:
        return (*self.recent, damaged)[-DAMAGE_AMONG:]


@dataclass(frozen=True, slots=True)
class Spacing:
    """When the next connection may be opened: `gap_s` after the last one on the average, never
    sooner than a third of that.

    `due_s` is the time by which the starts so far have used up their share. Whoever starts later
    than that may be followed sooner, so that a slot that happens to be freed close to another is
    not left empty: with gaps that forget, a ten-hour book at four at once takes 1.05 to 1.10
    times the ideal time, with these 1.01 (simulated).
    """

    gap_s: float
    due_s: float
    next_s: float

    def after_start(self, now_s: float, random: Callable[[], float]) -> Spacing:
        """The spacing after a start at `now_s`; `random` gives numbers in [0, 1)."""
        kept_s = max(self.due_s, now_s - KEPT_GAPS * self.gap_s)
        due_s = kept_s + self.gap_s * (1 - JITTER + 2 * JITTER * random())
        return Spacing(self.gap_s, due_s, max(due_s, now_s + self.gap_s * LEAST_GAP_SHARE))


Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Proof(Protocol):
    """Listens to spoken chunks."""

    async def find_faults(self, frames: bytes, text: str, language: str) -> tuple[str, ...]:
        """One-line reasons why these MP3 frames are not the text, none where they are."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """Time, sleep and chance as arguments. `workers` caps requests at once, 0 leaves it open;
    `wait` asks again and again where a run would give up on a service that does not answer;
    `proof` hears what was spoken; `make_speaker` has chunks spoken elsewhere than in this process;
    `claims` divide the chunks among the runs that share a cache."""

    clock: Clock
    sleep: Sleep
    random: Callable[[], float]
    workers: int = 0
    wait: bool = False
    proof: Proof | None = None
    make_speaker: SpeakerFactory | None = None
    claims: Claims | None = None


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

    @property
    def has_waiters(self) -> bool:
        """Whether somebody waits for a place inside."""
        return any(not waiter[3].done() for waiter in self._waiters)

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

    @asynccontextmanager
    async def enter(self, order: int, *, alone: bool = False) -> AsyncIterator[None]:
        """A place inside, by `order`; `alone` waits until no other is inside."""
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
