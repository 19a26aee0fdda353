"""Which language a book is in: by its script, by letters that tell, by its everyday words.

The whole book is asked, in even samples, so neither a quotation nor a long passage in another
language decides; in a short text its paragraphs have a say, too, long or short. A guess comes with
its margin; below `MARGIN` it is better to ask.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from tts_book.text import language_words

MARGIN = 0.15
"""How far the best guess must lead over the second, as a share of the best: 0.15 keeps Danish
and Norwegian apart on a page, and rejects a few words of anything."""

_SCRIPTS: tuple[tuple[int, int, str], ...] = (
    (0x41, 0x24F, "Latin"), (0x370, 0x3FF, "el"), (0x400, 0x52F, "Cyrillic"),
    (0x530, 0x58F, "hy"), (0x590, 0x5FF, "he"), (0x600, 0x6FF, "Arabic"),
    (0x900, 0x97F, "hi"), (0x980, 0x9FF, "bn"), (0xA00, 0xA7F, "pa"), (0xA80, 0xAFF, "gu"),
    (0xB80, 0xBFF, "ta"), (0xC00, 0xC7F, "te"), (0xC80, 0xCFF, "kn"), (0xD00, 0xD7F, "ml"),
    (0xD80, 0xDFF, "si"), (0xE00, 0xE7F, "th"), (0xE80, 0xEFF, "lo"), (0x1000, 0x109F, "my"),
    (0x10A0, 0x10FF, "ka"), (0x1100, 0x11FF, "ko"), (0x1200, 0x139F, "am"),
    (0x1780, 0x17FF, "km"), (0x1C90, 0x1CBF, "ka"), (0x1E00, 0x1EFF, "Latin"),
    (0x1F00, 0x1FFF, "el"), (0x3040, 0x30FF, "kana"), (0x3400, 0x4DBF, "Han"),
    (0x4E00, 0x9FFF, "Han"), (0xAC00, 0xD7AF, "ko"), (0x20000, 0x3FFFF, "Han"),
)  # fmt: skip
_SAMPLE, _PIECES = 240_000, 60  # characters asked at most, in as many pieces
_LEAST_LETTERS = 8
_WORD = re.compile(r"[^\W\d_]+")
_TELLING = 0.4  # what letters of its own are worth against everyday words
_LETTERS_AS_WORDS = 10  # a text full of letters of its own is as good as four everyday words
_FEW_LATIN, _FEW_CYRILLIC = 4, 2  # everyday words: fewer of them prove little
_NO_PROSE = 0.4  # of the everyday words that another script has: not the language of the text
_ONCE = 0.7  # one such letter in all may be a name or a slip
_OFTEN = 0.02  # share of the letters at which they count in full
_QUOTED = re.compile(r'«[^«»]*»|“[^“”]*”|„[^„“”]*[“”]|"[^"]*"')
_SHORT = 20_000  # letters of a text in which a quotation may be longer than the rest
_VOICE = 150  # letters of a paragraph that count where paragraphs are asked
_FRAMED = 0.3  # the lead of what a text begins and ends with over a long quotation in it
_URDU, _PASHTO = "ٹڈڑںے", "ټډړښږېۍځڅڼ"
_PERSIAN, _NOT_PERSIAN = "پچژگکی", "ةأإى"


@dataclass(frozen=True, slots=True)
class Guess:
    """`language` is a BCP 47 code, empty where there is nothing to go by. `margin` is its lead
    over the second best, 0 to 1; `why` names what it was seen by."""

    language: str
    margin: float
    why: str
    second: str = ""


@dataclass(frozen=True, slots=True)
class _Scored:
    """A guess, and the share of words that are everyday ones of that language."""

    guess: Guess
    known: float


def detect_language(text: str) -> Guess:
    """The language of `text`, whose paragraphs are parted by blank lines, asked in at most 240,000
    characters spread evenly over it."""
    sample = _spread(text).lower()
    letters = Counter(sample)
    scripts = _scripts(letters)
    total = sum(scripts.values())
    if total < _LEAST_LETTERS:
        return Guess("", 0.0, "too few letters")
    script, second, lead = _main_script(sample)
    if script == "Han":
        return Guess(_east_asian(scripts), max(lead, 0.5), "its script")
    if script == "Arabic":
        return Guess(_arabic(letters), lead, "its script")
    if script not in ("Latin", "Cyrillic"):
        return Guess(script, lead, "its script")
    own = _by_words(sample, letters, script)
    guess, other = own.guess, None
    if second in ("Latin", "Cyrillic"):
        other = _by_words(sample, letters, second)
        if own.known < _NO_PROSE * other.known:
            # Commands, names and formulas may be longer than the sentences around them.
            return Guess(other.guess.language, min(_FRAMED, other.guess.margin), "the text")
    if other is not None and lead < min(MARGIN, guess.margin):
        return Guess(guess.language, lead, guess.why, other.guess.language)
    return Guess(guess.language, min(lead, guess.margin), guess.why, guess.second)


def _spread(text: str) -> str:
    if len(text) <= _SAMPLE:
        return text
    size, step = _SAMPLE // _PIECES, len(text) // _PIECES
    return "\n".join(text[at * step : at * step + size] for at in range(_PIECES))


def _main_script(sample: str) -> tuple[str, str, float]:
    """The script of a text, the second one, and the lead of the first. What is quoted counts for a
    third. Where in a short text many small paragraphs stand against few great ones, that is its
    own which stands at both ends; the other is a quotation."""
    sizes, voices, order = Counter[str](), Counter[str](), list[str]()
    for paragraph in sample.split("\n\n"):
        found = _scripts(Counter(paragraph))
        for script, count in _scripts(Counter(_QUOTED.sub(" ", paragraph))).items():
            found[script] += 2 * count
        if found:
            found["Han"] += found.pop("kana", 0)
            whole = max(found.total(), 3 * _VOICE)
            sizes.update(found)
            voices.update({script: 3_000 * count // whole for script, count in found.items()})
            order.append(found.most_common(1)[0][0])
    (first, _), *others = sizes.most_common(2)
    (loudest, _), *_ = voices.most_common(1)
    second = others[0][0] if others else ""
    if first == loudest or sizes.total() > 3 * _SHORT:
        return first, second, _lead(sizes)
    if order[0] == order[-1] in (first, loudest):
        return order[0], second if order[0] == first else first, _FRAMED
    return first, loudest, 0.0


def _lead(counts: Counter[str]) -> float:
    (_, most), *others = counts.most_common(2)
    return (most - (others[0][1] if others else 0)) / most


def _scripts(letters: Mapping[str, int]) -> Counter[str]:
    found: Counter[str] = Counter()
    for letter, count in letters.items():
        if letter.isalpha():
            found[_script(ord(letter))] += count
    del found[""]
    return found


@cache
def _script(code: int) -> str:
    return next((name for low, high, name in _SCRIPTS if low <= code <= high), "")


def _east_asian(scripts: Mapping[str, int]) -> str:
    return "ja" if scripts.get("kana", 0) > 0.05 * scripts.get("Han", 0) else "zh"


def _arabic(letters: Mapping[str, int]) -> str:
    def share(own: str) -> float:
        return sum(letters.get(c, 0) for c in own) / total

    total = sum(count for letter, count in letters.items() if letter.isalpha())
    if max(share(_URDU), share(_PASHTO)) > _OFTEN / 2:
        return "ur" if share(_URDU) > share(_PASHTO) else "ps"
    return "fa" if share(_PERSIAN) > 2 * share(_NOT_PERSIAN) else "ar"


def _by_words(sample: str, letters: Mapping[str, int], script: str) -> _Scored:
    is_latin = script == "Latin"
    words = Counter(
        word for word in _WORD.findall(sample) if (_script(ord(word[0])) == "Latin") is is_latin
    )
    total = max(1, sum(words.values()))
    hits = {
        language: sum(words[word] for word in known)
        for language, known in (
            language_words.LATIN if is_latin else language_words.CYRILLIC
        ).items()
    }
    tell = _telling(
        letters, language_words.LATIN_LETTERS if is_latin else language_words.CYRILLIC_LETTERS
    )
    odd = _telling(letters, _odd_letters() if is_latin else language_words.CYRILLIC_FOREIGN)
    scores = {
        language: count / total + tell.get(language, 0.0) - 2 * odd.get(language, 0.0)
        for language, count in hits.items()
    }
    if not is_latin:
        scores["ru"] += 0.08  # by far the most of what is written in this script
    (best, high), (second, low) = sorted(scores.items(), key=lambda s: -s[1])[:2]
    if high <= 0.03:
        guess = Guess("", 0.0, "no word of a language that is known here")
        return _Scored(guess, max(hits.values()) / total)
    # A few words prove little, and words that no list knows prove nothing.
    certain = min(1.0, total / (12 if is_latin else 6))
    known = hits[best] + _LETTERS_AS_WORDS * tell.get(best, 0.0)
    certain *= min(1.0, known / (_FEW_LATIN if is_latin else _FEW_CYRILLIC))
    margin = min(1.0, (high - max(low, 0.0)) / max(high, 0.2)) * certain
    return _Scored(Guess(best, margin, "the text", second), hits[best] / total)


@cache
def _odd_letters() -> dict[str, str]:
    """For each language in Latin letters those that it does not write, but others do."""
    every = frozenset("".join(language_words.LATIN_ALPHABETS.values())) - frozenset("·ªº¿¡")
    return {name: "".join(every - set(own)) for name, own in language_words.LATIN_ALPHABETS.items()}


def _telling(letters: Mapping[str, int], known: Mapping[str, str]) -> dict[str, float]:
    """How much each language's own letters say, from 0 to `_TELLING`."""
    total = sum(count for letter, count in letters.items() if letter.isalpha())
    counts = {name: sum(letters.get(c, 0) for c in own) for name, own in known.items()}
    return {
        name: _TELLING * min(1.0, max(0.0, count - _ONCE) / total / _OFTEN)
        for name, count in counts.items()
    }
