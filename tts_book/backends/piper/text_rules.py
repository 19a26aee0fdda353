"""Makes a text sayable for Piper: what its front end would spell out, name or run together.

The rules for every language are here; those of one language are in a module of their own. Every
pattern is bounded, so that time is linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from tts_book.backends.piper import english as piper_english
from tts_book.backends.piper import russian as piper_russian
from tts_book.backends.piper.abbreviations import ABBREVIATIONS
from tts_book.text.language_tags import primary_language
from tts_book.text.numerals import roman_value
from tts_book.text.rewriting import Rewriting, Rule

_OPENERS = "\"'“‘«„‚([¿¡"
_CLOSERS = "\"'”’»“)]"
_LETTER = r"[^\W\d_]"


def _lone_roman(found: re.Match[str]) -> str:
    numeral = found.group()
    # MIX, DI, CD and XL are words and signs more often than numbers.
    certain = set(numeral) <= {"I", "V", "X"} or len(numeral) >= 4
    return str(roman_value(numeral) or numeral) if certain else numeral


def _paragraph_roman(found: re.Match[str]) -> str:
    value = roman_value(found["numeral"])
    return f"{value}." if value else found.group()


def _goes_on(found: re.Match[str]) -> bool:
    """Whether the sentence goes on after the match: a small letter or a digit comes next."""
    for character in found.string[found.end() : found.end() + 8]:
        if not (character.isspace() or character in _OPENERS or character in _CLOSERS):
            return character.islower() or character.isdigit()
    return False


def _neighbours(found: re.Match[str]) -> tuple[str, str]:
    """The nearest sign before the match, and the character right after it; "" at the ends."""
    before = found.string[max(0, found.start() - 8) : found.start()].rstrip()[-1:]
    return before, found.string[found.end() : found.end() + 1]


def _ellipsis(found: re.Match[str]) -> str:
    before, after = _neighbours(found)
    if not before or before in ",;:.!?" or before in "“‘«„([" or (after and after in ",;:!?"):
        return " "
    return _comma_or_stop(found)


def _comma_or_stop(found: re.Match[str]) -> str:
    sign = "," if _goes_on(found) else "."
    after = _neighbours(found)[1]
    return sign if after.isspace() or (after and after in _CLOSERS) else f"{sign} "


def _dash(found: re.Match[str]) -> str:
    before, after = _neighbours(found)
    if not before or before in ",;:.!?—" or before in "“‘«„([" or (after and after in ",;:.!?"):
        return " "
    if not after or after in "”’»" or (after in "\"'" and not found.group()[-1:].isspace()):
        return _comma_or_stop(found)
    return ", "


# How the signs of an address are read; in other languages each is a short stop.
_ADDRESS_SIGNS: dict[str, dict[str, str]] = {
    "en": {
        "/": "slash", "-": "dash", "_": "underscore", "?": "question mark", "=": "equals",
        "&": "and", "#": "hash", "%": "percent", ":": "colon", "~": "tilde", "+": "plus",
        "@": "at", ".": "dot",
    },
    "ru": {
        "/": "слэш", "-": "дефис", "_": "подчёркивание", "?": "вопрос", "=": "равно",
        "&": "и", "#": "решётка", "%": "процент", ":": "двоеточие", "~": "тильда", "+": "плюс",
        "@": "собака", ".": "точка",
    },
}  # fmt: skip
_HOST = r"(?P<host>[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}(?::\d{1,5})?)"
_PATH = r"(?P<path>[/?#][^\s<>\"”»]{0,2000})"
_ADDRESS = re.compile(
    rf"(?:https?://|\bwww\.)(?:www\.)?{_HOST}{_PATH}?"
    rf"|(?<![\w@./-])(?:[a-z0-9-]{{1,63}}\.){{1,4}}[a-z]{{2,6}}(?P<bare>/[^\s<>\"”»]{{0,2000}})",
    re.IGNORECASE,
)
_ADDRESS_PART = re.compile(r"[^\W_]+|[^\w\s]|_")


def _address_rule(primary: str) -> Rule:
    """Addresses without "https://www."; the signs of what follows the host are read by name."""
    signs = _ADDRESS_SIGNS.get(primary, {})

    def said(found: re.Match[str]) -> str:
        path = found["path"] or found["bare"] or ""
        kept = path.rstrip(".,;:!?)'’*_]")
        host = found["host"] or found.group()[: -len(path)]
        parts = [signs.get(part, part) for part in _ADDRESS_PART.findall(kept.rstrip("/"))]
        if not signs:
            parts = [part for part in parts if part.isalnum()]
        return " ".join((host, *parts)) + path[len(kept) :]

    return _ADDRESS, said


def _compatible(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", found.group())


def _blank(found: re.Match[str]) -> str:
    return " "


def _nothing(found: re.Match[str]) -> str:
    return ""


_CLEANING: tuple[Rule, ...] = (
    (re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]"), _nothing),
    (
        re.compile(
            "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufdd0-\ufdef\ufffc-\uffff"
            "\u2190-\u21ff\u2300-\u2bff\U0001f000-\U0001faff\U000e0000-\U000e0fff•·†‡¶©®™]"
        ),
        _blank,
    ),
    (re.compile("[\u2160-\u217f\ufb00-\ufb06\uff01-\uff5e]"), _compatible),
)
_MARKUP: tuple[Rule, ...] = (
    # In Piper, double brackets would hold raw phonemes.
    (re.compile(r"[\[\]{}<>|~^\\`]"), _blank),
    (re.compile(r"(?<!\w)[*_]+|[*_]+(?!\w)"), _nothing),
    (re.compile(r"[*_#]+|={2,}"), _blank),
    (re.compile(r"(?<=\d)[\u00a0\u2009\u202f](?=\d{3}(?!\d))"), _nothing),
    (re.compile(r"(?<=\d)/(?=\d)|(?<=[^\W\d_])/(?=[^\W\d_])"), _blank),
)
_PAUSES: tuple[Rule, ...] = (
    (re.compile(r"\s{0,3}(?:…[….]{0,20}|\.(?:\s?\.){2,40})"), _ellipsis),
    (re.compile(r"(?<=\d)[–—](?=\d)"), lambda found: "-"),
    (re.compile(rf"(?<={_LETTER})–(?={_LETTER})"), lambda found: "-"),
    (re.compile(r"\s{0,3}(?:[–—―]+|-{2,40}|(?<=\s)-(?=\s))\s{0,3}"), _dash),
    (re.compile(r"(?<=[!?])\s?(?=[!?])"), _nothing),
)
_NUMERALS: tuple[Rule, ...] = (
    (re.compile(r"^\s*(?P<numeral>[IVXLCDM]{1,15})\s*+[.:]?\s*+$"), _paragraph_roman),
    (re.compile(r"(?<![\w'’-])[IVXLCDM]{2,15}(?![\w'’])"), _lone_roman),
)
# "J. R. Miller": a point after a single capital would end the sentence there.
_INITIALS: tuple[Rule, ...] = (
    (
        re.compile(rf"(?<!\w)({_LETTER})\.(?=\s{_LETTER})"),
        lambda found: f"{found[1]} " if found[1].isupper() else found.group(),
    ),
    (
        re.compile(rf"(?<!\w)({_LETTER})\.(?={_LETTER}\.)"),
        lambda found: f"{found[1]} " if found[1].isupper() else found.group(),
    ),
)
_BLANKS: tuple[Rule, ...] = ((re.compile(r"\s{2,}|[^\S ]"), _blank),)

_LANGUAGES: dict[str, tuple[tuple[Rule, ...], tuple[Rule, ...]]] = {
    "en": (piper_english.BEFORE, piper_english.AFTER),
    "ru": (piper_russian.BEFORE, (*piper_russian.AFTER, *_INITIALS)),
    **{code: ((), (rule, *_INITIALS)) for code, rule in ABBREVIATIONS.items()},
}
_ORDINAL_POINTS = frozenset(
    ("cs", "da", "de", "et", "fi", "hr", "hu", "is", "lv", "nb", "no", "pl", "sk", "sl", "sr")
)
_PARAGRAPH = re.compile(r"\S(?:[^\n]|\n(?![^\S\n]*\n))*")


@dataclass(frozen=True, slots=True)
class SayableParagraph:
    """A paragraph made sayable: `start` is where it begins in the text it comes from."""

    start: int
    rewriting: Rewriting

    @property
    def text(self) -> str:
        """What is sayable of it; blank where nothing is."""
        return self.rewriting.text

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """The span of the whole text that `start` to `stop` of this paragraph stand for."""
        begin, end = self.rewriting.source(start, stop)
        return self.start + begin, self.start + end


def make_sayable(text: str, language: str) -> list[SayableParagraph]:
    """The paragraphs of `text`, each made sayable by the rules of `language` (BCP 47)."""
    rules = _rules(primary_language(language))
    return [
        SayableParagraph(found.start(), Rewriting(found.group()).apply(rules))
        for found in _PARAGRAPH.finditer(text)
    ]


def has_ordinal_points(language: str) -> bool:
    """Whether "5." is "fifth" in `language`, so that it ends no sentence."""
    return primary_language(language) in _ORDINAL_POINTS


def _rules(primary: str) -> tuple[Rule, ...]:
    before, after = _LANGUAGES.get(primary, ((), _INITIALS))
    return (
        *_CLEANING,
        _address_rule(primary),
        *before,
        *_NUMERALS,
        *_MARKUP,
        *_PAUSES,
        *after,
        *_BLANKS,
    )
