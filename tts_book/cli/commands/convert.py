"""`tts-book convert` and `batch`, and what they share with other commands: read, prepare, run,
report.

Each command returns an exit code. Results go to `at.out`, everything else to `at.err`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.cli import report
from tts_book.cli.display import write_json_lines
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal, end_sentence
from tts_book.cli.progress import ENCODING_SPEED, OTHER_SPEED, SPEECH_SPEEDS, Outlook, Progress
from tts_book.errors import UserError
from tts_book.events import Listener, format_count, join_listeners
from tts_book.model import Book
from tts_book.output.paths import SUFFIXES
from tts_book.output.settings import SHELF
from tts_book.pipeline.job_settings import JobSettings, read_settings
from tts_book.pipeline.session import open_conversion
from tts_book.pipeline.source import (
    BookRequest,
    BookSource,
    find_in_folder,
    make_request,
    open_source,
)

if TYPE_CHECKING:
    from tts_book.pipeline.jobs import BookJob
    from tts_book.pipeline.run import Result
    from tts_book.pipeline.source import BookRequest
    from tts_book.synthesis.chunk_cache import ChunkCache


STANDARD_INPUT = "standard input"
NAME_CHARACTERS = 40

# Reading


def read_requests(
    at: Terminal,
    options: CommandOptions,
    settings: JobSettings,
    sources: Sequence[str],
    *,
    skip_finished: bool = False,
) -> tuple[BookRequest, ...]:
    """Every source as a book of its own; `skip_finished`: except those that are finished just like
    this, whose files are printed. Raises UserError at the first that cannot be read."""
    requests = []
    _check_sources(settings, sources)
    for source in _list_once(at, options, sources):
        if source == "-":
            requests.append(_read_standard_input(at, options, settings))
            continue
        opened = open_source(settings, at.resolve_path(source))
        if not (skip_finished and report_finished(at, options, opened, source)):
            requests.append(opened.parse()[0])
    for request in requests:
        print_notices(at, options, request.book)
    return tuple(requests)


def _check_sources(settings: JobSettings, sources: Sequence[str]) -> None:
    """Raises UserError for what is no source, before any is read."""
    for source in sources:
        if re.match(r"(https?|ftp)://", source, re.IGNORECASE):
            raise UserError(
                f"{source} is an address: download the text first, then convert the file."
            )
    out = settings.output.out
    if len(sources) > 1 and out is not None and out.suffix.lower() in SUFFIXES and not out.is_dir():
        raise UserError(
            f"{len(sources)} sources make a book each, and -o {out} is one file: name a folder, or "
            f"put them into a folder and make one book of it: tts-book batch FOLDER -o {out}"
        )


def _list_once(at: Terminal, options: CommandOptions, sources: Sequence[str]) -> Iterator[str]:
    """The sources, without those that are named again (as patterns do beside a name)."""
    seen: set[Path | str] = set()
    for source in sources:
        what = source if source == "-" else at.resolve_path(source).resolve()
        if what not in seen:
            yield source
        elif not options.quiet:
            at.err.write(f"{source} is given twice and read once\n")
        seen.add(what)


def _read_standard_input(
    at: Terminal, options: CommandOptions, settings: JobSettings
) -> BookRequest:
    from tts_book import readers

    if at.stdin_is_terminal:
        at.err.write("Reading text from the terminal; end it with Ctrl-D (Ctrl-Z on Windows).\n")
    book = readers.read_bytes(at.stdin.read(), STANDARD_INPUT, settings.reading_options())
    if book.title == STANDARD_INPUT:
        book = _name_text(book)
    return make_request(settings, book, None, book.title)


def _name_text(book: Book) -> Book:
    """A text without a name, called after its first heading, else after its first words."""
    first = book.chapters[0]
    name = first.title
    if name == STANDARD_INPUT:
        words = first.text[: 2 * NAME_CHARACTERS].split()
        while len(words) > 1 and len(" ".join(words)) > NAME_CHARACTERS:
            words.pop()
        name = " ".join(words).rstrip(".,;:!?…—–- ")[:NAME_CHARACTERS] or STANDARD_INPUT
    chapters = (replace(first, title=name), *book.chapters[1:])
    return replace(book, title=name, chapters=chapters)


def report_finished(at: Terminal, options: CommandOptions, source: BookSource, name: str) -> bool:
    """Whether nothing has changed since a whole run; its files are printed then."""
    if options.json or options.explain or options.clean:
        return False
    files = source.find_finished()
    at.out.writelines(f"{file}\n" for file in files)
    if files and not options.quiet:
        there = "1 file is" if len(files) == 1 else f"{len(files)} files are"
        at.err.write(f"{name}: nothing has changed, {there} there\n")
    return bool(files)


def print_notices(at: Terminal, options: CommandOptions, book: Book) -> None:
    if not options.quiet:
        for notice in (*book.notices, *book.missing):
            at.err.write(f"{notice}\n")


# Converting


async def convert(at: Terminal, options: CommandOptions, sources: Sequence[str]) -> int:
    """Speaks every source as a book; those that are finished just like this are left alone."""
    settings = read_settings(at, options)
    requests = await asyncio.to_thread(
        read_requests, at, options, settings, sources, skip_finished=True
    )
    return await speak_books(at, options, settings, requests) if requests else 0


def _print_beforehand(
    at: Terminal, options: CommandOptions, jobs: Sequence[BookJob], cache: ChunkCache
) -> None:
    """Who speaks, what else is changed by speaking a part again, and why anything is spoken."""
    lines = [] if options.quiet else [*report.describe_voices(jobs), *report.list_redone(jobs)]
    if options.explain:
        lines += report.explain_jobs(jobs, cache)
    for line in lines:
        at.err.write(f"{line}\n")


async def speak_books(
    at: Terminal,
    options: CommandOptions,
    settings: JobSettings,
    requests: Sequence[BookRequest],
) -> int:
    """Prepares, speaks and writes books that are read; says what came of it."""
    async with open_conversion(settings) as conversion:
        jobs = await conversion.prepare(requests)
        _print_beforehand(at, options, jobs, conversion.cache)
        result = await conversion.carry_out(jobs, open_listeners(at, options, jobs))
    code = _print_result(at, options, result)
    for line in (line for request in requests for line in request.book.missing):
        at.err.write(f"Not in these files, as --allow-missing allows: {line}\n")
    return code


def _print_result(at: Terminal, options: CommandOptions, result: Result) -> int:

    if not options.json:
        for path in dict.fromkeys(result.written):
            at.out.write(f"{path}\n")
    stale = _clean(at, options, result.left_over) if options.clean else result.left_over
    for line in report.summarize_run(result, stale, at.command, quiet=options.quiet):
        at.err.write(f"{line}\n")
    return 0 if result.is_complete(strict=options.strict) else 1


def _clean(at: Terminal, options: CommandOptions, stale: Sequence[Path]) -> tuple[Path, ...]:
    """Deletes stale files, asked on a terminal, except those that somebody changed; what is left
    of them."""
    from tts_book.pipeline.earlier_files import remove_stale_files, sort_stale_files

    found = sort_stale_files(stale)
    if found.unchanged and at.stdin_is_terminal:
        for path in found.unchanged:
            at.err.write(f"{path}\n")
        question = f"Delete {format_count(len(found.unchanged), 'file')} of earlier runs? [y/N] "
        if not at.confirm(question):
            return tuple(stale)
    remove_stale_files(found.unchanged)
    for path in found.unchanged if not options.quiet else ():
        at.err.write(f"deleted: {path}\n")
    return found.changed


@contextmanager
def open_listeners(
    at: Terminal, options: CommandOptions, jobs: Sequence[BookJob]
) -> Iterator[Listener]:
    """The listeners that fit: a live display only on a terminal."""
    listeners: list[Listener] = [write_json_lines(at.out)] if options.json else []
    listeners += [at.log.listener] if at.log.listener else []
    from tts_book.cli.display import Display, Losses, PlainLines, make_console

    console = at.log.console or make_console(at.err)
    if options.quiet:
        yield join_listeners(Losses(console), *listeners)
        return
    display = Display if console.is_terminal else PlainLines
    with display(console, Progress(outlook=foresee_run(jobs))).shown() as shown:
        yield join_listeners(shown, *listeners)


def foresee_run(jobs: Sequence[BookJob]) -> Outlook:
    """What is known of a run before it begins."""
    from tts_book.output.paths import WHOLE_MP3
    from tts_book.text.speech_rate import estimate_ms

    chunks: Counter[tuple[int, int]] = Counter()
    speaking_ms, sound_ms, encoded_ms = 0.0, 0, 0
    for job in jobs:
        for chapter in job.asked_chapters:
            book, voice = chapter.job.request.book, chapter.job.cast.voice
            chunks[job.number, chapter.number] += len(chapter.chunks)
            length_ms = sum(
                estimate_ms(chunk.spoken, book.language, voice.rate_pct) for chunk in chapter.chunks
            )
            sound_ms += length_ms
            speaking_ms += length_ms / SPEECH_SPEEDS.get(voice.backend, OTHER_SPEED)
            encoded_ms += length_ms * sum(kind != WHOLE_MP3 for kind, _ in job.layout.whole)
    speed = sound_ms / speaking_ms if speaking_ms else OTHER_SPEED
    return Outlook(chunks, speed, encoded_ms, (os.cpu_count() or 1) * ENCODING_SPEED)


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
        code = await speak_books(at, found.options, found.settings, found.requests) or code
    for reason in found.unread:
        at.err.write(f"not read: {end_sentence(reason)}\n")
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
