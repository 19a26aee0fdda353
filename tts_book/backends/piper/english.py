"""What Piper's front end reads wrongly in English: the points of abbreviations end sentences for
it, and some words are spelled out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tts_book.text.numerals import roman_value
from tts_book.text.source_map import Rule

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
# A title before a name, a road after the name of one.
TITLE_OR_ROAD = {"Dr": ("Doctor", "Drive"), "St": ("Saint", "Street")}
_NO_ROAD = """
Bay Cape Chapel Church Father Fort Gulf Isle King Lady Lake Lord Madam Miss Mount Port
Prince Princess Queen River Sir The
"""
NO_ROAD_AFTER = frozenset((*_NO_ROAD.split(), *TITLES.values(), *BEFORE_A_NAME.values()))
# Names of roads so common that a name may follow them: "on Wall St. Bankers ran".
_ROADS = """
Baker Bond Broad Canal Cannon Carnaby Cedar Chestnut Coleman Downing Elm Fleet Front Harley High
Lombard Main Maple Market Mill Oak Oxford Pine Regent Spring State Threadneedle Wall Walnut Water
"""
ROADS = frozenset(_ROADS.split())
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
# Books of the Bible, before a chapter and a verse.
BOOKS = {
    "Chron": "Chronicles",
    "Col": "Colossians",
    "Cor": "Corinthians",
    "Dan": "Daniel",
    "Deut": "Deuteronomy",
    "Eccl": "Ecclesiastes",
    "Eph": "Ephesians",
    "Ex": "Exodus",
    "Exod": "Exodus",
    "Ezek": "Ezekiel",
    "Gal": "Galatians",
    "Gen": "Genesis",
    "Heb": "Hebrews",
    "Hos": "Hosea",
    "Isa": "Isaiah",
    "Jas": "James",
    "Jer": "Jeremiah",
    "Josh": "Joshua",
    "Judg": "Judges",
    "Lam": "Lamentations",
    "Lev": "Leviticus",
    "Mal": "Malachi",
    "Matt": "Matthew",
    "Neh": "Nehemiah",
    "Num": "Numbers",
    "Pet": "Peter",
    "Phil": "Philippians",
    "Prov": "Proverbs",
    "Ps": "Psalm",
    "Rev": "Revelation",
    "Rom": "Romans",
    "Sam": "Samuel",
    "Thess": "Thessalonians",
    "Tim": "Timothy",
    "Zech": "Zechariah",
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
# One of them, and several.
AFTER_A_NUMBER = {
    "cm": ("centimeter", "centimeters"),
    "ft": ("foot", "feet"),
    "g": ("gram", "grams"),
    "hr": ("hour", "hours"),
    "hrs": ("hour", "hours"),
    "kg": ("kilogram", "kilograms"),
    "km": ("kilometer", "kilometers"),
    "km/h": ("kilometer an hour", "kilometers an hour"),
    "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"),
    "m": ("meter", "meters"),
    "m/s": ("meter a second", "meters a second"),
    "mg": ("milligram", "milligrams"),
    "mi": ("mile", "miles"),
    "min": ("minute", "minutes"),
    "mins": ("minute", "minutes"),
    "ml": ("milliliter", "milliliters"),
    "mm": ("millimeter", "millimeters"),
    "mph": ("mile an hour", "miles an hour"),
    "oz": ("ounce", "ounces"),
    "sec": ("second", "seconds"),
    "secs": ("second", "seconds"),
    "yd": ("yard", "yards"),
    "yds": ("yard", "yards"),
}
_UNIT_NAMES = "|".join(sorted(AFTER_A_NUMBER, key=len, reverse=True))
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


# What an amount may describe: "a 5 pound note", never "5 pounds note".
_PRICED = "bills? cheques? checks? coins? fares? fees? fines? notes? pieces? prizes? stamps? tips?"
_IS_PRICED = re.compile(rf"(?:\s|-)(?:{_PRICED.replace(' ', '|')})\b|-[a-z]")
_ARTICLE = re.compile(r"\b[Aa]n? $")
_WORD_FOLLOWS = re.compile(r"[\s-][a-z]")


def _describes(found: re.Match[str]) -> bool:
    """Whether an amount stands before what it describes, as in "a 5 km walk"."""
    text = found.string
    after = text[found.end() : found.end() + 12]
    if _IS_PRICED.match(after):
        return True
    has_article = _ARTICLE.search(text[max(0, found.start() - 4) : found.start()])
    return has_article is not None and _WORD_FOLLOWS.match(after) is not None


def _money(found: re.Match[str]) -> str:
    unit, hundredth = _UNITS[found["sign"]]
    whole, part, scale = found["whole"], found["part"] or "", found["scale"]
    if scale or len(part) not in (0, 2) or not hundredth:
        amount = f"{whole}.{part}" if part else whole
        one = (amount == "1" and not scale) or _describes(found)
        scaled = f" {_SCALES.get(scale.lower(), scale)}" if scale else ""
        return f"{amount}{scaled} {_counted(1 if one else 2, unit)}"
    one = int(part or "0") == 0 and _describes(found)
    said = f"{whole} {_counted(1 if one else int(whole.replace(',', '')), unit)}"
    if int(part or "0") == 0:
        return said
    parts = f"{int(part)} {_counted(int(part), hundredth)}"
    return parts if whole == "0" else f"{said} and {parts}"


def _counted(count: int, unit: str) -> str:
    return unit if count == 1 else _PLURALS.get(unit, f"{unit}s")


_ONES = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_PARTS = {
    2: "half",
    3: "third",
    4: "quarter",
    5: "fifth",
    6: "sixth",
    7: "seventh",
    8: "eighth",
    9: "ninth",
    10: "tenth",
    12: "twelfth",
    16: "sixteenth",
}


def _fraction(found: re.Match[str]) -> str:
    """ "2 1/3" is two and one third; "9/11" and "24/7" are no fractions."""
    above, below = int(found["above"]), int(found["below"])
    if not 0 < above < min(below, len(_ONES)) or below not in _PARTS:
        return found.group()
    part = _PARTS[below] if above == 1 else f"{_PARTS[below]}s"
    counted = f"{_ONES[above]} {part}"
    one, several = AFTER_A_NUMBER.get(found["unit"], ("", ""))
    if found["whole"] is None:
        return f"{counted} of a {one}" if one else counted
    mixed = f"{found['whole']} and {'a half' if below == 2 else counted}"
    return f"{mixed} {several}" if several else mixed


def _measure(found: re.Match[str]) -> str:
    one, several = AFTER_A_NUMBER[found["unit"]]
    said = one if found["number"] == "1" or _describes(found) else several
    return f"{found['number']} {said}" + (_point(found) if found[0].endswith(".") else "")


def _verse(found: re.Match[str]) -> str:
    book, chapter, verse = BOOKS[found["book"]], found["chapter"], found["verse"]
    return f"{book} {chapter} {verse}" + (f" to {found['last']}" if found["last"] else "")


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
    (
        re.compile(
            r"(?<![\d/.,:])(?:(?P<whole>\d{1,4})\s)?(?<![\w/.,:])"
            r"(?P<above>\d{1,2})/(?P<below>\d{1,2})(?![\w/]|[.,]\d)"
            rf"(?:\s(?P<unit>{_UNIT_NAMES})\b(?![\w'’/]))?"
        ),
        _fraction,
    ),
    (
        re.compile(
            r"\b(?P<book>" + "|".join(BOOKS) + r")\.?\s(?P<chapter>\d{1,3}):(?P<verse>\d{1,3})"
            r"(?:[-–—](?P<last>\d{1,3}))?(?!\w)"
        ),
        _verse,
    ),
    (re.compile(r"(?<=\d)[–—](?=\d)"), lambda found: " to "),
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
# "5 Elm ", "42nd St. ": a number and one to three words of a road's name.
_HOUSE_NUMBER = re.compile(r"(?<![\w.,])\d{1,5}[A-Za-z]? (?:[A-Z][\w'’.-]{0,30} ){1,3}$")
_ROAD_ENDS = re.compile(r"\s*[,;:)!?\"”]|\s+[a-z]")
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
    """ "Lord St. Simon" is a saint, "42 Elm St. Boston" and "on Elm St., where" are streets: a
    title wins before a name unless a road's name or a house number says otherwise."""
    title, road = TITLE_OR_ROAD[found[1]]
    before = found.string[max(0, found.start() - 60) : found.start()]
    name = _NAME_BEFORE.search(before)
    if name is None or name[1] == "Dear" or name[1] in STARTERS:
        return title + _point(found)
    if _point(found) or _ROAD_ENDS.match(found.string, found.end()):
        return road + _point(found)
    if name[1] in NO_ROAD_AFTER:
        return title
    is_road = name[1] is None or name[1] in ROADS or _HOUSE_NUMBER.search(before)
    return road if is_road else title


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


BEFORE: tuple[Rule, ...] = (
    *NUMBERS,
    (
        re.compile(
            rf"(?<![\w.,])(?P<number>\d[\d.,]{{0,20}}(?<=\d))[\s-]?"
            rf"(?P<unit>{_UNIT_NAMES})\b\.?(?![\w'’/])"
        ),
        _measure,
    ),
)
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
    (re.compile(r"(?<![\w.])((?:[A-Z]\.){2,8})(?!\w)"), _letters),
    (re.compile(r"(?<!\w)([A-Z])\.(?=\s+[A-Z])"), _initial),
)
