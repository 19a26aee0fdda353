"""`tts-book ear` and `verify --ear`: models of recognisers, and finished books heard by them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tts_book.cli.commands.publication import find_books
from tts_book.cli.display import make_console, show_download
from tts_book.cli.process import Terminal
from tts_book.errors import UserError
from tts_book.events import format_duration
from tts_book.output.inspection.ear.models import (
    LICENCE,
    REPOSITORIES,
    RemoteModel,
    find_model,
    list_installed,
    models_folder,
    open_model_store,
)
from tts_book.output.inspection.ear.proof import (
    ChunkToHear,
    HeardChunk,
    hear_chunks,
    list_chunks,
    save_findings,
    select_sample,
    shorten,
)
from tts_book.output.inspection.ear.recognizer import Recognizer, WhisperRecognizer
from tts_book.pipeline.selection import parse_selection
from tts_book.synthesis.chunk_cache import ChunkCache

_LINE_EVERY_S = 30.0


async def list_models(at: Terminal) -> int:
    """Shows which models there are, and which are installed."""
    installed = list_installed(models_folder(at.voices_dir))
    for name, (_, megabytes) in REPOSITORIES.items():
        state = "installed" if name in installed else f"{megabytes:,} MB"
        at.out.write(f"{name:<16}{state}\n")
    return 0


async def install(at: Terminal, name: str, proxy: str, yes: bool) -> int:
    """Fetches a model after its size, source and licence were shown."""

    def agree(model: RemoteModel) -> bool:
        at.err.write(
            f"{model.name}: {model.size_bytes / 1e6:,.0f} MB from {model.source}, licence "
            f"{LICENCE}\n"
        )
        if yes or not at.stdin_is_terminal:
            return True
        return at.confirm("Fetch it? [y/N] ")

    store = open_model_store(at.environ, proxy)
    with show_download(at.err, name) as on_progress:
        path = await asyncio.to_thread(
            store.install, name, models_folder(at.voices_dir), agree=agree, on_progress=on_progress
        )
    at.out.write(f"{path}\n")
    return 0


async def hear(
    at: Terminal,
    sources: Sequence[str],
    *,
    model: str,
    sample: str,
    only: str,
    cache: Path | None,
    as_json: bool,
    load: Callable[[Path], Recognizer] = WhisperRecognizer,
) -> int:
    """Hears books and reports what differs, the worst first; 1 if anything is wrong. Raises
    UserError."""
    share, selection = parse_share(sample), parse_selection(only, "--only")
    kept = ChunkCache(cache or at.cache_dir)
    folder = find_model(model, models_folder(at.voices_dir))
    works = []
    for source in sources:
        place = at.cwd / source
        for manifest in find_books(place, kept):
            chunks = [
                chunk
                for chunk in list_chunks(manifest)
                if (place.is_dir() or chunk.file.resolve() == place.resolve())
                and (not selection or selection.holds(chunk.chapter, chunk.number))
            ]
            works.append((manifest, select_sample(chunks, share) if share < 1 else chunks))
    if not any(chunks for _, chunks in works):
        raise UserError("There is nothing to hear: no chunk of six words or more was written.")
    recognizer = await asyncio.to_thread(load, folder)
    found: list[HeardChunk] = []
    progress = _Progress(at, [chunk for _, chunks in works for chunk in chunks])
    for manifest, chunks in works:
        language = manifest.run["language"]
        recognizer.check_language(language)
        of_book: list[HeardChunk] = []
        heard = hear_chunks(chunks, language, recognizer, kept.folder / "ear")
        while (each := await asyncio.to_thread(next, heard, None)) is not None:
            progress.add(each)
            of_book.append(each)
        await asyncio.to_thread(save_findings, manifest, of_book)
        found += of_book
    progress.end()
    return _report(at, found, as_json)


def parse_share(text: str) -> float:
    """The part of a book that "5%" means; all of it for "". Raises UserError."""
    if not text:
        return 1.0
    try:
        share = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UserError(f'--sample "{text}" is not a share: write 5% or another from 1% to 100%.')
    return share


class _Progress:
    """How much is heard, and how long the rest takes: by what was really heard, not by what an
    earlier run has heard already."""

    def __init__(self, at: Terminal, chunks: Sequence[ChunkToHear]) -> None:
        self._console = make_console(at.err)
        self._all_ms = sum(chunk.stop_ms - chunk.start_ms for chunk in chunks)
        self._done_ms = self._new_ms = 0
        self._began_s = self._said_s = time.monotonic()
        self._live = self._console.is_terminal

    def add(self, heard: HeardChunk) -> None:
        """Counts a chunk."""
        length_ms = heard.stop_ms - heard.start_ms
        self._done_ms += length_ms
        self._new_ms += 0 if heard.kept else length_ms
        now_s = time.monotonic()
        if now_s - self._said_s < (1.0 if self._live else _LINE_EVERY_S):
            return
        self._said_s = now_s
        spent_s = now_s - self._began_s
        left = ""
        if self._new_ms:
            left_ms = (self._all_ms - self._done_ms) * spent_s * 1_000 / self._new_ms
            left = f", {format_duration(left_ms)} left"
        line = f"heard {format_duration(self._done_ms)} of {format_duration(self._all_ms)}{left}"
        if self._live:
            self._console.print(line, end="\r", overflow="crop", no_wrap=True)
        else:
            self._console.print(line)

    def end(self) -> None:
        """Leaves a clean line."""
        if self._live:
            self._console.print(" " * min(60, self._console.width - 1), end="\r")


def _report(at: Terminal, found: Sequence[HeardChunk], as_json: bool) -> int:
    differing = [
        heard for heard in found if heard.differences or heard.language or heard.missing_sound
    ]
    differing.sort(key=lambda heard: (heard.is_error, heard.words), reverse=True)
    for heard in differing:
        for line in _json_lines(heard) if as_json else _lines(heard, at.cwd):
            at.out.write(f"{line}\n")
    errors = sum(heard.is_error for heard in differing)
    sound_ms = sum(heard.stop_ms - heard.start_ms for heard in found)
    at.err.write(
        f"{len(found)} chunks heard ({format_duration(sound_ms)}): {errors} wrong, "
        f"{len(differing) - errors} to listen to\n"
    )
    return 1 if errors else 0


def _lines(heard: HeardChunk, cwd: Path) -> Iterator[str]:
    file = heard.file.relative_to(cwd) if heard.file.is_relative_to(cwd) else heard.file
    state = "WRONG" if heard.is_error else "check"
    name = f"{heard.chapter}/{heard.chunk}"
    yield f"{state} {file} at {format_duration(heard.start_ms)} ({name}, {heard.place})"
    if heard.missing_sound:
        yield "      there is no sound for it in the file"
    if heard.language:
        yield f"      it sounds like another language: {heard.language}"
    for difference in heard.differences:
        yield f"      {difference.kind.value}: {shorten(difference.expected) or '…'}"
        yield f"        heard: {shorten(difference.heard) or '…'}"
    if heard.redo:
        yield f"      speak it again: {heard.redo}"


def _json_lines(heard: HeardChunk) -> Iterator[str]:
    yield json.dumps(
        {
            "file": str(heard.file),
            "start_ms": heard.start_ms,
            "stop_ms": heard.stop_ms,
            "chapter": heard.chapter,
            "chunk": heard.chunk,
            "place": str(heard.place),
            "error": heard.is_error,
            "missing_sound": heard.missing_sound,
            "language": heard.language or None,
            "differences": [
                {
                    "kind": each.kind.value,
                    "words": each.words,
                    "expected": each.expected,
                    "heard": each.heard,
                }
                for each in heard.differences
            ],
            "again": heard.redo,
        },
        ensure_ascii=False,
    )
