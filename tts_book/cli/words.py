"""Words that a voice may say wrong: the output of `plan --words`.

Each line is an entry of pronounce.toml that can be pasted; its comment says how often the term
comes and shows it once in its place. In a text of another script these are Latin words and
acronyms, in any text acronyms, words of other scripts, Roman numerals, symbols, and numbers of an
unusual form. Ordinary numbers, addresses and passages in another language are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field

from tts_book.events import format_count, format_number
from tts_book.model import Book, Break
from tts_book.text.language_tags import primary_language
from tts_book.text.numerals import roman_value
from tts_book.text.pronunciation import find_addresses

_AROUND = 30  # characters of context on either side
_CYRILLIC = frozenset(("ru", "uk", "be", "bg", "sr", "mk", "kk"))
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
_OTHER = "Ͱ-ϿЀ-ӿ֐-׿؀-ۿ"
# A term: words and numbers held together by marks, such as TCP/IP, AT&T, Node.js, UTF-8, C++.
_LATIN_TERM = rf"(?:\d+(?=[{_LATIN}]))?[{_LATIN}][{_LATIN}0-9]*(?:[-’'./&+][{_LATIN}0-9]+)*[+#]*"
_OTHER_TERM = rf"[{_OTHER}]+(?:[-’'][{_OTHER}]+)*"
_ACRONYM = r"[A-ZА-ЯЁ]{2,6}\d?(?:[/&-][A-ZА-ЯЁ0-9]{1,6})*"
_NUMBER = r"\d+(?:[./:]\d+){2,}|\d+/\d+"
_SYMBOL = r"[#%&*+/<=>@\\^_`|~§¶©®°±×÷№€$£¥₽→←↑↓≈≠≤≥∞√∑∆Ωµ]"
# So many foreign words in a row, with only blanks and marks between, are a passage.
_PASSAGE = 4
_PASSAGES = {
    script: re.compile(
        rf"(?<![{letters}’'-])"
        rf"(?:[{letters}][{letters}’'-]*+[\s.,;:!?…«»“”„\"()—–-]+){{{_PASSAGE - 1},}}[{letters}]+"
    )
    for script, letters in (("latin", _LATIN), ("other", _OTHER))
}
TERMS, NUMERALS, SYMBOLS, NUMBERS = "words and acronyms", "Roman numerals", "symbols", "numbers"
# How Russian says Latin letters one by one.
_LETTER_NAMES_RU = (
    "эй би си ди и эф джи эйч ай джей кей эл эм эн о пи кью ар эс ти ю ви дабл-ю икс уай зет"
)
_LETTERS_RU = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _LETTER_NAMES_RU.split(), strict=True))


@dataclass(slots=True)
class _Found:
    kind: str
    count: int
    context: str


@dataclass(slots=True)
class _Search:
    """What was found in a book, and the passages that were left out."""

    words: dict[str, _Found] = field(default_factory=dict)
    passages: list[str] = field(default_factory=list)


def list_words(book: Book) -> Iterator[str]:
    """The words in the form of pronounce.toml, a heading for each kind, the most frequent first."""
    search = _search(book)
    russian = primary_language(book.language) == "ru"
    if not search.words:
        yield f"# {_printable(book.title)}: nothing that a voice is likely to say wrong"
    else:
        yield f"# {_printable(book.title)}: write on the right how each is said, delete the rest"
    for kind in (TERMS, NUMERALS, SYMBOLS, NUMBERS):
        entries = [(word, entry) for word, entry in search.words.items() if entry.kind == kind]
        if not entries:
            continue
        yield ""
        yield f"# {kind}"
        for word, entry in sorted(entries, key=lambda item: (-item[1].count, item[0])):
            name = json.dumps(word, ensure_ascii=False)
            spelling = _spelled(word) if russian and kind == TERMS else word
            said = json.dumps(spelling, ensure_ascii=False)
            yield f"{name} = {said}  # {format_number(entry.count)}: {entry.context}"
    if search.passages:
        count = format_count(len(search.passages), "passage")
        yield ""
        yield f"# left out: {count} in another language, such as “{search.passages[0]}”"


def list_words_json(book: Book) -> Iterator[str]:
    """A line of JSON for each of the words, the most frequent first."""
    words = _search(book).words
    for word, entry in sorted(words.items(), key=lambda item: (-item[1].count, item[0])):
        line = {
            "book": book.title,
            "word": word,
            "kind": entry.kind,
            "count": entry.count,
            "context": entry.context,
        }
        yield json.dumps(line, ensure_ascii=False)


def _search(book: Book) -> _Search:
    cyrillic = primary_language(book.language) in _CYRILLIC
    passage = _PASSAGES["latin" if cyrillic else "other"]
    pattern = _pattern(_LATIN_TERM if cyrillic else _OTHER_TERM)
    search = _Search()
    for chapter in book.chapters:
        left_out = [(*span, False) for span in find_addresses(chapter.text)]
        left_out += [(*match.span(), True) for match in passage.finditer(chapter.text)]
        left_out.sort()
        at = 0
        headings = {mark.offset for mark in chapter.breaks if mark.kind is Break.HEADING}
        for start, stop, is_passage in left_out:
            _collect(pattern, chapter.text, at, start, headings, search.words)
            if is_passage:
                search.passages.append(_shorten(chapter.text[start:stop]))
            at = max(at, stop)
        _collect(pattern, chapter.text, at, len(chapter.text), headings, search.words)
    return search


def _collect(
    pattern: re.Pattern[str],
    text: str,
    start: int,
    stop: int,
    headings: Container[int],
    words: dict[str, _Found],
) -> None:
    for match in pattern.finditer(text, start, stop):
        word, kind = match[0], _kind(match)
        if not kind or (kind == NUMERALS and _numbers_a_part(match, headings)):
            continue
        entry = words.get(word)
        if entry is None:
            words[word] = _Found(kind, 1, _context(text, *match.span()))
        else:
            entry.count += 1


def _pattern(foreign: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<!\w)(?:(?P<capitals>{_ACRONYM})(?!\w|[-'’./&]\w|[+#])|(?P<foreign>{foreign})"
        rf"|(?P<numbers>{_NUMBER}))(?!\w)|(?P<symbols>{_SYMBOL})"
    )


def _kind(match: re.Match[str]) -> str:
    group, word = match.lastgroup or "", match[0]
    if word in ("I", "V", "X"):
        return NUMERALS
    if group != "capitals":
        return {"foreign": TERMS, "numbers": NUMBERS, "symbols": SYMBOLS}[group]
    if not set(word) - set("IVXLCDM") and roman_value(word):
        return NUMERALS
    return "" if _shouts(match) else TERMS


def _shouts(match: re.Match[str]) -> bool:
    """Whether a word in capitals stands in a line of them: a heading, not an acronym."""
    text = match.string
    start = text.rfind("\n", 0, match.start()) + 1
    near = text[max(start, match.start() - 20) : match.end() + 20].partition("\n\n")[0]
    small = sum(character.islower() for character in near)
    return small < 3 and sum(character.isupper() for character in near) > len(match[0]) + 2


def _numbers_a_part(match: re.Match[str], headings: Container[int]) -> bool:
    """Whether a numeral stands in a heading or begins a paragraph: the number of a chapter."""
    text, stop = match.string, match.string.find("\n\n", match.end())
    end = stop if stop >= 0 else len(text)
    return end in headings or match.start() == 0 or text[match.start() - 1] == "\n"


def _spelled(word: str, letters: Mapping[str, str] = _LETTERS_RU) -> str:
    """A Latin acronym that is said letter by letter: one of two or three letters, or one without
    vowels. All else as it is written."""
    parts = re.split(r"([/&-])", word)
    if not all(_is_initialism(part) for part in parts[::2]):
        return word
    return " ".join("-".join(letters[letter] for letter in part) for part in parts[::2])


def _is_initialism(word: str) -> bool:
    if not (word.isascii() and word.isalpha() and word.isupper()) or len(word) < 2:
        return False
    return len(word) <= 3 or not set(word) & set("AEIOUY")


def _context(text: str, start: int, stop: int) -> str:
    return _printable(" ".join(text[max(0, start - _AROUND) : stop + _AROUND].split()))


def _shorten(text: str) -> str:
    plain = _printable(" ".join(text[: 4 * _AROUND].split()))
    return plain if len(plain) <= 2 * _AROUND else f"{plain[: 2 * _AROUND - 1]}…"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "�" for character in text)
