"""The commands' work between the options and the rooms: reads, prepares, runs, shows.

Each command answers with an exit code. Results go to `here.out`, everything else to `here.err`.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.cli import plan_report
from tts_book.cli.event_lines import write_json_lines
from tts_book.cli.progress import ENCODING_SPEED, OTHER_SPEED, SPEECH_SPEEDS, Outlook, Progress
from tts_book.errors import UserError
from tts_book.events import Listener, join_listeners
from tts_book.model import Book
from tts_book.pipeline import session
from tts_book.pipeline.environment import backend_settings, load_config, open_engines
from tts_book.pipeline.request import Request, Terminal
from tts_book.pipeline.session import resolve_path
from tts_book.pipeline.voice_selection import VoiceChooser

if TYPE_CHECKING:
    from tts_book.pipeline.planning import BookJob, BookRequest
    from tts_book.pipeline.run import Result
    from tts_book.synthesis.chunk_cache import ChunkCache


# Reading


def read_works(at: Terminal, request: Request, sources: Sequence[str]) -> tuple[BookRequest, ...]:
    """Every source as a book of its own. Raises UserError at the first that cannot be read."""
    from tts_book import readers
    from tts_book.pipeline import skip_finished

    options, known = session.read_options(request), load_config(at, request)
    works = []
    for source in _once(at, request, sources):
        if source == "-":
            book = readers.read_bytes(_standard_input(at), "standard input", options)
            stem = request.title or "standard input"
            works.append(session.make_book_request(at, request, book, None, stem))
        else:
            path = resolve_path(at, Path(source))
            book = readers.read(path, options)
            asked = skip_finished.fingerprint_options(at, request, known, path)
            works.append(session.make_book_request(at, request, book, path, path.stem, asked))
    for work in works:
        _tell_notices(at, request, work.book)
    return tuple(works)


def _once(at: Terminal, request: Request, sources: Sequence[str]) -> Iterator[str]:
    """The sources, without those that are named again (as patterns do beside a name)."""
    seen: set[Path | str] = set()
    for source in sources:
        what = source if source == "-" else resolve_path(at, Path(source)).resolve()
        if what not in seen:
            yield source
        elif not request.quiet:
            at.err.write(f"{source} is named twice and read once\n")
        seen.add(what)


def _standard_input(at: Terminal) -> bytes:
    if at.stdin_is_terminal:
        at.err.write("Reading text from the terminal; end it with Ctrl-D (Ctrl-Z on Windows).\n")
    return at.stdin.read()


def _tell_notices(at: Terminal, request: Request, book: Book) -> None:
    if not request.quiet:
        for notice in book.notices:
            at.err.write(f"{notice}\n")


# Converting


async def convert(at: Terminal, request: Request, sources: Sequence[str]) -> int:
    """Speaks every source as a book; those that are finished just like this are left alone."""
    changed = [source for source in sources if not _is_finished(at, request, source)]
    if not changed:
        return 0
    works = await asyncio.to_thread(read_works, at, request, changed)
    return await speak(at, request, works)


def _is_finished(at: Terminal, request: Request, source: str) -> bool:
    from tts_book.pipeline import skip_finished

    path = resolve_path(at, Path(source))
    return source != "-" and skip_finished.report_finished(
        at, request, load_config(at, request), path, source
    )


async def batch(at: Terminal, request: Request, folder: Path) -> int:
    """Speaks a folder as one album; files that cannot be read are told at the end."""
    from tts_book import readers
    from tts_book.pipeline import skip_finished

    path = resolve_path(at, folder)
    if _is_finished(at, request, str(folder)):
        return 0
    read = await asyncio.to_thread(readers.read_folder, path, session.read_options(request))
    _tell_notices(at, request, read.book)
    wanted = (
        ""
        if read.unread
        else skip_finished.fingerprint_options(at, request, load_config(at, request), path)
    )
    work = session.make_book_request(at, request, read.book, path, path.resolve().name, wanted)
    code = await speak(at, request, (work,))
    for unread, reason in read.unread:
        at.err.write(f"not read: {unread.name}: {reason}\n")
    return code or (1 if read.unread else 0)


async def plan(at: Terminal, request: Request, sources: Sequence[str], chunks: bool) -> int:
    """Shows what convert would do."""
    works = await asyncio.to_thread(read_works, at, request, sources)
    async with session.open_conversion(at, request) as opened:
        # What would be done can be shown also while an engine is away.
        prepared, cache = await opened.prepare(works, patient=True), opened.cache
        lines = (
            plan_report.plan_json(prepared, cache)
            if request.json
            else plan_report.plan(prepared, cache)
        )
        if chunks and not request.json:
            lines = plan_report.chunks(prepared)
        if request.explain:
            lines = plan_report.explained(prepared, cache)
        for line in lines:
            at.out.write(f"{line}\n")
    return 0


async def words(at: Terminal, request: Request, sources: Sequence[str]) -> int:
    """Lists what voices may say wrong, in the form of pronounce.toml."""
    from tts_book.cli import words as words_of

    for work in await asyncio.to_thread(read_works, at, request, sources):
        for line in words_of.list_words(work.book):
            at.out.write(f"{line}\n")
    return 0


async def skipped(at: Terminal, request: Request, sources: Sequence[str]) -> int:
    """Shows what of the sources is not read aloud, and why."""
    from tts_book.cli import plan_report

    for work in await asyncio.to_thread(read_works, at, request, sources):
        rows = plan_report.skipped_json_lines if request.json else plan_report.skipped_lines
        for line in rows(work.book):
            at.out.write(f"{line}\n")
    return 0


def _tell_beforehand(
    at: Terminal, request: Request, prepared: Sequence[BookJob], cache: ChunkCache
) -> None:
    """Who speaks, what else is changed by speaking a part again, and why anything is spoken."""
    lines = [] if request.quiet else [*plan_report.casts(prepared), *plan_report.redone(prepared)]
    if request.explain:
        lines += plan_report.explained(prepared, cache)
    for line in lines:
        at.err.write(f"{line}\n")


async def speak(at: Terminal, request: Request, works: Sequence[BookRequest]) -> int:
    """Prepares, speaks and writes books that are read; says what came of it."""
    async with session.open_conversion(at, request) as opened:
        prepared = await opened.prepare(works)
        _tell_beforehand(at, request, prepared, opened.cache)
        result = await opened.carry_out(prepared, listening(at, request, prepared))
    return _tell_result(at, request, result)


def _tell_result(at: Terminal, request: Request, result: Result) -> int:
    from tts_book.cli import summary

    if not request.json:
        for path in dict.fromkeys(result.written):
            at.out.write(f"{path}\n")
    for line in summary.lines(result, at.command, quiet=request.quiet):
        at.err.write(f"{line}\n")
    return 1 if result.lost or result.books_lost else 0


@contextmanager
def listening(at: Terminal, request: Request, jobs: Sequence[BookJob]) -> Iterator[Listener]:
    """The listeners that fit: a live display only on a terminal."""
    listeners: list[Listener] = [write_json_lines(at.out)] if request.json else []
    listeners += [at.log.listener] if at.log.listener else []
    if request.quiet:
        yield join_listeners(*listeners)
        return
    from tts_book.cli.display import Display, PlainLines, make_console

    console = at.log.console or make_console(at.err)
    display = Display if console.is_terminal else PlainLines
    with display(console, Progress(outlook=_foresee(jobs))).shown() as shown:
        yield join_listeners(shown, *listeners)


def _foresee(jobs: Sequence[BookJob]) -> Outlook:
    """What is known of a run before it begins."""
    from tts_book.output.paths import WHOLE_MP3
    from tts_book.pipeline.chapter_job import list_chapter_jobs
    from tts_book.text.speech_rate import estimate_ms

    chunks: Counter[tuple[str, int]] = Counter()
    speaking_ms, sound_ms, encoded_ms = 0.0, 0, 0
    for job in jobs:
        book, voice = job.request.book, job.cast.voice
        for chapter in list_chapter_jobs(job):
            chunks[book.title, chapter.chapter.number] += len(chapter.chunks)
            length_ms = sum(
                estimate_ms(chunk.spoken, book.language, voice.rate_pct) for chunk in chapter.chunks
            )
            sound_ms += length_ms
            speaking_ms += length_ms / SPEECH_SPEEDS.get(voice.backend, OTHER_SPEED)
            encoded_ms += length_ms * sum(kind != WHOLE_MP3 for kind, _ in job.layout.whole)
    speed = sound_ms / speaking_ms if speaking_ms else OTHER_SPEED
    return Outlook(chunks, speed, encoded_ms, (os.cpu_count() or 1) * ENCODING_SPEED)


async def doctor(at: Terminal, request: Request) -> int:
    """One line for each thing that the main job needs."""
    from tts_book.cli.commands import doctor as checks

    places = checks.Places(
        at.cwd,
        at.config_dir,
        request.cache or at.cache_dir,
        backend_settings(at, request).voices_dirs,
        request.voices,
    )
    async with open_engines(at, request) as made:
        try:
            casting = VoiceChooser(load_config(at, request), made)
        except UserError:
            casting = None  # told as a finding of its own
        found = []
        async for finding in checks.findings(places, casting):
            at.out.write(f"{finding}\n")
            found.append(finding)
    return 0 if checks.sound(found) else 1
