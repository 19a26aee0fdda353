"""Files of whole books are made in threads that nobody walks away from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import ScriptedBackend
from tests.pipeline.test_run import prepared
from tts_book import events
from tts_book.model import Pauses
from tts_book.output.settings import OutputSettings
from tts_book.output.whole_book import Volume
from tts_book.pipeline.book_writer import BookWriter, WholeBookWriter, run_to_end
from tts_book.pipeline.jobs import BookJob
from tts_book.pipeline.manifest_writer import ManifestWriters
from tts_book.synthesis.chunk_cache import ChunkCache


class Endless(BookWriter):
    """Encodes until it is stopped."""

    ended = False

    def find_missing(self, item: BookJob) -> list[int]:
        return []

    def bind(
        self,
        item: BookJob,
        kind: str,
        target: Path,
        progress: Callable[[Path, int, int], None] = lambda path, done_ms, all_ms: None,
    ) -> list[Volume]:
        try:
            while True:
                progress(target, 1, 100)
        finally:
            self.ended = True


def test_who_is_cancelled_stops_the_encoding_and_waits_for_its_end(tmp_path: Path) -> None:
    item = prepared(tmp_path, ScriptedBackend())
    layout = replace(item.layout, whole=(("m4b", tmp_path / "book.m4b"),))
    item = replace(item, layout=layout)

    async def work() -> None:
        told: list[events.Event] = []

        def listen(event: events.Event) -> None:
            told.append(event)
            binding.cancel()

        with (bindery := Endless(ChunkCache(tmp_path), Pauses(), OutputSettings())):
            manifests = ManifestWriters()
            binding = asyncio.create_task(WholeBookWriter(bindery, listen, manifests).bind(item))
            with pytest.raises(asyncio.CancelledError):
                await binding
            assert bindery.ended
        assert isinstance(told[0], events.BookProgressed)

    asyncio.run(work())


def test_who_is_cancelled_waits_for_the_end_of_a_thread() -> None:
    async def work() -> list[int]:
        loop = asyncio.get_running_loop()
        done: list[int] = []

        def steps() -> None:
            loop.call_soon_threadsafe(task.cancel)
            for number in range(3):
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(10)
                done.append(number)

        task = asyncio.create_task(run_to_end(steps))
        with pytest.raises(asyncio.CancelledError):
            await task
        return done

    assert asyncio.run(work()) == [0, 1, 2]
