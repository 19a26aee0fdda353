"""Author/Series/Title: what Audiobookshelf reads is there, and nobody else's is written over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.test_commands import ONE, SILENT, TWO, Desk
from tests.fakes import book
from tts_book.audio import file_tags
from tts_book.audio.file_tags import read_tags
from tts_book.errors import UserError
from tts_book.model import ChapterMark, Cover
from tts_book.output import audiobookshelf

JPEG = b"\xff\xd8\xff\xe0 picture"
SHELVED = replace(
    SILENT,
    layout="audiobookshelf",
    author="А. Писатель",
    title="Море",
    series="Моря #2",
    year="1869",
)


@pytest.fixture
def at(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("author", "series", "part", "wanted"),
    [
        ("Ann Author", "", "", "Ann Author/The Book"),
        ("Ann Author", "Seas", "", "Ann Author/Seas/The Book"),
        ("Ann Author", "Seas", "2", "Ann Author/Seas/Vol 2 - The Book"),
        ("", "", "", "The Book"),
        ("../..", "a/b:c", "1", "untitled/abc/Vol 1 - The Book"),
    ],
)
def test_folders(author: str, series: str, part: str, wanted: str) -> None:
    made = replace(book("x"), author=author, series=series, series_part=part)
    assert audiobookshelf.shelf_folder(made).as_posix() == wanted


@pytest.mark.parametrize(
    ("text", "series", "part"),
    [("Seas #2", "Seas", "2"), ("Seas#2.5", "Seas", "2.5"), ("Seas", "Seas", ""), ("#2", "#2", ""),
     ("C# in Depth", "C# in Depth", ""), ("C# #3", "C#", "3")],
)  # fmt: skip
def test_series(text: str, series: str, part: str) -> None:
    made = audiobookshelf.add_facts(book("x"), None, text, "")
    assert (made.series, made.series_part) == (series, part)


def test_a_book_on_the_shelf(at: Desk) -> None:
    picture = at.write("c.jpg", JPEG)
    source = at.write("море.txt", TWO)
    assert at.convert(source, request=replace(SHELVED, cover=picture)) == 0
    place = at.folder / "А. Писатель/Моря/Vol 2 - Море"
    assert at.written() == [place / "001 - Глава 1.mp3", place / "002 - Глава 2.mp3"]
    assert (place / "cover.jpg").read_bytes() == JPEG
    facts = json.loads((place / "metadata.json").read_text("utf-8"))
    assert facts["authors"] == ["А. Писатель"]
    assert facts["series"] == ["Моря #2"]
    assert (facts["title"], facts["publishedYear"], facts["language"]) == ("Море", "1869", "ru")
    assert [c["title"] for c in facts["chapters"]] == ["Глава 1", "Глава 2"]
    assert facts["chapters"][0]["end"] == facts["chapters"][1]["start"] > 1
    tag = file_tags.read_tags(at.written()[0])
    assert (tag.series, tag.series_part, tag.year) == ("Моря", "2", "1869")
    assert tag.cover == Cover(JPEG, "image/jpeg")


def test_an_m4b_on_the_shelf(at: Desk) -> None:
    source = at.write("море.txt", TWO)
    assert at.convert(source, request=replace(SHELVED, format="m4b")) == 0
    (path,) = at.written()
    assert path == at.folder / "А. Писатель/Моря/Vol 2 - Море/Vol 2 - Море.m4b"
    assert read_tags(path).series == "Моря"
    facts = json.loads((path.parent / "metadata.json").read_text("utf-8"))
    assert len(facts["chapters"]) == 2
    assert at.convert(source, request=replace(SHELVED, format="m4b", force=True)) == 0


def test_one_chapter_on_the_shelf(at: Desk) -> None:
    request = replace(SHELVED, format="mp3book", series="", language="en")
    assert at.convert(at.write("a.txt", ONE), request=request) == 0
    assert at.written() == [at.folder / "А. Писатель/Море/Море.mp3"]


def test_facts_and_covers_of_others_are_kept(tmp_path: Path) -> None:
    made = replace(book("x"), cover=Cover(JPEG, "image/jpeg"))
    marks = [ChapterMark("One", 0, 1_000)]
    (tmp_path / "cover.png").write_bytes(b"theirs")
    audiobookshelf.write_facts(made, tmp_path, "me", ["reader"], marks)
    assert [path.name for path in tmp_path.iterdir()] == ["cover.png"]
    (tmp_path / "cover.png").unlink()
    audiobookshelf.write_facts(made, tmp_path, "me", ["reader"], marks)
    audiobookshelf.write_facts(made, tmp_path, "me", ["other"], marks)
    assert json.loads((tmp_path / "metadata.json").read_text("utf-8"))["narrators"] == ["other"]
    audiobookshelf.write_facts(made, tmp_path, "somebody", ["reader"], marks)
    assert json.loads((tmp_path / "metadata.json").read_text("utf-8"))["narrators"] == ["other"]


def test_a_cover_is_never_there_without_the_facts_that_say_whose_it_is(tmp_path: Path) -> None:
    made = replace(book("x"), cover=Cover(JPEG, "image/jpeg"))
    audiobookshelf.write_facts(book("x"), tmp_path, "me", ["reader"], [])
    (tmp_path / "cover.jpg").mkdir()  # as far as a run comes that is killed before its cover
    with pytest.raises(UserError, match=r"cover\.jpg"):
        audiobookshelf.write_facts(made, tmp_path, "me", ["other"], [])
    assert json.loads((tmp_path / "metadata.json").read_text("utf-8"))["narrators"] == ["other"]


REFUSED = [
    (replace(SHELVED, format="mp3,m4b"), "one format"),
    (replace(SILENT, layout="heap"), "plain, audiobookshelf"),
    (replace(SILENT, cover=Path("none.jpg")), "none.jpg"),
    (replace(SILENT, cover=Path(__file__)), "JPEG or PNG"),
    (replace(SILENT, year="long ago"), "four digits"),
]


@pytest.mark.parametrize(("request_", "told"), REFUSED)
def test_what_the_user_can_mend(request_: object, told: str, at: Desk) -> None:
    with pytest.raises(UserError, match=told):
        at.convert(at.write("a.txt", TWO), request=request_)  # type: ignore[arg-type]  # a row
