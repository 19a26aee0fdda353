"""Runs that share a cache: they divide a book, one writes it, and who dies is done without."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_commands import Desk
from tests.fakes import ScriptedBackend, Time, in_time, spoken
from tts_book import events
from tts_book.backends import VoiceInfo
from tts_book.errors import BackendRefused, UserError
from tts_book.pipeline.job_settings import read_settings
from tts_book.pipeline.options import Options
from tts_book.pipeline.run import Result
from tts_book.pipeline.session import open_conversion
from tts_book.pipeline.source import open_source
from tts_book.synthesis.cache_leases import CacheLease, hold_entries

TEXTS = [
    f"Chapter {n}\n\nThe lamp of day {n} was lit.\n\n* * *\n\nNobody saw ship {n}."
    for n in range(1, 5)
]
BOOK = "\n\n".join(TEXTS)
CHUNKS = 12  # a heading and two paragraphs in each chapter


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.write("book.txt", BOOK)
    return desk


def scripted(**more: Any) -> ScriptedBackend:
    return ScriptedBackend(offers=(VoiceInfo("scripted", "one", "en"),), **more)


@dataclass
class Run:
    """One of the runs that share a cache."""

    backend: ScriptedBackend = field(default_factory=scripted)
    out: str = "out"
    share: bool = True
    told: list[events.Event] = field(default_factory=list)
    result: Result | None = None

    async def convert(self, at: Desk, time: Time) -> None:
        self.backend._sleep = time.sleep
        options = Options(backend=self.backend, output=at.folder / self.out, share=self.share)
        settings = read_settings(at.here(), options)
        request, _ = open_source(settings, at.folder / "book.txt").parse()
        async with open_conversion(settings) as conversion:
            jobs = await conversion.prepare([request])
            listening = nullcontext(self.told.append)
            self.result = await conversion.carry_out(jobs, listening, time.tools())

    def count(self, kind: type[events.Event]) -> int:
        return sum(isinstance(event, kind) for event in self.told)

    def sounds(self) -> list[bytes]:
        assert self.result is not None
        return [path.read_bytes() for path in self.result.written]


def convert_at_once(at: Desk, *runs: Run) -> None:
    async def work(time: Time) -> None:
        await asyncio.gather(*(run.convert(at, time) for run in runs))

    in_time(work)
    assert not list(at.folder.rglob("*.claim*"))


@pytest.mark.parametrize("outs", [("out", "out"), ("out", "elsewhere"), ("out", "out", "out")])
def test_runs_divide_a_book_and_each_ends_with_all_of_it(outs: tuple[str, ...], at: Desk) -> None:
    runs = [Run(out=out) for out in outs]
    convert_at_once(at, *runs)
    asked = sum((run.backend.asked for run in runs), Counter())
    assert (len(asked), asked.total()) == (CHUNKS, CHUNKS)
    assert sum(run.count(events.FilesAwaited) for run in runs) == len(outs) - len(set(outs))
    for run in runs:
        assert run.result is not None
        assert run.result.is_complete()
        done = run.result.done
        assert (done.chapters_done, done.chunks_spoken) == (4, len(run.backend.asked))
        assert (done.requests, done.chunks_cached) == (done.chunks_spoken, CHUNKS - done.requests)
        assert [
            run.count(kind) for kind in (events.JobStarted, events.ChunkDone, events.JobDone)
        ] == [
            1,
            CHUNKS,
            1,
        ]
        if run.count(events.FilesAwaited):
            assert done.chapters_kept == 4
    alone = Run(out="alone", share=False)
    convert_at_once(at, alone)
    assert not alone.backend.asked
    assert all(run.sounds() == alone.sounds() for run in runs)


def test_a_run_that_is_stopped_leaves_its_chunks_to_the_other(at: Desk) -> None:
    never, other = Run(scripted(takes_s=1e9)), Run()

    async def work(time: Time) -> None:
        stopped = asyncio.create_task(never.convert(at, time))
        while not never.count(events.ChunkStarted):
            await time.sleep(1.0)
        helping = asyncio.create_task(other.convert(at, time))
        while other.count(events.ChunkDone) < CHUNKS - 5:
            await time.sleep(1.0)
        stopped.cancel()
        await asyncio.gather(stopped, return_exceptions=True)
        await helping

    in_time(work)
    assert other.result is not None
    assert other.result.is_complete()
    assert (other.count(events.FilesAwaited), other.result.done.chapters_kept) == (1, 0)
    assert len(other.backend.asked) == CHUNKS
    assert not list(at.folder.rglob("*.claim*"))


def test_a_run_that_does_not_share_is_waited_for(at: Desk) -> None:
    run = Run()

    async def work(time: Time) -> None:
        place = str((at.folder / "out" / "book" / "book").resolve())
        lone = Run(share=False, backend=scripted(takes_s=30.0))
        first = asyncio.create_task(lone.convert(at, time))
        while not lone.count(events.ChunkStarted):
            await time.sleep(1.0)
        lease = CacheLease("book", "", place, ())
        told = pytest.raises(UserError, match="--share divide the work")
        with told, hold_entries(at.here().cache_dir, [lease]):
            pass
        await run.convert(at, time)
        assert first.done()

    in_time(work)
    assert run.result is not None
    assert run.result.is_complete()
    assert run.count(events.FilesAwaited) == 1


def test_what_one_could_not_say_another_says(at: Desk) -> None:
    def answer(text: str, attempt: int) -> Any:
        return BackendRefused("not that") if "ship 2" in text else spoken(text)

    bad, good = Run(scripted(answer=answer)), Run()
    convert_at_once(at, bad, good)
    assert good.result is not None
    assert good.result.is_complete()


@pytest.mark.parametrize(
    ("more", "told"),
    [({"no_cache": True}, "leave --no-cache out"), ({"redo": "3"}, "leave --share out")],
)
def test_what_cannot_be_shared_is_refused(more: dict[str, Any], told: str, at: Desk) -> None:
    with pytest.raises(UserError, match=told):
        read_settings(at.here(), Options(share=True, **more))


# Another process: it speaks with pauses that are a hundred times as short, and writes what it does.
PROCESS = """
import asyncio, sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tests.cli.test_commands import Desk
from tests.fakes import ScriptedBackend
from tests.pipeline.test_sharing import Run, scripted
from tts_book import events
from tts_book.pipeline.run import make_tools

class Quick:
    def tools(self):
        return replace(make_tools(), sleep=self.sleep)
    async def sleep(self, seconds):
        await asyncio.sleep(seconds / 100)

class Lines(list):
    def append(self, event):
        super().append(event)
        print(type(event).__name__, flush=True)

hangs = sys.argv[2] == "hangs"
run = Run(scripted(takes_s=1e9 if hangs else 1.0), told=Lines())
asyncio.run(run.convert(Desk(Path(sys.argv[1])), Quick()))
print(len(run.backend.asked), run.result.is_complete(), run.result.done.chapters_done)
"""


def start_process(at: Desk, how: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, str(at.folder), how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    for found in process.stdout:
        if found.strip() == line:
            return
    raise AssertionError(f"it ended without {line}")


def last_line(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=300)
    return said.splitlines()[-1]


@pytest.mark.skipif(sys.platform == "win32", reason="signal 9 is not known there")
def test_when_a_process_is_killed_the_other_finishes_its_work(at: Desk) -> None:
    killed = start_process(at, "hangs")
    try:
        read_until(killed, "ChunkStarted")
        other = start_process(at, "speaks")
        read_until(other, "FilesAwaited")
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
    assert last_line(other) == f"{CHUNKS} True 4"
    assert not list(at.folder.rglob("*.claim*"))


def test_two_processes_speak_each_chunk_once(at: Desk) -> None:
    both = [start_process(at, "speaks") for _ in range(2)]
    said = [last_line(process).split() for process in both]
    assert sum(int(spoken) for spoken, _, _ in said) == CHUNKS
    assert [rest for _, *rest in said] == [["True", "4"]] * 2
    assert not list(at.folder.rglob("*.claim*"))
