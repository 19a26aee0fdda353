"""`tts-book voices`: lists voices, plays one, and installs more."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book import backends
from tts_book.cli import voice_list
from tts_book.cli.commands.convert import speak_books
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.config.voices import SERVED, Config
from tts_book.errors import UserError
from tts_book.output.paths import SUFFIXES, file_name
from tts_book.pipeline.job_settings import load_config, read_settings
from tts_book.pipeline.session import make_backend_settings, open_engines
from tts_book.pipeline.voice_selection import VoiceChooser
from tts_book.text.language_tags import parse_language_tag, primary_language

if TYPE_CHECKING:
    from tts_book.backends.piper.store import StoreVoice


async def list_all(at: Terminal, options: CommandOptions, everything: bool) -> int:
    """Lists the voices of voices.toml and of every backend that can speak now."""
    known, only = load_config(at, options.voices), str(options.backend)
    language, own = _language(options.language), voice_list.find_user_languages(at.environ)
    default = primary_language(known.voices[known.default].language)
    wanted = voice_list.VoiceFilter(language, only, everything, (*own, default))
    async with open_engines(at, options.proxy, known) as made:
        casting = VoiceChooser(known, made)
        chosen = (only,) if only else _backends_of(known)
        made(chosen[0])  # an unknown name is reported before all else
        found, problems = await casting.offered(chosen)
    if options.json:
        lines = voice_list.list_voices_json(known, found, wanted)
    else:
        lines = voice_list.list_voices(known, found, problems, wanted)
    for line in lines:
        at.out.write(f"{line}\n")
    for name, health in problems.items():
        at.err.write(f"{name}: {health.detail.rstrip('.')}. {health.fix}".rstrip() + "\n")
    return 0


def _backends_of(known: Config) -> tuple[str, ...]:
    """All backends, but the one of the user's own servers only where voices.toml names one."""
    has_servers = any(voice.server for voice in known.voices.values())
    return tuple(name for name in backends.names() if name != SERVED or has_servers)


def _language(code: str) -> str:
    return parse_language_tag(code) if code else ""


async def preview(at: Terminal, options: CommandOptions) -> int:
    """Speaks one sentence with a voice, in its own language."""
    from tts_book.pipeline.source import BookRequest

    voice = load_config(at, options.voices).resolve(options.voice, str(options.backend))
    spoken_in = _language(options.language) or voice.language or "en"
    out = None if options.output is None else Path(options.output)
    if out is not None and not out.is_dir() and out.suffix.lower() not in SUFFIXES:
        raise UserError(f"-o {out} is not an audio file: end its name with {', '.join(SUFFIXES)}.")
    book = voice_list.make_preview_book(voice, spoken_in)
    spoken = replace(options, output=options.output or at.cwd / f"{file_name(voice.name)}.mp3")
    requests = (BookRequest(book, voice.name, None, recorded=False),)
    return await speak_books(at, spoken, read_settings(at, spoken), requests)


async def install(at: Terminal, options: CommandOptions, name: str, yes: bool) -> int:
    """Fetches a Piper voice into the user's folder; without a name, lists what can be fetched."""
    from tts_book.backends.piper.store import open_store
    from tts_book.cli.display import show_download

    wanted = _language(options.language)
    store = open_store(at.environ, options.proxy)
    if not name:
        index = await asyncio.to_thread(store.index)
        for line in voice_list.list_store(index, wanted):
            at.out.write(f"{line}\n")
        return 0

    def agree(voice: StoreVoice, card: str) -> bool:
        at.err.write(f"{card.strip()}\n" if card else "This voice comes without a licence note.\n")
        if yes or not at.stdin_is_terminal:
            return True
        return at.confirm(f"Fetch {voice.key}, {voice.model_bytes // 1_000_000} MB? [y/N] ")

    folder = make_backend_settings(at, options.proxy).voices_dirs[0]
    with show_download(at.err, name) as on_progress:
        path = await asyncio.to_thread(
            store.install, name, folder, agree=agree, on_progress=on_progress
        )
    at.out.write(f"{path}\n")
    return 0
