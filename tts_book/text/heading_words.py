"""What headings call themselves: the words of many languages that name a chapter or a part."""

from __future__ import annotations

from enum import StrEnum


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
