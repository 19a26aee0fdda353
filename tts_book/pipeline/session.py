"""A conversion from its options to its files: the one way that commands and library go.

settings = read_settings(surroundings, options)
async with open_conversion(settings) as conversion:
    jobs = await conversion.prepare(requests)
    result = await conversion.carry_out(jobs, listening)
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book import backends
from tts_book.config.voices import Config
from tts_book.errors import SourceDamaged, UserError
from tts_book.events import FilesAwaited
from tts_book.output.companions import companion_path, refuse_foreign, write_companions
from tts_book.output.manifest import manifest_path
from tts_book.output.settings import OutputSettings
from tts_book.pipeline.job_settings import JobSettings
from tts_book.pipeline.options import Surroundings
from tts_book.pipeline.selection import parse_selection, select_excerpt, select_parts
from tts_book.pipeline.voice_selection import VoiceChooser
from tts_book.synthesis import cache_leases
from tts_book.synthesis.atomic import PART_PREFIX, report_failure
from tts_book.synthesis.cache_leases import BookBusy, CacheBusy, CacheLease
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.claims import SUFFIX

if TYPE_CHECKING:
    from tts_book.events import Listener
    from tts_book.pipeline.jobs import BookJob
    from tts_book.pipeline.run import Result
    from tts_book.pipeline.sharing import Help
    from tts_book.pipeline.source import BookRequest
    from tts_book.synthesis.claims import Claims
    from tts_book.synthesis.pool import Tools
    from tts_book.synthesis.rate_limiter import Proof

OLD_PART_S = 24 * 3_600.0
BUSY_MOST_S, BUSY_POLL_S = 60.0, 0.1


def make_backend_settings(
    at: Surroundings, proxy: str, known: Config | None = None
) -> backends.Settings:
    """What backends may need: local voices are looked for in $TTS_BOOK_VOICES, too."""
    folders = (*backends.find_voices_dirs(at.environ), at.voices_dir)
    voices = tuple(known.voices.values()) if known else ()
    tables = {"edge": known.edge} if known else {}
    return backends.Settings(folders, proxy, at.environ, voices, tables)


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


@asynccontextmanager
async def open_cache(settings: JobSettings) -> AsyncIterator[ChunkCache]:
    """The cache: the user's, the one named, or one that lives as long as this run."""
    if settings.options.no_cache:
        with cache_leases.make_run_folder(Path(tempfile.gettempdir())) as folder:
            yield ChunkCache(folder)
    else:
        with suppress(FileNotFoundError):  # no temporary folder is needed here
            cache_leases.remove_dead_folders(Path(tempfile.gettempdir()))
        cache = ChunkCache(settings.cache_dir)
        cache.sweep(OLD_PART_S, time.time())
        yield cache


@asynccontextmanager
async def hold_entries(
    cache: Path, books: Sequence[CacheLease], tools: Tools, *, passing: bool = False
) -> AsyncIterator[None]:
    """Keeps the entries of these books, as soon as the cache is not being pruned. Raises UserError
    where that lasts too long, and where another run is at work on one of them."""
    with ExitStack() as held:
        until_s = tools.clock() + BUSY_MOST_S
        while True:
            try:
                held.enter_context(cache_leases.hold_entries(cache, books, passing=passing))
                break
            except CacheBusy:
                if tools.clock() >= until_s:
                    raise
            await tools.sleep(BUSY_POLL_S)
        yield


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
        from tts_book.pipeline.planning import prepare_jobs

        options = self.settings.options
        start, stop = str(options.start), str(options.stop)
        only = parse_selection(str(options.only), "--only")
        redo = parse_selection(str(options.redo), "--redo")
        excerpt = bool(start or stop)
        if options.is_partial and len(requests) > 1:
            raise UserError(
                "--only, --redo, --from and --to name parts of one book: convert the others "
                "separately."
            )
        voice = self.settings.voice
        jobs = await prepare_jobs(
            requests,
            VoiceChooser(self.settings.config, self.engines),
            replace(voice, wait=voice.wait or patient),
            self.cache,
            self._output(requests),
            self.settings.at.cwd,
            excerpt=excerpt,
        )
        jobs = tuple(select_parts(job, only, redo) for job in jobs)
        return tuple(select_excerpt(job, start, stop) for job in jobs) if excerpt else jobs

    def _output(self, requests: Sequence[BookRequest]) -> OutputSettings:
        """Where the books go, in all their formats if a part is spoken again."""
        from tts_book.pipeline.planning import add_existing_formats

        output = self.settings.output
        if not self.settings.options.redo or len(requests) != 1:
            return output
        return add_existing_formats(requests[0], output, self.settings.at.cwd)

    async def carry_out(
        self,
        jobs: Sequence[BookJob],
        listening: AbstractContextManager[Listener],
        tools: Tools | None = None,
    ) -> Result:
        """Speaks what is missing and writes the files. `listening` is entered when nothing is
        in the way; `tools` are the real clock, sleep and chance unless they are given. Raises
        UserError, and SourceDamaged for a book with parts missing unless these are allowed to be.
        """
        from tts_book.pipeline.run import make_tools
        from tts_book.pipeline.sharing import open_claims

        options = self.settings.options
        if not options.allow_missing:
            _refuse_damaged(jobs)
        tools = replace(tools or make_tools(), workers=options.workers, wait=options.wait)
        async with self._open_cluster(jobs, tools) as tools:
            if options.share:
                async with open_claims(tools) as claims:
                    return await self._share(jobs, listening, replace(tools, claims=claims), claims)
            async with hold_entries(self.cache.folder, [_make_lease(job) for job in jobs], tools):
                return await self._convert(jobs, listening, tools)

    async def _convert(
        self,
        jobs: Sequence[BookJob],
        listening: AbstractContextManager[Listener],
        tools: Tools,
        before: Help | None = None,
    ) -> Result:
        """Speaks and writes books that no other run writes; `before`: what was reported."""
        from tts_book.pipeline.earlier_files import refuse_foreign_captions
        from tts_book.pipeline.planning import prepare_output
        from tts_book.pipeline.run import convert_jobs

        output = self._output([job.request for job in jobs])
        if not output.force:
            refuse_foreign_captions(jobs, output.captions)
            _refuse_foreign_companions(jobs, output.companions)
        with self._open_proof(jobs) as proof:
            tools = replace(tools, proof=proof or tools.proof)
            prepare_output(jobs, output.force)
            with listening as listener:
                pauses = self.settings.config.pauses
                result = await convert_jobs(
                    jobs, pauses, self.cache, listener, tools, output, before
                )
        return await self._write_companions(jobs, result, output.companions)

    async def _share(
        self,
        jobs: Sequence[BookJob],
        listening: AbstractContextManager[Listener],
        tools: Tools,
        claims: Claims,
    ) -> Result:
        """Speaks what no other run speaks; writes the files as soon as no other run does."""
        from tts_book.pipeline.run import describe_start
        from tts_book.pipeline.sharing import POLL_S, Help, speak_along

        async with AsyncExitStack() as owning:
            writer = await self._own_files(jobs, tools, claims, owning)
            if not writer:
                return await self._convert(jobs, listening, tools)
            place = f" {claims.claimant.run}"
            leases = [_make_lease(job) for job in jobs]
            passing = [replace(lease, place=lease.place + place) for lease in leases]
            with listening as listener:
                help = Help(listener, tools.clock())
                help(describe_start(jobs, {}, self.cache))
                help(FilesAwaited(writer))
                async with hold_entries(self.cache.folder, passing, tools, passing=True):
                    with self._open_proof(jobs) as proof:
                        proving = replace(tools, proof=proof or tools.proof)
                        await speak_along(jobs, self.cache, help, proving)
                while await self._own_files(jobs, tools, claims, owning):
                    await tools.sleep(POLL_S)
                return await self._convert(jobs, nullcontext(listener), tools, help)

    async def _own_files(
        self, jobs: Sequence[BookJob], tools: Tools, claims: Claims, owning: AsyncExitStack
    ) -> str:
        """Makes this run the only one that writes these books, until `owning` and the claims end;
        or says which other one does. Raises UserError."""
        paths = {_claim_path(job): job for job in jobs}
        with report_failure(next(iter(paths))):
            writer = await asyncio.to_thread(claims.take_all, paths)
        if writer is not None:
            return str(writer)
        leases = [_make_lease(job) for job in jobs]
        try:
            await owning.enter_async_context(hold_entries(self.cache.folder, leases, tools))
        except BookBusy as error:
            for path in paths:
                claims.release(path)
            return error.writer
        return ""

    @asynccontextmanager
    async def _open_cluster(self, jobs: Sequence[BookJob], tools: Tools) -> AsyncIterator[Tools]:
        """The tools with the cluster that was asked for, if anything is to be spoken. Raises
        UserError."""
        at, address = self.settings.at, self.settings.cluster
        missing = (key in job.redo or not self.cache.has(key) for job in jobs for key in job.keys)
        if address is None or not any(missing):
            yield tools
            return
        from tts_book.synthesis.cluster import open_cluster

        known = make_backend_settings(at, "", self.settings.config)
        async with open_cluster(address, known, tools) as with_cluster:
            yield with_cluster

    @contextmanager
    def _open_proof(self, jobs: Sequence[BookJob]) -> Iterator[Proof | None]:
        """What hears the chunks as they come, if that was asked for. Raises UserError."""
        options = self.settings.options
        if not options.ear:
            yield None
            return
        from tts_book.output.inspection.ear.models import find_model, models_folder
        from tts_book.output.inspection.ear.proof import LiveProof
        from tts_book.output.inspection.ear.recognizer import WhisperRecognizer

        folder = find_model(options.ear_model, models_folder(self.settings.at.voices_dir))
        recognizer = WhisperRecognizer(folder)
        for job in jobs:
            recognizer.check_language(job.request.book.language)
        with LiveProof(recognizer) as proof:
            yield proof

    async def _write_companions(
        self, jobs: Sequence[BookJob], result: Result, kinds: Sequence[str]
    ) -> Result:
        """Adds the page and the EPUB, which show what is in the files."""
        from tts_book.pipeline.book_writer import run_to_end

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
        open_cache(settings) as cache,
    ):
        yield Conversion(settings, engines, cache)


def _refuse_foreign_companions(jobs: Sequence[BookJob], kinds: Sequence[str]) -> None:
    """Raises UserError if a page or an EPUB would replace a file that tts-book did not write."""
    manifests = [manifest_path(job.layout) for job in jobs]
    refuse_foreign([companion_path(path, kind) for path in manifests for kind in kinds])


def _claim_path(job: BookJob) -> Path:
    """Where a run says that it writes the files of a book: beside them, since every machine may
    know their folder by another path."""
    name = hashlib.sha256(job.layout.stem.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    layout = job.layout
    beside = layout.targets[0] if layout.keeps_chapters else layout.whole[0][1]
    return beside.with_name(f"{PART_PREFIX}{name}{SUFFIX}")


def _make_lease(job: BookJob) -> CacheLease:
    source = str(job.request.source.resolve()) if job.request.source else job.request.stem
    place = str((job.layout.folder / job.layout.stem).resolve())
    return CacheLease(job.request.book.title, source, place, job.keys)
