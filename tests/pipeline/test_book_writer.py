"""Files of whole books are made in threads that nobody walks away from."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.fakes import ScriptedBackend, Time, in_time
from tests.pipeline.test_run import prepared
from tts_book import events
from tts_book.audio.file_tags import read_tags
from tts_book.model import Entry, Pauses
from tts_book.output.settings import OutputSettings
from tts_book.output.whole_book import Volume
from tts_book.pipeline.book_writer import BookWriter, WholeBookWriter, run_to_end
from tts_book.pipeline.jobs import BookJob
from tts_book.pipeline.manifest_writer import ManifestWriters
from tts_book.pipeline.planning import prepare_output
from tts_book.pipeline.run import convert_jobs
from tts_book.pipeline.selection import EVERYTHING, Selection
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


class CountingCache(ChunkCache):
    """Counts how often each entry is read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reads: Counter[str] = Counter()

    def get(self, key: str) -> Entry | None:
        self.reads[key] += 1
        return super().get(key)


def convert(
    item: BookJob, cache: ChunkCache, output: OutputSettings | None = None
) -> list[events.Event]:
    told: list[events.Event] = []
    prepare_output([item], force=False)

    async def work(time: Time) -> None:
        await convert_jobs([item], Pauses(), cache, told.append, time.tools(), output)

    in_time(work)
    return told


def whole(item: BookJob, folder: Path, only: Selection = EVERYTHING) -> BookJob:
    """The same as one M4B."""
    layout = replace(item.layout, whole=(("m4b", folder / "book.m4b"),), keeps_chapters=False)
    return replace(item, layout=layout, only=only)


def test_a_chapter_without_a_file_of_its_own_names_none(tmp_path: Path) -> None:
    item = whole(prepared(tmp_path, ScriptedBackend()), tmp_path)
    told = convert(item, ChunkCache(tmp_path / "cache"))
    done = [event for event in told if isinstance(event, events.ChapterDone)]
    assert [event.path for event in done] == ["", "", ""]
    (made,) = (event for event in told if isinstance(event, events.BookDone))
    assert Path(made.path).exists()


def test_a_part_of_a_whole_book_is_joined_once(tmp_path: Path) -> None:
    item = prepared(tmp_path, ScriptedBackend())
    cache = CountingCache(tmp_path / "cache")
    convert(whole(item, tmp_path), cache)
    cache.reads.clear()
    convert(whole(item, tmp_path, Selection(frozenset({2}))), cache)
    assert set(cache.reads) == set(item.keys)
    assert set(cache.reads.values()) == {1}


def test_volumes_are_numbered_and_their_chapters_counted_through(tmp_path: Path) -> None:
    item = whole(prepared(tmp_path, ScriptedBackend()), tmp_path)
    cache = ChunkCache(tmp_path / "cache")
    convert(item, cache, OutputSettings(longest_ms=1, shelved=True))
    volumes = sorted(tmp_path.glob("*.m4b"))
    assert [read_tags(path).title for path in volumes] == [
        "The Book, 1/3",
        "The Book, 2/3",
        "The Book, 3/3",
    ]
    facts = json.loads(next(tmp_path.rglob("metadata.json")).read_text("utf-8"))
    spans = [(chapter["start"], chapter["end"]) for chapter in facts["chapters"]]
    assert len(spans) == 3
    assert all(end == start for (_, end), (start, _) in pairwise(spans))
    assert spans[0][0] == 0 < spans[0][1] < spans[2][1]
