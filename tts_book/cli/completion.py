"""What a shell offers for the value of an option, when the user presses Tab."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

Completer = Callable[[str], list[str]]


def find_completer(option: str, choices: Sequence[str]) -> Completer | None:
    """What completes the value of an option, None where that is for the user to know."""
    words = _WORDS.get(option)
    if option in _LISTS:
        return _list_completer(_LISTS[option])
    if choices:
        return _completer(lambda: choices)
    return None if words is None else _completer(words)


def _completer(words: Callable[[], Iterable[str]]) -> Completer:
    def complete(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return complete


def _list_completer(words: Callable[[], Iterable[str]]) -> Completer:
    """Completes the last word of a list such as mp3,m4b."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        given = before.split(",")
        found = (word for word in words() if word.startswith(last) and word not in given)
        return [f"{before}{comma}{word}" for word in found]

    return complete


def _voices() -> Iterable[str]:
    from tts_book.config.voices import load_voices
    from tts_book.errors import UserError
    from tts_book.pipeline.environment import find_surroundings

    try:
        at = find_surroundings()
        return load_voices(None, cwd=at.cwd, config_dir=at.config_dir).voices
    except UserError:  # it is reported when the command is run
        return load_voices(None, cwd=Path(), config_dir=Path()).voices


def _backends() -> Iterable[str]:
    from tts_book import backends

    return ("auto", *backends.names())


def _languages() -> Iterable[str]:
    from tts_book.text.language_tags import LANGUAGE_NAMES

    return LANGUAGE_NAMES


def _formats() -> Iterable[str]:
    from tts_book.output.paths import CHAPTERS, WHOLE

    return (CHAPTERS, *WHOLE)


def _captions() -> Iterable[str]:
    from tts_book.output.captions import FORMATS

    return FORMATS


def _levels() -> Iterable[str]:
    from tts_book.cli.log import LEVELS

    return LEVELS


_WORDS: dict[str, Callable[[], Iterable[str]]] = {
    "voice": _voices,
    "backend": _backends,
    "language": _languages,
    "log_level": _levels,
}
_LISTS: dict[str, Callable[[], Iterable[str]]] = {"format": _formats, "captions": _captions}
