"""English money, dates, decades and kings, as Piper's front end can say them."""

from __future__ import annotations

import re

from tts_book.backends.piper.english_words import MONARCHS, NUMBERED
from tts_book.backends.piper.rewriting import Rule
from tts_book.text.numerals import roman

_UNITS = {
    "$": ("dollar", "cent"),
    "£": ("pound", "penny"),
    "€": ("euro", "cent"),
    "¥": ("yen", ""),
    "₽": ("ruble", "kopeck"),
}
_PLURALS = {"penny": "pence", "yen": "yen"}
_SCALES = {"k": "thousand", "m": "million", "bn": "billion", "tn": "trillion"}
_TENS = (
    "hundreds",
    "tens",
    "twenties",
    "thirties",
    "forties",
    "fifties",
    "sixties",
    "seventies",
    "eighties",
    "nineties",
)
_CENTURIES = {
    "10": "ten",
    "11": "eleven",
    "12": "twelve",
    "13": "thirteen",
    "14": "fourteen",
    "15": "fifteen",
    "16": "sixteen",
    "17": "seventeen",
    "18": "eighteen",
    "19": "nineteen",
    "20": "twenty",
}


def _money(found: re.Match[str]) -> str:
    unit, hundredth = _UNITS[found["sign"]]
    whole, part, scale = found["whole"], found["part"] or "", found["scale"]
    if scale or len(part) not in (0, 2) or not hundredth:
        amount = f"{whole}.{part}" if part else whole
        count = 1 if amount == "1" and not scale else 2
        scaled = f" {_SCALES.get(scale.lower(), scale)}" if scale else ""
        return f"{amount}{scaled} {_counted(count, unit)}"
    said = f"{whole} {_counted(int(whole.replace(',', '')), unit)}"
    if int(part or "0") == 0:
        return said
    parts = f"{int(part)} {_counted(int(part), hundredth)}"
    return parts if whole == "0" else f"{said} and {parts}"


def _counted(count: int, unit: str) -> str:
    return unit if count == 1 else _PLURALS.get(unit, f"{unit}s")


def _decade(found: re.Match[str]) -> str:
    century, tens = found["century"], found["tens"]
    if not century:
        return _TENS[int(tens)] if tens > "1" else found.group()
    if century == "20" and tens == "0":
        return "two thousands"
    return f"{_CENTURIES[century]} {_TENS[int(tens)]}"


def _monarch(found: re.Match[str]) -> str:
    number = roman(found[2])
    ending = "th" if 10 < number < 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{found[1]} the {number}{ending}"


def _year(found: re.Match[str]) -> str:
    """Years are said by halves: nineteen oh eight, nineteen eighty-four."""
    century, rest = found[1], found[2]
    if rest == "00":
        return f"{century} hundred"
    return f"{century} oh {rest[1]}" if rest[0] == "0" else f"{century} {rest}"


def _date(found: re.Match[str]) -> str:
    return found.group().replace("/", " ")


_MONARCH = "|".join(MONARCHS)
_NAMED = "|".join((*NUMBERED, *map(str.upper, NUMBERED)))

NUMBERS: tuple[Rule, ...] = (
    (
        re.compile(
            r"(?:\b(?:US|A|C|NZ|HK))?(?P<sign>[$£€¥₽])\s?"
            r"(?P<whole>\d{1,3}(?:,\d{3}){1,6}|\d{1,18})(?:\.(?P<part>\d{1,6}))?"
            r"(?:\s?(?P<scale>thousand|million|billion|trillion|bn|tn|[kmKM])\b)?(?!\w)"
        ),
        _money,
    ),
    (
        re.compile(r"(?<=\d)\s?([$£€¥₽])(?!\d)"),
        lambda found: f" {_counted(2, _UNITS[found[1]][0])}",
    ),
    (re.compile(r"\b\d{1,2}/\d{1,2}/\d{2,4}\b"), _date),
    (re.compile(r"(?<![\d/])1/2(?![\d/])"), lambda found: "one half"),
    (re.compile(r"(?<![\d/])1/4(?![\d/])"), lambda found: "one quarter"),
    (re.compile(r"(?<![\d/])3/4(?![\d/])"), lambda found: "three quarters"),
    (re.compile(r"(?<=\d)[–—](?=\d)"), lambda found: " to "),
    (re.compile(r"(?<=\d)\s?km/h\b"), lambda found: " kilometers an hour"),
    (re.compile(r"(?<![\w'’])['’]?(?P<century>1\d|20)?(?P<tens>\d)0['’]?s\b"), _decade),
    (
        re.compile(
            r"(?<![\w.,:/'’-])(1[1-9]|20(?=[1-9]))(\d\d)(?![\w%°]|[.,:/-]\d|\s(?:dollar|pound|euro|yen|ruble))"
        ),
        _year,
    ),
    (re.compile(r"(?:№\s?|#|\bN(?:o|º|°)\.?\s?(?<=[.º°\s]))(?=\d)"), lambda found: "number "),
    (re.compile(r"§{1,2}\s?(?=\d)"), lambda found: "section "),
    # A lone I after a name is nearly always the pronoun; after II it never is.
    (
        re.compile(
            rf"\b({_MONARCH})\s{{1,3}}(?=[IVXL]{{2}}|[VX]\b)(L?X{{0,3}}(?:IX|IV|V?I{{0,3}}))(?![\w'’])"
        ),
        _monarch,
    ),
    (
        re.compile(rf"\b({_NAMED})\s([IVX])(?=[^\w\s'’]|\s*$|\s+[A-Z(\[])"),
        lambda found: f"{found[1]} {roman(found[2])}",
    ),
)
