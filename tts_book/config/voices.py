"""voices.toml into Voice values, and which of them may read a language.

The user's file is laid over the packaged one: what it says wins, what it leaves out stays.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from tts_book.config import toml_file
from tts_book.config.cast import Cast, read_cast
from tts_book.config.toml_file import (
    Mistake,
    Note,
    TomlFile,
    Where,
    describe,
    parse_toml,
    raise_mistakes,
    read_limited,
    read_table,
    suggest,
)
from tts_book.errors import UserError
from tts_book.model import Pauses, SpeechServer, Voice
from tts_book.text.language_tags import (
    EDGE_ID,
    LANGUAGE,
    backend_of,
    is_multilingual,
    language_of,
    normalize_tag,
    primary_language,
)

FILE_NAME = "voices.toml"
BACKENDS = ("edge", "piper", "openai", "espeak", "silent")
# Speaks through servers that each voice names.
SERVED = "openai"
# Used only when they are given: a robot, and silence.
NEVER_UNASKED = frozenset({"espeak", "silent"})
# A word that is no voice id of theirs is a mistyped name.
_STRICT = frozenset({"edge", "silent"})

# A voices.toml with every language of the online service has 17,000 bytes.
MOST_BYTES = 128 * 1024
MOST_MISTAKES = 50

PAUSES = ("sentence", "voice", "paragraph", "heading", "scene", "chapter")
_VOICE_KEYS: dict[str, toml_file.Check] = {
    "backend": toml_file.text,
    "id": toml_file.text,
    "language": toml_file.language_tag,
    "gender": toml_file.one_of("male", "female"),
    **{kind: toml_file.change(kind) for kind in toml_file.RANGES},
    "fallback": toml_file.name_list,
}
# Only for voices of a server of the user's own.
_SERVER_KEYS: dict[str, toml_file.Check] = {
    "url": toml_file.http_url,
    "server": toml_file.text,
    "model": toml_file.text,
    "format": toml_file.one_of("wav", "flac", "mp3", "opus", "aac"),
    "instructions": toml_file.text,
    "key_env": toml_file.variable_name,
    "extra": toml_file.json_table,
}
_PAUSE_KEYS: dict[str, toml_file.Check] = dict.fromkeys(PAUSES, toml_file.pause_ms)
# Another way to the online service: a relay of one's own, a proxy.
_EDGE_KEYS: dict[str, toml_file.Check] = {
    "url": toml_file.address("wss", "ws"),
    "voices_url": toml_file.address("https", "http"),
    "proxy": toml_file.address("http", "https", "socks5", "socks5h", "socks4", "socks4a"),
}
_TOP_KEYS: dict[str, toml_file.Check] = {
    "default": toml_file.text,
    **{name: toml_file.table(name) for name in ("voices", "languages", "pauses", "edge", "cast")},
}
# What people write instead, from other programs and from memory.
_MEANT = {
    "voice": "id", "name": "id", "model": "id", "engine": "backend", "provider": "backend",
    "service": "backend", "speed": "rate", "tempo": "rate", "lang": "language",
    "locale": "language", "sex": "gender", "tone": "pitch", "loudness": "volume",
}  # fmt: skip
_MEANT_ON_TOP = {"default_voice": "default", "speakers": "voices", "voice": "voices"}
_MEANT_BY_EDGE = {"relay": "url", "speech_url": "url", "voices": "voices_url"}
_MEANT_BY_PAUSE = {f"{kind}_ms": kind for kind in PAUSES} | {"title": "heading"}


@dataclass(frozen=True, slots=True)
class Config:
    """The voices of a run. `path` is the file that was used, `voices` are in order of preference,
    the user's own first, which `own` names; `languages` has tags as BCP 47 writes them. `edge` is
    another way to the online service: `url`, `voices_url`, `proxy`, which may hold passwords.
    `cast` is that of books without one of their own."""

    path: Path
    default: str
    voices: Mapping[str, Voice]
    languages: Mapping[str, tuple[str, ...]]
    pauses: Pauses
    backends: tuple[str, ...] = BACKENDS
    own: frozenset[str] = frozenset()
    edge: Mapping[str, str] = field(default_factory=dict, repr=False)
    cast: Cast | None = None

    def voice(self, name: str) -> Voice:
        """The voice called `name`, in large or small letters. Raises UserError."""
        found = self._named(name)
        if found is None:
            raise UserError(f'There is no voice "{name}".{self._hint(name)}')
        return found

    def resolve(self, text: str, backend: str = "") -> Voice:
        """The voice that `--voice` means: a name, a service's own id ("ru-RU-DmitryNeural",
        "en_US-joe-medium"), an id of the given `backend`, or "BACKEND:ID". Raises UserError.

        An id is taken as it is, without the rate or pitch of a named voice that bears it.
        """
        named = self._named(text)
        if named is not None:
            return named
        given, (backend, colon, id_) = backend, text.partition(":")
        if not colon:
            free = given if given in self.backends and given not in _STRICT else ""
            backend, id_ = backend_of(text) or free, text
        if backend in self.backends and id_:
            server = self._server_of(backend) if backend == SERVED else None
            return Voice(text, backend, id_, language_of(backend, id_), server=server)
        if colon and id_ and re.fullmatch(r"\w{2,}", backend):
            known = suggest(backend, self.backends) or f" Known: {', '.join(self.backends)}."
            raise UserError(f'There is no backend "{backend}", as in "{text}".{known}')
        raise UserError(f'There is no voice "{text}".{self._hint(text)}')

    def candidates(self, language: str) -> tuple[Voice, ...]:
        """The voices for a language, the preferred one first: those that [languages] names, the
        default if it reads this language, all others of this language in the order of the file.
        """
        wanted = normalize_tag(language)
        found = [name for tag in self._tags(wanted) for name in self.languages[tag]]
        if can_speak(self.voices[self.default], language):
            found.append(self.default)
        native = [
            voice
            for voice in self.voices.values()
            if voice.language
            and voice.backend not in NEVER_UNASKED
            and primary_language(voice.language) == primary_language(wanted)
        ]
        native.sort(key=lambda voice: normalize_tag(voice.language) != wanted)
        found.extend(voice.name for voice in native)
        return tuple(self.voices[name] for name in dict.fromkeys(found))

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

    def _server_of(self, backend: str) -> SpeechServer:
        """The first server that a voice names. Raises UserError where there is none."""
        for voice in self.voices.values():
            if voice.backend == backend and voice.server:
                return voice.server
        raise UserError(
            f"No voice in {self.path} names a server. Add one: [voices.NAME] with "
            f'backend = "{backend}", url = "http://localhost:8880" and id = "what it is called".'
        )

    def _hint(self, name: str) -> str:
        more = "All voices: tts-book voices"
        return f"{suggest(name, self.voices)} {more}"


def load_voices(
    path: Path | None, *, cwd: Path, config_dir: Path, backends: Collection[str] = BACKENDS
) -> Config:
    """The voices from `path`, else ./voices.toml, else the one in `config_dir`, else the packaged.

    `backends` are the names that a voice may have. Raises UserError with one line for each
    mistake in the file.
    """
    packaged = _packaged(tuple(backends))
    for file in [path] if path else [cwd / FILE_NAME, config_dir / FILE_NAME]:
        shown = file.relative_to(cwd) if file.is_relative_to(cwd) else file
        data = read_limited(file, shown, MOST_BYTES)
        if data is not None:
            return _laid_over(packaged, file, shown, data)
        if path:
            raise UserError(f"There is no voices file {shown}.")
    return packaged


def parse_change(kind: Literal["rate", "pitch", "volume"], value: int | str) -> int:
    """A rate (%), pitch (Hz) or volume (%) as people write it: -5, "-5%", "+8Hz". Raises
    UserError where it is no such thing or out of range."""
    try:
        number: int = toml_file.change(kind)(value)  # type: ignore[assignment]  # that is what it gives
    except ValueError as error:
        raise UserError(f"{kind} {error}") from None
    return number


def can_speak(voice: Voice, language: str) -> bool:
    """Whether a voice reads this language: its own, or any."""
    return is_multilingual(voice) or primary_language(voice.language) == primary_language(language)


def packaged_path() -> Path:
    """The voices.toml that comes with the program: beside this package's modules when installed,
    beside the package in a source tree."""
    inside = Path(__file__).parents[1] / FILE_NAME
    return inside if inside.exists() else Path(__file__).parents[2] / FILE_NAME


@cache  # needed for every book
def _packaged(backends: tuple[str, ...]) -> Config:
    path = packaged_path()
    nothing = Config(path, "", {}, {}, Pauses(), backends)
    return _laid_over(nothing, path, path, path.read_bytes())


def _laid_over(packaged: Config, file: Path, shown: Path, data: bytes) -> Config:
    toml = parse_toml(data)
    noted: list[tuple[Where, str]] = []
    own = _draft(toml, shown, packaged, lambda where, text: noted.append((where, text)))
    if not toml.gaps:  # else a name may be missing only because its line cannot be read
        _check_names(own, packaged, lambda where, text: noted.append((where, text)))
    mistakes = [Mistake(toml.line_of(where), text) for where, text in noted]
    raise_mistakes([*toml.mistakes, *mistakes], shown, MOST_MISTAKES)
    return _merged(packaged, own, file)


@dataclass(frozen=True, slots=True)
class _VoicesDraft:
    """What one file says. `voices` has every name, also of a voice that has mistakes, so that one
    mistake is reported once; `named` are the places that name voices, each with the language that
    they must speak ("" for any)."""

    default: str
    voices: Mapping[str, Voice]
    languages: Mapping[str, tuple[str, ...]]
    pauses_ms: Mapping[str, Any]
    edge: Mapping[str, str]
    cast: Cast | None = None
    named: list[tuple[Where, str, tuple[object, ...]]] = field(default_factory=list)


def _draft(toml: TomlFile, shown: Path, packaged: Config, note: Note) -> _VoicesDraft:
    top: dict[str, Any] = read_table(toml.table, (), _TOP_KEYS, note, _unknown_on_top)
    named: list[tuple[Where, str, tuple[object, ...]]] = []
    voices = {}
    for name, value in top.get("voices", {}).items():
        voices[name], fallback = _voice(name, value, packaged, note)
        named.append((("voices", name, "fallback"), voices[name].language, fallback))
    languages = {}
    for key, names in _languages(top.get("languages", {}), note).items():
        languages[normalize_tag(key)] = _texts(names)
        named.append((("languages", key), normalize_tag(key), names))
    pauses_ms = read_table(top.get("pauses", {}), ("pauses",), _PAUSE_KEYS, note, _unknown_pause)
    edge: dict[str, Any] = read_table(
        top.get("edge", {}), ("edge",), _EDGE_KEYS, note, _unknown_edge
    )
    cast = read_cast(toml, ("cast",), shown, note) if "cast" in top else None
    return _VoicesDraft(top.get("default", ""), voices, languages, pauses_ms, edge, cast, named)


def _unknown_on_top(key: str, value: object) -> str:
    if isinstance(value, dict) and {"backend", "id"} & set(value):
        return f'unknown table [{key}]. Did you mean "[voices.{key}]"?'
    kind = f"table [{key}]" if isinstance(value, dict) else f'key "{key}"'
    return f"unknown {kind}.{suggest(key, _TOP_KEYS, _MEANT_ON_TOP)}"


def _unknown_edge(key: str, _: object) -> str:
    return f'unknown key "{key}" in [edge].{suggest(key, _EDGE_KEYS, _MEANT_BY_EDGE)}'


def _unknown_pause(key: str, _: object) -> str:
    return f'unknown key "{key}" in [pauses].{suggest(key, PAUSES, _MEANT_BY_PAUSE)}'


def _voice(
    name: str, value: object, packaged: Config, note: Note
) -> tuple[Voice, tuple[object, ...]]:
    """A voice, and what its `fallback` names. Without backend and id it builds on the packaged
    one of its name."""

    def unknown(key: str, _: object) -> str:
        if key in _TOP_KEYS:
            hint = " It belongs above the first [table]."
        else:
            hint = suggest(key, checks, _MEANT)
        return f'unknown key "{key}" in [voices.{name}].{hint}'

    where: Where = ("voices", name)
    given = value if isinstance(value, dict) else {"backend": None}
    checks = {**_VOICE_KEYS, **(_SERVER_KEYS if given.get("backend") == SERVED else {})}
    its: dict[str, Any] = read_table(value, where, checks, note, unknown)
    if name in packaged.voices and "backend" not in given and "id" not in given:
        known = packaged.voices[name]
    else:
        known = _new_voice(name, its, given, packaged, note)
    fallback = its.get("fallback", known.fallback)
    voice = Voice(
        name,
        known.backend,
        known.id,
        its.get("language", known.language),
        its.get("rate", known.rate_pct),
        its.get("pitch", known.pitch_hz),
        its.get("volume", known.volume_pct),
        _texts(fallback),
        its.get("gender", known.gender),
        _server(its) if "url" in its else known.server,
    )
    return voice, fallback


def _server(its: Mapping[str, Any]) -> SpeechServer:
    url, login = its["url"]
    return SpeechServer(
        url,
        its.get("server", url),
        **{key: its[key] for key in _SERVER_KEYS if key in its and key not in ("url", "server")},
        login=login,
    )


def _new_voice(
    name: str, its: Mapping[str, Any], given: Mapping[str, object], packaged: Config, note: Note
) -> Voice:
    """A voice by backend and id, which must fit together."""
    dotted = f"voices.{name}"
    backend, id_ = its.get("backend", ""), its.get("id", "")
    if "backend" not in given:
        guess = backend_of(id_)
        hint = f': write backend = "{guess}"' if guess else ""
        note(("voices", name), f"{dotted} has no backend{hint}.")
    elif backend and backend not in packaged.backends:
        hint = suggest(backend, packaged.backends) or f" Known: {', '.join(packaged.backends)}."
        wrong = f'{dotted}.backend = "{backend}" is not known.{hint}'
        note(("voices", name, "backend"), wrong)
    elif backend and "id" not in given and backend != "silent":
        note(("voices", name), f"{dotted} has no id: what {backend} calls the voice.")
    elif backend == SERVED and "url" not in given:
        note(("voices", name), f'{dotted} has no url: url = "http://localhost:8880", say.')
    elif backend == "edge" and id_ and not EDGE_ID.fullmatch(id_):
        wrong = f'{dotted}.id = "{id_}" is not a voice of the online service'
        note(("voices", name, "id"), f'{wrong}: they look like "ru-RU-DmitryNeural".')
    return Voice(name, backend, id_ or backend, language_of(backend, id_))


def _languages(table: Mapping[str, object], note: Note) -> dict[str, tuple[object, ...]]:
    """The names for each language, by its tag as it is written."""
    seen: dict[str, str] = {}
    for key in table:
        if LANGUAGE.fullmatch(key):
            seen.setdefault(normalize_tag(key), key)

    def unknown(key: str, _: object) -> str:
        if LANGUAGE.fullmatch(key):
            return f'"{key}" in [languages] is there already, as {normalize_tag(key)}.'
        return f'"{key}" in [languages] is not a language tag like "ru" or "pt-BR".'

    checks = dict.fromkeys(seen.values(), toml_file.name_list)
    found: dict[str, Any] = read_table(table, ("languages",), checks, note, unknown)
    return found


def _texts(items: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(item.strip() for item in items if isinstance(item, str))


def _merged(packaged: Config, own: _VoicesDraft, file: Path) -> Config:
    kept = {name: v for name, v in packaged.voices.items() if name not in own.voices}
    voices = {**own.voices, **kept}
    languages = {
        tag: names
        for tag, names in packaged.languages.items()
        if not any(_covers(mine, tag) for mine in own.languages)
    }
    if own.default:
        # A default of the user's own goes before the voices that the packaged file prefers.
        default = voices[own.default]
        languages = {
            tag: (own.default, *names)
            if not default.language or primary_language(default.language) == primary_language(tag)
            else names
            for tag, names in languages.items()
        }
    return Config(
        file,
        own.default or packaged.default,
        MappingProxyType(voices),
        MappingProxyType({**own.languages, **languages}),
        replace(packaged.pauses, **{f"{kind}_ms": ms for kind, ms in own.pauses_ms.items()}),
        packaged.backends,
        frozenset(own.voices) if packaged.voices else frozenset(),
        MappingProxyType({**packaged.edge, **own.edge}),
        own.cast,
    )


def _covers(tag: str, wanted: str) -> bool:
    return wanted == tag or wanted.startswith(f"{tag}-")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _check_names(own: _VoicesDraft, packaged: Config, note: Note) -> None:
    """Notes every name that means no voice, a voice that would read a foreign language, and
    fallbacks that go in a circle."""
    voices = {**packaged.voices, **own.voices}
    if not own.default and not packaged.default:
        note((), "has no default: the name of a voice.")
    elif own.default and own.default not in voices:
        hint = suggest(own.default, voices)
        note(("default",), f'default = "{own.default}" is not a voice.{hint}')
    for where, language, names in own.named:
        for number, name in enumerate(names):
            wrong = _wrong_name(name, language, voices)
            if wrong:
                note((*where, number), f"{toml_file.dotted(where)} {wrong}")
    circled: set[str] = set()
    for voice in own.voices.values():
        circle = [] if voice.name in circled else _circle(voice.name, voices)
        circled.update(circle)
        if circle:
            where = ("voices", voice.name, "fallback")
            note(where, f"{toml_file.dotted(where)} is circular: {' -> '.join(circle)}.")


def _wrong_name(name: object, language: str, voices: Mapping[str, Voice]) -> str:
    if not isinstance(name, str) or not name.strip():
        return f"must name voices in quotes, not {describe(name)}."
    voice = voices.get(name.strip())
    if voice is None:
        return f'names "{name}", which is not a voice.{suggest(name, voices)}'
    if language and not can_speak(voice, language):
        return f'names "{name}", which speaks {voice.language}, not {language}.'
    return ""


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
