"""A run from plan to files: chapters whole or not at all, endings honest, the finished first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import ScriptedBackend, Time, book, in_time, spoken
from tts_book import events
from tts_book.audio import file_tags
from tts_book.backends import Health
from tts_book.errors import BackendError, BackendRefused, BackendUnavailable, Failure, UserError
from tts_book.model import Book, Break, Chunk, Pauses, Plan, Speech, Voice
from tts_book.output.paths import lay_out_book
from tts_book.pipeline.jobs import BookJob, make_keys
from tts_book.pipeline.planning import prepare_output
from tts_book.pipeline.run import Result, convert_jobs
from tts_book.pipeline.selection import select_excerpt
from tts_book.pipeline.source import BookRequest
from tts_book.pipeline.voice_selection import ChosenVoice
from tts_book.synthesis.chunk_cache import ChunkCache

VOICE = Voice("reader", "scripted", "one", "en")
OTHER = Voice("other", "second", "two", "en")
CHAPTERS = (
    "The first chapter. It has a lamp.",
    "The second chapter. It has a broken word.",
    "The third chapter. It has a ship.",
)


def chunks_of(made: Book) -> tuple[Chunk, ...]:
    """Two chunks a chapter, cut after the first sentence."""
    found = []
    for chapter in made.chapters:
        at = chapter.text.index(".") + 1
        for number, (start, stop, after) in enumerate(
            ((0, at, Break.SENTENCE), (at + 1, len(chapter.text), Break.CHAPTER)), 1
        ):
            text = chapter.text[start:stop]
            found.append(Chunk(chapter.number, number, start, stop, text, text, after))
    return tuple(found)


def prepared(
    folder: Path, backend: ScriptedBackend, *texts: str, fallback: ScriptedBackend | None = None
) -> BookJob:
    made = book(*(texts or CHAPTERS))
    plan = Plan(made, chunks_of(made))
    later = ((OTHER, lambda name: fallback),) if fallback else ()
    return BookJob(
        BookRequest(made, "book", folder / "book.txt"),
        plan,
        ChosenVoice(VOICE, backend, "by script", later),
        make_keys(plan, VOICE, backend),
        lay_out_book(made, "book", folder / "book.txt", None, folder),
    )


def run(folder: Path, *items: BookJob) -> tuple[Result, list[events.Event]]:
    told: list[events.Event] = []
    results: list[Result] = []

    async def work(time: Time) -> None:
        cache = ChunkCache(folder / "cache")
        results.append(await convert_jobs(items, Pauses(), cache, told.append, time.tools()))

    prepare_output(items, force=False)
    in_time(work)
    return results[0], told


def kinds(told: Sequence[events.Event], *wanted: type[events.Event]) -> list[events.Event]:
    return [event for event in told if isinstance(event, wanted)]


def breaks(text: str, attempt: int) -> Speech | BackendError:
    return BackendRefused("no") if "broken" in text else spoken(text)


def test_a_book_becomes_files_in_order(tmp_path: Path) -> None:
    result, told = run(tmp_path, prepared(tmp_path, ScriptedBackend()))
    assert [path.name for path in result.written] == [f"00{n} - Chapter {n}.mp3" for n in (1, 2, 3)]
    assert all(path.exists() for path in result.written)
    assert isinstance(told[0], events.JobStarted)
    assert isinstance(told[-1], events.JobDone)
    assert result.done.chapters_done == 3
    assert (result.done.chunks_spoken, result.done.requests) == (6, 6)


def test_a_chapter_with_an_unspoken_chunk_is_not_written_and_the_others_are(
    tmp_path: Path,
) -> None:
    item = prepared(tmp_path, ScriptedBackend(breaks))
    result, told = run(tmp_path, item)
    assert [path.name[:3] for path in result.written] == ["001", "003"]
    assert not item.layout.targets[1].exists()
    assert [event.chapter for event in result.lost] == [2]
    assert len(kinds(told, events.ChapterDone, events.ChapterLost)) == 3


def test_the_same_again_speaks_only_what_is_missing(tmp_path: Path) -> None:
    run(tmp_path, prepared(tmp_path, ScriptedBackend(breaks)))
    backend = ScriptedBackend()
    result, _ = run(tmp_path, prepared(tmp_path, backend))
    assert len(result.written) == 3
    assert list(backend.asked) == ["It has a broken word."]


def test_the_first_chapter_is_written_while_others_are_spoken(tmp_path: Path) -> None:
    texts = [f"Chapter {n} begins. It is not the end of {n}." for n in range(40)]
    _, told = run(tmp_path, prepared(tmp_path, ScriptedBackend(), *texts))
    first = next(n for n, event in enumerate(told) if isinstance(event, events.ChapterDone))
    assert any(isinstance(event, events.ChunkStarted) for event in told[first:])


def test_an_entry_that_vanishes_loses_its_chapter_until_the_next_run(
    tmp_path: Path,
) -> None:
    item = prepared(tmp_path, ScriptedBackend())
    run(tmp_path, item)
    entry = ChunkCache(tmp_path / "cache").path(item.keys[0])
    entry.write_bytes(b"damaged")
    backend = ScriptedBackend()
    result, _ = run(tmp_path, prepared(tmp_path, backend))
    assert len(result.written) == 3
    assert list(backend.asked) == ["The first chapter."]


def test_when_the_service_is_gone_all_that_is_there_is_kept(tmp_path: Path) -> None:
    def answer(text: str, attempt: int) -> Speech | BackendError:
        gone = "third" in text or "ship" in text
        return BackendRefused("turned away", Failure.REFUSED) if gone else spoken(text)

    result, _ = run(tmp_path, prepared(tmp_path, ScriptedBackend(answer)))
    assert [path.name[:3] for path in result.written] == ["001", "002"]
    assert "turned away" in result.done.reason


def gone_after_the_first(text: str, attempt: int) -> Speech | BackendError:
    if "first" in text or "lamp" in text:
        return spoken(text)
    return BackendUnavailable("gone", Failure.OVERLOAD)


def test_a_fallback_voice_takes_over_whole_chapters(tmp_path: Path) -> None:
    second = ScriptedBackend(name="second")
    item = prepared(tmp_path, ScriptedBackend(gone_after_the_first), fallback=second)
    result, told = run(tmp_path, item)
    assert [file_tags.read_tags(path).narrator for path in result.written] == [
        "reader",
        "other",
        "other",
    ]
    assert list(second.asked) == [
        "The second chapter.",
        "It has a broken word.",
        "The third chapter.",
        "It has a ship.",
    ]
    assert len(kinds(told, events.VoiceChanged)) == 2
    assert not result.lost
    assert result.done.chunks_failed == 0


class Voiceless(ScriptedBackend):
    def fingerprint(self, voice: Voice) -> str:
        raise BackendRefused("its model is not there")


@pytest.mark.parametrize(
    "second", [ScriptedBackend(name="second", health=Health(False, "not here")), Voiceless()]
)
def test_a_fallback_that_cannot_speak_changes_nothing(
    tmp_path: Path, second: ScriptedBackend
) -> None:
    item = prepared(tmp_path, ScriptedBackend(gone_after_the_first), fallback=second)
    result, _ = run(tmp_path, item)
    assert [event.chapter for event in result.lost] == [2, 3]


def test_a_fallback_is_asked_once_and_counts_for_what_it_takes_over(tmp_path: Path) -> None:
    class Asked(ScriptedBackend):
        times = 0

        async def health(self) -> Health:
            self.times += 1
            return await super().health()

    second = Asked(name="second")
    result, told = run(
        tmp_path, prepared(tmp_path, ScriptedBackend(gone_after_the_first), fallback=second)
    )
    assert second.times == 1
    last = {
        (event.chapter, event.chunk): event.duration_ms
        for event in told
        if isinstance(event, events.ChunkDone)
    }
    assert result.done.sound_ms == sum(last.values())
    tally = events.RunTotals()
    for event in told:
        tally(event)
    assert tally.characters == sum(map(len, (text for text in CHAPTERS))) - len(CHAPTERS)


def test_a_fallback_speaks_no_more_of_an_excerpt_than_was_asked_for(tmp_path: Path) -> None:
    second = ScriptedBackend(name="second")
    gone = ScriptedBackend(lambda text, attempt: BackendUnavailable("gone", Failure.OVERLOAD))
    item = select_excerpt(prepared(tmp_path, gone, fallback=second), "1/2", "2/1")
    result, _ = run(tmp_path, item)
    assert list(second.asked) == ["It has a lamp.", "The second chapter."]
    assert not result.lost


def test_a_disk_that_takes_no_more_is_one_error_of_the_user(tmp_path: Path) -> None:
    item = prepared(tmp_path, ScriptedBackend())
    blocked = replace(
        item,
        layout=replace(
            item.layout,
            targets=tuple(tmp_path / "file" / path.name for path in item.layout.targets),
        ),
    )
    (tmp_path / "file").write_text("no folder")

    async def work(time: Time) -> None:
        cache = ChunkCache(tmp_path / "cache")
        await convert_jobs([blocked], Pauses(), cache, lambda event: None, time.tools())

    with pytest.raises(UserError):
        in_time(work)
