"""How Audiobookshelf wants a book: a folder Author/Series/Title, with its facts and its cover.

The programs for phones and televisions that read such folders follow the same order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tts_book.audio.file_tags import year_of
from tts_book.errors import UserError
from tts_book.model import Book, ChapterMark, Cover
from tts_book.output.paths import file_name
from tts_book.synthesis import atomic

FACTS = "metadata.json"
_OURS = "tts-book"  # the key by which this program knows its own facts again
_SUFFIXES = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp"}
_NUMBERED = re.compile(r"\S\s*#\s*[0-9.]{1,8}\s*$")
_COVER_MOST_BYTES = 20_000_000


def shelf_folder(book: Book) -> Path:
    """Author/Series/Title, as far as they are known; in a series the title has its number."""
    names = [book.author, book.series, folder_title(book)]
    return Path(*(file_name(name) for name in names if name))


def folder_title(book: Book) -> str:
    """The name of the innermost folder."""
    if book.series and book.series_part:
        return f"Vol {book.series_part} - {book.title}"
    return book.title


def read_cover(path: Path) -> Cover:
    """A picture from a file. Raises UserError where it is none that players show."""
    try:
        with path.open("rb") as file:
            data = file.read(_COVER_MOST_BYTES + 1)
    except OSError as error:
        raise UserError(f"--cover {path} cannot be read: {error.strerror}.") from error
    if len(data) > _COVER_MOST_BYTES:
        raise UserError(f"--cover {path} is larger than {_COVER_MOST_BYTES // 1_000_000} MB.")
    cover = Cover.identify(data)
    if cover is None:
        raise UserError(
            f"--cover {path} is not a picture that players show: give a JPEG or PNG file."
        )
    return cover


def add_facts(book: Book, cover: Cover | Literal["none"] | None, series: str, year: str) -> Book:
    """The book with what is known of it besides its text. `cover` "none" takes its own away;
    `series` is written `NAME #NUMBER`. Raises UserError."""
    if cover is not None:
        book = replace(book, cover=None if cover == "none" else cover)
    if series:
        name, _, part = series.rpartition("#") if _NUMBERED.search(series) else (series, "", "")
        book = replace(book, series=name.strip(), series_part=part.strip())
    if year and not year_of(year):
        raise UserError(f'--year "{year}" is not a year: write four digits.')
    return replace(book, year=year_of(year)) if year else book


def write_facts(
    book: Book, place: Path, owner: str, narrators: Sequence[str], chapters: Sequence[ChapterMark]
) -> None:
    """Writes the book's facts and its cover into its folder, unless those that are there are
    somebody else's. Raises UserError where the disk does not take them."""
    if not _may_write(place, owner):
        return
    facts = json.dumps(_list_facts(book, owner, narrators, chapters), ensure_ascii=False, indent=2)
    # First, because a cover without facts is taken for somebody else's: after a kill, too.
    _write_bytes(place / FACTS, facts.encode())
    if book.cover and book.cover.mime in _SUFFIXES:
        _write_bytes(place / f"cover{_SUFFIXES[book.cover.mime]}", book.cover.data)


def _may_write(place: Path, owner: str) -> bool:
    facts = place / FACTS
    if not facts.exists():
        return not any(place.glob("cover.*"))
    try:
        known = json.loads(facts.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(known, dict) and known.get(_OURS) == owner


def _list_facts(
    book: Book, owner: str, narrators: Sequence[str], chapters: Sequence[ChapterMark]
) -> dict[str, Any]:
    series = f"{book.series} #{book.series_part}" if book.series_part else book.series
    return {
        "title": book.title,
        "authors": [name.strip() for name in book.author.split(",") if name.strip()],
        "narrators": list(narrators),
        "series": [series] if book.series else [],
        "genres": ["Audiobook"],
        "publishedYear": book.year or None,
        "language": book.language,
        "chapters": [
            {
                "id": number,
                "start": mark.start_ms / 1_000,
                "end": mark.stop_ms / 1_000,
                "title": mark.title,
            }
            for number, mark in enumerate(chapters)
        ],
        _OURS: owner,
    }


def _write_bytes(target: Path, data: bytes) -> None:
    atomic.write_file(target, (data,), len(data))
