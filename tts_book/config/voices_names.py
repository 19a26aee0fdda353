"""Whether the names in a voices.toml mean voices: default, languages and fallbacks."""

from __future__ import annotations

from collections.abc import Mapping

from tts_book.config.toml_lines import Where
from tts_book.config.voices_schema import Draft, Note, close
from tts_book.model import Voice
from tts_book.text.language_tags import multilingual, primary


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
    if language and not multilingual(voice) and primary(voice.language) != primary(language):
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
