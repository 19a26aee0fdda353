"""Has chunks spoken by the machines of a cluster (dask.distributed).

A run's pool stays the one that it is: it decides what is spoken, keeps the cache and reports. Only
the speaking of one chunk, with its retries, checks and encoding, is a task for a worker. Tasks are
few at a time and their results go into the cache at once, so that whatever is killed, only what was
in flight is spoken again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tts_book import __version__, events
from tts_book.backends import Backend, Settings
from tts_book.errors import BackendError, BackendRefused, BackendUnavailable, ClusterLost, UserError
from tts_book.events import Event, Listener
from tts_book.model import Voice
from tts_book.synthesis.cluster_access import (
    STATUS_PAGE,
    ClusterAddress,
    explain_refusal,
    import_distributed,
    make_security,
)
from tts_book.synthesis.cluster_worker import (
    PRELOAD,
    EngineOrder,
    WorkerReply,
    inspect_worker,
    speak_chunk,
)
from tts_book.synthesis.rate_limiter import Gate, Tools
from tts_book.synthesis.spoken_audio import ChunkCall, SpokenAudio

if TYPE_CHECKING:
    import distributed

CONNECT_S = 20.0
KEPT = "What is spoken is kept: run the same command again."
# A worker that was killed is there again in a few seconds.
PATIENCE_S = 30.0
# So many chunks for each that is spoken: no worker waits for the next one.
WINDOW = 2
# dask gives a task up after four lost workers; where workers are killed again and again, that need
# not be the chunk's fault.
KILLED_ROUNDS = 3


@asynccontextmanager
async def open_cluster(
    address: ClusterAddress, settings: Settings, tools: Tools
) -> AsyncIterator[Tools]:
    """The same tools, with chunks spoken by a cluster as long as this is entered: the one at this
    address, or one of processes on this machine. Raises UserError where nobody answers."""
    library = import_distributed()
    async with AsyncExitStack() as opened:
        place: Any = address.url
        security = make_security(address, "client")
        if address.is_local:
            place = await opened.enter_async_context(_make_local(tools.workers or os.cpu_count()))
            security, tools = place.security, replace(tools, workers=0)
        client = library.Client(
            place, security=security, asynchronous=True, set_as_default=False, timeout=CONNECT_S
        )
        try:
            await opened.enter_async_context(client)
        except (OSError, MemoryError) as error:  # the second: what answers is not dask
            await client.close()
            raise UserError(explain_refusal(address, error)) from error
        cluster = Cluster(client, address.url, settings)
        await opened.enter_async_context(cluster.watched())
        yield replace(tools, make_speaker=partial(ClusterSpeaker, cluster))


def _make_local(workers: int | None) -> Any:
    """So many processes of one thread on this machine, which nobody else can speak to."""
    library = import_distributed()
    return library.LocalCluster(
        n_workers=workers or 1,
        threads_per_worker=1,
        security=library.Security.temporary(),
        protocol="tls",
        host="127.0.0.1",
        dashboard_address=STATUS_PAGE,
        worker_dashboard_address=STATUS_PAGE,
        preload=[PRELOAD],
        memory_limit=0,
        silence_logs=logging.CRITICAL,
        asynchronous=True,
    )


class Cluster:
    """The workers that are connected now, and what is known of them."""

    def __init__(self, client: distributed.Client, url: str, settings: Settings) -> None:
        self.client, self.url = client, url
        self._settings = settings
        self.topic = f"tts-book-{uuid4().hex}"
        self.threads: dict[str, int] = {}  # by address
        # What a listener raised: dask's own loop, in which events arrive, would keep it to itself.
        self.raised: BaseException | None = None
        self._speakers: list[ClusterSpeaker] = []
        self.changed = asyncio.Event()  # set when something is new about the workers
        self._refresh = asyncio.Event()
        # By what a worker was asked: why it cannot speak, "" if it can.
        self._checks: dict[tuple[str, EngineOrder, Voice], asyncio.Task[str]] = {}
        self._left_out: dict[tuple[str, EngineOrder], str] = {}
        # Who speaks online for a network address.
        self._chosen: dict[tuple[str, EngineOrder], str] = {}
        self._noted: set[Event] = set()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Knows of workers that come and go, as long as this is entered."""
        self.client.subscribe_topic("all", self._note_worker)
        self.client.subscribe_topic(self.topic, self._pass_on)
        self.look_again()
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            if not self.is_gone:
                self.client.unsubscribe_topic("all")
                self.client.unsubscribe_topic(self.topic)
            tasks = [watching, *self._checks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def is_gone(self) -> bool:
        """Whether dask looks for the scheduler no more."""
        return self.client.status in ("closing", "closed")

    def look_again(self) -> None:
        """Asks the scheduler which workers there are; one that was started again reports none of
        them by itself."""
        self._refresh.set()

    async def _watch(self) -> None:
        while True:
            await self._refresh.wait()
            self._refresh.clear()
            try:
                self.threads = dict(await self.client.nthreads())
            except OSError:  # the scheduler is gone, as whoever waits for a chunk finds out
                continue
            self._announce()

    def _note_worker(self, event: tuple[float, dict[str, Any]]) -> None:
        match event[1]:
            case {"action": "add-worker"}:
                self.look_again()
            case {"action": "remove-worker", "worker": str(address)}:
                self.threads.pop(address, None)
                self._announce()

    def _announce(self) -> None:
        """Lets all who wait look again."""
        self.changed.set()
        self.changed = asyncio.Event()
        for speaker in self._speakers:
            speaker.adapt()

    def add(self, speaker: ClusterSpeaker) -> None:
        self._speakers.append(speaker)

    def remove(self, speaker: ClusterSpeaker) -> None:
        self._speakers.remove(speaker)

    def make_order(self, backend: str, wait: bool) -> EngineOrder:
        """The engine that workers shall have."""
        known = self._settings
        voices = tuple(voice for voice in known.voices if voice.backend == backend and voice.server)
        # A proxy is a way out of one network; workers are in others.
        tables = tuple(
            (name, tuple(item for item in table.items() if item[0] != "proxy"))
            for name, table in known.tables.items()
        )
        return EngineOrder(backend, voices, tables, wait)

    def check(self, order: EngineOrder, voice: Voice, fingerprint: str) -> None:
        """Asks those workers that were not asked yet whether they can speak with this voice."""
        for address in self.threads:
            asked = address, order, voice
            if asked not in self._checks:
                work = self._inspect(address, order, voice, fingerprint)
                self._checks[asked] = asyncio.create_task(work)

    async def _inspect(
        self, address: str, order: EngineOrder, voice: Voice, fingerprint: str
    ) -> str:
        asked = __version__, order, voice, fingerprint
        try:
            found = await self.client.run(inspect_worker, *asked, workers=[address])
            reason = str(found.get(address, "it does not answer"))
        except OSError:
            reason = "it does not answer"
        except (ImportError, AttributeError) as error:
            reason = f"it has no tts-book {__version__} ({error})"
        if reason and address in self.threads:
            self.leave_out(address, order, reason)
        asyncio.get_running_loop().call_soon(self._announce)  # when this task is done
        return reason

    def leave_out(self, address: str, order: EngineOrder, reason: str) -> None:
        """Has nothing more spoken by this worker with that engine, and reports it."""
        if (address, order) not in self._left_out:
            self._left_out[address, order] = reason
            self.tell_once(events.WorkerLeftOut(address, reason))

    def find_fit(self, order: EngineOrder, voice: Voice, *, online: bool) -> list[str]:
        """The workers that can speak with this voice; where the service is `online`, one for each
        network address, the same as long as it can, which keeps the one limit for it."""
        fit = [address for address in self.threads if self._is_fit(address, order, voice)]
        if not online:
            return fit
        for address in fit:
            place = find_host(address), order
            if self._chosen.get(place) not in fit:
                self._chosen[place] = address
        return [address for address in fit if self._chosen[find_host(address), order] == address]

    def _is_fit(self, address: str, order: EngineOrder, voice: Voice) -> bool:
        check = self._checks.get((address, order, voice))
        if check is None or not check.done() or (address, order) in self._left_out:
            return False
        return not check.result()

    def is_asking(self, order: EngineOrder) -> bool:
        """Whether a worker has yet to say if it can speak."""
        return any(
            not check.done()
            for (address, its, _), check in self._checks.items()
            if its == order and address in self.threads
        )

    def explain_absence(self, order: EngineOrder) -> str:
        """Why there is nobody to speak."""
        if self.client.status != "running":
            return f"The scheduler {self.url} is gone"
        reasons = [
            f"{address}: {reason}"
            for (address, its), reason in self._left_out.items()
            if its == order and address in self.threads
        ]
        if reasons:
            more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
            return f"No worker of {self.url} can speak: {reasons[0]}{more}"
        return (
            f"No worker is connected to {self.url}: start tts-book worker {self.url} on a machine"
        )

    def _pass_on(self, event: tuple[float, dict[str, Any]]) -> None:
        """An event of a worker, as one of the run."""
        fields = dict(event[1])
        kind, worker = fields.pop("event"), fields.pop("worker")
        try:
            for speaker in self._speakers:
                speaker.pass_on(getattr(events, kind)(**fields), worker)
        except BaseException as error:  # a listener's as well, which ends the run
            self.raised = error
            self._announce()
            raise

    def tell_once(self, event: Event) -> None:
        """Reports what several workers find out, or one for several voices."""
        if event not in self._noted and self._speakers:
            self._noted.add(event)
            self._speakers[-1].tell(event)


def find_host(address: str) -> str:
    """The network address of a worker, without its port."""
    return address.rpartition("://")[2].rpartition(":")[0]


class ClusterSpeaker:
    """Has chunks spoken with one backend by the workers of a cluster, for the whole run."""

    def __init__(self, cluster: Cluster, backend: Backend, tell: Listener, tools: Tools) -> None:
        self._cluster, self._backend, self.tell, self._tools = cluster, backend, tell, tools
        self._order = cluster.make_order(backend.name, tools.wait)
        self._fingerprints: dict[Voice, str] = {}
        self._gate = Gate(1, 0.0, tools)
        self._letting_in: asyncio.Task[None] | None = None
        # The places of the chunks that workers have, and of those the ones that are being spoken.
        self._given: set[tuple[int, int, int]] = set()
        self._spoken_now: set[tuple[int, int, int]] = set()
        # What a service said that turned a worker away, and the end, where it was the last one.
        self._given_up: BackendError | None = None
        self._stopped_by: BackendUnavailable | None = None
        self._fit: dict[str, int] = {}
        cluster.add(self)

    @property
    def most(self) -> int:
        """How many chunks may be spoken at once by the workers that are there now."""
        return sum(self._fit.values())

    @property
    def stopped(self) -> str:
        """Why no worker gets more from this backend, or ""."""
        return str(self._stopped_by) if self._stopped_by else ""

    async def close(self) -> None:
        """Ends the gate's task; the cluster stays."""
        self._cluster.remove(self)
        if self._letting_in is not None:
            self._letting_in.cancel()
            await asyncio.gather(self._letting_in, return_exceptions=True)

    def adapt(self) -> None:
        """Looks who can speak now."""
        fit: dict[str, int] = {}
        for voice, fingerprint in self._fingerprints.items():
            self._cluster.check(self._order, voice, fingerprint)
            for address in self._find_fit(voice):
                fit[address] = self._cluster.threads[address]
        if fit == self._fit:
            return
        self._fit = fit
        window = WINDOW * self.most
        self._gate.set_limit(max(1, min(window, self._tools.workers or window)))
        machines = len({find_host(address) for address in fit})
        self.tell(events.MachinesChanged(machines, self.most))

    def _find_fit(self, voice: Voice) -> list[str]:
        online = self._backend.limits.online
        return self._cluster.find_fit(self._order, voice, online=online)

    async def speak(self, call: ChunkCall) -> SpokenAudio:
        """The chunk's `spoken` text as one recording. Raises BackendError where no remedy helps,
        ClusterLost where there is nobody to speak."""
        if self._letting_in is None:
            self._letting_in = asyncio.create_task(self._gate.run())
        if call.voice not in self._fingerprints:
            self._fingerprints[call.voice] = self._backend.fingerprint(call.voice)
            self.adapt()
        place = call.book_id, call.chunk.chapter, call.chunk.number
        async with self._gate.enter(call.order):
            self._given.add(place)
            try:
                return await self._speak_by_workers(call)
            finally:
                self._given.discard(place)
                self._spoken_now.discard(place)

    async def _speak_by_workers(self, call: ChunkCall) -> SpokenAudio:
        killed = 0
        for number in count():
            workers = await self._find_workers(call.voice)
            try:
                reply = await self._ask(call, workers, number)
            except import_distributed().KilledWorker as error:
                killed += 1
                if killed == KILLED_ROUNDS:
                    raise BackendRefused(
                        f"Every worker that spoke it died, {killed * (error.allowed_failures + 1)} "
                        "in all: see how much memory they have."
                    ) from None
                continue
            if reply is None:
                continue
            if isinstance(reply.spoken, SpokenAudio):
                return reply.spoken
            if reply.spoken is None:
                self._cluster.leave_out(reply.address, self._order, reply.unfit)
            elif reply.spoken.stops_run:
                self._given_up = reply.spoken
                self._cluster.leave_out(reply.address, self._order, str(reply.spoken))
            else:
                raise reply.spoken
        raise AssertionError("counting has no end")

    async def _find_workers(self, voice: Voice) -> list[str]:
        """Those who can speak, as soon as there is one. Raises ClusterLost where none comes for a
        while, and BackendUnavailable where the service turned all of them away."""
        patience = asyncio.ensure_future(self._tools.sleep(PATIENCE_S))
        try:
            while not (workers := self._find_fit(voice)):
                if self._given_up is not None and self._stopped_by is None:
                    reason, failure = str(self._given_up), self._given_up.failure
                    self._stopped_by = BackendUnavailable(reason, failure, stops_run=True)
                    self._gate.open_wide()
                if self._stopped_by is not None:
                    raise self._stopped_by
                await self._until_change(patience)
                if not patience.done():
                    continue
                is_patient = self._tools.wait or self._cluster.is_asking(self._order)
                if self._cluster.is_gone or not is_patient:
                    raise ClusterLost(f"{self._cluster.explain_absence(self._order)}. {KEPT}")
                self._cluster.look_again()
                patience = asyncio.ensure_future(self._tools.sleep(PATIENCE_S))
            return workers
        finally:
            patience.cancel()

    async def _ask(self, call: ChunkCall, workers: list[str], number: int) -> WorkerReply | None:
        """The reply of one of these workers; None where all of them have gone. Raises ClusterLost
        where the scheduler has."""
        library, gone = import_distributed(), f"The scheduler {self._cluster.url} is gone. {KEPT}"
        if self._cluster.client.status != "running":
            raise ClusterLost(gone)
        key = f"{call.key}-{number}" if number else call.key
        future = self._cluster.client.submit(
            speak_chunk,
            self._order,
            call,
            self._cluster.topic,
            key=key,
            workers=workers,
            priority=-call.order,
        )
        result = asyncio.ensure_future(future.result())
        try:
            while not result.done():
                if self._cluster.threads.keys().isdisjoint(workers):
                    return None
                await self._until_change(result)
            reply: WorkerReply = result.result()
            return reply
        except (library.CancelledError, library.comm.CommClosedError) as error:
            raise ClusterLost(gone) from error
        finally:
            result.cancel()
            future.release()

    async def _until_change(self, other: asyncio.Future[Any]) -> None:
        """Waits until something is new about the workers, or `other` is done. Raises what a
        listener raised."""
        change = asyncio.ensure_future(self._cluster.changed.wait())
        try:
            await asyncio.wait((other, change), return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()
        if self._cluster.raised is not None:
            raise self._cluster.raised

    def pass_on(self, event: Event, worker: str) -> None:
        """Tells an event of a worker as one of the run, if it is about a chunk that it has."""
        match event:
            case events.ChunkStarted():
                place = event.book_id, event.chapter, event.chunk
                if place in self._given:
                    self._spoken_now.add(place)
                    self.tell(replace(event, in_flight=len(self._spoken_now)))
            case events.ChunkRetried():
                place = event.book_id, event.chapter, event.chunk
                if place in self._given:
                    self._spoken_now.discard(place)
                    self.tell(event)
            case events.LimitChanged() if event.pause_s > 0 and event.backend == self._backend.name:
                self.tell(replace(event, backend=f"{event.backend} on {worker}", limit=self.most))
            case events.VoiceNoted() if event.backend == self._backend.name:
                self._cluster.tell_once(event)
            case _:
                pass
