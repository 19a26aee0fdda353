"""pronounce.toml: how words are to be said, and where they stand in a text.

    "GitHub" = "Гитхаб"

A table such as `[ru]` holds words for one language only. Longer entries go before shorter ones,
whole words only, in one pass: what was put in is not looked at again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tts_book.config.toml_errors import Mistake, parse
from tts_book.config.toml_lines import line_of, lines
from tts_book.errors import UserError
from tts_book.text.inline_rules import Edit
from tts_book.text.language_tags import primary_language

FILE_NAME = "pronounce.toml"
_MOST_BYTES = 4 * 1024 * 1024
_MOST_TOLD = 30
_LONGEST = 500  # characters of a word or its spelling
_UNIT = re.compile(r"\w+|[^\w\s]")
_STRESS = "\u0301"

Where = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pronunciations:
    """Spellings by word, for all languages ("") and for single ones. `path` is where from."""

    path: Path | None = None
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, language: str) -> Words:
        """The words that count in a book of this language."""
        return Words({**self.words.get("", {}), **self.words.get(primary_language(language), {})})


class Words:
    """Spellings ready to be looked for: by the first unit of the word, the longest first."""

    def __init__(self, spellings: Mapping[str, str]) -> None:
        self._by_first: dict[str, list[tuple[str, str]]] = {}
        for word, spelling in sorted(spellings.items(), key=lambda item: -len(item[0])):
            first = _UNIT.search(word)
            if first is not None:
                self._by_first.setdefault(first[0].casefold(), []).append((word, spelling))

    def __bool__(self) -> bool:
        return bool(self._by_first)

    def edits(self, text: str, *, stress: bool) -> Iterator[Edit]:
        """What to say instead of the words in `text`. Without `stress` the marks of a spelling
        are left out, for voices that would stumble over them."""
        if not self._by_first:
            return
        reached = 0
        for unit in _UNIT.finditer(text):
            if unit.start() < reached:
                continue
            for word, spelling in self._by_first.get(unit[0].casefold(), ()):
                stop = unit.start() + len(word)
                found = text[unit.start() : stop]
                if _is_same(word, found) and _is_whole(text, unit.start(), stop):
                    said = spelling if stress else spelling.replace(_STRESS, "")
                    yield Edit(unit.start(), stop, _in_case(word, found, said))
                    reached = stop
                    break


def _is_same(word: str, found: str) -> bool:
    """A word in small letters stands for any case, `IT` only for itself."""
    return word == found or (word.islower() and word == found.lower())


def _is_whole(text: str, start: int, stop: int) -> bool:
    """Whether no word goes on at either end."""
    before, after = text[start - 1 : start], text[stop : stop + 1]
    opens = not (_is_letter(before) and _is_letter(text[start]))
    return opens and not (_is_letter(text[stop - 1]) and _is_letter(after))


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == _STRESS


def _in_case(word: str, found: str, spelling: str) -> str:
    if word != found and found[:1].isupper():
        return spelling[:1].upper() + spelling[1:]
    return spelling


def load_pronunciations(named: Path | None, folders: Sequence[Path]) -> Pronunciations:
    """The list in `named`, else in the first of `folders` that has one, else none.

    Raises UserError with one line for each mistake in it.
    """
    for path in [named] if named else [folder / FILE_NAME for folder in folders]:
        data = _bytes_of(path)
        if data is not None:
            return Pronunciations(path, _checked(data, path))
    if named:
        raise UserError(f"There is no pronunciation list {named}.")
    return Pronunciations()


def _bytes_of(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(data) > _MOST_BYTES:
        raise UserError(f"{path} is larger than 4 MB: that is no pronunciation list.")
    return data


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_]\w{2,8})*")


def _checked(data: bytes, path: Path) -> dict[str, dict[str, str]]:
    parsed = parse(data)
    words: dict[str, dict[str, str]] = {"": {}}
    found = lines(parsed.text) if parsed.text else {}
    mistakes = list(parsed.mistakes)
    for where, text in _entries(parsed.table, words):
        mistakes.append(Mistake(line_of(found, where), text))
    if mistakes:
        mistakes.sort(key=lambda mistake: mistake.line)
        told = [f"{path}:{m.line}: {m.text}" if m.line else f"{path}: {m.text}" for m in mistakes]
        shown = ["".join(c if c.isprintable() else "\ufffd" for c in line) for line in told]
        raise UserError("\n".join(shown[:_MOST_TOLD]))
    return words


def _entries(
    table: Mapping[str, object], words: dict[str, dict[str, str]]
) -> Iterator[tuple[Where, str]]:
    """Puts what is right into `words` and yields what is wrong, with its place."""
    for key, value in table.items():
        if isinstance(value, dict) and not _LANGUAGE.fullmatch(key):
            yield (key,), f"[{key}] is no language: a table is named by its code, as [ru] or [en]"
        elif isinstance(value, dict):
            inner = words.setdefault(primary_language(key), {})
            for word, spelling in value.items():
                yield from _entry((key, word), word, spelling, inner)
        else:
            yield from _entry((key,), key, value, words[""])


def _entry(
    where: Where, word: str, spelling: object, words: dict[str, str]
) -> Iterator[tuple[Where, str]]:
    if not isinstance(spelling, str):
        yield where, f'"{word}" needs its spelling in quotes: "{word}" = "…"'
    elif not _UNIT.search(word):
        yield where, f'"{word}" is no word: write the word as it stands in the text'
    elif not any(map(str.isalnum, spelling)):
        yield where, f'"{word}" has no spelling: write how it is said, or take the line out'
    elif max(len(word), len(spelling)) > _LONGEST:
        yield where, f'"{word[:20]}…" is longer than {_LONGEST} characters'
    else:
        words[word] = spelling
