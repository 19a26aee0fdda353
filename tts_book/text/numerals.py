"""Numbers as headings write them: digits, Roman, and words in the languages we know."""

from __future__ import annotations

import re
from itertools import product

_UNITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4})")
# What scanning and Russian keyboards make of Roman numerals.
_MISREAD = str.maketrans(
    {"1": "I", "l": "I", "|": "I", "І": "I", "Х": "X", "С": "C", "М": "M", "У": "V"}
)
_MISREAD_WHOLE = {"П": "II", "Ш": "III", "Н": "II"}
_DIGITS = re.compile(r"\d{1,3}\Z")
_ROMAN_ENDING = re.compile(r"(?<=[ivxlc])-?(?:я|ая|й|ый|ий|е|ое)\Z")
_ORDINAL = re.compile(r"\d{1,5}(?:-?(?:я|ая|й|ый|е|ое|ша|й|st|nd|rd|th|e|ère|er|ème|[ºª°])|\.)?\Z")


def roman_value(text: str) -> int:
    """The value of a Roman numeral, also of one that was scanned badly; 0 if it is none."""
    text = _MISREAD_WHOLE.get(text, text).translate(_MISREAD)
    if not 0 < len(text) <= 15:
        return 0
    upper = text.upper()
    if (text != upper and text != text.lower()) or not _ROMAN.fullmatch(upper):
        return 0
    values = [_UNITS[letter] for letter in upper]
    pairs = zip(values, [*values[1:], 0], strict=True)
    return sum(-value if value < after else value for value, after in pairs)


def arabic_value(text: str) -> int:
    """The value of one to three digits; 0 if it is anything else."""
    return int(text) if _DIGITS.match(text) and text.isascii() else 0


def word_value(text: str) -> int:
    """The value of a number from 1 to 99 in words, cardinal or ordinal: 21 for `Twenty-One` and
    `Двадцать первая`; 0 if it is none."""
    lower = text.lower().replace("’", "'")
    if lower in _VALUES:
        return _VALUES[lower]
    match [word for word in lower.replace("-", " ").split() if word not in _ANDS]:
        case tens, unit if tens in _TENS_VALUES and 0 < _VALUES.get(unit, 0) < 10:
            return _TENS_VALUES[tens] + _VALUES[unit]
    return 0


def is_number(word: str) -> bool:
    """Whether `word`, in lower case, is a number in digits, Roman letters or words."""
    word = _ROMAN_ENDING.sub("", word.rstrip(".:,)"))
    if _ORDINAL.match(word) or word in WORDS:
        return True
    if "-" in word and all(part in WORDS for part in word.split("-")):
        return True
    return word[:1] in "ivxlcіхлп1" and word.isalnum() and bool(roman_value(word.upper()))


def _forms(stems: str, endings: str) -> set[str]:
    ends = ["" if end == "0" else end for end in endings.split()]
    return {stem + end for stem, end in product(stems.split(), ends)}


def _set(words: str) -> set[str]:
    return set(words.split())


_RUSSIAN = (
    _forms(
        "перв втор четвёрт четверт пят шест седьм восьм девят десят одиннадцат двенадцат "
        "тринадцат четырнадцат пятнадцат шестнадцат семнадцат восемнадцат девятнадцат двадцат "
        "тридцат сороков пятидесят шестидесят семидесят восьмидесят девяност сот последн",
        "ый ой ий ая яя ое ее",
    )
    | _set("третий третья третье один одна два две три четыре пять шесть семь восемь")
    | _set("девять десять двадцать тридцать сорок пятьдесят шестьдесят семьдесят")
    | _set("восемьдесят девяносто сто")
    | _forms("один две три четыр пят шест сем восем девят", "надцать")
)
_UKRAINIAN = (
    _forms(
        "перш друг четверт п'ят п’ят шост сьом восьм дев'ят дев’ят десят одинадцят дванадцят "
        "тринадцят чотирнадцят п'ятнадцят п’ятнадцят шістнадцят сімнадцят вісімнадцят "
        "дев'ятнадцят дев’ятнадцят двадцят тридцят сороков останн",
        "ий а е я є",
    )
    | _set("третій третя третє один одна два дві три чотири п'ять п’ять шість сім вісім")
    | _set("дев'ять дев’ять десять двадцять тридцять сорок")
)
_ENGLISH = _set(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
    "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth "
    "thirtieth fortieth fiftieth last final"
)
_GERMAN_UNITS = ("ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun")
_GERMAN = (
    _forms("erst zweit dritt viert fünft sechst siebt siebent acht neunt zehnt elft", "e er es")
    | _forms("zwölft dreizehnt vierzehnt fünfzehnt sechzehnt siebzehnt achtzehnt", "e er es")
    | _forms("neunzehnt zwanzigst dreißigst dreissigst vierzigst letzt", "e er es")
    | {
        u + "und" + t
        for u in _GERMAN_UNITS
        for t in _forms("zwanzig dreißig vierzig", "0 ste ster stes")
    }
    | _set("eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn")
    | _set("fünfzehn sechzehn siebzehn achtzehn neunzehn zwanzig dreißig vierzig")
)
_FRENCH = (
    _forms("deux trois quatr cinqu six sept huit neuv dix onz douz treiz quatorz quinz", "ième")
    | _forms("seiz vingt trent quarant un", "ième")
    | _set("premier première second seconde un deux trois quatre cinq six sept huit neuf")
    | _set("dix onze douze treize quatorze quinze seize vingt trente quarante dernier")
)
_SOUTHERN = (
    _forms("primer segund tercer cuart quint sext séptim octav noven décim undécim", "o a")
    | _forms("duodécim vigésim trigésim prim second terz quart sest settim ottav non", "o a")
    | _forms("decim undicesim dodicesim tredicesim quattordicesim quindicesim sedicesim", "o a")
    | _forms("ventesim trentesim ultim primeir terceir oitav sétim últim", "o a")
    | _set("primer tercer uno una dos tres cuatro cinco seis siete ocho nueve diez once")
    | _set("doce trece catorce quince veinte due tre quattro cinque sei sette otto nove")
    | _set("dieci undici dodici tredici quattordici quindici venti")
)
_POLISH = (
    _forms("pierwsz czwart piąt szóst siódm ósm dziewiąt dziesiąt jedenast dwunast", "y a e")
    | _forms("trzynast czternast piętnast szesnast siedemnast osiemnast", "y a e")
    | _forms("dziewiętnast dwudziest trzydziest czterdziest", "y a e")
    | _set("drugi druga drugie trzeci trzecia trzecie ostatni ostatnia jeden dwa trzy")
    | _set("cztery pięć sześć siedem osiem dziewięć dziesięć")
)
WORDS = frozenset(_RUSSIAN | _UKRAINIAN | _ENGLISH | _GERMAN | _FRENCH | _SOUTHERN | _POLISH)


def _values(step: int, first: int, *rows: str) -> dict[str, int]:
    """Each row counts up by `step` from `first`; forms of one number are parted by a bar."""
    return {
        form: first + step * at
        for row in rows
        for at, forms in enumerate(row.split())
        for form in forms.split("|")
    }


# Chapters are numbered in these forms: Russian ordinals in the feminine, as of `глава`.
_TENS_VALUES = _values(
    10,
    20,
    "twenty thirty forty fifty sixty seventy eighty ninety",
    "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
    "двадцять тридцять сорок п'ятдесят шістдесят сімдесят вісімдесят дев'яносто",
    "vingt trente quarante cinquante soixante",
    "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
    "dwadzieścia trzydzieści czterdzieści pięćdziesiąt",
    "zwanzig dreißig|dreissig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
)
_ANDS = ("and", "et", "y", "e")
_VALUES = (
    _TENS_VALUES
    | _values(
        1,
        1,
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen",
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
        "один|одна два|две три четыре пять шесть семь восемь девять десять одиннадцать "
        "двенадцать тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать "
        "девятнадцать",
        "первая вторая третья четвёртая|четвертая пятая шестая седьмая восьмая девятая десятая "
        "одиннадцатая двенадцатая тринадцатая четырнадцатая пятнадцатая шестнадцатая "
        "семнадцатая восемнадцатая девятнадцатая двадцатая",
        "один|одна два|дві три чотири п'ять шість сім вісім дев'ять десять одинадцять "
        "дванадцять тринадцять чотирнадцять п'ятнадцять шістнадцять сімнадцять вісімнадцять "
        "дев'ятнадцять",
        "eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
        "fünfzehn sechzehn siebzehn achtzehn neunzehn",
        "un|une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze "
        "seize dix-sept dix-huit dix-neuf",
        "uno|una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
        "dieciséis diecisiete dieciocho diecinueve",
        "uno|una due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
        "quattordici quindici sedici diciassette diciotto diciannove",
        "um|uma dois|duas três quatro cinco seis sete oito nove dez onze doze treze catorze "
        "quinze dezesseis|dezasseis dezessete|dezassete dezoito dezenove|dezanove",
        "jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście "
        "trzynaście czternaście piętnaście szesnaście siedemnaście osiemnaście dziewiętnaście",
    )
    | _values(
        1,
        21,
        "veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis "
        "veintisiete veintiocho veintinueve",
    )
    | _values(
        1,
        21,
        "ventuno ventidue ventitré ventiquattro venticinque ventisei ventisette "
        "ventotto ventinove trenta trentuno trentadue trentatré trentaquattro trentacinque",
    )
    | {
        f"{unit}und{tens}": 20 + 10 * at + value
        for at, tens in enumerate(("zwanzig", "dreißig", "vierzig", "fünfzig"))
        for value, unit in enumerate(_GERMAN_UNITS, 1)
    }
)
