"""How words are to be said, and where they stand in a text.

Longer words go before shorter ones, whole words only, in one pass: what was put in is not looked
at again. What a regular expression fits goes before words, in the order of the expressions.
Nothing is changed inside an address (a URL, a domain, an e-mail address).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tts_book.errors import UserError
from tts_book.text.inline_rules import Edit
from tts_book.text.language_tags import primary_language

_UNIT = re.compile(r"\w+|[^\w\s]")
_STRESS = "\u0301"
# For one chunk, at most 1,500 characters: a thousand times what an ordinary expression needs.
_PATTERN_S = 1.0
_ADDRESS = re.compile(
    r"""
    \b(?:https?|ftp)://[^\s<>"«»]+ | \bwww\.[^\s<>"«»]+ | (?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+
    | (?<![\w.-])(?:[a-z0-9-]+\.)+(?:com|org|net|edu|gov|info|io|dev|ru|su|рф|ua|by|de|fr|uk|eu|es|
      it|pl|cz|cn|jp|us|ca|au|ch|at|nl|se|me|tv)\b(?:/[^\s<>"«»]*)?
    """,
    re.X | re.I,
)


@dataclass(frozen=True, slots=True)
class Pronunciations:
    """Spellings by word, and by regular expression, for all languages ("") and for single ones.
    `path` is where from."""

    path: Path | None = None
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    patterns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, language: str) -> Spellings:
        """The words that count in a book of this language."""
        tag = primary_language(language)
        words, patterns = self.words, self.patterns
        return Spellings(
            {**words.get("", {}), **words.get(tag, {})},
            {**patterns.get(tag, {}), **patterns.get("", {})},
        )


class Spellings:
    """Spellings ready to be looked for: by the first unit of the word, the longest first."""

    def __init__(
        self, spellings: Mapping[str, str], patterns: Mapping[str, str] | None = None
    ) -> None:
        self._patterns = [
            (_compiled(given), given, said) for given, said in (patterns or {}).items()
        ]
        self._by_first: dict[str, list[tuple[str, str]]] = {}
        for word, spelling in sorted(spellings.items(), key=lambda item: -len(item[0])):
            first = _UNIT.search(word)
            if first is not None:
                self._by_first.setdefault(first[0].casefold(), []).append((word, spelling))

    def __bool__(self) -> bool:
        return bool(self._by_first or self._patterns)

    def edits(self, text: str, *, stress: bool) -> Iterator[Edit]:
        """What to say instead of the words in `text`, in order, none touching another. Without
        `stress` the marks of a spelling are left out, for voices that would stumble over them.
        Raises UserError for an expression that takes too long."""
        if not self:
            return
        addresses = find_addresses(text)
        taken: list[Edit] = []
        for edit in self._by_pattern(text):
            if not _is_within(edit, addresses) and not any(_touch(edit, other) for other in taken):
                taken.append(edit)
        found = [e for e in self._by_word(text, taken) if not _is_within(e, addresses)]
        for edit in sorted([*taken, *found], key=lambda edit: edit.start):
            yield edit if stress else Edit(edit.start, edit.stop, edit.new.replace(_STRESS, ""))

    def _by_pattern(self, text: str) -> Iterator[Edit]:
        for compiled, given, spelling in self._patterns:
            try:
                for match in compiled.finditer(text, timeout=_PATTERN_S):
                    if match[0]:
                        yield Edit(match.start(), match.end(), match.expand(spelling))
            except TimeoutError:
                raise UserError(
                    f'The expression "{given}" in [patterns] takes too long: write it more simply, '
                    "without one repetition inside another."
                ) from None

    def _by_word(self, text: str, taken: list[Edit]) -> Iterator[Edit]:
        reached = 0
        for unit in _UNIT.finditer(text) if self._by_first else ():
            if unit.start() < reached:
                continue
            for word, spelling in self._by_first.get(unit[0].casefold(), ()):
                stop = unit.start() + len(word)
                found = text[unit.start() : stop]
                if _is_same(word, found) and _is_whole(text, unit.start(), stop):
                    edit = Edit(unit.start(), stop, _in_case(word, found, spelling))
                    if not any(_touch(edit, other) for other in taken):
                        yield edit
                        reached = stop
                        break


def find_addresses(text: str) -> list[tuple[int, int]]:
    """Where URLs, domains and e-mail addresses begin and end."""
    return [match.span() for match in _ADDRESS.finditer(text)]


def is_word(text: str) -> bool:
    """Whether this can be looked for as a word."""
    return _UNIT.search(text) is not None


def pattern_fault(given: str, spelling: str) -> str:
    """What is wrong with a regular expression or its replacement, "" if nothing."""
    import regex

    try:
        compiled = regex.compile(given)
        regex.compile(f"(?:{given})|").sub(spelling, "", timeout=_PATTERN_S)
        fits_nothing = compiled.fullmatch("", timeout=_PATTERN_S) is not None
    except (regex.error, IndexError, OverflowError, RecursionError, TimeoutError) as error:
        return f"is not a regular expression with a spelling for it: {error}"
    return (
        "matches the empty string too: it must match at least one character" if fits_nothing else ""
    )


def _compiled(given: str) -> Any:
    import regex

    return regex.compile(given)


def _is_within(edit: Edit, addresses: list[tuple[int, int]]) -> bool:
    """Whether an edit changes a part of an address, and not all of it."""
    return any(
        start < edit.stop and edit.start < stop and (edit.start > start or edit.stop < stop)
        for start, stop in addresses
    )


def _touch(one: Edit, other: Edit) -> bool:
    return one.start < other.stop and other.start < one.stop


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
