"""`tts-book doctor`: checks all that a conversion needs, a line each, with a fix for what fails."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tts_book import __version__, backends
from tts_book.backends import VoiceInfo
from tts_book.cli.options import CommandOptions
from tts_book.cli.process import Terminal
from tts_book.cli.voice_list import find_user_languages
from tts_book.config.voices import Config, load_voices
from tts_book.errors import UserError
from tts_book.model import Voice
from tts_book.pipeline.job_settings import load_config
from tts_book.pipeline.session import make_backend_settings, open_engines
from tts_book.pipeline.voice_selection import ONLINE, VoiceChooser
from tts_book.text.language_tags import LANGUAGE_NAMES, parse_language_tag, primary_language

# All that pyproject.toml asks for.
LIBRARIES = (
    "edge-tts", "aiohttp", "aiohttp-socks", "certifi", "nltk", "lameenc", "av", "pydub", "numpy",
    "mutagen", "lxml", "chardet", "regex", "markdown-it-py", "mdit-py-plugins", "pathvalidate",
    "filelock", "platformdirs", "rich", "typer",
    *(("audioop-lts",) if sys.version_info >= (3, 13) else ()),
)  # fmt: skip
# An hour of sound takes 22 MB in the cache and again in the book.
LITTLE_SPACE_BYTES = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line: `well`, what was looked at, what was found, and the fix where it is not well.

    `needed`: without it nothing can be converted.
    """

    well: bool
    what: str
    found: str
    fix: str = ""
    needed: bool = False

    def __str__(self) -> str:
        mark = "ok  " if self.well else "FAIL" if self.needed else "--  "
        fix = f". Fix: {self.fix}" if self.fix and not self.well else ""
        return f"{mark} {self.what}: {self.found.rstrip('.') if fix else self.found}{fix}"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders that matter; `voices_file` is the one named with --voices."""

    cwd: Path
    config_dir: Path
    cache_dir: Path
    voices_dirs: tuple[Path, ...]
    voices_file: Path | None


async def doctor(at: Terminal, options: CommandOptions, online: bool = False) -> int:
    """A line for each thing that is needed; 1 if something is missing for one of the languages
    given with --language, or for the user's own and English. With `online` a line for each step of
    one sentence through the online service instead; 1 if one fails."""
    given = [code.strip() for code in options.language.split(",") if code.strip()]
    languages = [parse_language_tag(code) for code in given] or find_user_languages(at.environ)
    voices = None if options.voices is None else at.resolve_path(options.voices)
    places = Places(
        at.cwd,
        at.config_dir,
        at.resolve_path(options.cache or at.cache_dir),
        make_backend_settings(at, options.proxy).voices_dirs,
        voices,
    )
    try:
        config = load_config(at, voices)
    except UserError:
        config = None  # a finding of its own
    async with open_engines(at, options.proxy, config) as engines:
        chooser = None if config is None else VoiceChooser(config, engines)
        found = []
        findings = (
            diagnose_online(engines, config, languages)
            if online
            else list_findings(places, chooser, config, languages)
        )
        async for finding in findings:
            at.out.write(f"{finding}\n")
            found.append(finding)
    return 0 if is_sound(found) else 1


async def list_findings(
    places: Places,
    chooser: VoiceChooser | None,
    config: Config | None,
    languages: Sequence[str],
) -> AsyncIterator[CheckResult]:
    """All findings, quick ones first. There is no `config` where voices.toml cannot be read."""
    yield _program()
    yield _libraries()
    yield _config(places)
    yield _writable("cache", places.cache_dir, "name another with --cache DIR")
    yield _writable("this folder", places.cwd, "go to another folder, or name one with -o")
    yield _voices_folders(places)
    if chooser is not None and config is not None:
        async for finding in _engines(chooser):
            yield finding
        async for finding in _languages(chooser, config, languages):
            yield finding


async def diagnose_online(
    engines: backends.Engines, config: Config | None, languages: Sequence[str]
) -> AsyncIterator[CheckResult]:
    """What the online service does today, to be shown to whoever helps; nothing in it is
    secret."""
    yield _program()
    yield _libraries()
    backend = engines(ONLINE)
    candidates = [voice for tag in languages if config for voice in config.candidates(tag)]
    usual = Voice("", ONLINE, "")
    voice = next((voice for voice in candidates if voice.backend == ONLINE), usual)
    if isinstance(backend, backends.Diagnosing):
        async for step in backend.diagnose(voice):
            yield CheckResult(step.well, step.name, step.found, step.fix, needed=True)


def _program() -> CheckResult:
    system = f"{platform.system()} {platform.machine()}"
    found = f"{__version__}, Python {platform.python_version()}, {system}"
    return CheckResult(True, "tts-book", found)


def _libraries() -> CheckResult:
    found = {name: _version(name) for name in LIBRARIES}
    missing = [name for name, number in found.items() if not number]
    listed = ", ".join(f"{name} {number or 'missing'}" for name, number in found.items())
    return CheckResult(
        not missing, "libraries", listed, "pip install --force-reinstall tts-book", needed=True
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _config(places: Places) -> CheckResult:
    folder = f"your own would be {places.config_dir / 'voices.toml'}"
    try:
        config = load_voices(places.voices_file, cwd=places.cwd, config_dir=places.config_dir)
    except UserError as error:
        return CheckResult(False, "voices.toml", str(error), "correct these lines", needed=True)
    return CheckResult(True, "voices.toml", f"{config.path}; {folder}")


def _writable(what: str, folder: Path, fix: str) -> CheckResult:
    probe = folder / ".tts-book-doctor.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"written")
        probe.unlink()
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        return CheckResult(False, what, f"{folder}: {error.strerror}", fix, needed=True)
    found = f"{folder}, {free_bytes // 1_000_000:,} MB free"
    return CheckResult(free_bytes >= LITTLE_SPACE_BYTES, what, found, f"free some space, or {fix}")


def _voices_folders(places: Places) -> CheckResult:
    return CheckResult(True, "voices folders", ", ".join(str(path) for path in places.voices_dirs))


async def _engines(chooser: VoiceChooser) -> AsyncIterator[CheckResult]:
    for name in backends.names():
        health = await chooser.health(name)
        yield CheckResult(health.usable, name, health.detail, health.fix)


async def _languages(
    chooser: VoiceChooser, config: Config, languages: Sequence[str]
) -> AsyncIterator[CheckResult]:
    """Whether a pleasant voice can speak each language now, and which."""
    online = await chooser.health(ONLINE)
    offered, _ = await chooser.offered([name for name in backends.names() if name != ONLINE])
    here = [info for info in offered if not info.only_named]
    for tag in languages:
        candidates = config.candidates(tag)
        name = LANGUAGE_NAMES.get(primary_language(tag), tag)
        far = next((voice.name for voice in candidates if voice.backend == ONLINE), "")
        near = _installed(here, candidates, tag)
        found = [f"{near} offline" if near else "no voice offline"]
        found.append(
            f"{far or 'no voice'} online" if online.usable else "online service not reached"
        )
        local = next((voice.id for voice in candidates if voice.backend == "piper"), "--list")
        fix = f"go online, or: tts-book voices install {local}"
        well = bool(near or (far and online.usable))
        yield CheckResult(well, name, "; ".join(found), fix, needed=True)


def _installed(here: Sequence[VoiceInfo], candidates: Sequence[Voice], tag: str) -> str:
    """The voice on this machine that would speak a language, "" if there is none."""
    ids = {(info.backend, info.id) for info in here}
    named = next((voice.name for voice in candidates if (voice.backend, voice.id) in ids), "")
    fits = (info for info in here if primary_language(info.language) == primary_language(tag))
    return named or next((info.id for info in fits), "")


def is_sound(found: Iterable[CheckResult]) -> bool:
    """Whether texts in all these languages can be converted."""
    return all(finding.well or not finding.needed for finding in found)
