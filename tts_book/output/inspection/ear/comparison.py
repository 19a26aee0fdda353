"""What was written beside what was heard: runs of words that differ.

A recogniser spells many words otherwise than the book does, so the share of differing words says
little. Long runs say much: measured on clean speech, no run of six differing words was a false
alarm, while cuts of three seconds always made one; runs of four or five tell only where words are
missing.

Numbers, abbreviations, acronyms and words of another script are said with more words than they are
written with. Such a token may stand for several words of the other side.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum

ERROR_WORDS = 6
DOUBT_WORDS = 4
# What takes longer than half a second to say: worth a look at the sound.
SLIGHT_LETTERS = 10
# With fewer words recognisers invent names.
LEAST_WORDS = 6

_TOKEN = re.compile(r"[^\W_]+(?:['’ʼ][^\W_]+)*")
_ALIKE_LETTERS = str.maketrans(
    {"ё": "е", "й": "и", "’": "'", "ʼ": "'", "ß": "s", "æ": "a", "œ": "o"}
)
_CYRILLIC = re.compile(r"[\u0400-\u052f]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
# Languages that are written in Cyrillic; all others are taken as they come.
_CYRILLIC_LANGUAGES = frozenset({"ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tg", "mn"})
_VOWELS = re.compile(r"[aeiouyаеиоуыэюяіїєäöüáéíóúàèìòùâêîôûãõåøæœ]")
# Two words are the same word if their letters are so much alike.
_SAME_WORD, _SAME_RUN = 0.72, 0.8
# Words that agree by chance inside a stretch that differs do not part it: one, or a few short ones.
_CHANCE_WORDS, _CHANCE_LETTERS = 1, 7
_WORDS_PER_DIGIT, _WORDS_PER_SYMBOL = 2, 2
# How many letters of the other side a digit may be said with, a symbol beside it, and a letter of
# anything else that is not said as it is written.
_LETTERS_PER_DIGIT, _LETTERS_PER_SYMBOL, _LETTERS_PER_LETTER = 10, 16, 3
_SYMBOLS = re.compile(r"[%‰$€£¥₽₴№§°&+=<>/×²³]|[.,:]\d")
_REPEATED_WORDS = 4


class DifferenceKind(StrEnum):
    """How what was heard differs."""

    MISSING = "missing"
    REPLACED = "replaced"
    ADDED = "added"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Difference:
    """A run of words that differs. `start` and `stop` are characters of the expected text,
    `heard_start` and `heard_stop` of what was heard; `words` is how many differ, and `letters` how
    many more are expected than heard (with a space for each word)."""

    kind: DifferenceKind
    start: int
    stop: int
    expected: str
    heard: str
    heard_start: int
    heard_stop: int
    words: int
    letters: int
    is_slight: bool = False
    """The words alone do not say that anything is wrong."""

    confirmed: bool = True
    """Heard a second time, with more care."""

    lacks_sound: bool = False
    """The sound is too short for the words that were not heard."""

    @property
    def is_error(self) -> bool:
        """Whether this cannot be the recogniser's spelling."""
        return self.confirmed and (self.is_long or self.lacks_sound)

    @property
    def is_long(self) -> bool:
        """Whether the words alone say so."""
        return self.words >= ERROR_WORDS or self.kind is DifferenceKind.REPEATED


@dataclass(frozen=True, slots=True)
class _Token:
    """A word as it is compared, where it stands, and how many words of the other side it may be
    said with beyond itself (0 for an ordinary word)."""

    text: str
    start: int
    stop: int
    stands_for: int = 0

    @property
    def letters(self) -> int:
        """How long it is with a space."""
        return len(self.text) + 1

    @property
    def digits(self) -> int:
        """How many of its characters are digits."""
        return sum(map(str.isdigit, self.text))

    @property
    def stands_for_letters(self) -> int:
        """How many letters of the other side it may be said with, if none of its own is there."""
        if not self.stands_for:
            return 0
        return _LETTERS_PER_DIGIT * self.digits or _LETTERS_PER_LETTER * len(self.text)

    @property
    def symbol_letters(self) -> int:
        """How many letters of the other side the symbols beside a number are said with."""
        if not self.digits:
            return 0
        words = self.stands_for - _WORDS_PER_DIGIT * self.digits - 1
        return _LETTERS_PER_SYMBOL * words // _WORDS_PER_SYMBOL


def compare_words(
    expected: str, heard: str, language: str, *, slight: bool = False, within: bool = False
) -> tuple[Difference, ...]:
    """The differing runs that matter, in order: `ERROR_WORDS` words or more, or `DOUBT_WORDS` where
    words are missing, or words said twice; `slight` adds missing words of `SLIGHT_LETTERS` letters.
    `within`: what is heard before and after the text is no difference. None for text of fewer than
    `LEAST_WORDS` words."""
    ours, theirs = _tokens(expected, language), _tokens(heard, language)
    if len(ours) < LEAST_WORDS:
        return ()
    found = []
    for start, stop, other_start, other_stop in _runs(ours, theirs):
        said, written = theirs[other_start:other_stop], ours[start:stop]
        at_edge = other_start == 0 or other_stop == len(theirs)
        difference = _judge(expected, heard, written, said, more_is_fine=within and at_edge)
        if difference is None:
            continue
        if not said:  # where it should have been heard
            at = theirs[other_start].start if other_start < len(theirs) else len(heard)
            difference = replace(difference, heard_start=at, heard_stop=at)
        if difference.kind is DifferenceKind.ADDED and _is_repeated(ours, start, said):
            first, last = _span(ours, start)
            found.append(
                replace(
                    difference,
                    kind=DifferenceKind.REPEATED,
                    start=first,
                    stop=last,
                    expected="",
                    is_slight=False,
                )
            )
        elif not difference.is_slight or (slight and difference.letters >= SLIGHT_LETTERS):
            found.append(difference)
    return tuple(found)


# Words --------------------------------------------------------------------------------------------


def _tokens(text: str, language: str) -> list[_Token]:
    found = []
    for match in _TOKEN.finditer(text):
        word = _fold(match[0])
        if word:
            found.append(
                _Token(word, match.start(), match.end(), _stands_for(text, match, language))
            )
    return found


def _fold(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word.casefold().translate(_ALIKE_LETTERS))
    return "".join(c for c in plain if c.isalnum()).translate(_ALIKE_LETTERS)


def _stands_for(text: str, match: re.Match[str], language: str) -> int:
    word = match[0]
    digits = sum(character.isdigit() for character in word)
    if digits:
        return _WORDS_PER_DIGIT * digits + 1 + _symbols_around(text, match)
    symbols = _symbols_around(text, match)
    if word.isupper() and len(word) > 1:
        return len(word) + symbols
    if not _VOWELS.search(word.casefold()) and len(word) <= 4 and word.casefold().isalpha():
        return len(word) + symbols  # кг, Mr, St
    if text[match.end() : match.end() + 1] == "." and len(word) <= 4:
        following = text[match.end() + 1 : match.end() + 3].strip()
        if following[:1].islower() or not following:
            return 2 + symbols
    foreign = _LATIN if language[:2].lower() in _CYRILLIC_LANGUAGES else _CYRILLIC
    if foreign.search(word):
        return 1 + len(word) // 2 + symbols
    return symbols


def _symbols_around(text: str, match: re.Match[str]) -> int:
    near = text[max(0, match.start() - 2) : match.start()] + text[match.end() : match.end() + 2]
    return _WORDS_PER_SYMBOL * len(_SYMBOLS.findall(near))


# Runs ---------------------------------------------------------------------------------------------


def _runs(ours: Sequence[_Token], theirs: Sequence[_Token]) -> Iterator[tuple[int, int, int, int]]:
    """Stretches of both sides that differ; those that only chance parts are one."""
    matcher = SequenceMatcher(
        None, [token.text for token in ours], [token.text for token in theirs], autojunk=False
    )
    pending: tuple[int, int, int, int] | None = None
    for tag, start, stop, other_start, other_stop in matcher.get_opcodes():
        if tag == "equal" and (pending is None or not _is_chance(ours[start:stop])):
            if pending is not None:
                yield pending
            pending = None
        elif tag != "equal":
            pending = (
                (pending[0], stop, pending[2], other_stop)
                if pending is not None
                else (start, stop, other_start, other_stop)
            )
    if pending is not None:
        yield pending


def _is_chance(words: Sequence[_Token]) -> bool:
    return len(words) <= _CHANCE_WORDS or sum(word.letters for word in words) <= _CHANCE_LETTERS


def _judge(
    expected: str,
    heard: str,
    written: Sequence[_Token],
    said: Sequence[_Token],
    *,
    more_is_fine: bool,
) -> Difference | None:
    """The difference, None where it is a matter of spelling."""
    left, over = _unlike(written, said)
    covered = sum(token.stands_for_letters for token in over)
    covered += sum(token.symbol_letters for token in said)
    missed = _without_covered(left, covered)
    absorbed = len(left) - len(missed)
    if more_is_fine:
        over = []
    # A number and the like may be any of the other words, but it must be one of them.
    special = [token for token in missed if token.stands_for][len(over) :]
    missed = [token for token in missed if not token.stands_for] + special
    missing = len(missed)
    numbers = min(absorbed, sum(1 for token in over if token.stands_for))
    added = max(0, len(over) - numbers - sum(token.stands_for for token in written))
    words = max(missing, added)
    letters = sum(token.letters for token in missed) - sum(token.letters for token in over)
    slight = words < DOUBT_WORDS or (words < ERROR_WORDS and missing - added < 2)
    if words < ERROR_WORDS and letters < SLIGHT_LETTERS and added < _REPEATED_WORDS:
        return None
    if slight and missing <= added and added < _REPEATED_WORDS:
        return None
    if _likeness("".join(t.text for t in written), "".join(t.text for t in said)) >= _SAME_RUN:
        return None  # the same letters, otherwise parted
    kind = (
        DifferenceKind.MISSING
        if missing > 2 * added
        else DifferenceKind.ADDED
        if not missing
        else DifferenceKind.REPLACED
    )
    start, stop = (written[0].start, written[-1].stop) if written else (0, 0)
    return Difference(
        kind,
        start,
        stop,
        expected[start:stop],
        heard[said[0].start : said[-1].stop] if said and not more_is_fine else "",
        said[0].start if said else 0,
        said[-1].stop if said else 0,
        words,
        letters,
        slight,
    )


def _without_covered(left: Sequence[_Token], letters: int) -> list[_Token]:
    """Words without those that fit into so many letters: the shortest first."""
    found = []
    for token in sorted(left, key=lambda token: len(token.text)):
        letters -= token.letters
        if letters < 0:
            found.append(token)
    return found


def _unlike(written: Sequence[_Token], said: Sequence[_Token]) -> tuple[list[_Token], list[_Token]]:
    """The words of either side that have no like on the other, in order (an alignment that pairs
    as many as it can; a word may also be two of the other side)."""
    rows, columns = len(written), len(said)
    best = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in range(rows - 1, -1, -1):
        for column in range(columns - 1, -1, -1):
            best[row][column] = max(
                best[row + 1][column],
                best[row][column + 1],
                *(
                    best[row + a][column + b] + a + b
                    for a, b in ((1, 1), (1, 2), (2, 1))
                    if _pair(written, said, row, column, a, b)
                ),
            )
    left, over, row, column = list(written), list(said), 0, 0
    while row < rows and column < columns:
        step = next(
            (
                (a, b)
                for a, b in ((1, 1), (1, 2), (2, 1))
                if _pair(written, said, row, column, a, b)
                and best[row][column] == best[row + a][column + b] + a + b
            ),
            None,
        )
        if step:
            for token in written[row : row + step[0]]:
                left.remove(token)
            for token in said[column : column + step[1]]:
                over.remove(token)
            row, column = row + step[0], column + step[1]
        elif best[row][column] == best[row + 1][column]:
            row += 1
        else:
            column += 1
    return left, over


def _pair(
    written: Sequence[_Token], said: Sequence[_Token], row: int, column: int, a: int, b: int
) -> bool:
    if row + a > len(written) or column + b > len(said):
        return False
    one = "".join(token.text for token in written[row : row + a])
    other = "".join(token.text for token in said[column : column + b])
    return _digits(one) == _digits(other) and _likeness(one, other) >= _SAME_WORD


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _likeness(one: str, other: str) -> float:
    """0 to 1: how much of the letters of both agree."""
    if one == other:
        return 1.0
    shorter, longer = sorted((len(one), len(other)))
    if not shorter or 2 * shorter / (shorter + longer) < _SAME_WORD:
        return 0.0
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _is_repeated(ours: Sequence[_Token], at: int, said: Sequence[_Token]) -> bool:
    """Whether added words are those beside them once more."""
    words = [token.text for token in said]
    if len(words) < _REPEATED_WORDS:
        return False
    beside = (ours[max(0, at - len(words)) : at], ours[at : at + len(words)])
    for tokens in beside:
        near = [token.text for token in tokens]
        if SequenceMatcher(None, near, words, autojunk=False).ratio() > 0.6:
            return True
    return False


def _span(ours: Sequence[_Token], at: int) -> tuple[int, int]:
    token = ours[min(at, len(ours) - 1)]
    return token.start, token.stop
