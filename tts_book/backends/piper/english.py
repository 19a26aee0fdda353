"""What Piper's front end reads wrongly in English: the points of abbreviations end sentences for
it, and some words are spelled out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tts_book.backends.piper.english_numbers import NUMBERS
from tts_book.backends.piper.english_words import (
    AFTER_A_NAME,
    AFTER_A_NUMBER,
    ANYWHERE,
    BEFORE_A_NAME,
    BEFORE_A_NUMBER,
    MONTHS,
    NO_ROAD_AFTER,
    STARTERS,
    TITLE_OR_ROAD,
    TITLES,
)
from tts_book.backends.piper.rewriting import Rule

_NEXT_WORD = re.compile(r"\s+[\"“‘'(]?([A-Z][a-z']*)")
_NAME_BEFORE = re.compile(r"(?:\b([A-Z][\w'’-]{1,30})|\d(?:st|nd|rd|th)) $")
_PRONOUN_BEFORE = re.compile(r"[a-z,;]\s$")


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _rest(found: re.Match[str]) -> str:
    return found.string[found.end() : found.end() + 24].lstrip("\"'”’)")


def _point(found: re.Match[str]) -> str:
    """A full stop, where the point of an abbreviation was the sentence's as well."""
    rest = _rest(found)
    word = _NEXT_WORD.match(rest)
    return "." if not rest.strip() or (word and word[1] in STARTERS) else ""


def _point_before_a_capital(found: re.Match[str]) -> str:
    rest = _rest(found).lstrip(" \n\t\"'“‘(")
    return "." if not rest or rest[0].isupper() else ""


def _alike(found: str, word: str) -> str:
    return word[0].upper() + word[1:] if found[0].isupper() else word


def _from(table: Mapping[str, str]) -> Rule:
    """Abbreviations that are only followed by a name, and never end a sentence."""
    pattern = re.compile(rf"\b({_any_of(table)})\.(?=\s+[\"“(]?[A-Z])")
    return pattern, lambda found: table[found[1]]


def _title_or_road(found: re.Match[str]) -> str:
    title, road = TITLE_OR_ROAD[found[1]]
    name = _NAME_BEFORE.search(found.string[max(0, found.start() - 34) : found.start()])
    if name and name[1] not in STARTERS and name[1] not in NO_ROAD_AFTER:
        return road + _point(found)
    return title


def _anywhere(found: re.Match[str]) -> str:
    said = _alike(found[1], ANYWHERE[found[1].lower()])
    return said + (_point_before_a_capital(found) if found[1].lower() == "etc" else "")


def _half_day(found: re.Match[str]) -> str:
    return f"{found[1]} {found[2].upper()}M" + _point_before_a_capital(found)


def _letter(letter: str) -> str:
    # A capital A between blanks would be read as the article.
    return "Ay" if letter == "A" else letter


def _letters(found: re.Match[str]) -> str:
    return " ".join(map(_letter, found[1].replace(".", ""))) + _point(found)


def _initial(found: re.Match[str]) -> str:
    before = found.string[max(0, found.start() - 2) : found.start()]
    word = _NEXT_WORD.match(_rest(found))
    starts = word is not None and word[1] in STARTERS and len(word[1]) > 1
    is_number = found[1] in "IVX" and not before
    is_pronoun = found[1] == "I" and _PRONOUN_BEFORE.search(before)
    return found.group() if starts or is_number or is_pronoun else _letter(found[1])


def _after_a_number(found: re.Match[str]) -> str:
    return f" {AFTER_A_NUMBER[found[1]]}" + (_point(found) if found[0].endswith(".") else "")


BEFORE = NUMBERS
AFTER: tuple[Rule, ...] = (
    (re.compile(r"\b([Hh])m\b"), lambda found: f"{found[1]}mm"),
    (re.compile(r"\bMs\b\.?(?=\s[A-Z])"), lambda found: "Miz"),
    (re.compile(r"\bPh\. ?D\."), lambda found: "P H D" + _point(found)),
    (re.compile(r"(\d)\s?([aApP])\.?\s?[mM]\.(?!\w)"), _half_day),
    (re.compile(rf"\b({_any_of(TITLE_OR_ROAD)})\.(?=\W|$)"), _title_or_road),
    (re.compile(rf"\b({_any_of(TITLES)})\.(?=\W|$)"), lambda found: TITLES[found[1]]),
    _from(BEFORE_A_NAME),
    (
        re.compile(rf"(?<=[\w,&.] )({_any_of(AFTER_A_NAME)})\.(?!\w)"),
        lambda found: AFTER_A_NAME[found[1]] + _point(found),
    ),
    (
        re.compile(rf"(?<![\w.])({_any_of(ANYWHERE)})\.(?!\w)", re.IGNORECASE),
        _anywhere,
    ),
    (
        re.compile(rf"(?<![\w.])({_any_of(BEFORE_A_NUMBER)})\.\s?(?=\d)", re.IGNORECASE),
        lambda found: _alike(found[1], BEFORE_A_NUMBER[found[1].lower()]) + " ",
    ),
    (re.compile(rf"\b({_any_of(MONTHS)})\.(?=\s\d)"), lambda found: MONTHS[found[1]]),
    (re.compile(rf"(?<=\d)\s?({_any_of(AFTER_A_NUMBER)})\b\.?(?!\w)"), _after_a_number),
    (re.compile(r"(?<![\w.])((?:[A-Z]\.){2,8})(?!\w)"), _letters),
    (re.compile(r"(?<!\w)([A-Z])\.(?=\s+[A-Z])"), _initial),
)
