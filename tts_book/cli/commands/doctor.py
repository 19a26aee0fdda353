"""Looks at everything the main job needs, a line each, with a mend for all that fails."""

from __future__ import annotations

import platform
import shutil
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tts_book import __version__, backends
from tts_book.config import voices
from tts_book.errors import UserError
from tts_book.pipeline.voice_selection import VoiceChooser

LIBRARIES = ("edge-tts", "aiohttp", "nltk", "lameenc", "av", "pydub", "mutagen", "lxml")
# An hour of sound takes 22 MB in the cache and again in the book.
LITTLE_SPACE_BYTES = 500 * 1024 * 1024
# Engines that a listener would be glad of; the others are there for when they are named.
PLEASANT = ("edge", "piper", "openai")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `well`, what was looked at, what was found, and the mend where it is not well.

    `needed`: without it the main job cannot run.
    """

    well: bool
    what: str
    found: str
    mend: str = ""
    needed: bool = False

    def __str__(self) -> str:
        mark = "ok  " if self.well else "FAIL" if self.needed else "--  "
        mend = f". Mend: {self.mend}" if self.mend and not self.well else ""
        return f"{mark} {self.what}: {self.found.rstrip('.') if mend else self.found}{mend}"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders that matter; `voices_file` is the one named with --voices."""

    cwd: Path
    config_dir: Path
    cache_dir: Path
    voices_dirs: tuple[Path, ...]
    voices_file: Path | None


async def findings(places: Places, casting: VoiceChooser | None) -> AsyncIterator[Finding]:
    """All findings, quick ones first. `casting` is None where voices.toml cannot be read."""
    yield Finding(
        True,
        "tts-book",
        f"{__version__}, Python {platform.python_version()}, "
        + (f"{platform.system()} {platform.machine()}"),
    )
    yield _libraries()
    yield _config(places)
    yield _writable("cache", places.cache_dir, "name another with --cache DIR")
    yield _writable("this folder", places.cwd, "go to another folder, or name one with -o")
    yield _voices_folders(places)
    for finding in [finding async for finding in _engines(casting)]:
        yield finding


def _libraries() -> Finding:
    found = {name: _version(name) for name in LIBRARIES}
    missing = [name for name, number in found.items() if not number]
    listed = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    return Finding(
        not missing, "libraries", listed, "pip install --force-reinstall tts-book", needed=True
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _config(places: Places) -> Finding:
    folder = f"your own would be {places.config_dir / 'voices.toml'}"
    try:
        config = voices.load_voices(
            places.voices_file, cwd=places.cwd, config_dir=places.config_dir
        )
    except UserError as error:
        return Finding(False, "voices.toml", str(error), "correct these lines", needed=True)
    return Finding(True, "voices.toml", f"{config.path}; {folder}")


def _writable(what: str, folder: Path, mend: str) -> Finding:
    probe = folder / ".tts-book-doctor.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"written")
        probe.unlink()
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        return Finding(False, what, f"{folder}: {error.strerror}", mend, needed=True)
    found = f"{folder}, {free_bytes // 1_000_000:,} MB free"
    return Finding(free_bytes >= LITTLE_SPACE_BYTES, what, found, f"free some space, or {mend}")


def _voices_folders(places: Places) -> Finding:
    return Finding(True, "voices folders", ", ".join(str(path) for path in places.voices_dirs))


async def _engines(casting: VoiceChooser | None) -> AsyncIterator[Finding]:
    if casting is None:
        return
    pleasant = False
    for name in backends.names():
        health = await casting.health(name)
        pleasant = pleasant or (health.usable and name in PLEASANT)
        yield Finding(health.usable, name, health.detail, health.mend)
    yield Finding(
        pleasant,
        "main job",
        "a pleasant voice can speak now" if pleasant else "no pleasant voice can speak now",
        'go online, or: pip install "tts-book[offline]"',
        needed=True,
    )


def sound(found: Iterable[Finding]) -> bool:
    """Whether the main job can run."""
    return all(finding.well or not finding.needed for finding in found)
