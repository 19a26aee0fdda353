"""What a machine of a cluster does: it speaks chunks with engines of its own.

These functions travel by name only: a worker is any process of dask.distributed with this version
of tts-book in its environment, started by `run_worker` or by dask's own command.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import random
import signal
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import tts_book
from tts_book import backends, events
from tts_book.backends import Backend
from tts_book.errors import BackendError, UserError
from tts_book.model import Voice
from tts_book.synthesis.chunk_cache import make_key
from tts_book.synthesis.chunk_speaker import ChunkSpeaker
from tts_book.synthesis.cluster_access import (
    STATUS_PAGE,
    ClusterAddress,
    explain_refusal,
    import_distributed,
    make_security,
)
from tts_book.synthesis.rate_limiter import Sleep, Tools
from tts_book.synthesis.spoken_audio import ChunkCall, SpokenAudio

if TYPE_CHECKING:
    from distributed import Worker

# A scheduler that is gone is looked for again after so long.
AGAIN_S = 5.0
# What workers that are started here import first: this module.
PRELOAD = __name__
# Where the events of the chunk are reported that the current task speaks.
_TOPIC: ContextVar[str] = ContextVar("_TOPIC")


@dataclass(frozen=True, slots=True)
class EngineOrder:
    """The engine that a run needs on every worker: the backend, the voices of voices.toml that name
    servers for it, that file's tables, and whether it keeps trying (`wait`). Folders, environment
    and proxy are the worker's own."""

    backend: str
    voices: tuple[Voice, ...] = ()
    tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    wait: bool = False


@dataclass(frozen=True, slots=True)
class WorkerReply:
    """What came of a chunk: its sound or why there is none; `unfit` says why this worker cannot
    speak for this run at all."""

    worker: str
    address: str
    spoken: SpokenAudio | BackendError | None
    unfit: str = ""


@dataclass(frozen=True, slots=True)
class _Station:
    """An engine of this process and who speaks with it, for all runs that order it."""

    backend: Backend
    speaker: ChunkSpeaker


# The engines of a worker, and their limits, are for all runs that use it.
_STATIONS: WeakKeyDictionary[Worker, dict[EngineOrder, _Station]] = WeakKeyDictionary()


async def run_worker(
    address: ClusterAddress, threads: int, report: Callable[[str], None], sleep: Sleep
) -> None:
    """Speaks for the scheduler at this address, so many chunks at once, until it is cancelled; one
    that is gone is waited for. `report` gets lines for people. Raises UserError."""
    library, security = import_distributed(), make_security(address, "worker")
    is_waiting = False
    while True:
        nanny = library.Nanny(
            address.url,
            nthreads=threads,
            security=security,
            memory_limit=0,
            dashboard=False,
            dashboard_address=STATUS_PAGE,
            preload=[PRELOAD],
            silence_logs=logging.ERROR,
        )
        try:
            async with nanny:
                report(f"{nanny.worker_address} speaks for {address.url}, {threads} at once")
                await nanny.finished()
        except RuntimeError as error:
            if not isinstance(error.__cause__, OSError | MemoryError):
                raise
            if "certificate" in (reason := explain_refusal(address, error.__cause__)):
                raise UserError(reason) from error
        else:
            is_waiting = False
        if not is_waiting:
            report(f"No scheduler answers at {address.url}: waiting for it")
        is_waiting = True
        await sleep(AGAIN_S)


def dask_setup(_worker: Worker) -> None:
    """Leaves Ctrl-C, which the terminal sends to all processes, to the one that started this
    worker: that ends it. dask calls this by its name where this module is preloaded."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def inspect_worker(
    version: str, order: EngineOrder, voice: Voice, fingerprint: str, dask_worker: Worker
) -> str:
    """Why this worker cannot speak with this voice for a run of that `version`, or "" if it can.
    `fingerprint` is that of the voice where the run is."""
    if tts_book.__version__ != version:
        return f"it has tts-book {tts_book.__version__}, this machine has {version}"
    try:
        backend = _find_station(order, dask_worker).backend
        # First: a voice that is not here is said by its name.
        if await asyncio.to_thread(backend.fingerprint, voice) != fingerprint:
            return f"its voice {voice.id} is another one than on this machine"
        health = await backend.health()
    except (BackendError, UserError) as error:
        return str(error)
    if not health.usable and not order.wait:
        return f"{health.detail}. Fix: {health.fix}" if health.fix else health.detail
    return ""


async def speak_chunk(order: EngineOrder, call: ChunkCall, topic: str) -> WorkerReply:
    """Speaks a chunk, with every remedy; what happens meanwhile is reported under `topic`."""
    from distributed import get_worker

    worker = get_worker()
    _TOPIC.set(topic)
    name = name_worker(worker)
    station = _find_station(order, worker)
    try:
        key = await asyncio.to_thread(make_key, station.backend, call.voice, call.chunk.spoken)
        if key != call.key:
            unfit = "it prepares texts in another way: give it the same extras and voices"
            return WorkerReply(name, worker.address, None, unfit)
        spoken = await station.speaker.speak(call)
    except BackendError as error:
        if error.stops_run:  # the next run finds out anew
            _STATIONS[worker].pop(order, None)
        return WorkerReply(name, worker.address, error)
    return WorkerReply(name, worker.address, replace(spoken, worker=name))


def name_worker(worker: Worker) -> str:
    """What people know a worker by: its machine, and the port that sets it apart there."""
    return f"{platform.node()}:{worker.address.rpartition(':')[2]}"


def _find_station(order: EngineOrder, worker: Worker) -> _Station:
    """The engine for this order, made when it is needed first. Raises UserError."""
    from platformdirs import PlatformDirs

    stations = _STATIONS.setdefault(worker, {})
    if order not in stations:
        tables = {name: dict(table) for name, table in order.tables}
        environ = dict(os.environ)
        own = PlatformDirs("tts-book", appauthor=False).user_data_path / "voices"
        folders = (*backends.find_voices_dirs(environ), own)
        settings = backends.Settings(folders, "", environ, order.voices, tables)
        backend = backends.make(order.backend, settings)
        at_once = min(worker.state.nthreads, backend.limits.most)
        tools = Tools(time.monotonic, asyncio.sleep, random.random, at_once, order.wait)
        speaker = ChunkSpeaker(backend, _report_by(worker), tools)
        stations[order] = _Station(backend, speaker)
    return stations[order]


def _report_by(worker: Worker) -> Callable[[events.Event], None]:
    def report(event: events.Event) -> None:
        worker.log_event(_TOPIC.get(), {**events.as_dict(event), "worker": name_worker(worker)})

    return report
