"""pronounce.toml: how words, and what regular expressions fit, are to be said.

    "GitHub" = "Гитхаб"

    [patterns]
    '№ ?(\\d+)' = 'номер \\1'

A table such as `[ru]` holds words for one language only, `[ru.patterns]` its expressions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tts_book.config.toml_file import (
    Mistake,
    Note,
    Where,
    describe,
    parse_toml,
    raise_mistakes,
    read_limited,
)
from tts_book.errors import UserError
from tts_book.text.language_tags import LANGUAGE, primary_language
from tts_book.text.pronunciation import Pronunciations, is_word, pattern_fault

FILE_NAME = "pronounce.toml"
PATTERNS = "patterns"
_MOST_BYTES = 4 * 1024 * 1024
_LONGEST = 500  # characters of a word, an expression or a spelling


def load_pronunciations(given: Path | None, folders: Sequence[Path]) -> Pronunciations:
    """The list in `given`, else in the first of `folders` that has one, else none.

    Raises UserError with one line for each mistake in it.
    """
    for path in [given] if given else [folder / FILE_NAME for folder in folders]:
        data = read_limited(path, path, _MOST_BYTES)
        if data is not None:
            return _read(data, path)
    if given:
        raise UserError(f"There is no pronunciation list {given}.")
    return Pronunciations()


def _read(data: bytes, path: Path) -> Pronunciations:
    toml = parse_toml(data)
    noted: list[tuple[Where, str]] = []
    found = _tables(toml.table, lambda where, text: noted.append((where, text)))
    mistakes = [Mistake(toml.line_of(where), text) for where, text in noted]
    raise_mistakes([*toml.mistakes, *mistakes], path)
    words = {language: its[0] for language, its in found.items()}
    return Pronunciations(path, words, {language: its[1] for language, its in found.items()})


def _tables(
    table: Mapping[str, object], note: Note
) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """The words and the expressions of each language, "" for all; what is wrong is noted."""
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {"": ({}, {})}
    for key, value in table.items():
        if key == PATTERNS and isinstance(value, dict):
            _add(value, (key,), found[""][1], note, patterns=True)
        elif not isinstance(value, dict):
            _add({key: value}, (), found[""][0], note)
        elif not LANGUAGE.fullmatch(key):
            wrong = f"[{key}] is not a language: name a table by its code, such as [ru] or [en]"
            note((key,), f"{wrong}, or it is [{PATTERNS}].")
        else:
            words, patterns = found.setdefault(primary_language(key), ({}, {}))
            its: Any = value.get(PATTERNS)
            if isinstance(its, dict):
                _add(its, (key, PATTERNS), patterns, note, patterns=True)
            plain = {word: said for word, said in value.items() if said is not its or its is None}
            _add(plain, (key,), words, note)
    return found


def _add(
    entries: Mapping[str, object],
    where: Where,
    found: dict[str, str],
    note: Note,
    *,
    patterns: bool = False,
) -> None:
    for written, spelling in entries.items():
        wrong = _mistake(written, spelling, patterns)
        if wrong:
            note((*where, written), wrong)
        else:
            found[written] = str(spelling)


def _mistake(written: str, spelling: object, patterns: bool) -> str:
    short = written if len(written) <= 60 else f"{written[:20]}…"
    if not isinstance(spelling, str):
        return f'"{short}" must have its spelling in quotes, not {describe(spelling)}.'
    if max(len(written), len(spelling)) > _LONGEST:
        return f'"{short}" or its spelling is longer than {_LONGEST} characters.'
    if patterns:
        fault = pattern_fault(written, spelling)
        return f'"{short}" {fault}.' if fault else ""
    if not is_word(written):
        return f'"{short}" is not a word: write the word as it is in the text.'
    if not re.search(r"[^\W_]", spelling):
        return f'"{short}" has no spelling: write how it is said, or delete the line.'
    return ""
