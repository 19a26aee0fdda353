"""`tts-book batch`: a folder of texts is one book, a folder of e-books a shelf of books."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.cli.commands.convert import print_notices, read_requests, report_finished, speak
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.output.settings import SHELF
from tts_book.pipeline.job_settings import JobSettings, read_settings
from tts_book.pipeline.source import find_in_folder, open_source

if TYPE_CHECKING:
    from tts_book.pipeline.source import BookRequest


@dataclass(frozen=True, slots=True)
class Batch:
    """The books of a folder, the options and settings for them, and why e-books cannot be read."""

    options: CommandOptions
    settings: JobSettings
    requests: tuple[BookRequest, ...]
    unread: tuple[str, ...] = ()


async def batch(at: Terminal, options: CommandOptions, folder: Path) -> int:
    """Speaks what is in a folder; what cannot be read is reported, and the rest is done."""
    found = await asyncio.to_thread(read_batch, at, options, folder, skip_finished=True)
    if not found.requests and not found.unread:
        return 0
    code = 1 if found.unread else 0
    if found.requests:
        code = await speak(at, found.options, found.settings, found.requests) or code
    for reason in found.unread:
        at.err.write(f"not read: {reason}\n")
    return code


def read_batch(
    at: Terminal, options: CommandOptions, folder: Path, *, skip_finished: bool = False
) -> Batch:
    """The books of a folder; `skip_finished`: without one that is finished just like this. Raises
    UserError where texts and e-books are mixed, and where there are none."""
    from tts_book.readers.folder import books_in, texts_in

    settings, path = read_settings(at, options), at.resolve_path(folder)
    books = find_in_folder(settings, path, books_in)
    if books:
        if texts := find_in_folder(settings, path, texts_in):
            raise UserError(
                f"{folder} holds {_listed('text', path, texts)} and "
                f"{_listed('e-book', path, books)}: texts make one book, e-books one each, so keep "
                "them in folders of their own"
            )
        return _read_shelf(at, replace(options, layout=SHELF), books)
    source = open_source(settings, path)
    if skip_finished and report_finished(at, options, source, str(folder)):
        return Batch(options, settings, ())
    request, _ = source.parse()
    print_notices(at, options, request.book)
    return Batch(options, settings, (request,))


def _listed(what: str, folder: Path, paths: list[Path]) -> str:
    many = "s" if len(paths) > 1 else ""
    more = ", …" if len(paths) > 1 else ""
    return f"{len(paths)} {what}{many} ({paths[0].relative_to(folder)}{more})"


def _read_shelf(at: Terminal, options: CommandOptions, paths: list[Path]) -> Batch:
    """Every e-book as a book of its own, into Author/Title."""
    settings = read_settings(at, options)
    requests: list[BookRequest] = []
    unread: list[str] = []
    for path in paths:
        try:
            requests += read_requests(at, options, settings, [str(path)])
        except UserError as error:
            unread.append(str(error))
    return Batch(options, settings, tuple(requests), tuple(unread))
