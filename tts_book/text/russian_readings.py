"""Russian numbers, abbreviations and Roman numerals in words, by the extra `ru`.

The library decides how a number is said; what it would take for a number and is none (identifiers,
Latin words of Roman letters) is hidden from it, and what it cannot know (versions, weights of four
digits, ordinals of wars and congresses) is put so that it understands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from functools import cache

from tts_book.text.inline_rules import Edit
from tts_book.text.numerals import roman_value

InWords = Callable[[str], str]

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_NEEDED = re.compile(r"\d|[IVXLCDM]{2,}|\b[IVX]\b|(?<!\w)[А-Яа-яёЁ]{1,6}\.|[№§%°&$€₽]|\b[Гг]-[нж]")
_DEGREES = re.compile(r"°\s?\Z")
_PARAGRAPH = re.compile(r"[^\n]+")
_LONGEST = 20_000  # characters; a paragraph beyond that is no prose

# A word that no rule of the library touches, in place of one that must stay as it is written.
_HIDDEN = "Жщжъ"

_IDENTIFIER = (
    # 3f2a9bc1d, a1b2c3, H2SO4; a unique id with its hyphens. Not IPv6, MP3 or 4K: one change only.
    r"(?<![\w-])(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?=\w{0,80}[A-Za-z])[A-Za-z]{0,40}\d{1,40}[A-Za-z]{1,40}\d\w{0,80}"
    r"|(?=[0-9a-f]{0,80}\d)(?=[0-9a-f]{0,80}[a-f])[0-9a-f]{7,80}"
    r"|[IVXLCDM]{1,6}-?\d{1,5})(?![\w-])"  # MI6, DC-10
)
_VERSION = (
    r"(?P<before>\b(?:[Вв]ерси[яиюей]{1,2}|[A-Za-z][A-Za-z+#.-]{1,30})\s|\bv\.?\s?)"
    r"(?P<version>\d{1,5}(?:\.\d{1,5}){1,4})(?![\w%]|[.,]\d)"
    r"|(?<![\w.,])(?P<named>\d{1,5}(?:\.\d{1,5}){1,4})(?=-[A-Za-z])"
)
_JUBILEE = r"(?<![\w.,])(?P<years>\d{1,4})-?лет(?P<case>и(?:ями|ях|ям|ем|е|ю|я|й|и))\b"
_TITLE = r"(?<![\w-])(?P<title>[Гг]-(?:на?|ну|ном|не|ж[аиеу]|жой))(?![\w-])"
_TITLES = {"н": "осподин", "ж": "оспож"}
_OFTEN = r"(?<![\w/.,])(?P<often>24/7|7/24|50/50)(?![\w/])"
_PREPOSITION = "в|во|с|со|до|после|около|от|на|за|к|ко|по|из|между|и|или"
_GRAMS = (
    r"(?<![\w.,])(?P<weight>\d{4})\s?г(?=\s(?!(?:до|и|или|был|была|было|стал|стала|стало)\b)"
    r"[а-яё]{2,30}(?:а|я|ы|и|ов|ев|ей|у|ю)\b)"
    r"|(?P<weighs>\b(?:[Вв]ес(?:ит|ил[аио]?|ят|ом|ом в)?|[Мм]асс(?:а|ой|ою))\s[^.\n\d]{0,20})"
    r"(?P<grams>\d{1,6})\s?г\b"
)
_SPECIAL = re.compile(
    f"(?P<identifier>{_IDENTIFIER})|{_VERSION}|{_JUBILEE}|{_TITLE}|{_OFTEN}|{_GRAMS}"
    r"|(?<![\w’'°])(?<!°\s)(?P<roman>[IVXLCDM]{1,15})(?![\w’'])"
)
_AFTER_PREPOSITION = re.compile(rf"(?:^|[\s(«])(?:{_PREPOSITION})\s$", re.IGNORECASE)

# What is counted by Roman numerals, before the numeral ("акт IV") and behind it ("XX съезд"). The
# library knows the words of _STRONG and puts the numeral into their case.
_NUMBERED = re.compile(
    r"(?<!\w)(?:параграф|акт|действи|сцен|явлени|картин|песн"
    r"|серии|серия|эпизод|урок|лекци|этап|уров|класс|групп|категори|степен|тип|фаз|стади"
    r"|период|приложени|таблиц|рисун|номер|модел|раунд|турнир|вып\.|рис\."
    r"|табл\.|ст\.)[а-яё]{0,6}\s$",
    re.IGNORECASE,
)
_STRONG = re.compile(
    r"(?<!\w)(?:(?:глав|част|том|книг|раздел|выпуск|квартал)[а-яё]{0,4}|(?:т|гл|кн|ч|разд)\.)\s$",
    re.IGNORECASE,
)
_MONARCH = re.compile(
    r"(?<!\w)(?:Александр|Алексе|Ана?стаси|Бенедикт|Васили|Вильгельм|Генрих|Георг|Григори|Густав"
    r"|Дари|Екатерин|Елизавет|Иван|Иннокенти|Иоанн|Карл|Климент|Констант|Кристиан|Ксеркс|Л[её]в"
    r"|Льв|Леопольд|Людовик|Максимилиан|Мари|Наполеон|Никола|Отто|П[её]тр|Пав[её]?л|Пи[йяею]|Рамзес"
    r"|Рамсес|Ричард|Рудольф|Сигизмунд|Тутмос|Урбан|Ф[её]дор|Фердинанд|Филипп|Франц|Франциск"
    r"|Фридрих|Эдуард|Юстиниан|Яков)[а-яё]{0,4}\s$"
)
# "Александр I": the library takes some of these for the genitive of a woman's name.
_KING = re.compile(
    r"(?<!\w)(?:Александр|Бенедикт|Вильгельм|Генрих|Георг|Густав|Иван|Иоанн|Карл|Климент|Константин"
    r"|Леопольд|Людовик|Максимилиан|Наполеон|Рамзес|Рамсес|Ричард|Рудольф|Сигизмунд|Тутмос|Урбан"
    r"|Фердинанд|Филипп|Франц|Фридрих|Эдуард|Юстиниан)\s$"
)
_LATIN_BEFORE = re.compile(r"[A-Za-z][\w.+#-]{0,30}[\w+#]\s$")
_IN_A_NAME = re.compile(r"[/._@\\-]?[IVXLCDM]{1,15}[/+#_@\\]|[/._@\\][IVXLCDM]")
_NEXT = re.compile(r"[\s\u00a0-]{1,2}(?P<word>[А-Яа-яёЁ]{1,30}\.?)")
_CENTURIES = re.compile(r"(?:вв?\.|век|столет|тысячелет|кварт|кв\.)", re.IGNORECASE)
_COUNTED = re.compile(
    r"(?:съезд|конгресс|интернационал|рейх|династи|конференци|пленум|сесси|созыв|арми|корпус"
    r"|дивизи|полк|легион|собор|поход|крестов|курс|класс|этаж|том|част|глав|книг|акт|действи|сцен"
    r"|степен|категори|групп|отделени|отдел|форум|фестивал|чемпионат|республик|импери|дум|конкурс"
    r"|этап|тур|раздел|квартал|полугоди|триместр|семестр)",
    re.IGNORECASE,
)
_ORDINAL_ADJECTIVE = re.compile(
    r"(?:миров|всемирн|международн|олимпийск|государственн|всероссийск|всесоюзн|внеочередн"
    r"|отечественн|ежегодн|гвардейск|стрелков|танков|пехотн|крестов|вселенск|ватиканск|пунически"
    r"|параллельн)[а-яё]{1,4}$",
    re.IGNORECASE,
)
_ENDINGS = {
    "ая": "я", "яя": "я", "ой": "й", "ей": "й", "ую": "ю", "ый": "й", "ий": "й", "ого": "го",
    "его": "го", "ому": "му", "ему": "му", "ом": "м", "ем": "м", "ым": "м", "им": "м", "ые": "е",
    "ие": "е", "ых": "х", "их": "х", "ое": "е", "ее": "е",
}  # fmt: skip
_CHAIN_BEFORE = re.compile(r"(?P<numeral>[IVXLC]{1,8})\s?(?:[–—,-]|и|или)\s?$")
_CHAIN_AFTER = re.compile(r"\s?(?:[–—,-]|и\b|или\b)\s?(?P<numeral>[IVXLC]{1,8})(?!\w)")


@cache
def load_russian_rules() -> InWords | None:
    """Turns a Russian paragraph into words; None where the extra `ru` is not installed."""
    try:
        from ru_normalizr import NormalizeOptions, Normalizer
    except ModuleNotFoundError:
        return None
    normalizer = Normalizer(NormalizeOptions(mode="safe"))
    return lambda text: str(normalizer.normalize(text))


def find_russian_readings(text: str, in_words: InWords) -> Iterator[Edit]:
    """What to say instead of numbers and the like in `text`; all else stays as it is written."""
    for paragraph in _PARAGRAPH.finditer(text):
        written = paragraph[0]
        if len(written) <= _LONGEST and _NEEDED.search(written):
            for edit in _differences(written, _said(written, in_words)):
                old = written[edit.start : edit.stop]
                # Where words have changed places, half of the change would be a loss.
                lost = any(map(str.isalnum, old)) and not any(map(str.isalnum, edit.new))
                is_scale = _DEGREES.search(written, max(0, edit.start - 2), edit.start)
                if (is_scale or _NEEDED.search(old)) and not lost:
                    shift = paragraph.start()
                    yield Edit(edit.start + shift, edit.stop + shift, edit.new)


def _said(written: str, in_words: InWords) -> str:
    """The paragraph in words, with what must stay hidden from the library meanwhile."""
    hidden: list[str] = []

    def put(found: re.Match[str]) -> str:
        version = found["version"] or found["named"]
        if version:
            # Number by number: among other words they would agree with those.
            hidden.append(" точка ".join(map(in_words, version.split("."))))
            return f"{found['before'] or ''} ".lstrip() + _HIDDEN
        if found["years"]:  # it knows the adjective only
            hidden.append(in_words(f"{found['years']}-летний").removesuffix("ний") + found["case"])
            return _HIDDEN
        if found["title"]:
            first, form = found["title"].split("-")
            hidden.append(first + _TITLES[form[0]] + form[1:])
            return _HIDDEN
        said = _special(found)
        if said is None:
            hidden.append(found.group())
        return _HIDDEN if said is None else said

    said = in_words(_SPECIAL.sub(put, written))
    if said.count(_HIDDEN) != len(hidden):
        return written  # the library has moved or dropped one: nobody knows which
    kept = iter(hidden)
    return re.sub(_HIDDEN, lambda found: next(kept), said)


def _special(found: re.Match[str]) -> str | None:
    """How to put it to the library; None for what is to stay as it is written."""
    if found["identifier"]:
        return None
    if found["often"]:
        return found["often"].replace("/", " на ")
    if found["weight"]:
        before = found.string[max(0, found.start() - 12) : found.start()]
        is_year = _AFTER_PREPOSITION.search(before) is not None
        return found.group() if is_year else f"{found['weight']} граммов"
    if found["grams"]:
        return f"{found['weighs']}{found['grams']} граммов"
    return _roman(found)


def _roman(found: re.Match[str]) -> str | None:
    """A Roman numeral as the library shall see it; None for a Latin word of such letters."""
    numeral, text = found["roman"], found.string
    value = roman_value(numeral)
    if not value or _IN_A_NAME.match(text, max(0, found.start() - 1)):
        return None
    before = text[max(0, found.start() - 40) : found.start()]
    following = _NEXT.match(text, found.end())
    word = following["word"] if following else ""
    if _CENTURIES.match(word) or _STRONG.search(before):
        return numeral
    if len(numeral) == 1 and numeral in "LCDM":
        return None
    if _KING.search(before):
        return _ordinal(value, "король", any_noun=True)
    if _ORDINAL_ADJECTIVE.match(word) and (ordinal := _ordinal(value, word, any_noun=False)):
        return ordinal
    if _MONARCH.search(before) or _is_chained(found):
        return numeral
    follows_latin = _LATIN_BEFORE.search(before) is not None
    if _NUMBERED.search(before):
        return str(value)
    is_certain = set(numeral) <= {"I", "V", "X"} and len(numeral) > 1
    if not follows_latin and (ordinal := _ordinal(value, word, any_noun=is_certain)):
        return ordinal
    if is_certain:
        return str(value) if follows_latin else numeral
    stands_alone = not before.strip() and (not word or text[found.end()] in ".:)")
    return numeral if stands_alone and set(numeral) <= {"I", "V", "X", "L"} else None


def _ordinal(value: int, word: str, *, any_noun: bool) -> str | None:
    """ "II мировая" and "XX съезд" are ordinals that agree with their word; None where the word
    is not counted so."""
    if _ORDINAL_ADJECTIVE.match(word):
        ending = next((e for size in (3, 2) if (e := _ENDINGS.get(word[-size:].lower()))), None)
        return f"{value}-{ending}" if ending else None
    if not (_COUNTED.match(word) or (any_noun and len(word) > 2 and word.islower())):
        return None
    from ru_normalizr.ordinal_utils import render_ordinal_from_noun_word

    said = render_ordinal_from_noun_word(value, word)
    return str(said) if said else None


def _is_chained(found: re.Match[str]) -> bool:
    """One of several in a row, as in "I, II и III" and "XVIII–XIX", that are not all one letter."""
    text = found.string
    before = _CHAIN_BEFORE.search(text[max(0, found.start() - 14) : found.start()])
    after = _CHAIN_AFTER.match(text, found.end())
    others = [chained["numeral"] for chained in (before, after) if chained]
    numerals = [found["roman"], *others]
    certain = all(set(numeral) <= set("IVX") and roman_value(numeral) for numeral in numerals)
    return bool(others) and certain and max(map(len, numerals)) > 1


def _differences(written: str, said: str) -> Iterator[Edit]:
    a, b = _TOKEN.findall(written), _TOKEN.findall(said)
    places = [0]
    for token in a:
        places.append(places[-1] + len(token))
    waiting: Edit | None = None
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        new = "".join(b[k:m])
        if waiting is not None and (kind != "equal" or not any(map(str.isalnum, new))):
            # `д. 5.` and `дом пять.` share a full stop, but not the same one.
            waiting = Edit(waiting.start, places[j], waiting.new + new)
        elif kind != "equal":
            waiting = Edit(places[i], places[j], new)
        elif waiting is not None:
            yield _trimmed(written, waiting)
            waiting = None
    if waiting is not None:
        yield _trimmed(written, waiting)


def _trimmed(written: str, edit: Edit) -> Edit:
    """Without the marks and blanks at its end that stay."""
    stop, new = edit.stop, edit.new
    while stop > edit.start and new and written[stop - 1] == new[-1] and not new[-1].isalnum():
        stop, new = stop - 1, new[:-1]
    return Edit(edit.start, stop, new)
