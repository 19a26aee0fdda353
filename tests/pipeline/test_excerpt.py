"""An excerpt: which chunks two places mean, and a file that is no part of the book."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import SILENT, Desk, length_s
from tests.fakes import ScriptedBackend
from tests.pipeline.test_run import CHAPTERS, prepared
from tts_book.audio import file_tags
from tts_book.errors import UserError
from tts_book.output.inspection.lookup import find_time_of, find_words_at
from tts_book.output.manifest import read_lines
from tts_book.pipeline.selection import select_excerpt
from tts_book.synthesis.chunk_cache import ChunkCache

# Long enough that each chapter has several chunks.
LINES = [f"It was night {n}, and the keeper wrote a line about the ship." for n in range(120)]
BOOK = "\n\n".join(f"Chapter {n}\n\n" + "\n".join(LINES) for n in (1, 2, 3)) + "\n"


@pytest.mark.parametrize(
    ("start", "stop", "wanted"),
    [
        ("", "1", {(1, 1), (1, 2)}),
        ("", "1/1", {(1, 1)}),
        ("2", "2", {(2, 1), (2, 2)}),
        ("1/2", "2/1", {(1, 2), (2, 1)}),
        ("3/2", "", {(3, 2)}),
        ("a  BROKEN", "", {(2, 2), (3, 1), (3, 2)}),
        ("", "It has a lamp", {(1, 1), (1, 2)}),
        ("", "0:00", {(1, 1)}),
        ("0:02", "0:03", {(1, 2), (2, 1)}),
        ("", "9:00:00", {(c, n) for c in (1, 2, 3) for n in (1, 2)}),
    ],
)
def test_two_places_name_the_chunks_between_them(
    tmp_path: Path, start: str, stop: str, wanted: set[tuple[int, int]]
) -> None:
    item = select_excerpt(prepared(tmp_path, ScriptedBackend(), *CHAPTERS), start, stop)
    assert item.only.chunks == wanted


@pytest.mark.parametrize(
    ("start", "stop", "told"),
    [
        ("4", "", "has chapters 1 to 3, no 4"),
        ("", "1/3", "chapter 1 has chunks 1 to 2"),
        ("3", "2", "--from 3 is after --to 2"),
        ("1:00:00", "", "about 0 min long"),
        ("a zebra", "", "“a zebra” is not found"),
        (" ", "", "is not found"),
        ("L1000", "", "L1000"),
    ],
)
def test_a_place_that_is_not_there_is_reported(
    tmp_path: Path, start: str, stop: str, told: str
) -> None:
    with pytest.raises(UserError, match=told):
        select_excerpt(prepared(tmp_path, ScriptedBackend(), *CHAPTERS), start, stop)


def test_the_first_page_is_a_file_of_its_own(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    assert at.convert(at.write("book.txt", BOOK), request=replace(SILENT, stop="1/2")) == 0
    (file,) = at.written()
    assert file == tmp_path / "book (excerpt).mp3"
    assert file_tags.read_tags(file).title == "book (excerpt)"
    assert not (tmp_path / "book").exists()
    assert "from chunk 1/1 at book.txt:1:1 to the end of 1/2" in at.err.getvalue()


def test_lines_of_the_source_name_places(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    request = replace(SILENT, start="L130", stop="L140", captions="srt")
    assert at.convert(at.write("book.txt", BOOK), request=request) == 0
    file, captions = at.written()
    assert captions.suffix == ".srt"
    (chapter,) = read_lines(tmp_path / "book (excerpt).tts-book.jsonl", "chapter")
    lines = [place[1] for chunk in chapter["chunks"] for place in chunk["places"]]
    assert chapter["number"] == 2
    assert min(lines) <= 130
    assert max(lines) >= 140
    assert 20 < length_s(file) < 300


def test_an_excerpt_is_spoken_once_for_all_and_is_no_left_over_of_the_book(
    tmp_path: Path,
) -> None:
    at = Desk(tmp_path)
    source = at.write("book.txt", BOOK)
    at.convert(source, request=replace(SILENT, start="2", stop="2"))
    at.convert(source)
    assert len(at.written()) == 3
    assert "chapter of the book any more" not in at.err.getvalue()
    at.convert(source, request=replace(SILENT, start="3", stop="3"))
    assert "0 of " in at.err.getvalue()
    assert "chapter of the book any more" not in at.err.getvalue()


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (replace(SILENT, format="m4b"), "book (excerpt).m4b"),
        (replace(SILENT, output=Path("first.mp3")), "first.mp3"),
        (replace(SILENT, output=Path("first.opus")), "first.opus"),
        (replace(SILENT, output=Path("folder")), "folder/book (excerpt).mp3"),
    ],
)
def test_it_goes_where_and_how_it_is_asked_for(tmp_path: Path, request_: object, name: str) -> None:
    at = Desk(tmp_path)
    assert isinstance(request_, type(SILENT))
    out = tmp_path / request_.output if request_.output else None
    request = replace(request_, output=out, stop="1/1")
    assert at.convert(at.write("book.txt", BOOK), request=request) == 0
    assert at.written() == [tmp_path / name]


def test_an_excerpt_has_no_other_parts(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    with pytest.raises(UserError, match="leave --only out"):
        at.convert(at.write("book.txt", BOOK), request=replace(SILENT, stop="1", only="1"))


def test_a_chunk_of_an_excerpt_is_spoken_again(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    source, request = at.write("book.txt", BOOK), replace(SILENT, stop="2")
    at.convert(source, request=request)
    at.convert(source, request=replace(request, redo="2/1,3/1"))
    assert "1 chunk spoken" in at.err.getvalue()  # what is not in the excerpt is left alone
    assert at.written() == [tmp_path / "book (excerpt).mp3"]


def test_a_file_of_the_same_name_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    at = Desk(tmp_path)
    at.write("book (excerpt).mp3", b"somebody's")
    with pytest.raises(UserError, match="--force"):
        at.convert(at.write("book.txt", BOOK), request=replace(SILENT, stop="1"))


def test_a_second_of_an_excerpt_leads_to_its_own_words(tmp_path: Path) -> None:
    at, cache = Desk(tmp_path), ChunkCache(tmp_path / "cache")
    source = at.write("book.txt", BOOK)
    at.convert(source, request=replace(SILENT, start="2/2"))
    (file,) = at.written()
    found = [find_words_at(file, ms, cache) for ms in (100, round(1_000 * length_s(file)) - 5_000)]
    assert [(f.chapter, f.chunk) for f in found] == [(2, 2), (3, 7)]
    for each in found:
        assert each.sentence in " ".join(BOOK.split("\n")[each.place.line - 1].split())


def test_words_are_found_in_the_book_and_in_an_excerpt_where_that_is_gone(
    tmp_path: Path,
) -> None:
    at, cache = Desk(tmp_path), ChunkCache(tmp_path / "cache")
    source = at.write("book.txt", BOOK)
    at.convert(source)
    chapters = at.written()
    at.convert(source, request=replace(SILENT, start="2/2"))
    (file,) = at.written()
    assert find_time_of(source, [tmp_path], cache, text="night 119").file == chapters[0]
    chapters[0].unlink()
    assert find_time_of(source, [tmp_path], cache, text="night 119").file == file
