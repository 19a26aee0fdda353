"""Parts of a book: named by number, spoken alone, spoken again; and why anything is spoken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import SILENT, Desk
from tts_book.cli.options import CommandOptions
from tts_book.errors import UserError
from tts_book.pipeline.selection import Selection, parse_selection

BOOK = "\n\n".join(
    f"Chapter {n}\n\nThe lamp of day {n} was lit before the ship came.\n\n* * *\n\nNobody saw it."
    for n in (1, 2, 3)
)


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.write("book.txt", BOOK)
    return desk


@pytest.mark.parametrize(
    ("text", "chapters", "chunks"),
    [
        ("", set(), set()),
        ("3", {3}, set()),
        ("2-4", {2, 3, 4}, set()),
        ("1, 3/2 ,3/1", {1}, {(3, 2), (3, 1)}),
    ],
)
def test_parts_are_read(text: str, chapters: set[int], chunks: set[tuple[int, int]]) -> None:
    assert parse_selection(text, "--only") == Selection(frozenset(chapters), frozenset(chunks))


@pytest.mark.parametrize("text", ["x", "1/", "-3", "1/2/3", "1-2-3", "1;2", "5-2", ",", " "])
def test_what_names_no_part_is_reported(text: str) -> None:
    with pytest.raises(UserError, match="--only"):
        parse_selection(text, "--only")


@pytest.mark.parametrize(("only", "told"), [("4", "1 to 3"), ("2/9", "chunks 1 to"), ("7/1", "2/")])
def test_parts_that_are_not_there_are_reported(at: Desk, only: str, told: str) -> None:
    with pytest.raises(UserError, match=told if told != "2/" else "no chunk 7/1"):
        at.convert(at.folder / "book.txt", request=replace(SILENT, only=only))


def names(at: Desk) -> list[str]:
    return [path.name[:3] for path in at.written()]


def test_only_the_chapters_asked_for_are_spoken_and_written(at: Desk) -> None:
    assert at.convert(at.folder / "book.txt", request=replace(SILENT, only="2")) == 0
    assert names(at) == ["002"]
    assert at.convert(at.folder / "book.txt") == 0
    assert names(at) == ["001", "002", "003"]


def test_a_single_chunk_is_spoken_and_its_chapter_rejoined_when_it_is_whole(at: Desk) -> None:
    only = replace(SILENT, only="1/2")
    assert at.convert(at.folder / "book.txt", request=only) == 1
    assert "; 1 chunk spoken" in at.err.getvalue()
    at.convert(at.folder / "book.txt")
    assert at.convert(at.folder / "book.txt", request=only) == 0
    assert names(at) == ["001"]


def test_a_chunk_spoken_again_changes_every_chapter_where_its_words_stand(at: Desk) -> None:
    at.convert(at.folder / "book.txt")
    assert at.convert(at.folder / "book.txt", request=replace(SILENT, redo="1/2")) == 0
    assert names(at) == ["001"]
    assert " 1 chunk spoken" in at.err.getvalue()
    assert at.convert(at.folder / "book.txt", request=replace(SILENT, redo="2/3")) == 0
    assert names(at) == ["001", "002", "003"]
    assert " 1 chunk spoken" in at.err.getvalue()
    assert at.err.getvalue().count("spoken again:") == 3


def test_several_books_have_no_common_parts(at: Desk) -> None:
    other = at.write("other.txt", BOOK)
    with pytest.raises(UserError, match="one book"):
        at.convert(at.folder / "book.txt", other, request=replace(SILENT, only="1"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (replace(SILENT, rate="-10%"), "rate 0 → -10"),
        (replace(SILENT, voice="silent:other"), "voice silence → other"),
    ],
)
def test_a_changed_voice_is_explained(at: Desk, change: CommandOptions, told: str) -> None:
    at.convert(at.folder / "book.txt")
    at.convert(at.folder / "book.txt", request=replace(change, explain=True))
    assert told in at.err.getvalue()


def test_new_text_and_lost_entries_are_explained(at: Desk) -> None:
    source = at.folder / "book.txt"
    at.convert(source, request=replace(SILENT, explain=True))
    assert "never spoken before" in at.err.getvalue()
    source.write_text(BOOK.replace("day 2", "day two"), "utf-8")
    at.convert(source, request=replace(SILENT, explain=True))
    assert "1 of 9 chunks is to be spoken" in at.err.getvalue()
    assert "its text is new" in at.err.getvalue()
    next((at.folder / "cache").glob("??/*.mp3")).unlink()
    at.convert(source, request=replace(SILENT, explain=True))
    assert "gone or damaged" in at.err.getvalue()


def test_another_pronunciation_is_explained_with_its_words(at: Desk) -> None:
    source = at.folder / "book.txt"
    at.convert(source)
    at.write("pronounce.toml", '"day 2" = "the second day"\n')
    at.convert(source, request=replace(SILENT, explain=True))
    assert "it is said otherwise: “day 2” → “the second day”" in at.err.getvalue()


def test_only_what_is_asked_for_is_explained(at: Desk) -> None:
    at.convert(at.folder / "book.txt", request=replace(SILENT, explain=True, only="2"))
    explained = [line for line in at.err.getvalue().splitlines() if "never spoken" in line]
    assert explained
    assert all(line.startswith("2/") for line in explained)


def test_the_same_words_are_explained_once(at: Desk) -> None:
    twins = at.write("twins.txt", "Chapter 1\n\nA gull cried.\n\nChapter 1\n\nA gull cried.\n")
    at.convert(twins, request=replace(SILENT, explain=True, language="en"))
    assert "the same words as 1/1, spoken once for both" in at.err.getvalue()
    at.convert(twins, request=replace(SILENT, explain=True, redo="1/1", language="en"))
    assert "1/1 at twins.txt:1:1: --redo asks for another recording" in at.err.getvalue()


def test_a_chunk_alone_is_spoken_and_its_chapter_waits_for_the_rest(at: Desk) -> None:
    source = at.folder / "book.txt"
    assert at.convert(source, request=replace(SILENT, only="2/1")) == 1
    told = at.err.getvalue()
    assert "chapter 2 not written: --only leaves out 2 of its chunks that are not spoken" in told
    assert "without --only the same command speaks the rest" in told
    assert "bad request" not in told
    assert "1 chunk spoken" in told
    assert at.convert(source) == 0
