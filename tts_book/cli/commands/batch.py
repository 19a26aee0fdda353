"""`tts-book batch`: a folder of texts is one album, a folder of e-books a shelf of books."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.cli.commands import convert as desk
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.pipeline.job_settings import read_settings

if TYPE_CHECKING:
    from tts_book.pipeline.source import BookRequest

SHELF = "audiobookshelf"


async def batch(at: Terminal, options: CommandOptions, folder: Path) -> int:
    """Speaks what is in a folder. Raises UserError where texts and e-books are mixed."""
    from tts_book.readers import folder as found

    path = at.resolve_path(folder)
    books = found.books_in(path)
    if not books:
        return await desk.batch(at, options, folder)
    if texts := found.texts_in(path):
        raise UserError(
            f"{folder} holds {len(texts)} texts ({texts[0].name}, …) and {len(books)} e-books "
            f"({books[0].name}, …): texts make one book, e-books one each, so keep them in "
            "folders of their own"
        )
    return await _shelf(at, options, books)


async def _shelf(at: Terminal, options: CommandOptions, paths: Sequence[Path]) -> int:
    """Speaks every e-book into Author/Title; those that cannot be read are told at the end."""
    shelved = replace(options, layout=SHELF)
    settings = read_settings(at, shelved)
    requests: list[BookRequest] = []
    unread: list[str] = []
    for path in paths:
        try:
            requests += await asyncio.to_thread(
                desk.read_requests, at, shelved, settings, [str(path)]
            )
        except UserError as error:
            unread.append(str(error))
    code = await desk.speak(at, shelved, settings, requests) if requests else 1
    for reason in unread:
        at.err.write(f"not read: {reason}\n")
    return code or (1 if unread else 0)
