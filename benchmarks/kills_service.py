"""The simulated online service in a thread, for a program that is killed again and again: what it
was asked and what it has answered, as lists of texts."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.backends.edge.service import Pace
from tests.backends.edge.simulator import EdgeSimulator

# An answer takes about a second, so that a kill falls into the middle of several.
PACE = Pace(connect_s=0.1, first_mark_s=0.05, first_sound_s=0.1, times_real=3.0)
_POLL_S = 0.005
_IDLE_MOST_S = 10.0


class Service:
    """A context; `environ` is the environment in which the program finds the service."""

    def __init__(self, certificates: Path) -> None:
        self._certificates = certificates
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Service:
        self._thread.start()
        self._ready.wait()
        self._certificates.write_bytes(self._simulator.authority_pem)
        self.environ = self._simulator.environ(str(self._certificates))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self) -> None:
        logging.getLogger("aiohttp.server").disabled = True  # who is killed leaves without a word
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with EdgeSimulator(pace=PACE) as self._simulator:
            self._ready.set()
            await self._over.wait()

    @property
    def asked(self) -> list[str]:
        """All texts that were ever asked for, in order."""
        return self._simulator.statistics.texts

    @property
    def answered(self) -> list[str]:
        """All texts whose answers went out to the last byte, in order."""
        return self._simulator.statistics.answered

    def settle(self) -> None:
        """Waits until the service has noticed that nobody listens any more. Raises TimeoutError."""
        last_s = time.monotonic() + _IDLE_MOST_S
        idle = 0
        while idle < 3:
            idle = 0 if self._simulator.open else idle + 1
            if time.monotonic() > last_s:
                raise TimeoutError("The service is still answering.")
            time.sleep(_POLL_S)
