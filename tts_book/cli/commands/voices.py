"""The commands about voices: what there is, how it sounds, and fetching more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tts_book import backends
from tts_book.cli import plan_report
from tts_book.cli.commands import convert as desk
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.output.paths import file_name
from tts_book.pipeline.session import (
    load_config,
    make_backend_settings,
    open_engines,
    read_settings,
)
from tts_book.pipeline.voice_selection import VoiceChooser
from tts_book.text.language_tags import parse_language_tag

if TYPE_CHECKING:
    from tts_book.backends.piper.catalog import StoreVoice


async def voices(at: Terminal, options: CommandOptions) -> int:
    """Lists the voices of voices.toml and of every backend that can speak now."""
    known, only = load_config(at, options.voices), str(options.backend)
    language = _language(options.language)
    async with open_engines(at, options.proxy) as made:
        casting = VoiceChooser(known, made)
        chosen = (only,) if only else backends.names()
        made(chosen[0])  # an unknown name is told before all else
        found, problems = await casting.offered(chosen)
    listed = plan_report.voices_json if options.json else plan_report.voices
    for line in listed(known, found, language, only):
        at.out.write(f"{line}\n")
    for name, health in problems.items():
        at.err.write(f"{name}: {health.detail} {health.mend}".rstrip() + "\n")
    return 0


def _language(code: str) -> str:
    return parse_language_tag(code) if code else ""


async def preview(at: Terminal, options: CommandOptions) -> int:
    """Speaks one sentence with a voice, in its own language."""
    from tts_book.pipeline.source import BookRequest

    voice = load_config(at, options.voices).resolve(options.voice)
    spoken_in = _language(options.language) or voice.language or "en"
    book = plan_report.preview_book(voice, spoken_in)
    spoken = replace(options, output=options.output or at.cwd / f"{file_name(voice.name)}.mp3")
    requests = (BookRequest(book, voice.name, None, recorded=False),)
    return await desk.speak(at, spoken, read_settings(at, spoken), requests)


async def install(at: Terminal, options: CommandOptions, name: str, yes: bool) -> int:
    """Fetches a Piper voice into the user's folder; without a name, lists what can be fetched."""
    from tts_book.backends.piper.download import open_store
    from tts_book.cli.display import show_download

    wanted = _language(options.language)
    store = open_store(at.environ, options.proxy)
    if not name:
        index = await asyncio.to_thread(store.index)
        for line in plan_report.store(index, wanted):
            at.out.write(f"{line}\n")
        return 0

    def agree(voice: StoreVoice, card: str) -> bool:
        at.err.write(f"{card.strip()}\n" if card else "This voice comes without a licence note.\n")
        if yes or not at.stdin_is_terminal:
            return True
        at.err.write(f"Fetch {voice.key}, {voice.model_bytes // 1_000_000} MB? [y/N] ")
        at.err.flush()
        return at.stdin.readline().strip().lower() in (b"y", b"yes")

    folder = make_backend_settings(at, options.proxy).voices_dirs[0]
    with show_download(at.err, name) as on_progress:
        path = await asyncio.to_thread(
            store.install, name, folder, agree=agree, on_progress=on_progress
        )
    at.out.write(f"{path}\n")
    return 0
