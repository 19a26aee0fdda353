"""A cluster on this machine: what it costs beside one process, and what killing its parts costs.

    python benchmarks/cluster.py speed path/to/an/english/book.txt [--characters 40000]
    python benchmarks/cluster.py faults path/to/an/english/book.txt [--characters 72000]
    python benchmarks/cluster.py tasks [--chunks 1000]

`speed` speaks the same words with Piper by one run with --workers N and by a cluster of N workers
of one thread, with scheduler and workers as processes of their own. `faults` has three workers; one
of them is killed after every fourth chunk, the scheduler once and the run itself once, and whatever
ended is started again: in the end every chunk must be there, and nothing more may have been spoken
twice than was in flight. `tasks` speaks silence, so that only the way through the cluster costs
anything: what client, scheduler and network carry for a chunk.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

ADDRESS = "tcp://127.0.0.1:{port}"
MOST_RATIO = 1.1
TIMES = 2
CHUNKS_BETWEEN_KILLS = 4
FAULTY_WORKERS = 3
SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"


@dataclass(slots=True)
class Machines:
    """A scheduler and workers of one thread each."""

    folder: Path
    port: int = 0
    scheduler: subprocess.Popen[str] | None = None
    workers: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def address(self) -> str:
        return ADDRESS.format(port=self.port)

    def start_scheduler(self) -> None:
        """On the same port as before, if there was one."""
        words = ["--host", "127.0.0.1", "--port", str(self.port)]
        self.scheduler, line = self._start(
            ["-c", SCHEDULER, *words, "--dashboard-address", "127.0.0.1:0"], "Scheduler at:"
        )
        self.port = int(line.rpartition(":")[2])

    def start_workers(self, count: int) -> None:
        for _ in range(count):
            words = ["-m", "tts_book", "worker", self.address, "--workers", "1"]
            self.workers.append(self._start(words, "speaks for")[0])

    def _start(self, words: list[str], ready: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=self.folder, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        line = next(line for line in process.stderr if ready in line)
        threading.Thread(target=_read_away, args=(process.stderr,), daemon=True).start()
        return process, line

    def end(self) -> None:
        """Ends all of them."""
        for process in (*self.workers, *([self.scheduler] if self.scheduler else [])):
            process.terminate()
            process.wait()


def _read_away(stream: IO[str]) -> None:
    for _ in stream:
        pass


@contextlib.contextmanager
def open_machines(folder: Path, workers: int) -> Iterator[Machines]:
    """A cluster that is ready."""
    machines = Machines(folder)
    try:
        machines.start_scheduler()
        machines.start_workers(workers)
        yield machines
    finally:
        machines.end()


def convert(folder: Path, book: Path, backend: str, *more: str) -> subprocess.Popen[str]:
    """A run, whose events are its output."""
    words = ["convert", str(book), "--backend", backend, "--language", "en", "--json", *more]
    return subprocess.Popen(
        [sys.executable, "-m", "tts_book", *words, "-o", str(folder / "out")],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(run: subprocess.Popen[str]) -> dict[str, Any]:
    """The last event of a run that goes well."""
    out, err = run.communicate()
    if run.returncode:
        raise SystemExit(f"a run ended with {run.returncode}: {err}")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def children_cpu_s() -> float:
    used = os.times()
    return used.children_user + used.children_system


def measure_speed(book: Path, workers: int) -> None:
    """Prints wall and CPU time of one process and of a cluster, the best of each."""
    walls: dict[str, list[float]] = {"one process": [], "cluster": []}
    costs: dict[str, list[float]] = {"one process": [], "cluster": []}
    for _ in range(TIMES):
        with tempfile.TemporaryDirectory() as place:
            before_s, began_s = children_cpu_s(), time.perf_counter()
            finish(convert(Path(place), book, "piper", "--workers", str(workers), "--no-cache"))
            walls["one process"].append(time.perf_counter() - began_s)
            costs["one process"].append(children_cpu_s() - before_s)
        with tempfile.TemporaryDirectory() as place:
            before_s = children_cpu_s()
            with open_machines(Path(place), workers) as machines:
                began_s = time.perf_counter()
                way = "--cluster", machines.address
                finish(convert(Path(place), book, "piper", "--no-cache", *way))
                walls["cluster"].append(time.perf_counter() - began_s)
            costs["cluster"].append(children_cpu_s() - before_s)
    for name, times in walls.items():
        print(f"{name:<12} {min(times):8.1f} s {min(costs[name]):8.1f} CPU s")
    ratio = min(walls["cluster"]) / min(walls["one process"])
    print(f"the cluster takes {ratio:.2f} times as long")
    if ratio > MOST_RATIO:
        raise SystemExit(f"more than {MOST_RATIO}: is the machine busy with something else?")


@dataclass(slots=True)
class Tally:
    """What the runs reported, one after the other."""

    started: Counter[tuple[int, int]] = field(default_factory=Counter)
    chunks: int = 0
    workers_killed: int = 0
    runs: int = 0
    said: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        event = json.loads(line)
        if event["event"] == "ChunkStarted":
            self.started[event["chapter"], event["chunk"]] += 1
        elif event["event"] == "JobStarted":
            self.chunks = event["chunks"]


def find_worker_process(watcher: subprocess.Popen[str]) -> int | None:
    """The process that speaks: the youngest child of the one that watches over it."""
    listing = subprocess.run(
        ["ps", "--ppid", str(watcher.pid), "-o", "pid=,args="],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [line.split()[0] for line in listing.stdout.splitlines() if "spawn_main" in line]
    return int(found[-1]) if found else None


def kill_some_worker(machines: Machines, tally: Tally) -> None:
    """Kills the process of a worker; those that are just being started again are left alone."""
    process = find_worker_process(random.choice(machines.workers))
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        tally.workers_killed += 1


def try_faults(book: Path, backend: str) -> None:
    """Kills whatever can be killed, and checks that nothing is lost."""
    with tempfile.TemporaryDirectory() as place, open_machines(Path(place), FAULTY_WORKERS) as them:
        folder, tally = Path(place), Tally()
        plan = ["--cache", str(folder / "cache"), "--cluster", them.address]
        for victim in ("scheduler", "run", ""):
            tally.runs += 1
            _run_once(convert(folder, book, backend, *plan), them, tally, victim)
        chunks = len(list((folder / "cache").rglob("*.mp3")))
    twice = sum(tally.started.values()) - len(tally.started)
    in_flight = tally.workers_killed + 2 * FAULTY_WORKERS
    print(
        f"{chunks} of {tally.chunks} chunks are there; {tally.workers_killed} workers killed, "
        f"{tally.runs} runs"
    )
    print(f"spoken again: {twice}, at most in flight when something was killed: {in_flight}")
    for line in tally.said:
        print(f"  {line}")
    if chunks != tally.chunks or twice > in_flight:
        raise SystemExit("that is wrong")


def _run_once(run: subprocess.Popen[str], them: Machines, tally: Tally, victim: str) -> None:
    """Follows a run; after a third of the chunks that are missing its victim is killed."""
    assert run.stdout is not None
    assert run.stderr is not None
    missing, done = 0, 0
    for line in run.stdout:
        event = json.loads(line)
        tally.note(line)
        if event["event"] == "JobStarted":
            missing = event["chunks"] - event["cached"]
        if event["event"] == "ChunkDone" and not event["cached"]:
            done += 1
            if done % CHUNKS_BETWEEN_KILLS == 0:
                kill_some_worker(them, tally)
        if victim and missing and done >= missing // 3:
            if victim == "run":
                run.kill()
            elif them.scheduler is not None:
                them.scheduler.kill()
                them.scheduler.wait()
            victim = ""
    code = run.wait()
    last = run.stderr.read().splitlines()[-1:]
    tally.said.append(f"exit code {code}: {' '.join(last)}")
    if them.scheduler is not None and them.scheduler.returncode is not None:
        them.start_scheduler()


def measure_tasks(chunks: int, workers: int) -> None:
    """Prints what a chunk costs on its way through the cluster."""
    import psutil

    with tempfile.TemporaryDirectory() as place, open_machines(Path(place), workers) as them:
        folder = Path(place)
        book = folder / "book.md"
        book.write_text(make_text(chunks), "utf-8")
        assert them.scheduler is not None
        scheduler = psutil.Process(them.scheduler.pid)
        costs: dict[str, float] = {}
        for name, way in {"alone": [], "cluster": ["--cluster", them.address]}.items():
            own_s, its_s = children_cpu_s(), sum(scheduler.cpu_times()[:2])
            began_s = time.perf_counter()
            last = finish(convert(folder, book, "silent", "--cache", str(folder / name), *way))
            wall_s = time.perf_counter() - began_s
            costs[name] = children_cpu_s() - own_s
            spoken, its_s = last["chunks_spoken"], sum(scheduler.cpu_times()[:2]) - its_s
            print(f"{name:<8} {spoken} chunks in {wall_s:.1f} s")
        kept = sum(path.stat().st_size for path in (folder / "cluster").rglob("*.mp3"))
        more_ms = (costs["cluster"] - costs["alone"]) / spoken * 1_000
        memory_mib = scheduler.memory_info().rss / 2**20
    sound_s = last["sound_ms"] / spoken / 1_000
    alone_ms = costs["alone"] / spoken * 1_000
    print(f"a chunk: {kept / spoken / 1_000:.0f} kB, {sound_s:.0f} s of sound")
    print(f"CPU a chunk: scheduler {its_s / spoken * 1_000:.1f} ms")
    print(f"client {alone_ms:.1f} ms alone, {more_ms:.1f} ms more with the cluster")
    print(f"the scheduler has {memory_mib:.0f} MiB")


def make_text(chunks: int) -> str:
    """Chapters of fifty paragraphs, each of which makes a chunk."""
    words = (
        "the ferry left before the lamps were lit and nobody on the quay had seen who was aboard"
    )
    pick = random.Random(1).choice
    paragraphs = [
        " ".join(
            f"{' '.join(pick(words.split()) for _ in range(12)).capitalize()} {number}/{at}."
            for at in range(18)
        )
        for number in range(chunks)
    ]
    return "\n\n".join(
        f"# Part {at // 50 + 1}\n\n{text}" if at % 50 == 0 else text
        for at, text in enumerate(paragraphs)
    )


def main() -> None:
    """Runs one of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("speed", "faults", "tasks"))
    parser.add_argument("book", type=Path, nargs="?")
    parser.add_argument("--characters", type=int, default=40_000)
    parser.add_argument("--chunks", type=int, default=1_000)
    parser.add_argument("--backend", default="piper")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    if given.kind == "tasks":
        measure_tasks(given.chunks, given.workers)
        return
    with tempfile.TemporaryDirectory() as folder:
        book = Path(folder) / "book.txt"
        book.write_text(given.book.read_text("utf-8")[: given.characters], "utf-8")
        if given.kind == "speed":
            measure_speed(book, given.workers)
        else:
            try_faults(book, given.backend)


if __name__ == "__main__":
    main()
