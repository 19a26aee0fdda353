"""A cluster speaks as this machine would, and whatever is killed, nothing is lost: with a real
scheduler and real workers, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

import tts_book
from tests.cli.test_process import environment, hear_interrupts
from tests.fakes import chunks
from tests.synthesis import held_backend
from tests.synthesis.held_backend import NAME, ONLINE, SOUND, Studio
from tts_book import events
from tts_book.backends import Settings
from tts_book.backends.silent import SilentBackend
from tts_book.errors import ClusterLost, UserError
from tts_book.model import Voice
from tts_book.pipeline.options import Surroundings
from tts_book.synthesis.chunk_cache import make_key
from tts_book.synthesis.cluster import Cluster, ClusterSpeaker, open_cluster
from tts_book.synthesis.cluster_access import import_distributed, parse_address
from tts_book.synthesis.rate_limiter import Tools
from tts_book.synthesis.spoken_audio import ChunkCall

ROOT = Path(__file__).parents[2]
# Two chapters of seven paragraphs, each a chunk.
TEXT = "\n\n".join(
    f"# Part {part}\n\n"
    + "\n\n".join(
        " ".join(f"Lamp {part}/{row}/{at} was lit before the ship came home." for at in range(20))
        for row in range(7)
    )
    for part in (1, 2)
)


def surroundings(folder: Path, studio: Studio, **environ: str) -> Surroundings:
    home = folder / "home"
    given = {**os.environ, **studio.environ, **environ}
    return Surroundings(folder, home, folder / "cache", home, given)


class Machines:
    """Processes of a cluster."""

    def __init__(self, folder: Path, studio: Studio) -> None:
        self._folder = folder
        self._plugs = held_backend.install(folder / "plugs")
        self._environ = {**environment(folder), **studio.environ}
        self._processes: list[subprocess.Popen[str]] = []

    def launch(
        self, *arguments: str, path: Sequence[Path] = (), **more: Any
    ) -> subprocess.Popen[str]:
        """A Python process whose backends are those of this machine and the held one."""
        places = os.pathsep.join(map(str, (*path, self._plugs, ROOT)))
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self._folder,
            env={**self._environ, "PYTHONPATH": places},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            preexec_fn=hear_interrupts if os.name == "posix" else None,
            **more,
        )
        self._processes.append(process)
        return process

    def launch_scheduler(self, *arguments: str) -> subprocess.Popen[str]:
        code = "from distributed.cli.dask_scheduler import main; main()"
        where = "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"
        return self.launch("-c", code, *where, *arguments)

    def launch_worker(self, address: str, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        words = "worker", address, "--workers", "1", *arguments
        return self.launch("-m", "tts_book", *words, **more)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """The line with these words that a process writes when it is ready."""
    assert process.stderr is not None
    return next(line for line in process.stderr if words in line)


def make_odd_version(folder: Path) -> Path:
    """A folder with this package as another version."""
    package = folder / "tts_book"
    package.mkdir(parents=True)
    for path in (ROOT / "tts_book").iterdir():
        if path.name != "__init__.py":
            (package / path.name).symlink_to(path)
    text = (ROOT / "tts_book" / "__init__.py").read_text("utf-8")
    (package / "__init__.py").write_text(text.replace(tts_book.__version__, "0.0.1"), "utf-8")
    return folder


def write_certificates(folder: Path) -> Path:
    """A folder as --tls takes it, signed by an authority of its own."""
    folder.mkdir()
    authority = trustme.CA()
    node = authority.issue_cert("node")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    node.private_key_pem.write_to_path(folder / "key.pem")
    for part in node.cert_chain_pems:
        part.write_to_path(folder / "cert.pem", append=True)
    return folder


@pytest.fixture
def studio() -> Iterator[Studio]:
    with Studio() as studio:
        yield studio
        studio.shutdown()


@pytest.fixture
def machines(tmp_path: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machines]:
    machines = Machines(tmp_path, studio)
    monkeypatch.syspath_prepend(tmp_path / "plugs")
    try:
        yield machines
    finally:
        machines.end()


class Progress:
    """A listener on which threads can wait."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []
        self._news = threading.Condition()

    def __call__(self, event: events.Event) -> None:
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def count(self, kind: type[events.Event]) -> int:
        return len(self.of(kind))

    def of(self, kind: Any) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def wait(self, kind: type[events.Event], number: int) -> None:
        """Returns when so many events of this kind have come."""
        with self._news:
            assert self._news.wait_for(lambda: self.count(kind) >= number, 300)


def convert(folder: Path, studio: Studio, name: str, **options: Any) -> Any:
    """Converts the text into the folder `name`, with a cache of its own."""
    return tts_book.convert(
        tts_book.read(TEXT.encode(), title="Lamps", language="en"),
        surroundings=surroundings(folder, studio),
        backend=NAME,
        output=folder / name,
        cache=folder / f"{name}-cache",
        **options,
    )


def read_files(folder: Path) -> dict[str, bytes]:
    """The sound of a book or of a cache, by the names of its files."""
    return {path.name: path.read_bytes() for path in folder.rglob("*.mp3")}


def test_a_cluster_speaks_the_same_bytes_though_a_worker_is_killed(
    tmp_path: Path, studio: Studio, machines: Machines
) -> None:
    folder = write_certificates(tmp_path / "tls")
    files = {"ca-file": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    tls = [word for name, file in files.items() for word in (f"--tls-{name}", str(folder / file))]
    scheduler = machines.launch_scheduler("--protocol", "tls", *tls)
    address = read_until(scheduler, "Scheduler at:").split()[-1]
    workers = [machines.launch_worker(address, "--tls", str(folder)) for _ in range(2)]
    odd = machines.launch_worker(
        address, "--tls", str(folder), path=[make_odd_version(tmp_path / "odd")]
    )
    addresses = [read_until(each, "speaks for").split()[0] for each in (*workers, odd)]
    assert all(each.startswith("tls://") for each in addresses)
    progress, is_killed = Progress(), threading.Event()

    def kill_the_worker_of_the_fifth(number: int, text: str, process: int) -> None:
        if number == 1:
            progress.wait(events.WorkerLeftOut, 1)
        if number == 5:
            # All that was spoken before is in the cache, and nothing else is begun meanwhile.
            progress.wait(events.ChunkDone, 4)
            os.kill(process, signal.SIGKILL)
            is_killed.set()
        if number > 5:
            is_killed.wait()

    studio.rule = kill_the_worker_of_the_fifth
    result = convert(tmp_path, studio, "cluster", cluster=address, tls=folder, listener=progress)
    assert result.is_complete()
    asked = Counter(text for text, _ in studio.asked)
    assert {text for text, times in asked.items() if times > 1} == {studio.asked[4][0]}
    assert len({process for _, process in studio.asked}) >= 2
    (left_out,) = progress.of(events.WorkerLeftOut)
    assert left_out.worker == addresses[2]
    assert left_out.reason.startswith("it has tts-book 0.0.1, this machine has")
    assert {event.machines for event in progress.of(events.MachinesChanged)} <= {0, 1}
    ports = {event.worker.rpartition(":")[2] for event in progress.of(events.ChunkDone)}
    assert left_out.worker.rpartition(":")[2] not in ports

    convert(tmp_path, studio, "alone")
    for one, other in (("cluster", "alone"), ("cluster-cache", "alone-cache")):
        assert read_files(tmp_path / one) == read_files(tmp_path / other) != {}

    stranger = write_certificates(tmp_path / "stranger")
    with pytest.raises(UserError, match="do not accept each other's certificates"):
        convert(tmp_path, studio, "refused", cluster=address, tls=stranger)
    with pytest.raises(UserError, match="needs certificates"):
        convert(tmp_path, studio, "refused", cluster=address)


def test_without_its_scheduler_a_run_ends_in_one_line_and_goes_on_where_it_was(
    tmp_path: Path, studio: Studio, machines: Machines
) -> None:
    (tmp_path / "lamps.md").write_text(TEXT, "utf-8")
    scheduler = machines.launch_scheduler()
    address = read_until(scheduler, "Scheduler at:").split()[-1]
    read_until(machines.launch_worker(address), "speaks for")

    is_fifth, is_over = threading.Event(), threading.Event()

    def hold_the_fifth(number: int, text: str, process: int) -> None:
        if number == 5:
            is_fifth.set()
        if number >= 5:
            is_over.wait()

    studio.rule = hold_the_fifth
    command = "convert", "lamps.md", "--backend", NAME, "--language", "en", "-o", "out"
    keeping = "--cache", "cache"
    run = machines.launch("-m", "tts_book", *command, *keeping, "--cluster", address, "--json")
    assert run.stdout is not None
    for _ in range(4):
        next(line for line in run.stdout if '"ChunkDone"' in line)
    assert is_fifth.wait(60)
    scheduler.kill()
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert said.splitlines()[-1] == (
        f"tts-book: The scheduler {address} is gone. What is spoken is kept: run the same command "
        "again."
    )
    spoken = {text for text, _ in studio.asked[:4]}
    assert len(spoken) == len(read_files(tmp_path / "cache")) == 4

    is_over.set()
    del studio.asked[:]
    studio.rule = lambda number, text, process: None
    again = machines.launch("-m", "tts_book", *command, *keeping)
    _, said = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert not spoken & {text for text, _ in studio.asked}
    assert len(studio.asked) == len(read_files(tmp_path / "cache")) - 4 > 8


def test_a_cluster_of_this_machine_speaks_the_same(tmp_path: Path, studio: Studio) -> None:
    options: dict[str, Any] = {
        "surroundings": surroundings(tmp_path, studio),
        "backend": "silent",
        "title": "Lamps",
    }
    (tmp_path / "lamps.md").write_text(TEXT, "utf-8")
    progress, source = Progress(), tmp_path / "lamps.md"
    cluster: dict[str, Any] = {"cluster": "local", "workers": 2, "listener": progress}
    for name, more in (("alone", {}), ("local", cluster)):
        kept = tmp_path / f"{name}-cache"
        result = tts_book.convert(source, output=tmp_path / name, cache=kept, **options, **more)
        assert result.is_complete()
    assert read_files(tmp_path / "local") == read_files(tmp_path / "alone") != {}
    # Whether the second process is found fit before the book is spoken depends on the machine.
    assert 1 in {event.machines for event in progress.of(events.MachinesChanged)}
    assert all(event.worker for event in progress.of(events.ChunkDone))


def convert_here(
    folder: Path,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    progress: Progress,
    workers: int,
    **environ: str,
) -> Any:
    """Converts the text with a scheduler and workers in this process, which have not `environ`."""
    from distributed import Scheduler, Worker

    monkeypatch.syspath_prepend(held_backend.install(folder / "plugs"))
    for name, value in studio.environ.items():
        monkeypatch.setenv(name, value)

    async def run() -> Any:
        is_all_said = asyncio.Event()

        def listen(event: events.Event) -> None:
            progress(event)
            if isinstance(event, events.WorkerLeftOut):
                is_all_said.set()

        async def sleep(wait_s: float) -> None:
            """Patience ends when all is said of the workers, and never while one is fit."""
            if workers:
                await is_all_said.wait()

        async with (
            Scheduler(host="127.0.0.1", dashboard_address="127.0.0.1:0") as scheduler,
            contextlib.AsyncExitStack() as opened,
        ):
            for _ in range(workers):
                worker = Worker(scheduler.address, nthreads=1, memory_limit=0)
                await opened.enter_async_context(worker)
            return await tts_book.aconvert(
                tts_book.read(TEXT.encode(), title="Lamps", language="en"),
                surroundings=surroundings(folder, studio, **environ),
                backend=NAME,
                output=folder / "out",
                cluster=scheduler.address,
                listener=listen,
                tools=Tools(time.monotonic, sleep, lambda: 0.5),
            )

    return asyncio.run(run())


def test_of_a_network_address_one_worker_speaks_online(
    tmp_path: Path, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Progress()
    result = convert_here(tmp_path, studio, monkeypatch, progress, 3, **{ONLINE: "yes"})
    assert result.is_complete()
    assert len({event.worker for event in progress.of(events.ChunkDone)}) == 1
    assert set(progress.of(events.MachinesChanged)) == {events.MachinesChanged(1, 1)}


def rule_busy_then_sold(number: int, text: str, process: int) -> str | None:
    return {3: "again", 6: "gone"}.get(number)


@pytest.mark.parametrize(
    ("workers", "environ", "rule", "reason"),
    [
        (0, {}, None, "No worker is connected to tcp://127.0.0.1:"),
        (1, {SOUND: "b"}, None, "can speak: tcp://127.0.0.1:.*: its voice .* is another one"),
        (1, {}, rule_busy_then_sold, "the studio is sold"),
    ],
)
def test_a_run_says_why_nobody_speaks(
    tmp_path: Path,
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
    environ: dict[str, str],
    rule: Any,
    reason: str,
) -> None:
    studio.rule = rule or studio.rule
    progress = Progress()
    run = partial(convert_here, tmp_path, studio, monkeypatch, progress, workers, **environ)
    if rule:
        result = run()
        assert reason in result.done.reason
        assert progress.of(events.WorkerLeftOut)[0].reason == result.done.reason
        assert [event.reason for event in progress.of(events.ChunkRetried)] == [
            "the studio is busy"
        ]
        assert 4 <= progress.count(events.ChunkDone) < 16  # one more may have been in flight
    else:
        with pytest.raises(ClusterLost, match=reason):
            run()
        assert not studio.asked


@contextlib.asynccontextmanager
async def open_speaker(
    sleep: Callable[[float], Awaitable[None]], *, workers: int = 0, wait: bool = False
) -> AsyncIterator[tuple[Any, ClusterSpeaker]]:
    """A client of a cluster in this process, and who has chunks spoken there."""
    from distributed import Client, Scheduler, Worker

    async with (
        Scheduler(host="127.0.0.1", dashboard_address="127.0.0.1:0") as scheduler,
        contextlib.AsyncExitStack() as opened,
    ):
        for _ in range(workers):
            await opened.enter_async_context(Worker(scheduler.address, nthreads=1, memory_limit=0))
        client = Client(scheduler.address, asynchronous=True, set_as_default=False)
        await opened.enter_async_context(client)
        cluster = Cluster(client, scheduler.address, Settings())
        await opened.enter_async_context(cluster.watched())
        tools = Tools(time.monotonic, sleep, lambda: 0.5, wait=wait)
        speaker = ClusterSpeaker(cluster, SilentBackend(), lambda event: None, tools)
        opened.push_async_callback(speaker.close)
        yield client, speaker


VOICE = Voice("silence", "silent", "silence", "en")


def make_call(text: str) -> ChunkCall:
    key = make_key(SilentBackend(), VOICE, text)
    return ChunkCall(1, "Lamps", chunks(text)[0], VOICE, key=key)


def test_who_waits_for_workers_looks_for_them_now_and_then_while_there_is_a_scheduler() -> None:
    async def run() -> int:
        looks = 0

        async def sleep(wait_s: float) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                await client.close()

        async with open_speaker(sleep, wait=True) as (client, speaker):
            with pytest.raises(ClusterLost, match="is gone"):
                await asyncio.wait_for(speaker.speak(make_call("A lamp.")), 60)
        return looks

    assert asyncio.run(run()) == 3


def test_a_scheduler_that_went_between_two_chunks_is_said_to_be_gone() -> None:
    async def run() -> None:
        async with open_speaker(asyncio.sleep, workers=1) as (client, speaker):
            assert (await speaker.speak(make_call("A lamp."))).frames
            await client.close()  # as dask does when it has looked for the scheduler long enough
            with pytest.raises(ClusterLost, match="is gone"):
                await speaker.speak(make_call("A ship."))

    asyncio.run(run())


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to single consoles")
def test_ctrl_c_ends_a_worker_and_its_processes_without_a_word_of_theirs(
    machines: Machines,
) -> None:
    from distributed import Scheduler

    def stop_worker(address: str) -> str:
        worker = machines.launch_worker(address, start_new_session=True)
        read_until(worker, "speaks for")
        os.killpg(worker.pid, signal.SIGINT)  # a terminal sends it to all of a command
        _, said = worker.communicate(timeout=60)
        assert worker.returncode == 130
        return said

    async def run() -> str:
        async with Scheduler(host="127.0.0.1", dashboard_address="127.0.0.1:0") as scheduler:
            return await asyncio.to_thread(stop_worker, scheduler.address)

    assert asyncio.run(run()) == "Stopped.\n"


def test_a_server_of_another_kind_is_no_scheduler() -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            place = parse_address(f"127.0.0.1:{port}", None, insecure=False)
            tools = Tools(time.monotonic, asyncio.sleep, lambda: 0.5)
            async with open_cluster(place, Settings(), tools):
                pass

    with pytest.raises(UserError, match=r"No scheduler answers at tcp://127\.0\.0\.1:"):
        asyncio.run(run())


@pytest.mark.parametrize("library", ["dask", "distributed"])
def test_a_cluster_without_its_extra_says_how_to_get_it(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=r'pip install "tts-book\[cluster\]"'):
        import_distributed()


@pytest.mark.parametrize(
    ("text", "options", "url"),
    [
        ("local", {}, "local"),
        ("tls://lab:9000", {}, "tls://lab:9000"),
        ("tls://lab", {}, "tls://lab:8786"),
        ("lab", {}, "tls://lab:8786"),
        ("10.0.0.5:8786", {}, "tls://10.0.0.5:8786"),
        ("127.0.0.1", {}, "tcp://127.0.0.1:8786"),
        ("localhost:9000", {}, "tcp://localhost:9000"),
        ("tcp://[::1]:8786", {}, "tcp://[::1]:8786"),
        ("127.0.0.1", {"certificates": Path("tls")}, "tls://127.0.0.1:8786"),
        ("tcp://10.0.0.5", {"insecure": True}, "tcp://10.0.0.5:8786"),
        ("lab", {"insecure": True}, "tcp://lab:8786"),
    ],
)
def test_an_address_is_read(text: str, options: dict[str, Any], url: str) -> None:
    given = {"certificates": None, "insecure": False, **options}
    assert parse_address(text, **given).url == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tcp://10.0.0.5:8786",
            r"tcp://10\.0\.0\.5:8786 has no TLS: .* Use tls://10\.0\.0\.5:8786",
        ),
        ("tcp://lab", "tcp://lab:8786 has no TLS"),
        ("tcp://127.example.org", "has no TLS"),
        ("tcp://[2001:db8::1]:8786", "has no TLS"),
        ("tcp://0.0.0.0", "has no TLS"),
        ("http://lab:8786", "is no address of a cluster: write tls://HOST:8786"),
        ("tls://lab:70000", "is no address"),
        ("tls://lab:8786/path", "is no address"),
        ("tls://", "is no address"),
        ("ws://127.0.0.1", "is no address"),
    ],
)
def test_beyond_this_machine_an_address_needs_tls(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_address(text, None, insecure=False)
