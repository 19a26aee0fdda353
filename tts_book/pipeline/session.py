"""A conversion from its options to its files: the one way that commands and library go.

settings = read_settings(surroundings, options)
async with open_conversion(settings) as conversion:
    jobs = await conversion.prepare(requests)
    result = await conversion.carry_out(jobs, listening)
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tts_book import backends
from tts_book.audio.tags_id3 import year_of
from tts_book.config.schema import suggest
from tts_book.config.voices import Config, load_voices, parse_change
from tts_book.errors import SourceDamaged, UserError
from tts_book.output.audiobookshelf import NO_COVER, read_cover
from tts_book.output.manifest import manifest_path
from tts_book.output.settings import (
    LOUDNESS_LUFS,
    OutputSettings,
    parse_captions,
    parse_formats,
    parse_layout,
    parse_loudness,
)
from tts_book.pipeline.environment import Surroundings
from tts_book.pipeline.options import (
    CODE,
    NOTES,
    SPLITS,
    URLS,
    FilePath,
    Options,
    ReadingOptions,
)
from tts_book.pipeline.selection import parse_selection
from tts_book.pipeline.voice_selection import AUTO, VoiceChooser, VoiceRequest
from tts_book.text.language_tags import parse_language_tag

if TYPE_CHECKING:
    from tts_book.events import Listener
    from tts_book.model import Cover
    from tts_book.pipeline.jobs import BookJob
    from tts_book.pipeline.run import Result
    from tts_book.pipeline.source import BookRequest
    from tts_book.readers import ReadOptions
    from tts_book.synthesis.cache_leases import CacheLease
    from tts_book.synthesis.chunk_cache import ChunkCache
    from tts_book.synthesis.pool import Tools

OLD_PART_S = 24 * 3_600.0
_LOG = logging.getLogger("tts_book.job")


def parse_reading_options(options: ReadingOptions) -> ReadOptions:
    """How a source is read. Raises UserError."""
    from tts_book.readers import ReadOptions

    if options.split not in SPLITS:
        raise UserError(f'--split "{options.split}" is not known: {", ".join(SPLITS)}.')
    if options.notes not in NOTES:
        raise UserError(f'--notes "{options.notes}" is not known: {", ".join(NOTES)}.')
    if options.code not in CODE:
        raise UserError(f'--code "{options.code}" is not known: {", ".join(CODE)}.')
    if options.urls not in URLS:
        raise UserError(f'--urls "{options.urls}" is not known: {", ".join(URLS)}.')
    return ReadOptions(
        encoding=options.encoding,
        language=options.language,
        title=options.title,
        author=options.author,
        split=options.split,  # type: ignore[arg-type]  # checked just above
        everything=options.everything,
        notes=options.notes,  # type: ignore[arg-type]  # checked just above
        chapters=options.chapters,
        code=options.code,  # type: ignore[arg-type]  # checked just above
        urls=options.urls,  # type: ignore[arg-type]  # checked just above
    )


def parse_voice_options(options: Options) -> VoiceRequest:
    """The voice that was asked for. Raises UserError for changes out of range."""
    return VoiceRequest(
        voice=options.voice,
        backend=options.backend_name,
        rate_pct=None if options.rate == "" else parse_change("rate", options.rate),
        pitch_hz=None if options.pitch == "" else parse_change("pitch", options.pitch),
        volume_pct=None if options.volume == "" else parse_change("volume", options.volume),
        wait=options.wait,
    )


def parse_output_options(options: Options, at: Surroundings) -> OutputSettings:
    """What becomes of the spoken book. Raises UserError."""
    out = None if options.output is None else at.resolve_path(options.output)
    lufs = LOUDNESS_LUFS if options.loudness == "" else parse_loudness(str(options.loudness))
    formats, companions = parse_formats(options.format, out)
    return OutputSettings(
        out=out,
        formats=formats,
        companions=companions,
        loudness_lufs=lufs,
        captions=parse_captions(options.captions),
        shelved=parse_layout(options.layout),
        force=options.force,
        cores=os.cpu_count() or 1,
    )


def load_config(
    at: Surroundings, voices: FilePath | None, own: Sequence[backends.Backend] = ()
) -> Config:
    """voices.toml, as it is looked for; it may name the backends in `own`, too."""
    known = dict.fromkeys((*backends.names(), *(backend.name for backend in own)))
    path = None if voices is None else at.resolve_path(voices)
    config = load_voices(path, cwd=at.cwd, config_dir=at.config_dir, backends=tuple(known))
    _LOG.debug("voices: %s", config.path)
    return config


def make_backend_settings(
    at: Surroundings, proxy: str, known: Config | None = None
) -> backends.Settings:
    """What backends may need: local voices are looked for in $TTS_BOOK_VOICES, too."""
    folders = (*backends.find_voices_dirs(at.environ), at.voices_dir)
    voices = tuple(known.voices.values()) if known else ()
    return backends.Settings(folders, proxy, at.environ, voices)


@asynccontextmanager
async def open_engines(
    at: Surroundings,
    proxy: str,
    known: Config | None = None,
    own: Sequence[backends.Backend] = (),
) -> AsyncIterator[backends.Engines]:
    """Backends by name, closed at the end; `known` are the voices that may name servers, `own`
    are there already and stay open."""
    made = backends.Engines(make_backend_settings(at, proxy, known), own)
    try:
        yield made
    finally:
        await made.close()


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What options and surroundings decide for all books of a run, each file read once."""

    at: Surroundings
    options: Options
    config: Config
    voice: VoiceRequest
    output: OutputSettings

    cover: Cover | Literal["none"] | None
    """The picture that was given, "none" for none, None for the book's own."""

    def reading_options(self) -> ReadOptions:
        """How a source is read. Raises UserError."""
        return parse_reading_options(self.options)

    @property
    def cache_dir(self) -> Path:
        """The folder of the spoken chunks."""
        return self.at.resolve_path(self.options.cache or self.at.cache_dir)

    @asynccontextmanager
    async def open_cache(self) -> AsyncIterator[ChunkCache]:
        """The cache: the user's, the one named, or one that lives as long as this run."""
        from tts_book.synthesis import cache_leases
        from tts_book.synthesis.chunk_cache import ChunkCache

        if self.options.no_cache:
            with cache_leases.make_run_folder(Path(tempfile.gettempdir())) as folder:
                yield ChunkCache(folder)
        else:
            with suppress(FileNotFoundError):  # no temporary folder is needed here
                cache_leases.remove_dead_folders(Path(tempfile.gettempdir()))
            cache = ChunkCache(self.cache_dir)
            cache.sweep(OLD_PART_S, time.time())
            yield cache


def read_settings(at: Surroundings, options: Options) -> JobSettings:
    """The settings that these options make. Raises UserError for a wrong value, and for mistakes in
    voices.toml: all that can be known before a book is read."""
    config = load_config(at, options.voices, options.own_backends)
    _check_reading(options)
    _check_voice(options, config)
    _check_parts(options)
    return JobSettings(
        at,
        options,
        config,
        parse_voice_options(options),
        parse_output_options(options, at),
        _load_cover(at, options),
    )


def _check_reading(options: Options) -> None:
    parse_reading_options(options)
    if options.language:
        parse_language_tag(options.language)
    if options.encoding:
        from tts_book.readers.decoding import find_codec

        find_codec(options.encoding)
    if options.chapters:
        from tts_book.readers.book import ChapterPattern

        ChapterPattern(options.chapters)


def _check_voice(options: Options, config: Config) -> None:
    name = options.backend_name
    if name != AUTO and name not in config.backends:
        raise UserError(f'There is no backend "{name}".{suggest(name, config.backends)}')
    if options.voice:
        config.resolve(options.voice, name)
    if options.proxy and not _PROXY.fullmatch(options.proxy):
        raise UserError(
            f'--proxy "{hide_password(options.proxy)}" is no proxy: write http://HOST:PORT'
        )


# A scheme or a port at least: a bare word is mistyped.
_PROXY = re.compile(r"\w+://[^\s/]+/?|[^\s/]+:\d+/?")


def hide_password(proxy: str) -> str:
    """The address of a proxy as it may be shown: without name and password."""
    way, at, host = proxy.rpartition("@")
    scheme, colon, _ = way.rpartition("://")
    return f"{scheme}{colon}…@{host}" if at else proxy


def _check_parts(options: Options) -> None:
    only = parse_selection(str(options.only), "--only")
    parse_selection(str(options.redo), "--redo")
    if only and (options.start != "" or options.stop != ""):
        raise UserError("--from and --to make an excerpt: leave --only out.")
    if options.year and not year_of(str(options.year)):
        raise UserError(f'--year "{options.year}" is no year: write four digits.')


def _load_cover(at: Surroundings, options: Options) -> Cover | Literal["none"] | None:
    if options.cover is None:
        return None
    return "none" if str(options.cover) == NO_COVER else read_cover(at.resolve_path(options.cover))


@dataclass(frozen=True, slots=True)
class Conversion:
    """What is open as long as books are prepared and carried out."""

    settings: JobSettings
    engines: backends.Engines
    cache: ChunkCache

    async def prepare(
        self, requests: Sequence[BookRequest], *, patient: bool = False
    ) -> tuple[BookJob, ...]:
        """Plans the books and chooses their voices; speaks and writes nothing. `patient`: also
        while an engine is away. Raises UserError, or EngineGone."""
        from tts_book.pipeline.planning import prepare_jobs, select_excerpt, select_parts

        options = self.settings.options
        start, stop = str(options.start), str(options.stop)
        only = parse_selection(str(options.only), "--only")
        redo = parse_selection(str(options.redo), "--redo")
        excerpt = bool(start or stop)
        if options.is_partial and len(requests) > 1:
            raise UserError(
                "--only, --redo, --from and --to name parts of one book: convert the others by "
                "themselves."
            )
        voice = self.settings.voice
        jobs = await prepare_jobs(
            requests,
            VoiceChooser(self.settings.config, self.engines),
            replace(voice, wait=voice.wait or patient),
            self.cache,
            self.settings.output,
            self.settings.at.cwd,
            excerpt=excerpt,
        )
        jobs = tuple(select_parts(job, only, redo) for job in jobs)
        return tuple(select_excerpt(job, start, stop) for job in jobs) if excerpt else jobs

    async def carry_out(
        self,
        jobs: Sequence[BookJob],
        listening: AbstractContextManager[Listener],
        tools: Tools | None = None,
    ) -> Result:
        """Speaks what is missing and writes the files. `listening` is entered when nothing stands
        in the way; `tools` are the real clock, sleep and chance unless they are given. Raises
        UserError, and SourceDamaged for a book with parts missing unless these are allowed to be.
        """
        from tts_book.output.companions import refuse_foreign
        from tts_book.pipeline import ownership
        from tts_book.pipeline.planning import prepare_output
        from tts_book.pipeline.run import convert_jobs, make_tools
        from tts_book.synthesis import cache_leases

        options, output = self.settings.options, self.settings.output
        if not options.allow_missing:
            _refuse_damaged(jobs)
        tools = replace(tools or make_tools(), workers=options.workers, wait=options.wait)
        with cache_leases.hold_entries(self.cache.folder, [_lease(job) for job in jobs]):
            if not output.force:
                ownership.refuse_foreign_captions(jobs, output.captions)
                refuse_foreign([path for job in jobs for path in _companions(job, output)])
            prepare_output(jobs, output.force)
            with listening as listener:
                pauses = self.settings.config.pauses
                result = await convert_jobs(jobs, pauses, self.cache, listener, tools, output)
            return await self._write_companions(jobs, result)

    async def _write_companions(self, jobs: Sequence[BookJob], result: Result) -> Result:
        """Adds the page and the EPUB, which show what is in the files."""
        from tts_book.output.companions import write_companions
        from tts_book.pipeline.book_writer import run_to_end

        kinds = self.settings.output.companions
        written = [
            path
            for job in jobs
            for path in await run_to_end(
                write_companions, manifest_path(job.layout), kinds, self.cache
            )
        ]
        return replace(result, written=(*result.written, *written))


def _refuse_damaged(jobs: Sequence[BookJob]) -> None:
    missing = [line for job in jobs for line in job.request.book.missing]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise SourceDamaged(
            f"{missing[0]}{more}. Nothing was written: get the book again, or convert what is "
            "there with --allow-missing."
        )


@asynccontextmanager
async def open_conversion(settings: JobSettings) -> AsyncIterator[Conversion]:
    """The engines and the cache of a run, let go of at the end; a backend that the caller gave
    stays open. Raises UserError."""
    at, options = settings.at, settings.options
    async with (
        open_engines(at, options.proxy, settings.config, options.own_backends) as engines,
        settings.open_cache() as cache,
    ):
        yield Conversion(settings, engines, cache)


def _companions(job: BookJob, output: OutputSettings) -> list[Path]:
    from tts_book.output.companions import companion_path

    return [companion_path(manifest_path(job.layout), kind) for kind in output.companions]


def _lease(job: BookJob) -> CacheLease:
    from tts_book.synthesis.cache_leases import CacheLease

    source = str(job.request.source.resolve()) if job.request.source else job.request.stem
    place = str((job.layout.folder / job.layout.stem).resolve())
    return CacheLease(job.request.book.title, source, place, job.keys)
