"""A conversion from what was asked for to its files: the one way that commands and library go.

async with opened(at, request) as conversion:
    prepared = await conversion.prepare(works)
    result = await conversion.carry_out(prepared, listening)
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.errors import UserError
from tts_book.output import audiobookshelf
from tts_book.output.settings import (
    LOUDNESS_LUFS,
    OutputSettings,
    parse_captions,
    parse_formats,
    parse_layout,
    parse_loudness,
)
from tts_book.pipeline.environment import load_config, open_engines, read_voice_request
from tts_book.pipeline.request import NOTES, SPLITS, Request, Surroundings, format_rerun_command
from tts_book.pipeline.selection import parse_selection
from tts_book.pipeline.voice_selection import VoiceChooser

if TYPE_CHECKING:
    from tts_book.backends import Backend, Engines
    from tts_book.config.voices import Config
    from tts_book.events import Listener
    from tts_book.model import Book
    from tts_book.pipeline.planning import BookJob, BookRequest
    from tts_book.pipeline.run import Result
    from tts_book.readers import ReadOptions
    from tts_book.synthesis.cache_leases import CacheLease
    from tts_book.synthesis.chunk_cache import ChunkCache
    from tts_book.synthesis.pool import Tools
    from tts_book.text.spoken_text import Readings

_LOG = logging.getLogger("tts_book.job")

OLD_PART_S = 24 * 3_600.0


def resolve_path(at: Surroundings, path: Path) -> Path:
    """Against our own folder, and in the words of the user where it is the process's."""
    return path if path.is_absolute() or at.cwd == Path.cwd() else at.cwd / path


def read_options(request: Request) -> ReadOptions:
    """How a source is read. Raises UserError."""
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


def make_book_request(
    at: Surroundings, request: Request, book: Book, source: Path | None, stem: str, asked: str = ""
) -> BookRequest:
    """A book with the name of its files and the way it is said: by the list that was named, or
    the one that lies beside its source. Raises UserError for a list with mistakes."""
    from tts_book.pipeline.planning import BookRequest

    beside = () if source is None else (source if source.is_dir() else source.parent,)
    manner = _manner(at, request, beside)
    again = "" if source is None else format_rerun_command(request, source, at.cwd)
    cache = None if request.no_cache else resolve_path(at, request.cache or at.cache_dir).absolute()
    return BookRequest(book, stem, source, asked, manner, command=again, cwd=at.cwd, cache=cache)


def _manner(at: Surroundings, request: Request, beside: Sequence[Path]) -> Readings:
    from tts_book.config.pronunciations import load_pronunciations
    from tts_book.text.spoken_text import Readings

    known = load_pronunciations(request.pronounce, (*beside, at.cwd, at.config_dir))
    _LOG.debug("pronunciations: %s", known.path or "none")
    return Readings(known)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is open as long as books are prepared and carried out."""

    at: Surroundings
    request: Request
    config: Config
    finish: OutputSettings
    engines: Engines
    cache: ChunkCache

    async def prepare(
        self, works: Sequence[BookRequest], *, patient: bool = False
    ) -> tuple[BookJob, ...]:
        """Plans and casts the books; speaks and writes nothing. `patient`: also while an engine
        is away. Raises UserError, or EngineGone."""
        from tts_book.pipeline.planning import (
            Destination,
            prepare_jobs,
            select_excerpt,
            select_parts,
        )

        request = replace(self.request, wait=self.request.wait or patient)
        only, redo = (
            parse_selection(request.only, "--only"),
            parse_selection(request.redo, "--redo"),
        )
        excerpt = bool(request.start or request.stop)
        if (only or redo or excerpt) and len(works) > 1:
            raise UserError(
                "--only, --redo, --from and --to name parts of one book: convert the others by "
                "themselves."
            )
        if only and excerpt:
            raise UserError("--from and --to make an excerpt: leave --only out.")
        formats = parse_formats(request.format, request.out)
        shelved = self.finish.shelved
        output = Destination(self.at.cwd, request.out, request.force, formats, shelved, excerpt)
        casting = VoiceChooser(self.config, self.engines)
        dressed = [_dressed(request, work) for work in works]
        prepared = await prepare_jobs(
            dressed, casting, read_voice_request(request), self.cache, output
        )
        prepared = tuple(select_parts(job, only, redo) for job in prepared)
        if excerpt:
            return tuple(select_excerpt(job, request.start, request.stop) for job in prepared)
        return prepared

    async def carry_out(
        self,
        prepared: Sequence[BookJob],
        listening: AbstractContextManager[Listener],
        tools: Tools | None = None,
    ) -> Result:
        """Speaks what is missing and writes the files. `listening` is entered when nothing stands
        in the way; `tools` are the real clock, sleep and chance unless they are given. Raises
        UserError."""
        from tts_book.pipeline import ownership
        from tts_book.pipeline.planning import prepare_output
        from tts_book.pipeline.run import convert_jobs, make_tools
        from tts_book.synthesis import cache_leases

        request = self.request
        tools = replace(
            tools or make_tools(),
            workers=request.workers,
            wait=request.wait,
        )
        with cache_leases.hold_entries(self.cache.folder, [_kept(job) for job in prepared]):
            if not request.force:
                ownership.refuse_foreign_captions(prepared, self.finish.captions)
            prepare_output(prepared, request.force)
            with listening as listener:
                return await convert_jobs(
                    prepared, self.config.pauses, self.cache, listener, tools, self.finish
                )


@asynccontextmanager
async def open_conversion(
    at: Surroundings, request: Request, own: Sequence[Backend] = ()
) -> AsyncIterator[Conversion]:
    """Voices, engines and cache as they were asked for, let go of at the end; `own` are backends
    of the caller's, who closes them. Raises UserError."""
    known, wanted = load_config(at, request, own), _finish(request)
    _LOG.debug("voices: %s", known.path)
    async with open_engines(at, request, own) as made, _kept_chunks(at, request) as cache:
        yield Conversion(at, request, known, wanted, made, cache)


def _dressed(request: Request, work: BookRequest) -> BookRequest:
    book = audiobookshelf.add_facts(work.book, request.cover, request.series, request.year)
    return replace(work, book=book)


def _kept(job: BookJob) -> CacheLease:
    from tts_book.synthesis.cache_leases import CacheLease

    source = str(job.request.source.resolve()) if job.request.source else job.request.stem
    place = str((job.layout.folder / job.layout.stem).resolve())
    return CacheLease(job.request.book.title, source, place, job.keys)


def _finish(request: Request) -> OutputSettings:
    """What becomes of the spoken book. Raises UserError."""
    return OutputSettings(
        loudness_lufs=parse_loudness(request.loudness) if request.loudness else LOUDNESS_LUFS,
        cores=os.cpu_count() or 1,
        shelved=parse_layout(request.layout),
        captions=parse_captions(request.captions),
        anew=request.force,
    )


@asynccontextmanager
async def _kept_chunks(at: Surroundings, request: Request) -> AsyncIterator[ChunkCache]:
    """The cache: the user's, the one named, or one that lives as long as this run."""
    from tts_book.synthesis import cache_leases
    from tts_book.synthesis.chunk_cache import ChunkCache

    if request.no_cache:
        with cache_leases.make_run_folder(Path(tempfile.gettempdir())) as folder:
            yield ChunkCache(folder)
    else:
        with suppress(FileNotFoundError):  # no temporary folder is needed here
            cache_leases.remove_dead_folders(Path(tempfile.gettempdir()))
        cache = ChunkCache(request.cache or at.cache_dir)
        cache.sweep(OLD_PART_S, time.time())
        yield cache
