"""Everything that is decided before the first word: chunks, voices, keys and places.

`plan` shows it and `convert` carries it out, so that the two cannot drift.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tts_book.audio.file_tags import owner_of
from tts_book.backends import Backend
from tts_book.errors import BackendRefused, UserError
from tts_book.model import Chunk, Plan, Voice
from tts_book.output import audiobookshelf
from tts_book.output.captions import caption_paths
from tts_book.output.companions import companion_path
from tts_book.output.manifest import HIDDEN_FOLDER, manifest_path, read_known_files
from tts_book.output.paths import (
    CAPTIONS,
    CHAPTERS,
    COMPANIONS,
    SUFFIXES,
    WHOLE,
    Layout,
    lay_out_book,
    lay_out_excerpt,
    make_folders,
    refuse_foreign_files,
)
from tts_book.output.settings import OutputSettings
from tts_book.pipeline.casting import BookRoles, find_roles
from tts_book.pipeline.jobs import BookJob, make_keys
from tts_book.pipeline.source import BookRequest
from tts_book.pipeline.voice_selection import (
    TELLING_CHARACTERS,
    ChosenVoice,
    SpokenShare,
    VoiceChooser,
    VoiceRequest,
)
from tts_book.synthesis import atomic
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.text import chunker
from tts_book.text.dialogue.roles import NARRATOR
from tts_book.text.language_tags import describe_language
from tts_book.text.spoken_text import Readings, apply_readings


async def prepare_jobs(
    requests: Sequence[BookRequest],
    chooser: VoiceChooser,
    voice: VoiceRequest,
    cache: ChunkCache,
    output: OutputSettings,
    cwd: Path,
    *,
    excerpt: bool = False,
) -> tuple[BookJob, ...]:
    """Plans every book and chooses its voice. Speaks and writes nothing. Raises UserError or
    EngineGone."""
    jobs = []
    for number, request in enumerate(requests, 1):
        # In a thread, so that Ctrl-C need not wait for a long book's plan.
        roles = BookRoles()
        if request.cast is not None:
            roles = await asyncio.to_thread(find_roles, request.book, request.cast, request.marked)
        plan = await asyncio.to_thread(chunker.plan_book, request.book, roles.spans)
        parts = {}
        for (language, role), part in _split_plan(plan).items():
            other = "" if language == request.book.language else language
            wanted = chooser.request_for(voice, request.cast, role, other)
            parts[language, role] = await _choose_voice(part, request, chooser, wanted, cache)
        chunks, keys = _merge_parts([pair for _, part in parts.values() for pair in part])
        chosen = {where: its for where, (its, _) in parts.items()}
        cast = chosen.pop((request.book.language, NARRATOR))
        layout = _lay_out_files(request, output, cwd, excerpt)
        plan = replace(plan, chunks=chunks)
        voices = {language: its for (language, role), its in chosen.items() if not role}
        readers = {where: its for where, its in chosen.items() if where[1]}
        jobs.append(
            BookJob(
                request, plan, cast, keys, layout, number=number, voices=voices, readers=readers
            )
        )
    return tuple(jobs)


def _split_plan(plan: Plan) -> dict[tuple[str, str], Plan]:
    """The parts of a plan in each language and role, the narrator in that of the book first."""
    usual = plan.book.language
    languages = {chapter.number: chapter.language or usual for chapter in plan.book.chapters}
    parts: dict[tuple[str, str], list[Chunk]] = {
        (language, NARRATOR): [] for language in (usual, *languages.values())
    }
    for chunk in plan.chunks:
        parts.setdefault((languages[chunk.chapter], chunk.role), []).append(chunk)
    return {
        (language, role): replace(
            plan, book=replace(plan.book, language=language), chunks=tuple(chunks)
        )
        for (language, role), chunks in parts.items()
    }


def _merge_parts(
    keyed: list[tuple[Chunk, str]],
) -> tuple[tuple[Chunk, ...], tuple[str, ...]]:
    """The chunks of all parts with their keys in reading order, numbered in their chapters."""
    keyed.sort(key=lambda pair: (pair[0].chapter, pair[0].start))
    chunks: list[Chunk] = []
    for chunk, _ in keyed:
        same = bool(chunks) and chunks[-1].chapter == chunk.chapter
        chunks.append(replace(chunk, number=chunks[-1].number + 1 if same else 1))
    return tuple(chunks), tuple(key for _, key in keyed)


async def _choose_voice(
    plan: Plan,
    request: BookRequest,
    chooser: VoiceChooser,
    voice: VoiceRequest,
    cache: ChunkCache,
) -> tuple[ChosenVoice, list[tuple[Chunk, str]]]:
    """The voice of a plan in one language, and the chunks with their keys."""
    language = plan.book.language
    try:
        chosen = await chooser.cast(voice, language, _make_counter(plan, cache, request.readings))
    except UserError as error:
        if language == request.book.language:
            raise
        raise UserError(_explain_other_language(plan, voice, str(error))) from None
    plan = await asyncio.to_thread(apply_readings, plan, chosen.voice, request.readings)
    try:
        keys = await asyncio.to_thread(make_keys, plan, chosen.voice, chosen.backend)
    except BackendRefused as error:  # what this voice cannot do is known before it speaks
        raise UserError(str(error)) from error
    return chosen, list(zip(plan.chunks, keys, strict=True))


def _explain_other_language(plan: Plan, voice: VoiceRequest, reason: str) -> str:
    language = plan.book.language
    sources = [c.origin.source.name for c in plan.book.chapters if c.language == language]
    names = list(dict.fromkeys(sources))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    listed = f"In {describe_language(language)}: {', '.join(names[:3])}{more}"
    if not voice.voice:
        return f"{listed}. {reason}"
    return (
        f'{listed}, which "{voice.voice}" does not speak: leave --voice out, so that each file '
        "gets a voice of its language, or add --language CODE to have all read alike."
    )


def add_existing_formats(request: BookRequest, output: OutputSettings, cwd: Path) -> OutputSettings:
    """With the formats, captions and companions in which the book is there already, so that a part
    that is spoken again is heard in all of them."""
    out = output.out
    if output.shelved or (out and out.suffix.lower() in SUFFIXES and not out.is_dir()):
        return output
    layout = _lay_out_files(
        request, replace(output, formats=(CHAPTERS, *WHOLE)), cwd, excerpt=False
    )

    def is_there(path: Path) -> bool:
        return path.exists() and owner_of(path) == layout.owner

    formats = [kind for kind, path in layout.whole if is_there(path)]
    formats += [CHAPTERS] if any(map(is_there, layout.targets)) else []
    layout = _lay_out_files(
        request, replace(output, formats=(*output.formats, *formats)), cwd, False
    )
    known = read_known_files(manifest_path(layout))
    beside = [(kind, each) for kind in CAPTIONS for each in _captions_of(layout, kind)]
    captions = (kind for kind, path in beside if path.name in known and path.exists())
    manifest = manifest_path(layout)
    companions = (kind for kind in COMPANIONS if companion_path(manifest, kind).exists())
    return replace(
        output,
        formats=tuple(dict.fromkeys((*output.formats, *formats))),
        captions=tuple(dict.fromkeys((*output.captions, *captions))),
        companions=tuple(dict.fromkeys((*output.companions, *companions))),
    )


def _captions_of(layout: Layout, kind: str) -> Iterator[Path]:
    for path in layout.files:
        yield from caption_paths(path, (kind,))


def _lay_out_files(
    request: BookRequest, output: OutputSettings, cwd: Path, excerpt: bool
) -> Layout:
    where = (request.book, request.stem, request.source, output.out, cwd, output.formats)
    if excerpt:
        return lay_out_excerpt(*where)
    shelf = audiobookshelf.shelf_folder(request.book) if output.shelved else None
    return lay_out_book(*where, shelf)


def _make_counter(
    plan: Plan, cache: ChunkCache, readings: Readings
) -> Callable[[Voice, Backend], SpokenShare]:
    def count(voice: Voice, backend: Backend) -> SpokenShare:
        its = apply_readings(plan, voice, readings)
        there = [cache.has(key) for key in make_keys(its, voice, backend)]
        long = (len(chunk.spoken) >= TELLING_CHARACTERS for chunk in its.chunks)
        telling = sum(has and telling for has, telling in zip(there, long, strict=True))
        return SpokenShare(telling, all(there), sum(there), len(there))

    return count


def prepare_output(jobs: Sequence[BookJob], force: bool) -> None:
    """Makes the folders and clears them of what a killed run left unfinished. Raises UserError
    where a file or folder is in the way."""
    places = [job.layout for job in jobs]
    refuse_foreign_files(places, owner_of, force)
    make_folders(places)
    folders = {file.parent for place in places for file in place.files}
    atomic.remove_leftovers(folders | {folder / HIDDEN_FOLDER for folder in folders})
