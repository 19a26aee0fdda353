"""What Piper's front end reads wrongly in English: the points of abbreviations end sentences for
it, and some words are spelled out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tts_book.backends.piper.rewriting import Rule
from tts_book.text.numerals import roman_value

# Titles that never end a sentence.
TITLES = {
    "Capt": "Captain",
    "Cmdr": "Commander",
    "Lt": "Lieutenant",
    "Messrs": "Messers",
    "Mlle": "Mademoiselle",
    "Mme": "Madame",
    "Mr": "Mister",
    "Mrs": "Mrs",
    "Prof": "Professor",
    "Rev": "Reverend",
    "Sgt": "Sergeant",
    "Supt": "Superintendent",
}
# Titles only where a name follows: elsewhere they are words, or end a sentence.
BEFORE_A_NAME = {
    "Adm": "Admiral",
    "Col": "Colonel",
    "Fr": "Father",
    "Ft": "Fort",
    "Gen": "General",
    "Gov": "Governor",
    "Hon": "Honorable",
    "Insp": "Inspector",
    "Maj": "Major",
    "Mt": "Mount",
    "Pres": "President",
    "Rep": "Representative",
    "Sen": "Senator",
    "Ste": "Sainte",
}
# A title before a name, a road after one.
TITLE_OR_ROAD = {"Dr": ("Doctor", "Drive"), "St": ("Saint", "Street")}
_PLACES = "Bay Cape Chapel Church Fort Gulf Isle Lake Mount Port River"
NO_ROAD_AFTER = frozenset((*_PLACES.split(), *TITLES.values(), *BEFORE_A_NAME.values()))
AFTER_A_NAME = {
    "Ave": "Avenue",
    "Blvd": "Boulevard",
    "Bros": "Brothers",
    "Co": "Company",
    "Corp": "Corporation",
    "Esq": "Esquire",
    "Inc": "Incorporated",
    "Jr": "Junior",
    "Ltd": "Limited",
    "Rd": "Road",
    "Sq": "Square",
    "Sr": "Senior",
}
BEFORE_A_NUMBER = {
    "art": "article",
    "c": "circa",
    "ca": "circa",
    "ch": "chapter",
    "chap": "chapter",
    "fig": "figure",
    "figs": "figures",
    "fol": "folio",
    "no": "number",
    "nos": "numbers",
    "p": "page",
    "pp": "pages",
    "pt": "part",
    "sec": "section",
    "vol": "volume",
    "vols": "volumes",
}
MONTHS = {
    "Jan": "January",
    "Feb": "February",
    "Mar": "March",
    "Apr": "April",
    "Jun": "June",
    "Jul": "July",
    "Aug": "August",
    "Sept": "September",
    "Sep": "September",
    "Oct": "October",
    "Nov": "November",
    "Dec": "December",
}
AFTER_A_NUMBER = {
    "cm": "centimeters",
    "ft": "feet",
    "hr": "hours",
    "hrs": "hours",
    "kg": "kilograms",
    "km": "kilometers",
    "lb": "pounds",
    "lbs": "pounds",
    "mi": "miles",
    "min": "minutes",
    "mins": "minutes",
    "mm": "millimeters",
    "mph": "miles an hour",
    "oz": "ounces",
    "sec": "seconds",
    "secs": "seconds",
    "yd": "yards",
    "yds": "yards",
}
ANYWHERE = {
    "&c": "et cetera",
    "approx": "approximately",
    "cf": "compare",
    "dept": "department",
    "e.g": "for example",
    "esp": "especially",
    "etc": "et cetera",
    "govt": "government",
    "i.e": "that is",
    "ibid": "ibidem",
    "viz": "namely",
    "vs": "versus",
}
_STARTERS = """
A After All An And As At Before But By Did Do Every For From Had Has He Her His How I If
In It Its Let My Nevertheless No Nobody Nor Not Nothing Now On Once One Or Our Perhaps She
So Some Still Such That The Their Then There These They This Those Though To Until We Well
Were What When Where Which While Who Why With Yes Yet You Your
"""
STARTERS = frozenset(_STARTERS.split())
_NUMBERED = """
Act Appendix Article Book Canto Chapter Figure Letter Part Psalm Scene Section Table
Volume
"""
NUMBERED = tuple(_NUMBERED.split())
_MONARCHS = """
Alexander Alfonso Benedict Catherine Charles Christian Clement Edward Elizabeth Ferdinand
Francis Frederick George Gregory Gustav Henry Innocent Ivan James John Leo Leopold Louis
Ludwig Mary Napoleon Nicholas Paul Peter Philip Pius Ramesses Richard Urban Wilhelm
William
"""
MONARCHS = tuple(_MONARCHS.split())


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
    number = roman_value(found[2])
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
        lambda found: f"{found[1]} {roman_value(found[2])}",
    ),
)


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
