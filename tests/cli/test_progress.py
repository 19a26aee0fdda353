"""Progress: what a log or a pipe gets to read, and what a terminal shows."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import pytest
from rich.console import Console

from tests.fakes import Time
from tts_book import events
from tts_book.cli.display import (
    SILENCE_S,
    Display,
    EventLines,
    Footer,
    Losses,
    PlainLines,
    draw_bar,
)
from tts_book.cli.progress import Outlook, Progress


def failed(number: int, *, given_up: bool, chapter: int = 1) -> events.ChunkFailed:
    reason = "Nobody answers. Check the network."
    place = f"book.txt:{10 * number}:1"
    words = f"Word {number}"
    return events.ChunkFailed(
        "Book", chapter, number, 9, "transient", reason, place, words, given_up
    )


def lines(*told: events.Event) -> list[str]:
    tell = EventLines()
    return [line for line in map(tell, told) if line is not None]


def test_a_chunk_that_failed_has_a_line_with_place_words_and_reason() -> None:
    assert lines(failed(3, given_up=False)) == [
        "book.txt:30:1: chunk 1/3 is not spoken: “Word 3” (transient). "
        "Nobody answers. Check the network."
    ]


def test_chunks_given_up_with_the_run_stand_in_their_chapters_line() -> None:
    numbers = (4, 2, 3, 7)
    chapter_lost = events.ChapterLost("Book", 1, "One", 4, "4 of its chunks are not spoken")
    other = events.ChapterLost("Book", 2, "Two", 1, "1 of its chunks are not spoken")
    told = [failed(number, given_up=True) for number in numbers]
    assert lines(*told, failed(1, given_up=True, chapter=2), chapter_lost, other) == [
        "Book: chapter 1 not written: 4 of its chunks are not spoken; chunks 2 to 4, from "
        "book.txt:20:1 to book.txt:40:1; chunk 7 at book.txt:70:1",
        "Book: chapter 2 not written: 1 of its chunks are not spoken; chunk 1 at book.txt:10:1",
    ]


def test_a_pause_is_reported_with_its_reason() -> None:
    paused = events.LimitChanged("edge", 1, "It answered 503. Wait.", 5.2)
    assert lines(paused) == ["edge: a pause of 5 s. It answered 503. Wait."]


STARTED = events.JobStarted(1, 3, 30, 0, 30_000, 2_000_000, 3, 30_000)


def spoken(chapter: int, chunk: int, *, cached: bool = False) -> events.ChunkDone:
    return events.ChunkDone("Book", chapter, chunk, 1_000, 60_000, cached, 1, "book.txt:1:1")


def progress(time: Time, **known: float) -> Progress:
    outlook = replace(Outlook({(1, 1): 11, (1, 2): 19}), **known)  # type: ignore[arg-type]  # rows
    return Progress(time.clock, outlook)


def test_the_time_left_is_estimated_from_the_first_second_on_and_then_measured() -> None:
    time = Time()
    count = progress(time, speech_speed=20.0)
    assert count.left_s is None
    count(STARTED)
    assert count.left_s == pytest.approx(100)
    for chunk in range(1, 16):  # four times slower than estimated
        time.now_s += 400 / 30
        count(spoken(1, chunk))
    assert count.left_s == pytest.approx(200, rel=0.2)
    for chunk in range(16, 31):
        count(spoken(2, chunk))
    assert count.left_s == 0


def test_encoding_is_counted_in_before_it_begins() -> None:
    time = Time()
    count = progress(time, speech_speed=20.0, encoded_ms=4_000_000, encoding_speed=100.0)
    count(STARTED)
    assert count.left_s == pytest.approx(140)
    for chunk in range(1, 31):
        count(spoken(1, chunk))
    assert count.left_s == pytest.approx(40)
    for path in ("a.m4b", "a.opus"):
        for done_ms in range(0, 2_000_001, 500_000):
            count(events.BookProgressed("Book", path, done_ms, 2_000_000))
            time.now_s += 10
        assert count.left_s == pytest.approx({"a.m4b": 38, "a.opus": 0}[path], abs=2)
        count(events.BookDone("Book", path, 2_000_000, 3))


def test_what_is_done_of_a_chapter_is_said_and_not_which_chunk_came_last() -> None:
    count = progress(Time())
    count(STARTED)
    for chunk in (2, 9, 1):
        count(spoken(1, chunk))
    count(spoken(2, 1))
    assert count.describe_place() == "chapter 1 of 3, 3/11 done: Book"
    count(events.ChapterDone("Book", 1, "One", "1.mp3", 1, False))
    assert count.describe_place() == "chapter 2 of 3, 1/19 done: Book"


def test_requests_in_flight_fall_when_they_end() -> None:
    count = progress(Time())
    count(STARTED)
    for number in (1, 2, 3, 4):
        count(events.ChunkStarted("Book", 1, number, 1, number))
    count(spoken(1, 1))
    count(spoken(1, 9, cached=True))
    count(events.ChunkRetried("Book", 1, 2, 1, "transient", "gone", 1.0))
    count(failed(3, given_up=False))
    count(failed(5, given_up=True))
    assert count.in_flight == 1


def test_the_machines_of_a_cluster_are_counted() -> None:
    count = progress(Time())
    for event in (STARTED, events.MachinesChanged(3, 12), events.ChunkStarted("B", 1, 1, 1, 9)):
        count(event)
    assert count.describe_figures()[-2:] == ["9 in flight of 12", "3 machines"]


def console(columns: int) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=columns, force_terminal=True, no_color=True), out


@pytest.mark.parametrize(
    ("columns", "end"),
    [(120, "4 in flight"), (60, "of 30,000 characters"), (40, "3 %"), (21, "left"), (12, "…")],
)
def test_the_time_left_is_the_last_to_be_cut(columns: int, end: str) -> None:
    time = Time()
    count = progress(time, speech_speed=20.0)
    count(STARTED)
    count(spoken(1, 1))
    count(events.ChunkStarted("Book", 1, 2, 1, 4))
    time.now_s += 3
    shown, out = console(columns)

    async def run() -> None:
        with Display(shown, count).shown() as display:
            display(events.ChunkStarted("Book", 1, 3, 1, 4))
            display.refresh()

    asyncio.run(run())
    rows = [row for row in out.getvalue().replace("\x1b", "\n").splitlines() if "about" in row]
    assert rows[0].startswith("about 0:0" if columns > 12 else "about")
    assert rows[0].rstrip().endswith(end)
    assert len(rows[0]) < columns


def test_a_bar_without_colours_shows_how_much_is_done() -> None:
    assert [draw_bar(share, 8).plain for share in (0, 0.5, 1, 2)] == [
        "░░░░░░░░", "████░░░░", "████████", "████████",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "now", "rows"), [(80, 80, 2), (79, 30, 3), (79, 20, 4), (30, 79, 2)]
)
def test_all_rows_of_the_footer_are_erased_also_when_the_terminal_wrapped_them(
    before: int, now: int, rows: int
) -> None:
    shown, out = console(before)
    footer = Footer(shown, lambda width: [draw_bar(1, 59), draw_bar(0, 20)])
    footer.refresh()
    with footer:
        footer.refresh()
        shown.width = now
        out.truncate(out.seek(0))
        footer.refresh()
        assert out.getvalue().count("\x1b[2K") == rows
        assert out.getvalue().count("\x1b[1A") == rows - 1


def test_without_a_terminal_a_line_comes_when_it_was_silent_for_long() -> None:
    time = Time()
    out = io.StringIO()
    listener = PlainLines(Console(file=out, width=300), progress(time), time.clock)
    listener.tick()
    listener(STARTED)
    for chunk in range(1, 12):
        time.now_s += SILENCE_S / 4
        listener(spoken(1, chunk))
        listener.tick()
    begin, *meanwhile = out.getvalue().splitlines()
    assert begin.startswith("3 chapters, 30 chunks")
    assert [line.partition(":")[0] for line in meanwhile] == [
        "chapter 1 of 3, 4/11 done", "chapter 1 of 3, 8/11 done",
    ]  # fmt: skip
    assert all("left, " in line for line in meanwhile)


def test_without_a_terminal_encoding_is_reported_meanwhile() -> None:
    time = Time()
    out = io.StringIO()
    listener = PlainLines(Console(file=out, width=300), progress(time), time.clock)
    listener(STARTED)
    for done in range(0, 101, 5):
        time.now_s += 2.5
        listener(events.BookProgressed("Book", "a.m4b", done * 600, 60_000))
    assert [line for line in out.getvalue().splitlines() if line.startswith("encoding a.m4b")]


def test_quiet_keeps_the_reason_and_place_of_what_is_lost() -> None:
    out = io.StringIO()
    listener = Losses(Console(file=out, width=300))
    lost = events.ChapterLost("Book", 1, "One", 1, "1 of its chunks is not spoken")
    for event in (STARTED, spoken(1, 1), failed(3, given_up=False), lost):
        listener(event)
    assert out.getvalue().splitlines() == [*lines(failed(3, given_up=False)), *lines(lost)]
