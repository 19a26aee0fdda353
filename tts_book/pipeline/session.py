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
from tts_book.output import audiobookshelf as shelf
from tts_book.output import settings as finish
from tts_book.output.settings import LOUDNESS_LUFS, Finish
from tts_book.pipeline.environment import config, engines, wish
from tts_book.pipeline.request import NOTES, SPLITS, Request, Surroundings, command
from tts_book.pipeline.selection import parse
from tts_book.pipeline.voice_selection import Casting

if TYPE_CHECKING:
    from tts_book.backends import Backend, Engines
    from tts_book.config.voices import Config
    from tts_book.events import Listener
    from tts_book.model import Book
    from tts_book.pipeline.run import Prepared, Result, Work
    from tts_book.readers import ReadOptions
    from tts_book.synthesis.cache_leases import Kept
    from tts_book.synthesis.chunk_cache import Cache
    from tts_book.synthesis.pool import Tools
    from tts_book.text.spoken_text import Readings

_LOG = logging.getLogger("tts_book.job")

OLD_PART_S = 24 * 3_600.0


def absolute(at: Surroundings, path: Path) -> Path:
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


def work(
    at: Surroundings, request: Request, book: Book, source: Path | None, stem: str, asked: str = ""
) -> Work:
    """A book with the name of its files and the way it is said: by the list that was named, or
    the one that lies beside its source. Raises UserError for a list with mistakes."""
    from tts_book.pipeline.run import Work

    beside = () if source is None else (source if source.is_dir() else source.parent,)
    manner = _manner(at, request, beside)
    again = "" if source is None else command(request, source, at.cwd)
    cache = None if request.no_cache else absolute(at, request.cache or at.cache_dir).absolute()
    return Work(book, stem, source, asked, manner, command=again, cwd=at.cwd, cache=cache)


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
    finish: Finish
    engines: Engines
    cache: Cache

    async def prepare(
        self, works: Sequence[Work], *, patient: bool = False
    ) -> tuple[Prepared, ...]:
        """Plans and casts the books; speaks and writes nothing. `patient`: also while an engine
        is away. Raises UserError, or EngineGone."""
        from tts_book.pipeline import run as job
        from tts_book.pipeline.planning import excerpted, narrowed

        request = replace(self.request, wait=self.request.wait or patient)
        only, redo = parse(request.only, "--only"), parse(request.redo, "--redo")
        excerpt = bool(request.start or request.stop)
        if (only or redo or excerpt) and len(works) > 1:
            raise UserError(
                "--only, --redo, --from and --to name parts of one book: convert the others by "
                "themselves."
            )
        if only and excerpt:
            raise UserError("--from and --to make an excerpt: leave --only out.")
        formats = finish.formats(request.format, request.out)
        shelved = self.finish.shelved
        output = job.Output(self.at.cwd, request.out, request.force, formats, shelved, excerpt)
        casting = Casting(self.config, self.engines)
        dressed = [_dressed(request, work) for work in works]
        prepared = await job.prepare(dressed, casting, wish(request), self.cache, output)
        prepared = tuple(narrowed(item, only, redo) for item in prepared)
        if excerpt:
            return tuple(excerpted(item, request.start, request.stop) for item in prepared)
        return prepared

    async def carry_out(
        self,
        prepared: Sequence[Prepared],
        listening: AbstractContextManager[Listener],
        tools: Tools | None = None,
    ) -> Result:
        """Speaks what is missing and writes the files. `listening` is entered when nothing stands
        in the way; `tools` are the real clock, sleep and chance unless they are given. Raises
        UserError."""
        from tts_book.pipeline import ownership as captions_owned
        from tts_book.pipeline import run as job
        from tts_book.synthesis import cache_leases as keeping

        request = self.request
        tools = replace(
            tools or job.default_tools(),
            workers=request.workers,
            wait=request.wait,
        )
        with keeping.holding(self.cache.folder, [_kept(item) for item in prepared]):
            if not request.force:
                captions_owned.refuse_strangers(prepared, self.finish.captions)
            job.ready_to_write(prepared, request.force)
            with listening as listener:
                return await job.convert(
                    prepared, self.config.pauses, self.cache, listener, tools, self.finish
                )


@asynccontextmanager
async def opened(
    at: Surroundings, request: Request, own: Sequence[Backend] = ()
) -> AsyncIterator[Conversion]:
    """Voices, engines and cache as they were asked for, let go of at the end; `own` are backends
    of the caller's, who closes them. Raises UserError."""
    known, wanted = config(at, request, own), _finish(request)
    _LOG.debug("voices: %s", known.path)
    async with engines(at, request, own) as made, _kept_chunks(at, request) as cache:
        yield Conversion(at, request, known, wanted, made, cache)


def _dressed(request: Request, work: Work) -> Work:
    book = shelf.dressed(work.book, request.cover, request.series, request.year)
    return replace(work, book=book)


def _kept(item: Prepared) -> Kept:
    from tts_book.synthesis.cache_leases import Kept

    source = str(item.work.source.resolve()) if item.work.source else item.work.stem
    place = str((item.layout.folder / item.layout.stem).resolve())
    return Kept(item.work.book.title, source, place, item.keys)


def _finish(request: Request) -> Finish:
    """What becomes of the spoken book. Raises UserError."""
    return Finish(
        loudness_lufs=finish.loudness(request.loudness) if request.loudness else LOUDNESS_LUFS,
        cores=os.cpu_count() or 1,
        shelved=finish.shelved(request.layout),
        captions=finish.captions_asked(request.captions),
        anew=request.force,
    )


@asynccontextmanager
async def _kept_chunks(at: Surroundings, request: Request) -> AsyncIterator[Cache]:
    """The cache: the user's, the one named, or one that lives as long as this run."""
    from tts_book.synthesis import cache_leases as keeping
    from tts_book.synthesis.chunk_cache import Cache

    if request.no_cache:
        with keeping.for_this_run(Path(tempfile.gettempdir())) as folder:
            yield Cache(folder)
    else:
        with suppress(FileNotFoundError):  # no temporary folder is needed here
            keeping.sweep_runs(Path(tempfile.gettempdir()))
        cache = Cache(request.cache or at.cache_dir)
        cache.sweep(OLD_PART_S, time.time())
        yield cache
