"""Makes a text sayable for Piper: rewrites what its front end would spell out, name or run
together, and cuts it into parts that Piper speaks well: sentences, and clauses of long ones.

The rules for every language are here, with the abbreviations of those that have no module of their
own: Piper would end a sentence at their points. Every pattern is bounded, so that time is linear in
the text. Time and memory of the model grow faster than the text, so that no part is longer than
`LONGEST_CHARACTERS`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tts_book.backends.piper import english as piper_english
from tts_book.backends.piper import russian as piper_russian
from tts_book.text.language_tags import primary_language
from tts_book.text.numerals import roman_value
from tts_book.text.source_map import Rewriting, Rule

_GERMAN = {
    "Dr": "Doktor",
    "Hr": "Herr",
    "Hrn": "Herrn",
    "Fr": "Frau",
    "Prof": "Professor",
    "St": "Sankt",
    "Nr": "Nummer",
    "ca": "circa",
    "bzw": "beziehungsweise",
    "evtl": "eventuell",
    "z. B": "zum Beispiel",
    "d. h": "das heißt",
    "u. a": "unter anderem",
    "sog": "sogenannte",
    "vgl": "vergleiche",
    "usw": "und so weiter",
}
_FRENCH = {
    "M": "monsieur",
    "MM": "messieurs",
    "Mme": "madame",
    "Mlle": "mademoiselle",
    "Dr": "docteur",
    "St": "saint",
    "p. ex": "par exemple",
    "c.-à-d": "c'est-à-dire",
    "env": "environ",
    "etc": "et cetera",
}
_SPANISH = {
    "Sr": "señor",
    "Sra": "señora",
    "Srta": "señorita",
    "Dr": "doctor",
    "Dra": "doctora",
    "D": "don",
    "Dña": "doña",
    "Ud": "usted",
    "Uds": "ustedes",
    "Vd": "usted",
    "p. ej": "por ejemplo",
    "núm": "número",
    "etc": "etcétera",
}
_ITALIAN = {
    "sig": "signor",
    "dott": "dottor",
    "prof": "professor",
    "avv": "avvocato",
    "ing": "ingegner",
    "pag": "pagina",
    "ecc": "eccetera",
}
_PORTUGUESE = {
    "Sr": "senhor",
    "Sra": "senhora",
    "Dr": "doutor",
    "Dra": "doutora",
    "D": "dom",
    "Prof": "professor",
    "p. ex": "por exemplo",
    "etc": "et cetera",
}
_POLISH = {
    "prof": "profesor",
    "np": "na przykład",
    "tzn": "to znaczy",
    "m. in": "między innymi",
    "ok": "około",
    "ul": "ulica",
    "itd": "i tak dalej",
    "itp": "i tym podobne",
}
_UKRAINIAN = {
    "т. зв": "так званий",
    "напр": "наприклад",
    "див": "дивись",
    "ім": "імені",
    "тис": "тисяч",
    "грн": "гривень",
    "т. д": "так далі",
    "т. п": "тому подібне",
    "ін": "інші",
}
# These stand at the end of a list, and so often of a sentence.
_MAY_END = frozenset({"usw", "etc", "ecc", "itd", "itp", "т. д", "т. п", "ін", "грн"})


def _abbreviation_rule(table: Mapping[str, str]) -> Rule:
    longest_first = sorted(table, key=len, reverse=True)
    any_of = "|".join(re.escape(word).replace(r"\.\ ", r"\.\s?") for word in longest_first)
    known = {word.lower(): said for word, said in table.items()}

    def said(found: re.Match[str]) -> str:
        short = re.sub(r"\.\s?(?=\w)", ". ", found[1]).lower()
        word = known[short]
        word = word[0].upper() + word[1:] if found[1][0].isupper() else word
        rest = found.string[found.end() : found.end() + 8].lstrip(" \n\t\"'»”)")
        ends = short in _MAY_END and (not rest or rest[0].isupper())
        return word + ("." if ends else "")

    return re.compile(rf"(?<![\w.])({any_of})\.(?!\w)"), said


_ABBREVIATIONS: dict[str, Rule] = {
    "de": _abbreviation_rule(_GERMAN),
    "es": _abbreviation_rule(_SPANISH),
    "fr": _abbreviation_rule(_FRENCH),
    "it": _abbreviation_rule(_ITALIAN),
    "pl": _abbreviation_rule(_POLISH),
    "pt": _abbreviation_rule(_PORTUGUESE),
    "uk": _abbreviation_rule(_UKRAINIAN),
}


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
    **{code: ((), (rule, *_INITIALS)) for code, rule in _ABBREVIATIONS.items()},
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


LONGEST_CHARACTERS = 400

# A clause or a blank is taken only in the last part of the room, not right at its start.
_LEAST_CHARACTERS = 120

_END = re.compile(
    r"[.!?…]{1,8}[\"'”’»)]{0,4}\s+(?=(?P<next>[\"'“‘«„(¿¡]{0,4}\S))"
    r"|[\u3002\uff01\uff1f][”\u300d\u300f]?"
)
_CLAUSES = (
    re.compile(r"[;:]\s"),
    re.compile(r"[,—)]\s|[\u3001\uff0c\uff1a\uff1b]"),
    re.compile(r"\s"),
)


class PartEnd(StrEnum):
    """What follows a piece."""

    CLAUSE = "clause"
    SENTENCE = "sentence"


@dataclass(frozen=True, slots=True)
class SentencePart:
    """Characters `start` to `stop` of a paragraph, without blanks at its ends."""

    start: int
    stop: int
    after: PartEnd


def split_paragraph(text: str, ordinal_points: bool = False) -> list[SentencePart]:
    """The pieces of a paragraph, in order; those in which nothing is to be said are left out.
    With `ordinal_points` a number and a point ("5. Mai") end no sentence."""
    sentences = _sentences(text, ordinal_points)
    return [piece for start, stop in sentences for piece in _parts(text, start, stop)]


def _sentences(text: str, ordinal_points: bool) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _END.finditer(text):
        following = found["next"]
        if ordinal_points and text[max(0, found.start() - 1) : found.start()].isdigit():
            continue
        if following is None or not following[-1].islower():
            yield start, found.end()
            start = found.end()
    yield start, len(text)


def _parts(text: str, start: int, stop: int) -> Iterator[SentencePart]:
    while stop - start > LONGEST_CHARACTERS:
        cut = _cut(text, start)
        yield from _piece(text, start, cut, PartEnd.CLAUSE)
        start = cut
    yield from _piece(text, start, stop, PartEnd.SENTENCE)


def _cut(text: str, start: int) -> int:
    window = text[start : start + LONGEST_CHARACTERS]
    for signs in _CLAUSES:
        ends = [found.end() for found in signs.finditer(window, _LEAST_CHARACTERS)]
        if ends:
            return start + ends[-1]
    return start + LONGEST_CHARACTERS


def _piece(text: str, start: int, stop: int, after: PartEnd) -> Iterator[SentencePart]:
    said = text[start:stop]
    if any(map(str.isalnum, said)):
        first = start + len(said) - len(said.lstrip())
        yield SentencePart(first, first + len(said.strip()), after)
