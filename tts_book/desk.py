"""The commands' work between the options and the rooms: reads, prepares, runs, shows.

Each command answers with an exit code. Results go to `here.out`, everything else to `here.err`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book import backends, finish, progress, shelf, shown
from tts_book.casting import Casting
from tts_book.errors import UserError
from tts_book.events import Listener
from tts_book.finish import LOUDNESS_LUFS, Finish
from tts_book.model import Book
from tts_book.request import NOTES, SPLITS, Here, Request
from tts_book.selection import parse
from tts_book.surroundings import config, engines, settings, wish

if TYPE_CHECKING:
    from tts_book.cache import Cache
    from tts_book.job import Prepared, Result, Work
    from tts_book.keeping import Kept
    from tts_book.readers import ReadOptions
    from tts_book.saying import Manner

OLD_PART_S = 24 * 3_600.0


# Reading


def _read_options(request: Request) -> ReadOptions:
    from tts_book.readers import ReadOptions

    if request.split not in SPLITS:
        raise UserError(f'--split "{request.split}" is not known: {", ".join(SPLITS)}.')
    if request.notes not in NOTES:
        raise UserError(f'--notes "{request.notes}" is not known: {", ".join(NOTES)}.')
    return ReadOptions(
        encoding=request.encoding,
        language=request.language,
        title=request.title,
        author=request.author,
        split=request.split,  # type: ignore[arg-type]  # checked just above
        everything=request.everything,
        notes=request.notes,  # type: ignore[arg-type]  # checked just above
        chapters=request.chapters,
    )


def read_works(at: Here, request: Request, sources: Sequence[str]) -> tuple[Work, ...]:
    """Every source as a book of its own. Raises UserError at the first that cannot be read."""
    from tts_book import readers, rerun
    from tts_book.job import Work

    options, known = _read_options(request), config(at, request)
    works = []
    for source in _once(at, request, sources):
        if source == "-":
            book = readers.read_bytes(_standard_input(at), "standard input", options)
            manner = _manner(at, request)
            works.append(Work(book, request.title or "standard input", None, manner=manner))
        else:
            path = _absolute(at, Path(source))
            book = readers.read(path, options)
            asked = rerun.asked_of(at, request, known, path)
            works.append(Work(book, path.stem, path, asked, _manner(at, request, path.parent)))
    for work in works:
        _tell_notices(at, request, work.book)
    return tuple(works)


def _manner(at: Here, request: Request, *folders: Path) -> Manner:
    """How a book is said: by the list that was named, or the one that lies beside the book."""
    from tts_book import pronounce
    from tts_book.saying import Manner

    return Manner(pronounce.load(request.pronounce, (*folders, at.cwd, at.config_dir)))


def _once(at: Here, request: Request, sources: Sequence[str]) -> Iterator[str]:
    """The sources, without those that are named again (as patterns do beside a name)."""
    seen: set[Path | str] = set()
    for source in sources:
        what = source if source == "-" else _absolute(at, Path(source)).resolve()
        if what not in seen:
            yield source
        elif not request.quiet:
            at.err.write(f"{source} is named twice and read once\n")
        seen.add(what)


def _absolute(at: Here, path: Path) -> Path:
    """Against our own folder, and in the words of the user where it is the process's."""
    return path if path.is_absolute() or at.cwd == Path.cwd() else at.cwd / path


def _standard_input(at: Here) -> bytes:
    if at.stdin_is_terminal:
        at.err.write("Reading text from the terminal; end it with Ctrl-D (Ctrl-Z on Windows).\n")
    return at.stdin.read()


def _tell_notices(at: Here, request: Request, book: Book) -> None:
    if not request.quiet:
        for notice in book.notices:
            at.err.write(f"{notice}\n")


# Converting


async def convert(at: Here, request: Request, sources: Sequence[str]) -> int:
    """Speaks every source as a book; those that are finished just like this are left alone."""
    changed = [source for source in sources if not _is_finished(at, request, source)]
    if not changed:
        return 0
    works = await asyncio.to_thread(read_works, at, request, changed)
    return await speak(at, request, works)


def _is_finished(at: Here, request: Request, source: str) -> bool:
    from tts_book import rerun

    path = _absolute(at, Path(source))
    return source != "-" and rerun.is_finished(at, request, config(at, request), path, source)


async def batch(at: Here, request: Request, folder: Path) -> int:
    """Speaks a folder as one album; files that cannot be read are told at the end."""
    from tts_book import readers, rerun
    from tts_book.job import Work

    path = _absolute(at, folder)
    if _is_finished(at, request, str(folder)):
        return 0
    read = await asyncio.to_thread(readers.read_folder, path, _read_options(request))
    _tell_notices(at, request, read.book)
    wanted = "" if read.unread else rerun.asked_of(at, request, config(at, request), path)
    manner = _manner(at, request, path)
    code = await speak(at, request, (Work(read.book, path.resolve().name, path, wanted, manner),))
    for unread, reason in read.unread:
        at.err.write(f"not read: {unread.name}: {reason}\n")
    return code or (1 if read.unread else 0)


async def plan(at: Here, request: Request, sources: Sequence[str], chunks: bool) -> int:
    """Shows what convert would do."""
    works = await asyncio.to_thread(read_works, at, request, sources)
    # What would be done can be shown also while an engine is away.
    patient = replace(request, wait=True)
    async with engines(at, request) as made, kept(at, request) as cache:
        prepared = await _prepared(at, patient, works, made, cache)
        lines = shown.plan_json(prepared, cache) if request.json else shown.plan(prepared, cache)
        if chunks and not request.json:
            lines = shown.chunks(prepared)
        if request.explain:
            lines = shown.explained(prepared, cache)
        for line in lines:
            at.out.write(f"{line}\n")
    return 0


async def words(at: Here, request: Request, sources: Sequence[str]) -> int:
    """Lists what voices may say wrong, in the form of pronounce.toml."""
    from tts_book import words as words_of

    for work in read_works(at, request, sources):
        for line in words_of.lines(work.book):
            at.out.write(f"{line}\n")
    return 0


async def skipped(at: Here, request: Request, sources: Sequence[str]) -> int:
    """Shows what of the sources is not read aloud, and why."""
    from tts_book import skipped as left_out

    for work in await asyncio.to_thread(read_works, at, request, sources):
        rows = left_out.json_lines if request.json else left_out.lines
        for line in rows(work.book):
            at.out.write(f"{line}\n")
    return 0


async def _prepared(
    at: Here, request: Request, works: Sequence[Work], made: backends.Engines, cache: Cache
) -> tuple[Prepared, ...]:
    from tts_book import job
    from tts_book.prepared import narrowed

    only, redo = parse(request.only, "--only"), parse(request.redo, "--redo")
    if (only or redo) and len(works) > 1:
        raise UserError(
            "--only and --redo name parts of one book: convert the others by themselves."
        )
    casting = Casting(config(at, request), made)
    formats = finish.formats(request.format, request.out)
    shelved = finish.shelved(request.layout)
    output = job.Output(at.cwd, request.out, request.force, formats, shelved)
    works = [_dressed(request, work) for work in works]
    prepared = await job.prepare(works, casting, wish(request), cache, output)
    return tuple(narrowed(item, only, redo) for item in prepared)


def _dressed(request: Request, work: Work) -> Work:
    book = shelf.dressed(work.book, request.cover, request.series, request.year)
    return replace(work, book=book)


def _tell_beforehand(
    at: Here, request: Request, prepared: Sequence[Prepared], cache: Cache
) -> None:
    """Who speaks, what else is changed by speaking a part again, and why anything is spoken."""
    lines = [] if request.quiet else [*shown.casts(prepared), *shown.redone(prepared)]
    if request.explain:
        lines += shown.explained(prepared, cache)
    for line in lines:
        at.err.write(f"{line}\n")


async def speak(at: Here, request: Request, works: Sequence[Work]) -> int:
    """Prepares, speaks and writes books that are read; says what came of it."""
    from tts_book import job, keeping

    pauses, wanted = config(at, request).pauses, finished(request)
    async with engines(at, request) as made, kept(at, request) as cache:
        prepared = await _prepared(at, request, works, made, cache)
        _tell_beforehand(at, request, prepared, cache)
        job.ready_to_write(prepared, request.force)
        try:
            with (
                keeping.holding(cache.folder, [_kept(item) for item in prepared]),
                listening(at, request) as listener,
            ):
                tools = job.default_tools(request.workers, wait=request.wait)
                result = await job.convert(prepared, pauses, cache, listener, tools, wanted)
        except asyncio.CancelledError:
            at.err.write(f"Stopped. What is spoken is kept; go on with: {at.command}\n")
            raise
    return _tell_result(at, request, result)


def _kept(item: Prepared) -> Kept:
    from tts_book.keeping import Kept

    source = str(item.work.source.resolve()) if item.work.source else item.work.stem
    return Kept(item.work.book.title, source, item.keys)


def finished(request: Request) -> Finish:
    """What becomes of the spoken book. Raises UserError."""
    return Finish(
        loudness_lufs=finish.loudness(request.loudness) if request.loudness else LOUDNESS_LUFS,
        cores=os.cpu_count() or 1,
        shelved=finish.shelved(request.layout),
        captions=finish.captions_asked(request.captions),
    )


def _tell_result(at: Here, request: Request, result: Result) -> int:
    if not request.json:
        for path in dict.fromkeys(result.written):
            at.out.write(f"{path}\n")
    for line in shown.result(result, at.command, quiet=request.quiet):
        at.err.write(f"{line}\n")
    return 1 if result.lost or result.books_lost else 0


@asynccontextmanager
async def kept(at: Here, request: Request) -> AsyncIterator[Cache]:
    """The cache: the user's, the one named, or one that lives as long as this run."""
    from tts_book.cache import Cache

    if request.no_cache:
        with tempfile.TemporaryDirectory(prefix="tts-book-") as folder:
            yield Cache(Path(folder))
    else:
        cache = Cache(request.cache or at.cache_dir)
        cache.sweep(OLD_PART_S, time.time())
        yield cache


@contextmanager
def listening(at: Here, request: Request) -> Iterator[Listener]:
    """The listeners that fit: a live display only on a terminal."""
    listeners: list[Listener] = [progress.json_lines(at.out)] if request.json else []
    if request.quiet:
        yield progress.both(*listeners)
        return
    console = progress.console(at.err)
    if console.is_terminal:
        from tts_book.live import Display

        with Display(console) as live:
            yield progress.both(live, *listeners)
    else:
        yield progress.both(progress.plain(console), *listeners)


async def doctor(at: Here, request: Request) -> int:
    """One line for each thing that the main job needs."""
    from tts_book import doctor as checks

    places = checks.Places(
        at.cwd,
        at.config_dir,
        request.cache or at.cache_dir,
        settings(at, request).voices_dirs,
        request.voices,
    )
    async with engines(at, request) as made:
        try:
            casting = Casting(config(at, request), made)
        except UserError:
            casting = None  # told as a finding of its own
        found = []
        async for finding in checks.findings(places, casting):
            at.out.write(f"{finding}\n")
            found.append(finding)
    return 0 if checks.sound(found) else 1
