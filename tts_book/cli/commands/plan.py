"""`tts-book plan`: what convert, or batch for a folder, would do; nothing is spoken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

from tts_book.cli import report
from tts_book.cli.commands.convert import Batch, read_batch, read_requests
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal, end_sentence
from tts_book.errors import UserError
from tts_book.pipeline.job_settings import read_settings
from tts_book.pipeline.session import open_conversion


async def show_plan(
    at: Terminal, options: CommandOptions, sources: Sequence[str], chunks: bool
) -> int:
    """Chapters, chunks, length and voice, or every chunk."""
    found = await _read(at, options, sources)
    async with open_conversion(found.settings) as conversion:
        # What would be done can be shown also while an engine is away.
        jobs, cache = await conversion.prepare(found.requests, patient=True), conversion.cache
        show = report.list_plan_json if options.json else report.describe_plan
        lines = show(jobs, cache)
        if chunks and not options.json:
            lines = report.list_chunks(jobs)
        if options.explain:
            lines = report.explain_jobs(jobs, cache)
        return _print(at, found, lines)


async def show_words(at: Terminal, options: CommandOptions, sources: Sequence[str]) -> int:
    """What voices may say wrong, in the form of pronounce.toml."""
    from tts_book.cli import words

    found = await _read(at, options, sources)
    rows = words.list_words_json if options.json else words.list_words
    return _print(at, found, (line for each in found.requests for line in rows(each.book)))


async def show_speakers(at: Terminal, options: CommandOptions, sources: Sequence[str]) -> int:
    """Who speaks in the sources, in the form of cast.toml."""
    found = await _read(at, options, sources)
    if options.json:
        return _print(at, found, report.list_speakers_json(found.requests))
    return _print(at, found, report.list_speakers(found.requests, found.settings.config))


async def show_skipped(at: Terminal, options: CommandOptions, sources: Sequence[str]) -> int:
    """What of the sources is not read aloud, and why."""
    found = await _read(at, options, sources)
    rows = report.list_skipped_json if options.json else report.list_skipped
    return _print(at, found, (line for each in found.requests for line in rows(each.book)))


async def _read(at: Terminal, options: CommandOptions, sources: Sequence[str]) -> Batch:
    folders = [source for source in sources if source != "-" and at.resolve_path(source).is_dir()]
    if not folders:
        settings = read_settings(at, options)
        requests = await asyncio.to_thread(read_requests, at, options, settings, sources)
        return Batch(options, settings, requests)
    if len(sources) > 1:
        raise UserError(f"{folders[0]} is a folder: plan it alone, as `tts-book batch` takes it.")
    return await asyncio.to_thread(read_batch, at, options, Path(folders[0]))


def _print(at: Terminal, found: Batch, lines: Iterable[str]) -> int:
    for line in lines:
        at.out.write(f"{line}\n")
    for reason in found.unread:
        at.err.write(f"not read: {end_sentence(reason)}\n")
    chapters = (chapter for each in found.requests for chapter in each.book.chapters)
    return 1 if found.unread or any(chapter.unread for chapter in chapters) else 0
