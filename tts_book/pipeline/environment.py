"""What a command finds around it: folders, streams, engines, voices, and the voice wished for."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from tts_book import backends
from tts_book.cli import log as logs
from tts_book.config import voices as voices_file
from tts_book.errors import UserError
from tts_book.pipeline.request import Request, Surroundings, Terminal
from tts_book.pipeline.voice_selection import AUTO, VoiceRequest


def find_surroundings() -> Surroundings:
    """The real folders and environment. Raises UserError where our folder was deleted."""
    from platformdirs import PlatformDirs

    places = PlatformDirs("tts-book", appauthor=False)
    try:
        cwd = Path.cwd()
    except FileNotFoundError:
        raise UserError("This folder is not there any more: go to another one.") from None
    return Surroundings(
        cwd=cwd,
        config_dir=places.user_config_path,
        cache_dir=places.user_cache_path,
        voices_dir=places.user_data_path / "voices",
        environ=dict(os.environ),
    )


def find_terminal() -> Terminal:
    """The same with the streams of this process. Raises UserError."""
    found = find_surroundings()
    return Terminal(
        cwd=found.cwd,
        config_dir=found.config_dir,
        cache_dir=found.cache_dir,
        voices_dir=found.voices_dir,
        environ=found.environ,
        stdin=sys.stdin.buffer,
        stdin_is_terminal=sys.stdin.isatty(),
        out=sys.stdout,
        err=sys.stderr,
        command=shlex.join(["tts-book", *hide_passwords(sys.argv[1:])]),
    )


@contextmanager
def logged(at: Terminal, level: str) -> Iterator[Terminal]:
    """The same with a log from this level on, or none for "". Raises UserError for a level that
    there is not."""
    with logs.shown(at.err, level) as log:
        yield replace(at, log=log)


def hide_passwords(arguments: Sequence[str]) -> Iterator[str]:
    """A command as it may be told: name and password of a proxy are left out."""
    for before, argument in pairwise(("", *arguments)):
        option, equals, url = argument.rpartition("--proxy=")
        if before == "--proxy" or (equals and not option):
            way, at, host = url.rpartition("@")
            scheme, colon, _ = way.rpartition("://")
            yield f"{equals}{scheme}{colon}…@{host}" if at else argument
        else:
            yield argument


def backend_settings(at: Surroundings, request: Request) -> backends.Settings:
    """What backends may need: local voices are looked for in $TTS_BOOK_VOICES, too."""
    named = at.environ.get("TTS_BOOK_VOICES")
    folders = (*([Path(named)] if named else []), at.voices_dir)
    return backends.Settings(folders, request.proxy, at.environ)


@asynccontextmanager
async def open_engines(
    at: Surroundings, request: Request, own: Sequence[backends.Backend] = ()
) -> AsyncIterator[backends.Engines]:
    """Backends by name, closed at the end; `own` are there already and stay open."""
    made = backends.Engines(backend_settings(at, request), own)
    try:
        yield made
    finally:
        await made.close()


def read_voice_request(request: Request) -> VoiceRequest:
    """The voice that was asked for. Raises UserError for changes out of range."""
    return VoiceRequest(
        voice=request.voice,
        backend=request.backend or AUTO,
        rate_pct=voices_file.parse_change("rate", request.rate) if request.rate else None,
        pitch_hz=voices_file.parse_change("pitch", request.pitch) if request.pitch else None,
        volume_pct=voices_file.parse_change("volume", request.volume) if request.volume else None,
        wait=request.wait,
    )


def load_config(
    at: Surroundings, request: Request, own: Sequence[backends.Backend] = ()
) -> voices_file.Config:
    """voices.toml, as it is looked for; it may name the backends in `own`, too."""
    known = dict.fromkeys((*backends.names(), *(backend.name for backend in own)))
    return voices_file.load_voices(
        request.voices, cwd=at.cwd, config_dir=at.config_dir, backends=tuple(known)
    )
