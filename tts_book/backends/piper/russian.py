"""Russian abbreviations that Piper's front end spells out letter by letter.

Only those whose ending does not depend on the sentence around them.
"""

from __future__ import annotations

import re

from tts_book.text.numerals import roman_value
from tts_book.text.source_map import Rule

_FIXED = {
    "т. е": "то есть",
    "т. к": "так как",
    "т. д": "так далее",
    "т. п": "тому подобное",
    "др": "другие",
    "пр": "прочее",
    "см": "смотри",
    "напр": "например",
    "тыс": "тысяч",
    "млн": "миллионов",
    "млрд": "миллиардов",
    "руб": "рублей",
    "коп": "копеек",
    "им": "имени",
}
_MAY_END = frozenset({"т. д", "т. п", "др", "пр", "руб", "коп"})
_BEFORE_A_NUMBER = {
    "д": "дом",
    "кв": "квартира",
    "стр": "страница",
    "с": "страница",
    "гл": "глава",
    "рис": "рисунок",
    "ул": "улица",
    "т": "том",
}
# One, two to four, and more of them.
_UNITS = {
    "г": ("грамм", "грамма", "граммов"),
    "кг": ("килограмм", "килограмма", "килограммов"),
    "км": ("километр", "километра", "километров"),
    "л": ("литр", "литра", "литров"),
    "м": ("метр", "метра", "метров"),
    "мг": ("миллиграмм", "миллиграмма", "миллиграммов"),
    "мл": ("миллилитр", "миллилитра", "миллилитров"),
    "мм": ("миллиметр", "миллиметра", "миллиметров"),
    "см": ("сантиметр", "сантиметра", "сантиметров"),
}
_MONEY = {"$": "долларов", "€": "евро", "£": "фунтов", "₽": "рублей"}


def _stop(found: re.Match[str]) -> str:
    """A full stop, where the point of an abbreviation was the sentence's as well."""
    rest = found.string[found.end() : found.end() + 8].lstrip(" \n\t\"'»”)")
    return "." if not rest or rest[0].isupper() else ""


def _any_of(words: dict[str, str]) -> str:
    longest_first = sorted(words, key=len, reverse=True)
    return "|".join(word.replace(". ", r"\.\s?") for word in longest_first)


def _fixed(found: re.Match[str]) -> str:
    shape = re.sub(r"\.\s?", ". ", found[1].lower())
    said = _FIXED[shape]
    stop = _stop(found) if shape in _MAY_END else ""
    return (said.capitalize() if found[1][0].isupper() else said) + stop


def _measure(found: re.Match[str]) -> str:
    number, unit = found["number"], found["unit"]
    if unit == "г" and len(number) == 4:
        return found.group()  # a year
    one, few, many = _UNITS[unit]
    said = few if "," in number else _counted(int(number), one, few, many)
    return f"{number} {said}" + (_stop(found) if found[0].endswith(".") else "")


def _counted(number: int, one: str, few: str, many: str) -> str:
    tens, ones = number // 10 % 10, number % 10
    if tens == 1 or ones == 0 or ones > 4:
        return many
    return one if ones == 1 else few


# Stems of the ordinals; the third has endings of its own.
_ORDINALS = """
перв втор треть четвёрт пят шест седьм восьм девят десят одиннадцат двенадцат тринадцат
четырнадцат пятнадцат шестнадцат семнадцат восемнадцат девятнадцат двадцат двадцать_перв
"""
_STEMS = tuple(stem.replace("_", " ") for stem in _ORDINALS.split())
_ENDINGS = {
    "веке": ("ом", "ем"),
    "века": ("ого", "его"),
    "веку": ("ому", "ему"),
    "веком": ("ым", "им"),
    "век": ("ый", "ий"),
}


def _century(found: re.Match[str]) -> str:
    """ "XIX в." and "XIX века" in words, after "в" in the case that it asks for."""
    number = roman_value(found["number"])
    if not 0 < number <= len(_STEMS):
        return found.group()
    case = found["word"] or ("веке" if found["in"] else "века")
    stem = _STEMS[number - 1]
    ending = _ENDINGS[case][stem == "треть"]
    if case == "век" and number in (2, 6, 7, 8):
        ending = "ой"
    point = "" if found["word"] else _stop(found)
    said = stem.removesuffix("ь") + "ь" * (stem == "треть" and ending != "ий") + ending
    return f"{found['in'] or ''}{said} {case}{point}"


BEFORE: tuple[Rule, ...] = (
    (
        re.compile(
            r"(?P<in>\b[Вв]о?\s)?\b(?P<number>[IVX]{1,5})[\s-]{1,2}"
            r"(?:(?P<word>век(?:а|е|у|ом)?)\b|в\.)"
        ),
        _century,
    ),
    (
        re.compile(
            r"(?<![\w.,])(?P<number>\d{1,6}(?:,\d{1,3})?)\s?(?P<unit>"
            + "|".join(sorted(_UNITS, key=len, reverse=True))
            + r")\b\.?(?![\w/])"
        ),
        _measure,
    ),
    (re.compile(r"(?<![\d/])(24)/(7)(?![\d/])"), lambda found: f"{found[1]} на {found[2]}"),
    (
        re.compile(r"(?P<before>\bверси\w{1,2}\s|\bv)(?P<version>\d{1,5}(?:\.\d{1,5}){1,3})(?!\w)"),
        lambda found: found["before"] + found["version"].replace(".", " точка "),
    ),
    (re.compile(r"№\s?(?=\d)"), lambda found: "номер "),
    (re.compile(r"§{1,2}\s?(?=\d)"), lambda found: "параграф "),
    (
        re.compile(r"([$€£₽])\s?(\d[\d,.]{0,20}(?<=\d))"),
        lambda found: f"{found[2]} {_MONEY[found[1]]}",
    ),
)
AFTER: tuple[Rule, ...] = (
    (
        re.compile(rf"(?<![\w.])({_any_of(_BEFORE_A_NUMBER)})\.(?=\s?\d)"),
        lambda found: _BEFORE_A_NUMBER[found[1]] + " ",
    ),
    (re.compile(r"(?<=\d)\s?гг\."), lambda found: " годов" + _stop(found)),
    (re.compile(r"(?<=\d{4})\s?г\."), lambda found: " года" + _stop(found)),
    (re.compile(r"(?<=\d)\s?вв\."), lambda found: " веков" + _stop(found)),
    (
        re.compile(r"(?<=\d)\s?в\.(?=\s?[^\w\s]|\s[а-яё]|\s*$)"),
        lambda found: " века" + _stop(found),
    ),
    (re.compile(rf"(?<![\w.])({_any_of(_FIXED)})\.(?!\w)", re.IGNORECASE), _fixed),
    (re.compile(r"(?<=\d)\s?(млн|млрд)\b"), lambda found: f" {_FIXED[found[1]]}"),
)
