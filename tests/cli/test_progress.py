"""Events as lines: what a log or a pipe gets to read."""

from __future__ import annotations

from tests.fakes import Time
from tts_book import events
from tts_book.cli.progress import Tally, Teller, state


def failed(number: int, *, given_up: bool, chapter: int = 1) -> events.ChunkFailed:
    reason = "Nobody answers. Check the network."
    place = f"book.txt:{10 * number}:1"
    words = f"Word {number}"
    return events.ChunkFailed(
        "Book", chapter, number, 9, "transient", reason, place, words, given_up
    )


def lines(*told: events.Event) -> list[str]:
    tell = Teller()
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


def test_a_file_that_takes_long_is_told_meanwhile() -> None:
    time = Time()
    tell = Teller(time.clock)
    said = []
    for name in ("a.m4b", "a.opus"):
        for done in range(0, 101, 5):
            said.append(tell(events.BookProgressed("Book", name, done * 600, 60_000)))
            time.now_s += 2.4
    assert [line for line in said if line] == [
        f"Book: {name} {done} % encoded"
        for name in ("a.m4b", "a.opus")
        for done in (25, 50, 75, 100)
    ]
    assert lines(events.BookProgressed("Book", "a.m4b", 1, 2)) == []


def test_the_display_follows_a_file_of_the_whole_book() -> None:
    time = Time()
    tally = Tally(time.clock)
    for done_ms in (0, 15_000):
        tally(events.BookProgressed("Book", "a.m4b", done_ms, 60_000))
        time.now_s += 5
    assert state(tally) == "25 % encoded, 0:00:30 left"
    tally(events.BookDone("Book", "a.m4b", 60_000, 3))
    assert "characters" in state(tally)


def test_a_pause_is_told_with_its_reason() -> None:
    paused = events.LimitChanged("edge", 1, "It answered 503. Wait.", 5.2)
    assert lines(paused) == ["edge: a pause of 5 s. It answered 503. Wait."]
