"""Is this line a heading, and of what kind? One line at a time, whatever its neighbours are; and
what headings call themselves: the words of many languages that name a chapter or a part."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from tts_book.text.numerals import arabic_value, is_number, roman_value, word_value

# Words


class HeadingKind(StrEnum):
    """What a heading calls itself."""

    VOLUME = "volume"
    BOOK = "book"
    PART = "part"
    CHAPTER = "chapter"
    FRONT = "front"  # a prologue, a preface
    BACK = "back"  # an epilogue, an afterword
    ROMAN = "roman"  # a bare Roman numeral: a heading only in sequence
    ARABIC = "arabic"  # a bare number: the same
    WORD = "number word"  # a bare number in words: the same
    CONTENTS = "contents"
    NOTES = "notes"
    INDEX = "index"
    IMPRINT = "copyright"
    PLAIN = "plain"  # only its markup says that it is a heading


def _numbered(kind: HeadingKind, words: str) -> dict[str, HeadingKind]:
    return dict.fromkeys(words.split(), kind)


def _alone(kind: HeadingKind, *names: str) -> dict[str, HeadingKind]:
    return dict.fromkeys(names, kind)


PICTURE_LISTS = frozenset(
    ("illustrations", "list of illustrations", "список иллюстраций", "иллюстрации")
)
# Such words name chapters only in a book that has no others: a chapter may be titled `Night 2`.
EPISODES = (
    *("ночь", "вечер", "день", "утро", "лекция", "урок", "занятие", "беседа", "история"),
    *("рассказ", "тетрадь", "эпизод", "серия", "выпуск", "очерк", "этюд", "ніч", "лекція"),
    *("episode", "lecture", "lesson", "sketch", "unit", "night", "day", "evening", "morning"),
    *("adventure", "nacht", "lektion", "vorlesung", "leçon", "lección", "lezione", "lekce"),
)
# Words that stand before or behind a number: `Chapter IV`, `Première partie`.
NUMBERED = {
    **_numbered(HeadingKind.VOLUME, "том volume vol tome tomo tom band"),
    **_numbered(HeadingKind.BOOK, "книга book buch livre libro księga livro boek kniha"),
    **_numbered(HeadingKind.PART, "часть part teil partie parte część частина частка deel část"),
    **_numbered(HeadingKind.PART, "del действие акт дія act akt aufzug acte acto atto раздел"),
    **_numbered(HeadingKind.CHAPTER, "глава chapter chap kapitel chapitre capítulo capitulo"),
    **_numbered(HeadingKind.CHAPTER, "capitolo rozdział rozdzial розділ раздзел hoofdstuk"),
    **_numbered(HeadingKind.CHAPTER, "kapitola kapittel letter stave canto scene szene"),
    **_numbered(HeadingKind.CHAPTER, "письмо песнь песня сцена явление картина"),
    **_numbered(HeadingKind.CHAPTER, " ".join(EPISODES)),
    **_numbered(HeadingKind.BACK, "приложение appendix anhang annexe apéndice appendice anexo"),
    **_numbered(HeadingKind.BACK, "załącznik додаток дадатак příloha bijlage bilaga приложения"),
}  # fmt: skip
# Lines that are a heading by themselves, or before a stop: `Preface`, `Epilogue: The Road`.
ALONE = {
    **dict.fromkeys(
        (
            "пролог", "предисловие", "введение", "вступление", "от автора", "от издателя",
            "вместо предисловия", "вместо введения", "интерлюдия", "интермедия",
            "prologue", "preface", "introduction", "foreword", "interlude", "author's note",
            "prolog", "vorwort", "vorrede", "einleitung", "zwischenspiel",
            "préface", "avant-propos", "prólogo", "prefacio", "introducción",
            "prologo", "prefazione", "introduzione", "premessa",
            "przedmowa", "wstęp", "wprowadzenie", "передмова", "вступ", "прадмова",
            "от редактора", "от переводчика", "от составителя", "к читателю", "посвящение",
            "to the reader", "dedication", "acknowledgments", "acknowledgements", "благодарности",
            "danksagung", "widmung", "remerciements", "agradecimientos", "ringraziamenti",
        ),
        HeadingKind.FRONT,
    ),
    **dict.fromkeys(
        (
            "эпилог", "заключение", "послесловие", "вместо эпилога", "вместо послесловия",
            "вместо заключения", "epilogue", "afterword", "conclusion", "postscript",
            "epilog", "nachwort", "schluss", "épilogue", "postface",
            "epílogo", "conclusión", "epilogo", "conclusione", "postfazione",
            "posłowie", "zakończenie", "епілог", "післямова", "висновки", "закінчення",
            "приложение", "приложения", "литература", "список литературы",
            "использованная литература",
            "библиография", "источники и литература", "об авторе", "вместо послесловия",
            "appendix", "appendices", "bibliography", "references", "further reading",
            "works cited",
            "about the author", "literatur", "literaturverzeichnis", "anhang", "bibliographie",
            "annexe", "annexes", "bibliografía", "apéndice", "bibliografia", "appendice",
            "додаток", "додатки", "література", "список літератури", "literatura",
        ),
        HeadingKind.BACK,
    ),
    **dict.fromkeys(
        (
            "содержание", "оглавление", "contents", "table of contents", "inhalt",
            "inhaltsverzeichnis", "table des matières", "sommaire", "índice", "indice",
            "sommario", "spis treści", "зміст", "змест", "obsah", "illustrations",
            "list of illustrations", "список иллюстраций", "иллюстрации",
        ),
        HeadingKind.CONTENTS,
    ),
    **dict.fromkeys(
        (
            "примечания", "сноски", "комментарии", "notes", "footnotes", "endnotes",
            "anmerkungen", "fußnoten", "notas", "przypisy", "примітки", "заўвагі",
        ),
        HeadingKind.NOTES,
    ),
    **dict.fromkeys(
        (
            "указатель", "предметный указатель", "именной указатель", "алфавитный указатель",
            "указатель имен", "указатель имён", "index", "index of names", "general index",
            "sachregister", "personenregister", "namenregister", "stichwortverzeichnis",
            "indeks", "indeks nazwisk", "предметний покажчик", "іменний покажчик",
        ),
        HeadingKind.INDEX,
    ),
    **dict.fromkeys(
        (
            "copyright", "copyright page", "imprint", "colophon", "uncopyright", "impressum",
            "выходные данные", "вихідні дані", "mentions légales", "aviso legal",
            "créditos", "note legali", "colofon", "colophón", "stopka redakcyjna",
        ),
        HeadingKind.IMPRINT,
    ),
}  # fmt: skip


NUMERALS = (HeadingKind.ROMAN, HeadingKind.ARABIC, HeadingKind.WORD)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading as it stands. `label` is what two headings share that mean the same chapter;
    `numbers` are the values that a bare numeral may have; `is_alone` if no title follows."""

    sort: HeadingKind
    label: str
    title: str
    numbers: tuple[int, ...] = ()
    is_alone: bool = True
    level: int = 0


LONGEST = 200  # characters of a heading
_LONGEST_BARE = 70  # of a title that follows its number without a stop
_LONGEST_SOLO = 100
_LONGEST_NUMBER = 30  # in words
_DASHES = "-–—"
_PROSE_ENDS = (".", ",", ";", ":")
_DECORATION = " *=~_•·-–—#"
_LEADERS, _DIGITS = ".…·_", "0123456789"
_STOPS = ".:—–-)\n"
_SOLO_STOP = re.compile(r"[.:—\n]")
_WHICH = re.compile(r"(?:в которо[йм]|где|in which|wherein|where|où|worin|w którym|nel quale)\b")
_SURVEY = re.compile(r"(?:обзор|краткое|полное) содержани[ея]\b.{0,60}\Z")
_ARTICLES = frozenset(("the", "das", "der", "die", "la", "le", "el", "il", "o", "a", "l'"))
_TRAILING = re.compile(
    r"[.,)]\s+(?=(?:том|книга|часть|volume|book|part|band|teil|tome|tomo|tom)\s)", re.I
)


_MATTER = (HeadingKind.CONTENTS, HeadingKind.NOTES, HeadingKind.INDEX, HeadingKind.IMPRINT)


def parse_heading(text: str) -> Heading | None:
    """The heading that `text` is, or None. Numbers without a word such as `Chapter` come back as
    ROMAN, ARABIC or WORD and are headings only if their neighbours count along."""
    if not 0 < len(text) <= LONGEST:
        return None
    bare = _without_leaders(text).strip(_DECORATION)
    if not bare or (len(bare) == 1 and not bare.isalnum()):
        return None
    lower = bare.lower().replace("’", "'")
    return (
        _numeral(bare)
        or _number_word(text, bare)
        or _solo(bare, lower)
        or _worded(bare, lower)
        or _signed(bare)
        or _trailing(bare)
        or _titled_numeral(bare)
    )


def _without_leaders(text: str) -> str:
    """An entry of a contents list without its dots and its page."""
    bare = text.rstrip(_DIGITS)
    page = len(text) - len(bare)
    start = len(bare.rstrip(_LEADERS + " \t\n"))
    marks = sum(map(bare[start:].count, _LEADERS))
    if page <= 4 and (marks >= 3 or (page and marks >= 2)):
        return text[:start]
    return bare.rstrip() if 0 < page <= 4 and bare.endswith("  ") else text


def parse_marked_heading(text: str, level: int) -> Heading:
    """A heading that its markup marks: what it calls itself, else PLAIN."""
    found = parse_heading(text)
    title = tidy_title(text)
    if found is None or found.sort in NUMERALS:
        return Heading(HeadingKind.PLAIN, title.casefold(), title, level=level)
    return Heading(found.sort, found.label, title, found.numbers, found.is_alone, level)


def is_heading(line: str) -> bool:
    """Whether a line is a heading by itself, whatever stands around it."""
    found = parse_heading(line)
    return found is not None and found.is_alone and found.sort not in NUMERALS


def tidy_title(text: str) -> str:
    """A title fit for a list of chapters: one line, no ornaments, no full stop at its end."""
    title = " ".join(_without_leaders(text or " ").split()).strip(_DECORATION + " ")
    while title.endswith((".", ":", ",")) and not title.endswith(("...", "..")):
        title = title[:-1].rstrip()
    if len(title) > 120:
        title = title[:119].rsplit(" ", 1)[0] + "…"
    return title


def _numeral(bare: str) -> Heading | None:
    word = bare.rstrip(".)]").lstrip("[(§№ ")
    if len(word) > 10:
        return None
    number, letters = arabic_value(word), roman_value(word) if word == word.upper() else 0
    if letters and not word.isdecimal():
        return Heading(HeadingKind.ROMAN, f"numeral {letters}", tidy_title(bare), (letters,))
    if number:
        values = (number, letters) if letters else (number,)
        return Heading(HeadingKind.ARABIC, f"numeral {number}", tidy_title(bare), values)
    return None


def _number_word(text: str, bare: str) -> Heading | None:
    """`ONE`, `Двадцать первая`, `TWO: The Title`; what ends in a stop or begins with a dash is said
    by somebody."""
    is_said = text[0] in _DASHES and text[-1] not in _DASHES
    found = _SOLO_STOP.search(bare, 0, _LONGEST_NUMBER)
    name = bare[: found.start()].rstrip() if found else bare
    title = bare[found.end() :].strip() if found else ""
    if is_said or len(name) > _LONGEST_NUMBER or not name[:1].isupper():
        return None
    if found and (not title or name != name.upper() or not _opens_title(title)):
        return None
    value = word_value(name)
    if not value or len(title) > _LONGEST_BARE or title[-1:] in _PROSE_ENDS:
        return None
    return Heading(HeadingKind.WORD, f"numeral {value}", tidy_title(bare), (value,), not title)


def _titled_numeral(bare: str) -> Heading | None:
    """`IV. The Title`, `4. The Title` and `4) The Title`."""
    head, stop, title = bare.partition(".")
    if not stop or len(head) > 8:
        head, stop, title = bare.partition(")")
    title = title.strip()
    if not stop or len(head) > 8 or not title or len(title) > _LONGEST_SOLO:
        return None
    found = _numeral(head)
    if found is None or not _opens_title(title) or title[-1] in ",;":
        return None
    return Heading(found.sort, found.label, tidy_title(bare), found.numbers, is_alone=False)


def _solo(bare: str, lower: str) -> Heading | None:
    if _SURVEY.match(lower):
        return Heading(HeadingKind.CONTENTS, "contents", tidy_title(bare))
    found = _SOLO_STOP.search(lower)
    stop = found.start() if found else len(lower)
    sort = ALONE.get(lower[:stop].strip(" –-")) or ALONE.get(lower.rstrip(" .:"))
    if sort is None or len(lower) > _LONGEST_SOLO:
        return None
    rest = lower[stop:].strip(_STOPS + " ")
    if rest and (sort in _MATTER or rest[-1] in ".,;"):
        return None
    return Heading(sort, lower[:stop].strip(), tidy_title(bare), is_alone=not rest)


def _worded(bare: str, lower: str) -> Heading | None:
    words = lower.split(None, 6)
    if words[0] in _ARTICLES and len(words) > 1:
        words = words[1:]
    sort = NUMBERED.get(words[0].rstrip("."))
    if sort and len(words) > 1:
        return _word_first(bare, sort, words)
    return _number_first(bare, words)


def _signed(bare: str) -> Heading | None:
    """`Глава № 5`."""
    if "№" not in bare:
        return None
    plain = bare.replace("№ ", "").replace("№", "")
    found = _worded(plain, plain.lower()) if plain.strip() else None
    return replace(found, title=tidy_title(bare)) if found else None


def _word_first(bare: str, sort: HeadingKind, words: list[str]) -> Heading | None:
    """`Chapter IV`, `Глава двадцать первая. Название`."""
    first = 2 if words[1] in _ARTICLES and len(words) > 2 else 1
    last = first
    while last < min(len(words), first + 3) and is_number(words[last]):
        last += 1
        if words[last - 1][-1] in ".:,)":
            break
    if last == first and sort is HeadingKind.BACK and _is_letter(bare.split()[first]):
        last += 1  # `Appendix B`
    if last == first:
        return None
    number = " ".join(words[first:last]).rstrip(".:,)")
    stopped = words[last - 1][-1] in ".:,)"
    rest = _rest(bare, last + (bare.split(None, 1)[0].lower() in _ARTICLES))
    if rest and not _is_title(rest, stopped, words[last - 1][-1] == ","):
        return None
    label = f"{sort} {_value(number)}"
    return Heading(sort, label, tidy_title(bare), is_alone=not rest.strip(_STOPS + " "))


def _number_first(bare: str, words: list[str]) -> Heading | None:
    """`1. Kapitel`, `Erstes Kapitel`, `Première partie`."""
    last = 0
    while last < min(len(words), 3) and is_number(words[last]):
        last += 1
    if not last or last == len(words):
        return None
    word = words[last].rstrip(".:")
    sort = NUMBERED.get(word)
    stopped = words[last] != word
    rest = _rest(bare, last + 1 + (bare.split(None, 1)[0].lower() in _ARTICLES))
    if sort is None or (rest and not stopped and rest[0] not in _STOPS):
        return None
    if rest and not _is_title(rest, True, False):
        return None
    label = f"{sort} {_value(' '.join(words[:last]))}"
    return Heading(sort, label, tidy_title(bare), is_alone=not rest.strip(_STOPS + " "))


def _trailing(bare: str) -> Heading | None:
    """`War and Peace. Volume 2`."""
    if len(bare) > _LONGEST_BARE:
        return None
    parts = _TRAILING.split(bare, maxsplit=1)
    if len(parts) < 2:
        return None
    found = _worded(parts[1], parts[1].lower())
    if found is None or not found.is_alone:
        return None
    return Heading(found.sort, found.label, tidy_title(bare))


def _is_letter(word: str) -> bool:
    letter = word.rstrip(".:,)")
    return len(letter) == 1 and letter.isupper()


def _rest(bare: str, words: int) -> str:
    parts = bare.split(None, words)
    return parts[words] if len(parts) > words else ""


def _is_title(rest: str, stopped: bool, comma: bool) -> bool:
    if comma:
        return bool(_WHICH.match(rest.lower()))
    if not stopped and rest[0] not in _STOPS:
        return len(rest) <= _LONGEST_BARE and rest[-1] not in ".,;" and _opens_title(rest)
    rest = rest.lstrip(_STOPS + " ")
    return not rest or (_opens_title(rest) and rest[-1] not in ",;")


def _opens_title(text: str) -> bool:
    letter = next((c for c in text if c.isalnum()), "")
    return not letter.islower() or bool(_WHICH.match(text.lower()))


def _value(number: str) -> str:
    word = number.rstrip(".").upper()
    return str(arabic_value(word) or roman_value(word) or number.casefold())
