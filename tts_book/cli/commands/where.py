"""`tts-book where`: from sound to text, and from text to sound."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tts_book.cli.process import Terminal
from tts_book.errors import AudioError, UserError
from tts_book.events import format_duration, quote_command
from tts_book.model import Place
from tts_book.output.inspection.lookup import (
    MOST_PLACES,
    Found,
    find_time_of,
    find_words_at,
    parse_time_ms,
)
from tts_book.synthesis.cache_leases import list_leases
from tts_book.synthesis.chunk_cache import ChunkCache

# Players that can begin in the middle; {at} is seconds.
PLAYERS = (
    ("mpv", "--no-video", "--start={at}"),
    ("ffplay", "-hide_banner", "-loglevel", "error", "-nodisp", "-autoexit", "-ss", "{at}"),
    ("vlc", "--start-time={at}"),
)
# What players say that go on, or end well, without any sound.
_NO_SOUND = re.compile(
    r"audio open failed|failed to open|initialize audio|no (suitable )?audio", re.IGNORECASE
)
LEAD_IN_MS = 1_000
SHOWN_PLACES = 5


async def where(
    at: Terminal,
    path: Path,
    time: str,
    *,
    line: int,
    text: str,
    out: Path | None,
    cache: Path | None,
    play: bool,
) -> int:
    """Answers for a file and a time, or for a source and a line or some words of it."""
    kept = ChunkCache(cache or at.cache_dir)
    if time:
        found = find_words_at(path, parse_time_ms(time), kept)
    elif line or text:
        folders, places = _folders(at, path, out), () if out else _places(path, kept)
        found = find_time_of(path, folders, kept, line=line, text=text, places=places)
    else:
        raise UserError(
            "Say what to look for: an audio file and a time (book.mp3 12:34), or a text and "
            '--line N or --text "words".'
        )
    for fact in describe_place(found, kept, at.cwd):
        at.out.write(f"{fact}\n")
    return await _play(at, found) if play else 0


def _folders(at: Terminal, source: Path, out: Path | None) -> list[Path]:
    above = source.resolve().parents
    return [out] if out else list(dict.fromkeys((at.cwd, *above[:2])))


def _places(source: Path, cache: ChunkCache) -> Iterator[Path]:
    """Where the cache knows books of this source."""
    ours = source.resolve()
    for _, book, _ in list_leases(cache.folder):
        if Path(book.source) in (ours, *ours.parents):
            yield Path(book.place)


def describe_place(found: Found, cache: ChunkCache, cwd: Path) -> Iterator[str]:
    """The answer, a fact a line: first what is needed to go on."""
    seconds, rest_ms = divmod(found.at_ms, 1_000)
    when = f"{format_duration(seconds * 1_000)}.{rest_ms:03}"
    yield f"text      {found.place}"
    yield f"sentence  {found.sentence}"
    yield f"chunk     {found.chapter}/{found.chunk}"
    if found.again:
        first = "" if found.cwd in (None, cwd) else f"cd {quote_command([str(found.cwd)])} && "
        yield f"speak it again: {first}{found.again}"
    yield f"word      {found.word}"
    yield f"sound     {_short(found.file, cwd)} at {when}" + _doubt(found)
    yield f"book      {found.book}, chapter {found.chapter}: {found.title}"
    yield f"voice     {found.voice}"
    if found.entry is None:
        yield f"entry     {cache.path(found.key)} (gone, or another recording since)"
    else:
        yield f"entry     {found.entry.path}"
        yield f"attempts  {found.entry.attempts}"
        for doubt in found.entry.doubts:
            yield f"doubt     {doubt}"
    for event in found.story:
        if event["event"] == "ChunkRetried":
            yield f"retried   {event['failure']}: {event['reason']}"
    if found.elsewhere:
        yield f"also at   {_listed(found.elsewhere)}"


def _doubt(found: Found) -> str:
    if found.pause:
        return " (in the pause after)"
    return "" if found.exact else " (about: estimated, without times of words)"


def _listed(places: Sequence[Place]) -> str:
    first = ", ".join(map(str, places[:SHOWN_PLACES]))
    more = len(places) - SHOWN_PLACES
    least = "at least " if len(places) >= MOST_PLACES - 1 else ""
    return f"{first} and {least}{more} more" if more > 0 else first


def _short(path: Path, cwd: Path) -> Path:
    return path.relative_to(cwd) if path.is_relative_to(cwd) else path


async def _play(at: Terminal, found: Found) -> int:
    start_s = max(0, found.at_ms - LEAD_IN_MS) / 1_000
    for name, *options in PLAYERS:
        program = shutil.which(name, path=at.environ.get("PATH"))
        if program:
            arguments = [option.format(at=start_s) for option in options]
            player = await asyncio.create_subprocess_exec(
                program, *arguments, str(found.file), stderr=subprocess.PIPE
            )
            _, said = await player.communicate()
            lines = [
                " ".join(line.split()).rstrip(".")
                for line in said.decode("utf-8", "replace").splitlines()
            ]
            file, last = _short(found.file, at.cwd), next(filter(None, reversed(lines)), "")
            if code := player.returncode:
                reason = f": {last}" if last else ""
                raise AudioError(f"{name} ended with code {code}: {file}{reason}.")
            for line in filter(_NO_SOUND.search, lines):
                raise AudioError(f"{name} finds no sound device, or cannot play {file}: {line}.")
            return 0
    raise UserError(f"No player was found: install {', '.join(name for name, *_ in PLAYERS)}.")
