"""`tts-book page` and `feed`: a page, an EPUB or a podcast feed of books that are written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.output.companions import companion_path, refuse_foreign
from tts_book.output.epub import write_epub
from tts_book.output.feed import check_url, write_feed
from tts_book.output.manifest import Manifest, manifests_of_place
from tts_book.output.page import write_page
from tts_book.output.readalong import ReadAlong
from tts_book.synthesis.chunk_cache import ChunkCache


async def page(
    at: Terminal,
    place: Path,
    *,
    out: Path | None,
    cache: Path | None,
    inline_audio: bool,
    epub: bool,
) -> int:
    """Writes a page for each book in a folder, or for the book of a file; nothing is spoken or
    joined. Raises UserError where there is none."""
    kept = ChunkCache(cache or at.cache_dir)
    found = find_books(place if place.is_absolute() else at.cwd / place, kept)
    if out is not None and len(found) > 1:
        raise UserError(f"{place} holds {len(found)} books: name one of them, or leave -o out.")
    for manifest in found:
        book, path = ReadAlong(manifest), _target(manifest.path, "epub" if epub else "page", out)
        refuse_foreign([path])
        if epub:
            made = await asyncio.to_thread(write_epub, book, path)
        else:
            made = await asyncio.to_thread(write_page, book, path, inline_audio=inline_audio)
        at.out.write(f"{made}\n")
    return 0


def find_books(place: Path, cache: ChunkCache) -> list[Manifest]:
    """The written books of a folder or a file. Raises UserError where there is none."""
    if not place.exists():
        raise UserError(f"{place} is not there: name a folder or an audio file of tts-book.")
    found = list(manifests_of_place(place, cache))
    if not found:
        raise UserError(
            f"{place} holds no book that tts-book wrote (no tts-book.jsonl): convert one first."
        )
    return found


def _target(manifest: Path, kind: str, out: Path | None) -> Path:
    usual = companion_path(manifest, kind)
    if out is None:
        return usual
    return out / usual.name if out.is_dir() else out


async def feed(
    at: Terminal,
    folder: Path,
    url: str,
    *,
    title: str,
    cache: Path | None,
    now: datetime | None = None,
) -> int:
    """Writes the feed of the books in a folder. Raises UserError where there is none."""
    place = folder if folder.is_absolute() else at.cwd / folder
    if not place.is_dir():
        raise UserError(f"{folder} is not a folder: name the one that your server publishes.")
    address = check_url(url)
    books = [
        ReadAlong(manifest)
        for manifest in find_books(place, ChunkCache(cache or at.cache_dir))
        if not manifest.run.get("excerpt")
    ]
    path = await asyncio.to_thread(
        write_feed, books, place, address, now=now or datetime.now(UTC), title=title
    )
    at.out.write(f"{path}\n")
    return 0
