"""`tts-book feed`: a podcast feed of written books."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from tts_book.cli.commands.page import find_books
from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.output.feed import check_url, write_feed
from tts_book.output.readalong import ReadAlong
from tts_book.synthesis.chunk_cache import ChunkCache


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
