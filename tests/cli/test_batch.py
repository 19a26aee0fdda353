"""A folder of e-books is a shelf of books."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import SILENT, TWO, Desk
from tests.readers.test_books import BODY, FILES, fb2, packed
from tts_book.audio import file_tags
from tts_book.cli.commands.convert import batch
from tts_book.cli.commands.plan import show_plan
from tts_book.errors import UserError
from tts_book.output.settings import SHELF
from tts_book.pipeline.options import LAYOUTS


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_folder_of_e_books_is_one_book_each_by_author_and_title(at: Desk) -> None:
    at.write("shelf/b.epub", packed(FILES))
    at.write("shelf/a.fb2", fb2(BODY))
    at.write("shelf/torn.epub", packed(FILES)[:-200])
    out = at.folder / "out"
    request = replace(SILENT, output=out)
    assert at.run(batch(at.here(), request, at.folder / "shelf")) == 1
    folders = {path.parent.relative_to(out).as_posix() for path in at.written()}
    assert folders >= {"A. Nonymous/The River"}
    assert {folder.partition("/")[0] for folder in folders} == {"A. Nonymous", "Иван Безымянный"}
    assert "torn.epub is a damaged or cut-off archive" in at.err.getvalue()


def test_texts_and_e_books_in_one_folder_are_reported(at: Desk) -> None:
    at.write("shelf/a.fb2", fb2(BODY))
    at.write("shelf/b.txt", TWO)
    with pytest.raises(UserError, match=r"1 text \(b.txt\) and 1 e-book \(a.fb2\)"):
        at.run(batch(at.here(), SILENT, at.folder / "shelf"))


def test_a_folder_of_texts_is_an_album(at: Desk) -> None:
    at.write("album/2.txt", TWO)
    at.write("album/10.txt", TWO)
    assert at.run(batch(at.here(), SILENT, at.folder / "album")) == 0
    assert {path.parent.name for path in at.written()} == {"album (audio)"}


def test_the_shelf_is_a_layout() -> None:
    assert SHELF in LAYOUTS


RU = "Глава 1\n\nФонарь зажгли раньше, чем пришёл корабль. Никто этого не видел. — Кто там?\n" * 3
EN = "Chapter 1\n\nThe lamp was lit before the ship came in. Nobody saw it at all that night.\n" * 3


def test_each_file_gets_a_voice_of_its_language(at: Desk) -> None:
    at.write("book/1.txt", RU)
    at.write("book/2.txt", RU)
    at.write("book/Part 2/1.txt", EN)
    options = replace(SILENT, backend="espeak", output=at.folder / "out")
    assert at.run(batch(at.here(), options, at.folder / "book")) == 0
    narrators = [file_tags.read_tags(path).narrator for path in at.written()]
    languages = [file_tags.read_tags(path).language for path in at.written()]
    assert (narrators, languages) == (["ru", "ru", "en-gb"], ["ru", "ru", "en"])
    assert "in English (en): Part 2/1.txt" in at.err.getvalue()
    assert "in English (en) voice en-gb" in at.err.getvalue()
    assert at.run(show_plan(at.here(), options, [str(at.folder / "book")], False)) == 0
    assert "in English (en) voice en-gb" in at.out.getvalue()
    in_all = re.search(r"(\d+) chunks \((\d+) spoken already\)", at.out.getvalue())
    assert in_all is not None
    assert in_all[1] == in_all[2]


def test_a_named_voice_that_cannot_read_a_file_stops_with_its_name(at: Desk) -> None:
    at.write("book/1.txt", RU)
    at.write("book/2.txt", RU)
    at.write("book/3.txt", EN)
    options = replace(SILENT, backend="espeak", voice="robot-ru")
    with pytest.raises(
        UserError, match=r"In English \(en\): book/3.txt, which .robot-ru. does not"
    ):
        at.run(batch(at.here(), options, at.folder / "book"))
    options = replace(options, language="ru")
    assert at.run(batch(at.here(), options, at.folder / "book")) == 0


def test_what_was_written_is_never_a_source(at: Desk) -> None:
    at.write("shelf/a.fb2", fb2(BODY))
    out = at.folder / "shelf" / "out"
    options = replace(SILENT, output=out, format="mp3,epub")
    assert at.run(batch(at.here(), options, at.folder / "shelf")) == 0
    assert list(out.rglob("*.epub"))
    at.err.truncate(0)
    options = replace(options, output=at.folder / "elsewhere")
    assert at.run(batch(at.here(), options, at.folder / "shelf")) == 0
    assert len(list((at.folder / "elsewhere").rglob("*.epub"))) == 1
    found = [path for path in at.written() if path.suffix == ".mp3"]
    assert len({path.parent for path in found}) == 1


def test_a_folder_with_one_text_left_leaves_no_files_of_the_others(at: Desk) -> None:
    for number in (1, 2):
        at.write(f"book/{number}.txt", EN)
    out, folder = at.folder / "out", at.folder / "book"
    options = replace(SILENT, output=out, captions="srt")
    assert at.run(batch(at.here(), options, folder)) == 0
    (folder / "2.txt").unlink()
    assert at.run(batch(at.here(), options, folder)) == 0
    assert at.err.getvalue().count("no longer belongs to any chapter (see --clean): ") == 2
    assert at.run(batch(at.here(), replace(options, clean=True), folder)) == 0
    there = {path.relative_to(out).as_posix() for path in out.rglob("*")}
    assert there == {"book.mp3", "book.srt", "book.tts-book.jsonl"}


def test_a_chapter_that_cannot_be_written_does_not_count_as_joined(at: Desk) -> None:
    at.write("book/1.txt", EN)
    at.write("book/2.txt", b"\x7fELF\x02\x01\x01\x00" * 50)
    options = replace(SILENT, output=at.folder / "out")
    assert at.run(batch(at.here(), options, at.folder / "book")) == 1
    assert at.run(batch(at.here(), options, at.folder / "book")) == 1
    assert "; 0 of 2 chapters are joined" in at.err.getvalue()


def test_files_in_other_languages_than_given_are_one_remark(at: Desk) -> None:
    for number in range(5):
        at.write(f"book/{number}.txt", RU)
    at.run(show_plan(at.here(), replace(SILENT, language="fr"), [str(at.folder / "book")], False))
    (remark,) = (line for line in at.err.getvalue().splitlines() if "--language" in line)
    assert remark == (
        "0.txt, 1.txt, 2.txt and 2 more: look Russian (ru), but are read as French (fr), as "
        "--language says"
    )


def test_without_recursion_folders_are_left_alone(at: Desk) -> None:
    at.write("book/1.txt", EN)
    at.write("book/more/2.txt", EN)
    options = replace(SILENT, no_recursive=True)
    assert at.run(batch(at.here(), options, at.folder / "book")) == 0
    assert len(at.written()) == 1


def test_the_plan_of_a_folder_names_what_cannot_be_read(at: Desk) -> None:
    at.write("book/1.txt", EN)
    at.write("book/2.txt", b"\x7fELF\x02\x01\x01\x00" * 50)
    assert at.run(show_plan(at.here(), SILENT, [str(at.folder / "book")], False)) == 1
    assert "2  not read: 2: book/2.txt is a program" in at.out.getvalue()
