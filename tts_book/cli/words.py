"""Words of a book that voices may say wrong, by frequency: the answer of `plan --words`.

Each line is an entry of pronounce.toml that says the word as it is written; the comment behind it
tells how often the word comes and shows it once in its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tts_book.cli.figures import format_number
from tts_book.model import Book
from tts_book.text.language_tags import primary_language
from tts_book.text.numerals import roman_value

_AROUND = 30  # characters of context on either side
_CYRILLIC = frozenset(("ru", "uk", "be", "bg", "sr", "mk", "kk"))
_LATIN_WORD = r"[A-Za-zÀ-ÖØ-öø-ɏ][A-Za-zÀ-ÖØ-öø-ɏ0-9+#]*(?:[-'’./][A-Za-zÀ-ÖØ-öø-ɏ0-9]+)*"
_OTHER_WORD = r"[Ͱ-ϿЀ-ӿ֐-׿؀-ۿ]+(?:[-'’][Ͱ-ϿЀ-ӿ]+)*"
_KINDS = ("foreign words", "acronyms", "Roman numerals", "symbols", "numbers")
_NUMBER = r"\d+(?:[.,:/]\d+)*"
_SYMBOL = r"[#%&*+/<=>@\\^_`|~§¶©®°±×÷№€$£¥₽→←↑↓≈≠≤≥∞√∑∆Ωµ]"
_SHORTEST_ROMAN = 2


@dataclass(slots=True)
class _Found:
    kind: str
    count: int
    context: str


def lines(book: Book) -> Iterator[str]:
    """The words in the form of pronounce.toml, a heading for each kind, the most frequent first."""
    found = _found(book)
    yield f"# {_printable(book.title)}: write beside each word how it is to be said"
    for kind in _KINDS:
        entries = [(word, entry) for word, entry in found.items() if entry.kind == kind]
        if not entries:
            continue
        yield ""
        yield f"# {kind}"
        for word, entry in sorted(entries, key=lambda item: (-item[1].count, item[0])):
            name = json.dumps(word, ensure_ascii=False)
            yield f"{name} = {name}  # {format_number(entry.count)}: {entry.context}"


def _found(book: Book) -> dict[str, _Found]:
    pattern = _pattern(book.language)
    found: dict[str, _Found] = {}
    for chapter in book.chapters:
        for match in pattern.finditer(chapter.text):
            word, kind = match[0], _kind(match)
            if not kind:
                continue
            entry = found.get(word)
            if entry is None:
                found[word] = _Found(kind, 1, _context(chapter.text, *match.span()))
            else:
                entry.count += 1
    return found


def _pattern(language: str) -> re.Pattern[str]:
    foreign = _LATIN_WORD if primary_language(language) in _CYRILLIC else _OTHER_WORD
    capitals = r"[A-ZА-ЯЁ]{2,6}\d?"
    return re.compile(
        rf"(?<!\w)(?:(?P<capitals>{capitals})(?!\w|[-'’./]\w)|(?P<foreign>{foreign})"
        rf"|(?P<number>{_NUMBER}))|(?P<symbol>{_SYMBOL})"
    )


def _kind(match: re.Match[str]) -> str:
    group, word = match.lastgroup, match[0]
    if word in ("I", "V", "X"):
        return "Roman numerals"
    if group == "capitals":
        is_roman = (
            len(word) >= _SHORTEST_ROMAN and not set(word) - set("IVXLCDM") and roman_value(word)
        )
        return "Roman numerals" if is_roman else "" if _shouts(match) else "acronyms"
    return {"foreign": "foreign words", "number": "numbers", "symbol": "symbols"}[group or ""]


def _shouts(match: re.Match[str]) -> bool:
    """Whether a word in capitals stands in a line of them: a heading, not an acronym."""
    text = match.string
    start = text.rfind("\n", 0, match.start()) + 1
    near = text[max(start, match.start() - 20) : match.end() + 20].partition("\n\n")[0]
    small = sum(character.islower() for character in near)
    return small < 3 and sum(character.isupper() for character in near) > len(match[0]) + 2


def _context(text: str, start: int, stop: int) -> str:
    around = text[max(0, start - _AROUND) : stop + _AROUND]
    return _printable(" ".join(around.split()))


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)
