"""The library: the same way as the command line, and nothing of the process touched."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

import tts_book
from tests.cli.test_commands import SILENT, Desk
from tests.fakes import ScriptedBackend, Time, spoken
from tts_book import events
from tts_book.backends import VoiceInfo
from tts_book.cli.commands.plan import show_plan
from tts_book.cli.options import CommandOptions
from tts_book.errors import BackendError, BackendRefused
from tts_book.model import Speech
from tts_book.pipeline.options import Options

BOOK = "\n\n".join(
    f"Chapter {n}\n\nThe lamp of day {n} was lit before the ship came.\n\n* * *\n\nNobody saw it."
    for n in (1, 2, 3)
)
CHUNKS, DIFFERENT = 9, 7  # a sentence stands in every chapter
VOICES = (VoiceInfo("scripted", "one", "en"),)


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.write("book.txt", BOOK)
    return desk


def options(at: Desk, **more: Any) -> Any:
    """Options that keep everything in the test's folder."""
    return {"surroundings": at.here(), "backend": "silent", "output": at.folder / "out", **more}


def scripted(**more: Any) -> ScriptedBackend:
    return ScriptedBackend(offers=VOICES, **more)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.*") if path.suffix != ".jsonl"}


# Reading


def test_a_book_knows_where_it_was_read(at: Desk) -> None:
    source = at.folder / "book.txt"
    book = tts_book.read(source, surroundings=at.here(), language="en-GB", author="A. Nonymous")
    assert (book.path, book.language, book.author) == (source, "en-GB", "A. Nonymous")
    assert [chapter.title for chapter in book.chapters] == ["Chapter 1", "Chapter 2", "Chapter 3"]
    assert tts_book.read("book.txt", surroundings=at.here()).path == source


def test_a_text_in_memory_is_a_book(at: Desk) -> None:
    book = tts_book.read(BOOK.encode(), title="Lamps", split="none")
    assert (book.path, book.title, len(book.chapters)) == (None, "Lamps", 1)
    result = tts_book.convert(book, **options(at))
    assert result.written == (at.folder / "out" / "Lamps.mp3",)


def test_a_folder_of_texts_is_an_album_and_is_read_whole_or_not_at_all(at: Desk) -> None:
    for name in ("1.txt", "10.txt", "2.txt"):
        at.write(f"album/{name}", f"The lamp of {name[:-4]} was lit before the ship came.")
    book = tts_book.read(at.folder / "album")
    assert (book.title, len(book.chapters)) == ("album", 3)
    assert tts_book.convert(book, **options(at)).written[2].parent == at.folder / "out" / "album"
    at.write("album/3.txt", " \n")
    with pytest.raises(tts_book.UserError, match=r"3\.txt.* is empty"):
        tts_book.read(at.folder / "album")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("absent.txt", "does not exist"),
        ("Once there was a lamp.\nIt was lit.", "give a text itself as bytes"),
        ("lamp " * 1_000, "give a text itself as bytes"),
        ("lamp" * 100, "cannot be read|does not exist"),
        ("a\0b", "cannot be read"),
        (b" ", "is empty"),
    ],
)
def test_what_cannot_be_read_is_the_users_to_fix(source: str | bytes, told: str) -> None:
    with pytest.raises(tts_book.UserError, match=told) as caught:
        tts_book.read(source)
    assert "\n" not in str(caught.value)


# Planning


def test_a_plan_shows_what_is_new_and_speaks_nothing(at: Desk) -> None:
    backend = scripted()
    wanted = options(at, backend=backend)
    plan = tts_book.plan(at.folder / "book.txt", **wanted)
    assert not backend.asked
    assert not (at.folder / "out").exists()
    assert (plan.voice.id, plan.voice.backend) == ("one", "scripted")
    assert [len(chapter.chunks) for chapter in plan.chapters] == [3, 3, 3]
    assert plan.new == plan.chunks
    assert plan.estimated_ms == sum(chunk.estimated_ms for chunk in plan.chunks) > 0
    assert str(plan.chunks[1].place) == "book.txt:3:1"
    result = tts_book.convert(at.folder / "book.txt", **wanted)
    assert result.written == plan.files
    assert all(chunk.path.is_file() for chunk in plan.chunks)
    assert tts_book.plan(at.folder / "book.txt", **wanted).new == ()
    at.write("book.txt", BOOK.replace("day 2", "day two"))
    changed = tts_book.plan(at.folder / "book.txt", **wanted).new
    assert [(chunk.chapter, chunk.spoken[:19]) for chunk in changed] == [(2, "The lamp of day two")]


@pytest.mark.parametrize(
    ("parts", "chapters", "new"),
    [
        ({"only": 2}, [2], []),
        ({"only": "1,3/1"}, [1, 3], []),
        ({"redo": "2/2"}, [2], [(2, 2)]),
        ({"redo": "2/3"}, [1, 2, 3], [(1, 3), (2, 3), (3, 3)]),
        ({"only": "2", "voice": "silent:other"}, [2], [(2, 1), (2, 2), (2, 3)]),
        ({"only": "2/1", "voice": "silent:other"}, [2], [(2, 1)]),
        ({"start": "1/3", "stop": "2/1", "voice": "silent:other"}, [1, 2], [(1, 3), (2, 1)]),
    ],
)
def test_parts_of_a_book(
    at: Desk, parts: dict[str, Any], chapters: list[int], new: list[tuple[int, int]]
) -> None:
    source = at.folder / "book.txt"
    tts_book.convert(source, **options(at))
    plan = tts_book.plan(source, **options(at, **parts))
    assert [chapter.number for chapter in plan.chapters] == chapters
    assert [(chunk.chapter, chunk.number) for chunk in plan.new] == new
    spoken_now = tts_book.convert(source, **options(at, **parts)).done.chunks_spoken
    assert spoken_now == len({chunk.key for chunk in plan.new})


def test_the_plan_is_the_command_lines(at: Desk) -> None:
    source, request = at.folder / "book.txt", replace(SILENT, json=True, only="2")
    at.run(show_plan(at.here(), request, [str(source)], False))
    told = [json.loads(line) for line in at.out.getvalue().splitlines()]
    plan = tts_book.plan(source, **options(at, output=at.folder, only=2))
    assert [(line["key"], line["file"]) for line in told] == [
        (chunk.key, str(plan.chapters[0].path)) for chunk in plan.chunks
    ]


# Converting


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"format": "mp3,m4b", "captions": "srt", "title": "Lamps", "author": "A. Nonymous"},
        {"rate": -10, "loudness": "off", "split": "none", "year": 1901},
        {"layout": "audiobookshelf", "series": "Lights #2", "cover": "none"},
        {"voice": "silent:other", "only": "2"},
    ],
)
def test_the_same_options_give_the_same_bytes_as_the_command_line(
    at: Desk, more: dict[str, Any]
) -> None:
    source, one, other = at.folder / "book.txt", at.folder / "one", at.folder / "two"
    given = {name: Path(value) if name == "cover" else str(value) for name, value in more.items()}
    assert at.convert(source, request=replace(SILENT, output=one, **given)) == 0  # type: ignore[arg-type]  # all are texts but that
    result = tts_book.convert(source, **options(at, output=other, cache=at.folder / "own", **more))
    assert result.done.chunks_spoken > 0
    assert files(one) == files(other)
    book = tts_book.read(source, **{k: more[k] for k in ("title", "author", "split") if k in more})
    late = {name: value for name, value in more.items() if name not in ("title", "author", "split")}
    third = at.folder / "six"
    assert tts_book.convert(book, **options(at, output=third, **late)).done.chunks_spoken == 0
    assert files(one) == files(third)


def test_the_command_line_goes_on_with_what_the_library_wrote(at: Desk) -> None:
    written = tts_book.convert(at.folder / "book.txt", **options(at, output=at.folder)).written
    assert at.convert(at.folder / "book.txt") == 0
    assert at.written() == list(written)
    assert "0 chunks spoken" in at.err.getvalue()


def test_events_come_in_order(at: Desk) -> None:
    told: list[events.Event] = []
    backend = scripted(answer=_breaks_in_the_second)
    result = tts_book.convert(
        at.folder / "book.txt", **options(at, backend=backend, listener=told.append)
    )
    assert isinstance(told[0], events.JobStarted)
    assert isinstance(told[-1], events.JobDone)
    assert result.done == told[-1]
    ends = Counter(
        (event.chapter, event.chunk)
        for event in told
        if isinstance(event, events.ChunkDone | events.ChunkFailed)
    )
    assert set(ends.values()) == {1}
    assert len(ends) == CHUNKS
    assert [lost.chapter for lost in result.lost] == [2]
    assert [path.name[:3] for path in result.written] == ["001", "003"]


def _breaks_in_the_second(text: str, attempt: int) -> Speech | BackendError:
    return BackendRefused("no") if "day 2" in text else spoken(text)


def test_a_backend_of_ones_own_is_taken_as_it_is_and_stays_open(at: Desk) -> None:
    backend = scripted()
    source = at.folder / "book.txt"
    tts_book.convert(source, **options(at, backend=backend, voice="scripted:two", rate="+20%"))
    assert not backend.closed
    assert set(backend.asked.values()) == {1}
    at.write("voices.toml", '[voices.reader]\nbackend = "scripted"\nid = "one"\n')
    plan = tts_book.plan(source, **options(at, backend=backend, voice="reader"))
    assert (plan.voice.id, len(plan.new)) == ("one", CHUNKS)


def test_time_and_workers_are_arguments(at: Desk) -> None:
    async def work() -> None:
        time = Time()
        ticking = asyncio.create_task(time.run())
        backend = scripted(sleep=time.sleep, takes_s=100.0)
        wanted = options(at, backend=backend, workers=1, tools=time.tools())
        result = await tts_book.aconvert(at.folder / "book.txt", **wanted)
        assert backend.most_in_flight == 1
        assert result.done.wall_s >= 100 * result.done.requests
        ticking.cancel()

    asyncio.run(work())


# Errors


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"voice": "nobody"}, 'no voice "nobody"'),
        ({"backend": "nothing"}, 'no backend "nothing"'),
        ({"format": "wav"}, "--format"),
        ({"captions": "txt"}, "--captions"),
        ({"layout": "flat"}, "--layout"),
        ({"split": "often"}, "--split"),
        ({"rate": 900}, "rate"),
        ({"only": "9"}, "chapters 1 to 3"),
        ({"voices": "absent.toml"}, r"absent\.toml"),
        ({"cover": "absent.png"}, "--cover"),
        ({"year": "long ago"}, "--year"),
    ],
)
def test_what_the_user_can_fix_is_reported(at: Desk, given: dict[str, Any], told: str) -> None:
    for call in (tts_book.plan, tts_book.convert):
        with pytest.raises(tts_book.UserError, match=told):
            call(at.folder / "book.txt", **options(at, **given))


def test_every_wish_of_the_command_line_can_be_made(at: Desk) -> None:
    own = {"clean", "json", "quiet", "explain", "strict", "log_level"}
    assert {each.name for each in fields(CommandOptions)} - own == {
        each.name for each in fields(Options)
    }


def test_a_slip_in_a_name_is_reported(at: Desk) -> None:
    with pytest.raises(TypeError, match=r"'voise'\. Did you mean 'voice'"):
        tts_book.convert(at.folder / "book.txt", **options(at, voise="dmitry"))
    with pytest.raises(TypeError, match="no option 'voice'"):
        tts_book.read(at.folder / "book.txt", voice="dmitry")  # type: ignore[call-arg]  # the test
    book = tts_book.read(at.folder / "book.txt")
    with pytest.raises(TypeError, match=r"give language to tts_book\.read"):
        tts_book.convert(book, **options(at, language="en"))


def test_files_of_other_origin_are_refused_unless_forced(at: Desk) -> None:
    at.write("out/book/001 - Chapter 1.mp3", "not ours")
    with pytest.raises(tts_book.UserError, match="force"):
        tts_book.convert(at.folder / "book.txt", **options(at))
    assert len(tts_book.convert(at.folder / "book.txt", **options(at, force=True)).written) == 3


@pytest.mark.parametrize("name", ["plan", "convert"])
def test_inside_a_running_loop_the_twin_is_named(at: Desk, name: str) -> None:
    async def work() -> None:
        getattr(tts_book, name)(at.folder / "book.txt", **options(at))

    with pytest.raises(RuntimeError, match=rf"await tts_book\.a{name}"):
        asyncio.run(work())


class Enough(Exception):
    """What a listener raises to end the run."""


@pytest.mark.parametrize("kind", [events.JobStarted, events.ChunkStarted, events.ChapterDone])
def test_what_a_listener_raises_ends_the_run_and_comes_out_as_it_is(
    at: Desk, kind: type[events.Event]
) -> None:
    told: list[events.Event] = []

    def listen(event: events.Event) -> None:
        told.append(event)
        if isinstance(event, kind):
            raise Enough

    with pytest.raises(Enough):
        tts_book.convert(at.folder / "book.txt", **options(at, listener=listen))
    assert [event for event in told if isinstance(event, kind)] == told[-1:]
    assert len(tts_book.convert(at.folder / "book.txt", **options(at)).written) == 3


# In a loop


def test_the_twins_answer_alike_and_let_the_loop_go_on(at: Desk) -> None:
    source, turns = at.folder / "book.txt", 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def work() -> tuple[tts_book.BookPlan, tts_book.Result]:
        turning = asyncio.create_task(turn())
        plan = await tts_book.aplan(source, **options(at))
        result = await tts_book.aconvert(source, **options(at))
        turning.cancel()
        return plan, result

    plan, result = asyncio.run(work())
    assert turns > 10
    assert result.written == plan.files
    assert tts_book.plan(source, **options(at)).chapters[0].path == plan.chapters[0].path


def test_a_cancelled_task_keeps_what_is_spoken(at: Desk) -> None:
    source, kept = at.folder / "book.txt", 4

    async def sleep(wait_s: float) -> None:
        if backend.asked.total() > kept:
            await asyncio.Event().wait()  # for ever

    backend = scripted(sleep=sleep)

    async def work() -> None:
        told: list[events.Event] = []

        def listen(event: events.Event) -> None:
            told.append(event)
            if sum(isinstance(event, events.ChunkDone) for event in told) == kept:
                converting.cancel()

        wanted = options(at, backend=backend, workers=1, listener=listen)
        converting = asyncio.create_task(tts_book.aconvert(source, **wanted))
        with pytest.raises(asyncio.CancelledError):
            await converting

    asyncio.run(work())
    assert not list((at.folder / "out").rglob("*.part"))
    again = scripted()
    plan = tts_book.plan(source, **options(at, backend=again))
    tts_book.convert(source, **options(at, backend=again))
    assert again.asked.total() == len({chunk.key for chunk in plan.new})
    assert DIFFERENT - kept <= again.asked.total() < DIFFERENT


def test_several_threads_convert_at_once(at: Desk) -> None:
    def convert(number: int) -> tts_book.Result:
        return tts_book.convert(at.folder / "book.txt", **options(at, output=f"out{number}"))

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(convert, range(4)))
    assert [len(result.written) for result in results] == [3] * 4
    assert all(files(at.folder / f"out{n}") == files(at.folder / "out0") for n in range(4))


# The door


def test_every_public_name_is_there_and_is_the_one_of_its_room() -> None:
    late = {*tts_book._MODULE_OF, *tts_book._MODULES}  # type: ignore[attr-defined]  # not for others
    assert late == {*tts_book.__all__} - {"__version__"}
    assert all(getattr(tts_book, name) is not None for name in tts_book.__all__)
    assert {*tts_book.__all__} <= {*dir(tts_book)}
    with pytest.raises(AttributeError, match="nothing"):
        tts_book.nothing  # type: ignore[attr-defined]  # noqa: B018 - that is the test


def test_importing_the_library_imports_nothing_else() -> None:
    script = (
        "import sys; before = set(sys.modules); import tts_book; "
        "print(*sorted(name for name in set(sys.modules) - before if name.startswith('tts_book')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["tts_book"]


def test_the_process_is_left_alone(at: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    tts_book.convert(at.folder / "book.txt", **options(at, voice="silent:other"))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert capfd.readouterr() == ("", "")
