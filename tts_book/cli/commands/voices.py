"""The commands about voices: what there is, how it sounds, and fetching more."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from tts_book import backends
from tts_book.cli import plan_report
from tts_book.cli.commands import convert as desk
from tts_book.output.paths import file_name
from tts_book.pipeline import environment
from tts_book.pipeline.request import Request, Terminal
from tts_book.pipeline.voice_selection import VoiceChooser
from tts_book.text.language_tags import parse_language_tag

if TYPE_CHECKING:
    from tts_book.backends.piper.catalog import StoreVoice

_LOG = logging.getLogger("tts_book.job")


async def voices(at: Terminal, request: Request) -> int:
    """Lists the voices of voices.toml and of every backend that can speak now."""
    known = environment.load_config(at, request)
    _LOG.debug("voices: %s", known.path)
    request = replace(request, language=_language(request.language))
    async with environment.open_engines(at, request) as made:
        casting = VoiceChooser(known, made)
        chosen = (request.backend,) if request.backend else backends.names()
        made(chosen[0])  # an unknown name is told before all else
        found, problems = await casting.offered(chosen)
    listed = plan_report.voices_json if request.json else plan_report.voices
    for line in listed(known, found, request.language, request.backend):
        at.out.write(f"{line}\n")
    for name, health in problems.items():
        at.err.write(f"{name}: {health.detail} {health.mend}".rstrip() + "\n")
    return 0


def _language(code: str) -> str:
    return parse_language_tag(code) if code else ""


async def preview(at: Terminal, request: Request) -> int:
    """Speaks one sentence with a voice, in its own language."""
    from tts_book.pipeline.planning import BookRequest

    voice = environment.load_config(at, request).resolve(request.voice)
    spoken_in = _language(request.language) or voice.language or "en"
    book = plan_report.preview_book(voice, spoken_in)
    spoken = replace(request, out=request.out or at.cwd / f"{file_name(voice.name)}.mp3")
    return await desk.speak(at, spoken, (BookRequest(book, voice.name, None, recorded=False),))


async def install(at: Terminal, request: Request, name: str, yes: bool) -> int:
    """Fetches a Piper voice into the user's folder; without a name, lists what can be fetched."""
    from tts_book.backends.piper.download import open_store
    from tts_book.cli.display import show_download

    wanted = _language(request.language)
    store = open_store(at.environ, request.proxy)
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

    folder = environment.backend_settings(at, request).voices_dirs[0]
    with show_download(at.err, name) as on_progress:
        path = await asyncio.to_thread(
            store.install, name, folder, agree=agree, on_progress=on_progress
        )
    at.out.write(f"{path}\n")
    return 0
