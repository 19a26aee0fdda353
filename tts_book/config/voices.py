"""voices.toml into Voice values, and which of them may read a language.

The user's file is laid over the packaged one: what it says wins, what it leaves out stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from tts_book.config import voices_schema as voices_check
from tts_book.config.toml_errors import MOST_BYTES, Mistake, parse
from tts_book.config.toml_lines import Where, line_of, lines
from tts_book.config.voices_schema import Draft, Note, close, draft
from tts_book.errors import UserError
from tts_book.model import Pauses, Voice
from tts_book.text.language_tags import (
    backend_of,
    is_multilingual,
    language_of,
    normalize_tag,
    primary_language,
)

FILE_NAME = "voices.toml"
BACKENDS = ("edge", "piper", "espeak", "silent")
# Taken only when they are named: a robot, and silence.
NEVER_UNASKED = frozenset({"espeak", "silent"})

MOST_TOLD = 50
LAST_LINE = 10**9


@dataclass(frozen=True, slots=True)
class Config:
    """The voices of a run. `path` is the file that was used, `voices` are in order of preference,
    the user's own first, `languages` has tags as BCP 47 writes them."""

    path: Path
    default: str
    voices: Mapping[str, Voice]
    languages: Mapping[str, tuple[str, ...]]
    pauses: Pauses
    backends: tuple[str, ...] = BACKENDS

    def voice(self, name: str) -> Voice:
        """The voice called `name`, in large or small letters. Raises UserError."""
        found = self._named(name)
        if found is None:
            raise UserError(f'There is no voice "{name}".{self._hint(name)}')
        return found

    def resolve(self, text: str) -> Voice:
        """The voice that `--voice` means: a name, a service's own id ("ru-RU-DmitryNeural",
        "en_US-joe-medium"), or "BACKEND:ID". Raises UserError.

        An id is taken as it is, without the rate or pitch of a named voice that bears it.
        """
        named = self._named(text)
        if named is not None:
            return named
        backend, colon, id_ = text.partition(":")
        if not colon:
            backend, id_ = backend_of(text), text
        if backend in self.backends and id_:
            return Voice(text, backend, id_, language_of(backend, id_))
        if colon and id_ and re.fullmatch(r"\w{2,}", backend):
            known = close(backend, self.backends) or f" Known: {', '.join(self.backends)}."
            raise UserError(f'There is no backend "{backend}", as in "{text}".{known}')
        raise UserError(f'There is no voice "{text}".{self._hint(text)}')

    def candidates(self, language: str) -> tuple[Voice, ...]:
        """The voices for a language, the preferred one first: those that [languages] names, the
        default if it reads this language, all others of this language in the order of the file.
        """
        wanted = normalize_tag(language)
        names = [name for tag in self._tags(wanted) for name in self.languages[tag]]
        if speaks(self.voices[self.default], language):
            names.append(self.default)
        native = [
            voice
            for voice in self.voices.values()
            if voice.language
            and voice.backend not in NEVER_UNASKED
            and primary_language(voice.language) == primary_language(wanted)
        ]
        native.sort(key=lambda voice: normalize_tag(voice.language) != wanted)
        names.extend(voice.name for voice in native)
        return tuple(self.voices[name] for name in dict.fromkeys(names))

    def _tags(self, wanted: str) -> list[str]:
        """The keys of [languages] for a tag: itself and the same with less said, else those of
        other countries."""
        own = [tag for tag in self.languages if primary_language(tag) == primary_language(wanted)]
        return sorted((tag for tag in own if _covers(tag, wanted)), key=len, reverse=True) or own

    def _named(self, name: str) -> Voice | None:
        if name in self.voices:
            return self.voices[name]
        folded = _folded(name)
        return next((v for known, v in self.voices.items() if _folded(known) == folded), None)

    def _hint(self, name: str) -> str:
        more = "All voices: tts-book voices"
        return f"{close(name, self.voices)} {more}"


def load(
    path: Path | None, *, cwd: Path, config_dir: Path, backends: Collection[str] = BACKENDS
) -> Config:
    """The voices from `path`, else ./voices.toml, else the one in `config_dir`, else the packaged.

    `backends` are the names that a voice may bear. Raises UserError with one line for each
    mistake in the file.
    """
    names = tuple(backends)
    packaged = _packaged(names)
    for file in [path] if path else [cwd / FILE_NAME, config_dir / FILE_NAME]:
        data = _read(file, cwd)
        if data is not None:
            return _laid_over(packaged, file, cwd, data)
    if path:
        raise UserError(f"There is no voices file {_near(path, cwd)}.")
    return packaged


def change(kind: Literal["rate", "pitch", "volume"], value: int | str) -> int:
    """A rate (%), pitch (Hz) or volume (%) as people write it: -5, "-5%", "+8Hz". Raises
    UserError where it is no such thing or out of range."""
    try:
        return voices_check.change(kind, value)
    except ValueError as error:
        raise UserError(f"{kind} {error}") from None


def speaks(voice: Voice, language: str) -> bool:
    """Whether a voice reads this language: its own, or any."""
    return is_multilingual(voice) or primary_language(voice.language) == primary_language(language)


def packaged_path() -> Path:
    """The voices.toml that comes with the program: beside this file in an installed package,
    beside the package in a source tree."""
    inside = Path(__file__).parents[1] / FILE_NAME
    return inside if inside.exists() else Path(__file__).parents[2] / FILE_NAME


@cache  # asked for with every book
def _packaged(backends: tuple[str, ...]) -> Config:
    path = packaged_path()
    nothing = Config(path, "", {}, {}, Pauses(), backends)
    return _laid_over(nothing, path, path.parent, path.read_bytes())


class _EnoughError(Exception):
    """So many mistakes that nobody reads on."""


def _laid_over(packaged: Config, file: Path, cwd: Path, data: bytes) -> Config:
    parsed = parse(data)
    noted: list[tuple[Where, str]] = []

    def note(where: Where, text: str) -> None:
        noted.append((where, text))
        if len(noted) == MOST_TOLD:
            raise _EnoughError

    try:
        own = draft(parsed.table, packaged.voices, packaged.backends, note)
        if not parsed.gaps:  # else a name may be missing only because its line cannot be read
            check_names(own, packaged.voices, packaged.default, note)
    except _EnoughError:
        noted.append((("the end",), "and more."))
    if parsed.mistakes or noted:
        found = lines(parsed.text)
        mistakes = [Mistake(line_of(found, where), text) for where, text in noted]
        raise UserError("\n".join(_told([*parsed.mistakes, *mistakes], _near(file, cwd))))
    return _merged(packaged, own, file)


def _read(file: Path, cwd: Path) -> bytes | None:
    """The bytes of a file, one more than allowed at most; None where there is no file."""
    try:
        with file.open("rb") as stream:
            return stream.read(MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        shown = _near(file, cwd)
        if file.is_dir():
            raise UserError(f"{shown} is a folder; a voices.toml file is needed.") from None
        raise UserError(f"{shown} cannot be read: {error.strerror or error}.") from None


def _near(file: Path, cwd: Path) -> Path:
    return file.relative_to(cwd) if file.is_relative_to(cwd) else file


def _told(mistakes: Iterable[Mistake], shown: Path) -> list[str]:
    """One line for each mistake; what a file may hide in its texts cannot steer a terminal."""
    told = [
        f"{shown}:{mistake.line}: {mistake.text}" if mistake.line else f"{shown}: {mistake.text}"
        for mistake in sorted(mistakes, key=lambda mistake: mistake.line or LAST_LINE)
    ]
    return ["".join(c if c.isprintable() else "\ufffd" for c in line) for line in told]


def _merged(packaged: Config, own: Draft, file: Path) -> Config:
    kept = {name: v for name, v in packaged.voices.items() if name not in own.voices}
    voices = {**own.voices, **kept}
    languages = {
        tag: names
        for tag, names in packaged.languages.items()
        if not any(_covers(mine, tag) for mine in own.languages)
    }
    if own.default is not None:
        # Who names a default means it also where the packaged file would prefer another.
        languages = {
            tag: (own.default, *names) if _at_home(voices[own.default], tag) else names
            for tag, names in languages.items()
        }
    pauses_ms = {f"{kind}_ms": ms for kind, ms in own.pauses_ms.items()}
    return Config(
        file,
        own.default or packaged.default,
        MappingProxyType(voices),
        MappingProxyType({**own.languages, **languages}),
        replace(packaged.pauses, **pauses_ms),
        packaged.backends,
    )


def _at_home(voice: Voice, language: str) -> bool:
    return not voice.language or primary_language(voice.language) == primary_language(language)


def _covers(tag: str, wanted: str) -> bool:
    return wanted == tag or wanted.startswith(f"{tag}-")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def check_names(own: Draft, packaged: Mapping[str, Voice], default: str, note: Note) -> None:
    """Notes every name that means no voice, a voice that would read a foreign language, and
    fallbacks that go in a circle. `default` is the packaged one, "" where there is none."""
    voices = {**packaged, **own.voices}
    if own.default is None and not default:
        note((), "has no default: the name of a voice.")
    elif own.default is not None and own.default not in voices:
        note(("default",), f'default = "{own.default}" is no voice.{close(own.default, voices)}')
    for tag, names in own.languages.items():
        for number, name in enumerate(names):
            key = own.written[tag]
            _check(name, tag, f"languages.{key}", ("languages", key, number), voices, note)
    circled: set[str] = set()
    for voice in own.voices.values():
        where = ("voices", voice.name, "fallback")
        for number, name in enumerate(voice.fallback):
            told = f"voices.{voice.name}.fallback"
            _check(name, voice.language, told, (*where, number), voices, note)
        circle = [] if voice.name in circled else _circle(voice.name, voices)
        circled.update(circle)
        if circle:
            note(where, f"voices.{voice.name}.fallback goes in a circle: {' -> '.join(circle)}.")


def _check(
    name: str, language: str, told: str, where: Where, voices: Mapping[str, Voice], note: Note
) -> None:
    if name not in voices:
        note(where, f'{told} names "{name}", which is no voice.{close(name, voices)}')
        return
    voice = voices[name]
    if (
        language
        and not is_multilingual(voice)
        and primary_language(voice.language) != primary_language(language)
    ):
        note(where, f'{told} names "{name}", which speaks {voice.language}, not {language}.')


def _circle(start: str, voices: Mapping[str, Voice]) -> list[str]:
    """The way from a voice over fallbacks back to itself, empty where there is none."""
    ways = [[start]]
    seen: set[str] = set()
    while ways:
        way = ways.pop()
        for name in voices[way[-1]].fallback:
            if name == start:
                return [*way, start]
            if name in voices and name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []
