"""An event loop whose clock stands still while anything happens, and leaps to the next moment that
somebody waits for when nothing does: limits of minutes are reached at once, and a busy machine
reaches none of them."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

# What was sent over loopback is there at once; this is for a system that takes its time.
_GRACE_S = 0.05


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, in such a loop."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


def clock() -> float:
    """The time of the loop that runs, for a service that shall keep to it."""
    return asyncio.get_running_loop().time()


class _Selector(selectors.DefaultSelector):
    """Where the loop waits: for sockets really, for time never."""

    now_s = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(None if self.threads else _GRACE_S)
        if not ready:
            self.now_s += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Selector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Nobody knows how long a thread takes: the clock waits for it."""
        self._leaping.threads += 1
        work = super().run_in_executor(executor, func, *args)
        work.add_done_callback(self._thread_is_back)
        return work

    def _thread_is_back(self, _work: object) -> None:
        self._leaping.threads -= 1
