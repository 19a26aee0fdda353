"""What is written into a tag is read back, by us and by mutagen, however hostile the text."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book import audio
from tts_book.audio import file_tags
from tts_book.audio.file_tags import Tags
from tts_book.model import Cover

ID3: Any = import_module("mutagen.id3").ID3  # mutagen tells no types
PICTURE = Cover(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40, "image/jpeg")
FULL = Tags(
    title="Глава 1. «Ёжик» — 夜",
    album="Книга о море",
    artist="А. Б. Писатель",
    narrator="Дмитрий",
    track=2,
    tracks=30,
    language="ru",
    year="1869",
    cover=PICTURE,
    owner="book:0123",
)


def _write(path: Path, tag: bytes) -> Path:
    path.write_bytes(tag + audio.silence(500))
    return path


def test_all_fields_come_back(tmp_path: Path) -> None:
    path = _write(tmp_path / "глава.mp3", file_tags.render_id3(FULL, 504))
    assert file_tags.read_tags(path) == FULL
    assert file_tags.owner_of(path) == "book:0123"


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ("TIT2", "Глава 1. «Ёжик» — 夜"),
        ("TALB", "Книга о море"),
        ("TPE1", "А. Б. Писатель"),
        ("TPE2", "А. Б. Писатель"),
        ("TCOM", "Дмитрий"),
        ("TRCK", "2/30"),
        ("TCON", "Audiobook"),
        ("TLAN", "rus"),
        ("TLEN", "504"),
        ("TDRC", "1869"),
        ("TXXX:tts-book", "book:0123"),
    ],
)
def test_players_find(tmp_path: Path, frame: str, text: str) -> None:
    tag = ID3(_write(tmp_path / "a.mp3", file_tags.render_id3(FULL, 504)))
    assert tag.version == (2, 3, 0)
    assert [str(each) for each in tag.getall(frame)] == [text]


def test_players_that_know_replaygain_are_told(tmp_path: Path) -> None:
    level = file_tags.Level(loudness_lufs=-19.5, peak_dbfs=-6.02)
    tag = ID3(_write(tmp_path / "a.mp3", file_tags.render_id3(FULL, 504, level)))
    assert str(tag["TXXX:REPLAYGAIN_TRACK_GAIN"]) == "+1.50 dB"
    assert str(tag["TXXX:REPLAYGAIN_TRACK_PEAK"]) == "0.500035"


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("one\0two", "one two"),
        ("line\nline\r\n", "line line"),
        ("half \ud83d pair", "half   pair"),
        ("  edges  ", "edges"),
        ("x" * 100_000, "x" * 999 + "…"),
        ("\0" * 100_000, ""),
        ("𝒜" * 1_000, "𝒜" * 1_000),
        ("", ""),
    ],
)
def test_hostile_titles(tmp_path: Path, given_text: str, kept: str) -> None:
    path = _write(tmp_path / "a.mp3", file_tags.render_id3(Tags(given_text, album=given_text), 1))
    assert (file_tags.read_tags(path).title, file_tags.read_tags(path).album) == (kept, kept)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=8))
def test_no_text_breaks_a_tag(
    tmp_path_factory: pytest.TempPathFactory, title: str, language: str, year: str
) -> None:
    path = tmp_path_factory.mktemp("tags") / "a.mp3"
    _write(path, file_tags.render_id3(Tags(title, language=language, year=year, owner="me"), 1))
    assert file_tags.owner_of(path) == "me"


@pytest.mark.parametrize(
    "content",
    [b"", b"ID3", b"ID3\x03\0\0\x7f\x7f\x7f\x7f", b"text\n" * 99, bytes(5_000), audio.silence(99)],
)
def test_not_ours(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    assert file_tags.owner_of(path) is None
    assert file_tags.read_tags(path).title == ""


def test_no_file_and_a_folder_have_no_owner(tmp_path: Path) -> None:
    assert file_tags.owner_of(tmp_path / "none.mp3") is None
    assert file_tags.owner_of(tmp_path) is None


def test_another_programs_file_has_no_owner(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mp3", file_tags.render_id3(Tags("Song"), 504))
    assert file_tags.owner_of(path) is None


@pytest.mark.parametrize(
    ("language", "code"),
    [("ru", "rus"), ("ru-RU", "rus"), ("EN-us", "eng"), ("grc", "grc"), ("x", ""), ("", "")],
)
def test_language_codes(tmp_path: Path, language: str, code: str) -> None:
    tag = ID3(_write(tmp_path / "a.mp3", file_tags.render_id3(Tags("t", language=language), 1)))
    assert [str(each) for each in tag.getall("TLAN")] == ([code] if code else [])
