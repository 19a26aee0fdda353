"""Headings and the traps around them: books drawn in a few lines."""

from __future__ import annotations

import sys
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger import find_ledger_gaps
from tts_book.model import Break, Chapter
from tts_book.readers import plain, read_bytes
from tts_book.readers.book import ReadOptions
from tts_book.readers.decoding import Decoded
from tts_book.text.chapters import divide_chapters, make_titles_unique
from tts_book.text.headings import parse_heading

EN = "The rain had stopped, and somebody was walking along the wet road below the house. "
RU = "Дождь перестал, и кто-то шёл по мокрой дороге под окнами старого дома у реки. "


def chapters(source: str, *, split: bool = True, everything: bool = False) -> tuple[Chapter, ...]:
    made = divided(source, split=split, everything=everything)
    runs = chain.from_iterable(chapter.origin.runs for chapter in made)
    skips = chain.from_iterable(chapter.skips for chapter in made)
    if made:
        assert not find_ledger_gaps(source, runs, skips)
    return made


def divided(source: str, *, split: bool = True, everything: bool = False) -> tuple[Chapter, ...]:
    read = plain.read(Decoded(source, "utf-8"), "book.txt", ReadOptions())
    return divide_chapters(
        read.source, source, read.paragraphs, title="Book", split=split, everything=everything
    )


def titles(source: str) -> list[str]:
    return [chapter.title for chapter in chapters(source)]


def written(*lines: str, prose: str = EN * 4) -> str:
    """`.` stands for a paragraph of prose."""
    return "\n\n".join(prose if line == "." else line for line in lines)


HEADINGS = (
    ("Глава 1", "chapter 1"),
    ("ГЛАВА ПЕРВАЯ", "chapter первая"),
    ("Глава двадцать первая. Дорога", "chapter двадцать первая"),
    ("Первая глава", "chapter первая"),
    ("Часть вторая", "part вторая"),
    ("Том 4. Река и дом", "volume 4"),
    ("Река и дом. Том 1", "volume 1"),
    ("Книга третья", "book третья"),
    ("ПРОЛОГ.", "пролог"),
    ("Послесловие", "послесловие"),
    ("Chapter IV", "chapter 4"),
    ("Chapter 1234", "chapter 1234"),
    ("CHAPTER TWENTY-ONE", "chapter twenty-one"),
    ("CHAPTER THE LAST", "chapter last"),
    ("Chapter 1, in which it rains", "chapter 1"),
    ("Chapter 7: The Road.", "chapter 7"),
    ("Part the First", "part first"),
    ("Prologue — The Road", "prologue"),
    ("1. Kapitel", "chapter 1"),
    ("Zweites Kapitel", "chapter zweites"),
    ("Erster Teil", "part erster"),
    ("Chapitre premier", "chapter premier"),
    ("Première partie", "part première"),
    ("Capítulo primero", "chapter primero"),
    ("Capitolo II", "chapter 2"),
    ("Rozdział pierwszy", "chapter pierwszy"),
    ("Розділ перший", "chapter перший"),
    ("Глава 3 ......... 57", "chapter 3"),
    ("Глава 3 . . . . . . . . . . . . . . . . . . . . . . . . . . . . . . 57", "chapter 3"),
    ("Chapter 3…………5", "chapter 3"),
    ("Chapter 3  57", "chapter 3"),
    ("* PART ONE *", "part one"),
    ("Глава XII-я. Дорога", "chapter xii-я"),
    ("ONE", "numeral 1"),
    ("Двадцать первая", "numeral 21"),
    ("Einundzwanzig", "numeral 21"),
    ("Vingt et un", "numeral 21"),
    ("П’ять", "numeral 5"),
    ("THREE: The Road", "numeral 3"),
)


@pytest.mark.parametrize(("line", "label"), HEADINGS, ids=[row[0] for row in HEADINGS])
def test_a_heading_is_known(line: str, label: str) -> None:
    found = parse_heading(line)
    assert found is not None
    assert found.label == label


@pytest.mark.parametrize(
    "line",
    [
        "Chapter 1 was the best of them all.",
        "Глава 1 была последней, что он прочёл",
        "Часть пути они прошли молча.",
        "Part of me knew it",
        "Book a table for two",
        "Том вышел на крыльцо",
        "Second part of the story",
        "Letter from home",
        "Die zweite Person",
        "",
        "***",
        "One.",
        "one",
        "One more",
        "One: the road",
        "— Один",
        "Первый",
        "TWO, THREE",
        "ONE. " + "The road was long. " * 6,
    ],
)
def test_prose_is_no_heading(line: str) -> None:
    assert parse_heading(line) is None


BOOKS = {
    "words": (written("Chapter One", ".", "Chapter Two", "."), ["Chapter One", "Chapter Two"]),
    "russian parts": (
        written("Часть первая", "Глава 1", ".", "Глава 2", ".", "Часть вторая", "Глава 1", "."),
        ["Часть первая — Глава 1", "Часть первая — Глава 2", "Часть вторая — Глава 1"],
    ),
    "roman numerals in parts": (
        written("PART ONE", "I", ".", "II", ".", "PART TWO", "I", ".", "II", "."),
        ["PART ONE — I", "PART ONE — II", "PART TWO — I", "PART TWO — II"],
    ),
    "numerals below chapters are breaks": (
        written("Глава первая", "I.", ".", "II.", ".", "Глава вторая", "I.", ".", "II.", "."),
        ["Глава первая", "Глава вторая"],
    ),
    "scanned numerals": (
        written("I", ".", "11", ".", "111", ".", "1У", "."), ["I", "11", "111", "1У"],
    ),
    "a numeral lost": (written("I", ".", "II", ".", "IV", ".", "V", "."), ["I", "II", "IV", "V"]),
    "one bare numeral is prose": (written("Chapter 1", ".", "I", "."), ["Chapter 1"]),
    "numbers out of sequence": (written("7", ".", "12", ".", "40", "."), ["Book"]),
    "prologue and epilogue": (
        written("Prologue", ".", "Part One", "Chapter 1", ".", "Epilogue", "."),
        ["Prologue", "Part One — Chapter 1", "Epilogue"],
    ),
    "an epilogue in parts": (
        written("Том 1", "Часть первая", "I", ".", "II", ".",
                "Эпилог", "Часть первая", "I", ".", "II", "."),
        ["Том 1 — Часть первая — I", "Том 1 — Часть первая — II",
         "Том 1 — Эпилог — Часть первая — I", "Том 1 — Эпилог — Часть первая — II"],
    ),
    "a title on the next line": (
        written("Chapter 1", "The Wet Road", ".", "Chapter 2", "“No,” he said", "."),
        ["Chapter 1. The Wet Road", "Chapter 2"],
    ),
    "marks": (written("# One", ".", "# Two", "."), ["One", "Two"]),
    "a named contents list": (
        written("Contents", "Chapter 1 .... 5", "Chapter 2 .... 9", "Chapter 3 .... 12",
                "Chapter 1", ".", "Chapter 2", ".", "Chapter 3", "."),
        ["Chapter 1", "Chapter 2", "Chapter 3"],
    ),
    "a contents list without a name": (
        written("Chapter 1", "Chapter 2", "Chapter 3",
                "Chapter 1", ".", "Chapter 2", ".", "Chapter 3", "."),
        ["Chapter 1", "Chapter 2", "Chapter 3"],
    ),
    "a contents list at the end": (
        written("Глава 1", ".", "Глава 2", ".", "Глава 3", ".",
                "Содержание", "Глава 1", "Глава 2", "Глава 3"),
        ["Глава 1", "Глава 2", "Глава 3"],
    ),
    "chapters known from the contents only": (
        written("Оглавление", "Дорога", "Река", "Дом", "Дорога", ".", "Река", ".", "Дом", "."),
        ["Дорога", "Река", "Дом"],
    ),
    "notes": (
        written("Глава 1", ".", "Глава 2", ".",
                "Примечания", "1", "Шутка.", "2", "Он же.", "3", "Там же."),
        ["Глава 1", "Глава 2"],
    ),
    "a long opening": (written(".", ".", ".", "Chapter 1", "."), ["Opening", "Chapter 1"]),
    "a short opening": (written("For my dog.", "Chapter 1", "."), ["Chapter 1"]),
    "the same title twice": (
        written("Chapter 1", ".", "Chapter 1", "."), ["Chapter 1", "Chapter 1 (2)"],
    ),
    "a foreword and numbered chapters": (
        written("Предисловие", ".", "I", ".", "II", ".", "III", ".", prose=RU * 4),
        ["Предисловие", "I", "II", "III"],
    ),
    "numbered titles between foreword and conclusion": (
        written("Введение", ".", "1. Рыбалка", ".", "2. Охота", ".", "3. Грибы", ".",
                "Заключение", ".", prose=RU * 4),
        ["Введение", "1. Рыбалка", "2. Охота", "3. Грибы", "Заключение"],
    ),
    "a foreword in each part": (
        written("Часть первая", "Предисловие", ".", "I", ".", "II", ".",
                "Часть вторая", "Предисловие", ".", "I", ".", "II", ".", prose=RU * 4),
        ["Часть первая — Предисловие", "Часть первая — I", "Часть первая — II",
         "Часть вторая — Предисловие", "Часть вторая — I", "Часть вторая — II"],
    ),
    "a foreword with numbers of its own": (
        written("Preface", "I", ".", "II", ".", "Chapter 1", ".", "Chapter 2", "."),
        ["Preface — I", "Preface — II", "Chapter 1", "Chapter 2"],
    ),
    "numbers that run on through parts": (
        written("Часть первая", "I", ".", "II", ".", "III", ".",
                "Часть вторая", "IV", ".", "V", ".", prose=RU * 4),
        ["Часть первая — I", "Часть первая — II", "Часть первая — III",
         "Часть вторая — IV", "Часть вторая — V"],
    ),
    "a number that runs on alone": (
        written("Часть первая", "1", ".", "2", ".", "Часть вторая", "3", ".", prose=RU * 4),
        ["Часть первая — 1", "Часть первая — 2", "Часть вторая — 3"],
    ),
    "a number with a title that names a foreword": (
        written("I", "ВСТУПЛЕНИЕ", ".", "II", "РЕКА", ".", "III", "ДОРОГА", ".", prose=RU * 4),
        ["I. ВСТУПЛЕНИЕ", "II. РЕКА", "III. ДОРОГА"],
    ),
    "notes at the end that only have numbers": (
        written(".", ".", ".", ".", ".", "1", "Шутка (франц.).", "2", "Он же.", prose=RU * 4),
        ["Book"],
    ),
    "a title with an introduction, and chapters": (
        written("# Дом у реки", ".", ".", "## Глава 1", ".", "## Глава 2", "."),
        ["Дом у реки", "Глава 1", "Глава 2"],
    ),
    "a line among marked headings": (
        written("# One", ".", "Postscript", ".", "# Two", ".", "Introduction", "# Three", "."),
        ["One", "Two", "Three"],
    ),
    "a part that a line names among marked chapters": (
        written("# One", ".", "Part 2. The river", ".", "# Two", ".", "# Three", "."),
        ["One", "Two", "Three"],
    ),
    "parts as lines above marked chapters": (
        written("PART ONE", "# One", ".", "# Two", ".", "PART TWO", "# Three", "."),
        ["PART ONE — One", "PART ONE — Two", "PART TWO — Three"],
    ),
    "chapters as lines below a marked foreword": (
        written("# The house", "# Foreword", ".", "Chapter 1", ".", "Chapter 2", ".",
                "Chapter 3", "."),
        ["Foreword", "Chapter 1", "Chapter 2", "Chapter 3"],
    ),
    "a line that says contents above no list": (
        written("Содержание", "Берег.", "Вода.", "Ветер.", "Огонь.", ".", ".", prose=RU),
        ["Book"],
    ),
    "a marked contents list above marked chapters": (
        written("# The house", "## Contents", "Chapter 1", "The Road 1", "Chapter 2", "The Road 2",
                "## The house", "## Chapter 1 The Road 1", ".", "## Chapter 2 The Road 2", "."),
        ["Chapter 1 The Road 1", "Chapter 2 The Road 2"],
    ),
    "numbers before a bracket": (
        written("1) О реках", ".", "2) О домах", ".", "3) О дорогах", ".", prose=RU * 4),
        ["1) О реках", "2) О домах", "3) О дорогах"],
    ),
    "numbers behind a sign": (
        written("Глава №1", ".", "Глава № 2", ".", "Глава №3. Дорога", ".", prose=RU * 4),
        ["Глава №1", "Глава № 2", "Глава №3. Дорога"],
    ),
    "acts": (
        written("Акт первый", "Сцена 1", ".", "Сцена 2", ".", "Акт второй", "Сцена 1", "."),
        ["Акт первый — Сцена 1", "Акт первый — Сцена 2", "Акт второй — Сцена 1"],
    ),
    "nights": (
        written("Ночь первая", ".", "Ночь вторая", ".", "Утро", "."),
        ["Ночь первая", "Ночь вторая"],
    ),
    "a chapter that is titled as a night": (
        written("Глава 1", "Ночь первая", ".", "Глава 2", ".", "Глава 3", "Ночь вторая", "."),
        ["Глава 1. Ночь первая", "Глава 2", "Глава 3. Ночь вторая"],
    ),
    "lessons and what is added to them": (
        written("Урок 1. Алфавит", ".", "Урок 2. Числа", ".", "Приложение А. Ответы", ".",
                "Приложение Б", ".", "Литература", "."),
        ["Урок 1. Алфавит", "Урок 2. Числа", "Приложение А. Ответы", "Приложение Б",
         "Литература"],
    ),
    "lectures": (
        written("Лекция первая. О реках", ".", "Лекция вторая. О домах", ".",
                "Список литературы", "."),
        ["Лекция первая. О реках", "Лекция вторая. О домах", "Список литературы"],
    ),
    "appendices": (
        written("Chapter 1", ".", "Chapter 2", ".", "Appendix A: The road", ".", "Appendix B", ".",
                "Appendix", ".", "Bibliography", "."),
        ["Chapter 1", "Chapter 2", "Appendix A: The road", "Appendix B", "Appendix",
         "Bibliography"],
    ),
    "an essay behind the end": (
        written("I", ".", "II", ".", "III", ".", "КОНЕЦ", "О романе", ".", ".", prose=RU * 8),
        ["I", "II", "III", "О романе"],
    ),
    "an essay behind the last part": (
        written("Часть первая", "I", ".", "II", ".", "Часть вторая", "I", ".", "II", ".",
                "Конец", "О романе", ".", ".", prose=RU * 8),
        ["Часть первая — I", "Часть первая — II", "Часть вторая — I", "Часть вторая — II",
         "О романе"],
    ),
    "an essay without a title behind the end": (
        written("PART ONE", "Chapter 1", ".", "PART TWO", "Chapter 1", ".", "THE END", ".", ".",
                prose=EN * 8),
        ["PART ONE — Chapter 1", "PART TWO — Chapter 1", "Afterword"],
    ),
    "number words": (
        written("Prologue", ".", "ONE", ".", "TWO", "The Road", ".", "THREE: The River", ".",
                "FOUR", "."),
        ["Prologue", "ONE", "TWO. The Road", "THREE: The River", "FOUR"],
    ),
    "number words in parts": (
        written("Часть первая", "Один", ".", "Два", ".", "Часть вторая", "Один", ".", "Два", "."),
        ["Часть первая — Один", "Часть первая — Два", "Часть вторая — Один", "Часть вторая — Два"],
    ),
    "number words that go on through parts": (
        written("PART ONE", "— One —", ".", "— Two —", ".", "PART TWO", "— Three —", "."),
        ["PART ONE — One", "PART ONE — Two", "PART TWO — Three"],
    ),
    "one number word is prose": (written("Chapter 1", ".", "One", "."), ["Chapter 1"]),
    "number words that do not count up": (written("One", ".", "Four", ".", "Seven", "."), ["Book"]),
    "somebody counts": (written(".", "One", "Two", "Three", "."), ["Book"]),
    "letters by their dates": (
        written(*chain.from_iterable(
            (date, "My dear friend,", ".") for date in
            ("April 8th.", "London, May the 3rd", "5 May, in the evening", "Monday, June 7, 1852")
        )),
        ["April 8th", "London, May the 3rd", "5 May, in the evening", "Monday, June 7, 1852"],
    ),
    "a diary with numbers inside an entry": (
        written("Апреля 8.", "I", ".", "II", ".", "11-го мая", ".", ".", "Июня 1.", ".", ".",
                "Июня 2.", ".", "."),
        ["Апреля 8", "11-го мая", "Июня 1", "Июня 2"],
    ),
    "dates below what they date": (
        written(*chain.from_iterable(
            (name, ".", "8 апреля 1878") for name in ("Река", "Дом", "Дорога", "Мост")
        )),
        ["Book"],
    ),
    "dates in a book of chapters": (
        written("Глава 1", "1 мая", ".", "2 мая", ".", "3 мая", ".", "4 мая", ".", "Глава 2", "."),
        ["Глава 1", "Глава 2"],
    ),
    "sentences with dates": (
        written("On May 8 we left.", ".", "On May 9 we came.", ".", "On May 10 it rained.", ".",
                "On May 11 it did not.", "."),
        ["Book"],
    ),
    "a line that would end the book too early": (
        written(".", "Conclusion: The road goes on", ".", "."), ["Book"],
    ),
    "notes at the end": (written(*["."] * 40, "1", ".", "2", "."), ["Book"]),
    "a list on lines of its own paragraph": (
        written("Contents", "The Road\nThe River\nThe Hill", "The Road", ".", "The River", ".",
                "The Hill", "."),
        ["The Road", "The River", "The Hill"],
    ),
    "a poem below the word": (
        written("Содержание", "Ночь тиха,\nи река темна,\nи дорога", ".", "Глава 1", ".", prose=RU),
        ["Глава 1"],
    ),
    "no heading": (written(".", "."), ["Book"]),
}  # fmt: skip


def collection(*lines: str) -> str:
    """Paragraphs on lines of their own, blank lines only around titles and numbers."""
    prose = "\n".join([RU * 4] * 8)
    return "\n".join(prose if line == "." else f"\n\n{line}\n" for line in lines)


COLLECTIONS = {
    "titles above numbers that begin again": (
        collection("Мельник", "I", ".", "II", ".", "Ярмарка", ".", "Кузнец", "I", ".", "II", "."),
        ["Мельник", "Ярмарка", "Кузнец"],
    ),
    "titles only": (
        collection("Мельник", ".", ".", ".", "Ярмарка", ".", ".", ".", "Кузнец", ".", ".", "."),
        ["Мельник", "Ярмарка", "Кузнец"],
    ),
    "forewords and stories in parts": (
        collection("Часть первая", "Предисловие", ".", "Мельник", "I", ".", "II", ".", "Ярмарка",
                   "I", ".", "II", ".", "Часть вторая", "Предисловие", ".", "Кузнец", "."),
        ["Часть первая — Предисловие", "Часть первая — Мельник", "Часть первая — Ярмарка",
         "Часть вторая — Предисловие", "Часть вторая — Кузнец"],
    ),
    "lines between blank lines in numbered chapters": (
        collection("I", ".", "Река", ".", "II", ".", "Дом", ".", "III", ".", "Дорога", "."),
        ["I", "II", "III"],
    ),
    "a story among them that has numbers": (
        collection("Мельник", ".", ".", "I", ".", "II", ".", "Ярмарка", ".", ".", ".", ".",
                   "Кузнец", ".", ".", ".", ".", "Мост", ".", ".", ".", "."),
        ["Мельник", "Ярмарка", "Кузнец", "Мост"],
    ),
    "short passages are no stories": (
        collection(".", ".", ".", "Мельник") + RU + collection("Ярмарка") + RU
        + collection("Кузнец", "."),
        ["Book"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COLLECTIONS)
def test_stories_of_a_collection(name: str) -> None:
    source, expected = COLLECTIONS[name]
    assert titles(source) == expected


@pytest.mark.parametrize("name", BOOKS)
def test_chapters_of_a_book(name: str) -> None:
    source, expected = BOOKS[name]
    assert titles(source) == expected


def test_the_head_of_a_part_is_spoken_in_its_first_chapter() -> None:
    first, second = chapters(written("PART ONE", "Chapter 1", ".", "Chapter 2", "."))
    assert first.text.startswith("PART ONE\n\nChapter 1\n\nThe rain")
    assert [(b.offset, b.kind) for b in first.breaks] == [(8, Break.HEADING), (19, Break.HEADING)]
    assert second.text.startswith("Chapter 2\n\nThe rain")


def test_scene_marks_become_breaks() -> None:
    (chapter,) = chapters(written("One.", "* * *", "Two.", "⁂", "Three.", "***"))
    assert chapter.text == "One.\n\nTwo.\n\nThree."
    assert [(b.offset, b.kind) for b in chapter.breaks] == [(4, Break.SCENE), (10, Break.SCENE)]
    assert [skip.reason for skip in chapter.skips] == ["scene mark"] * 3


def test_a_contents_list_is_kept_on_demand() -> None:
    source, _ = BOOKS["a named contents list"]
    made = chapters(source, everything=True)
    assert "Contents" in "".join(chapter.text for chapter in made)


def test_what_is_left_out_is_told() -> None:
    source, _ = BOOKS["a named contents list"]
    skips = [skip for chapter in chapters(source) for skip in chapter.skips]
    assert [skip.reason for skip in skips] == ["contents list"]
    assert skips[0].text.startswith("Contents")


BACK = (
    ("Chapter 1", ".", "Chapter 2", ".", "Index", "Bridge, 12", "River, 14"),
    ("Copyright", "All rights reserved.", "Chapter 1", ".", "Chapter 2", "."),
    ("Глава 1", ".", "Глава 2", ".", "Именной указатель", "Иванов, 12"),
    ("Глава 1", ".", "Глава 2", ".", "Комментарии", "Роман написан давно.", "1", "Река."),
    ("# Chapter 1", ".", "# Notes", "It is so.", "# Chapter 2", "."),
)


@pytest.mark.parametrize("lines", BACK, ids=[row[-2] for row in BACK])
def test_matter_around_a_book_is_left_out(lines: tuple[str, ...]) -> None:
    source = written(*lines, prose=RU * 4 if lines[0].startswith("Г") else EN * 4)
    assert len(chapters(source)) == 2
    assert len(chapters(source, everything=True)) == 3


def test_matter_that_is_most_of_a_book_is_the_book() -> None:
    source = written("Chapter 1", ".", "Index", ".", ".", ".")
    assert "Index" in chapters(source)[-1].title


def test_the_volume_is_named_after_the_title() -> None:
    source = written(
        "ВОЙНА И МИР (1863—1869) ТОМ ВТОРОЙ", "Глава 1", ".", "Глава 2", ".", prose=RU * 4
    )
    assert titles(source)[0] == "ВОЙНА И МИР (1863—1869) ТОМ ВТОРОЙ — Глава 1"


def test_without_splitting_headings_are_breaks() -> None:
    (chapter,) = chapters(written("Chapter 1", ".", "Chapter 2", "."), split=False)
    assert (chapter.number, chapter.title) == (1, "Chapter 1")
    assert [b.kind for b in chapter.breaks] == [Break.HEADING, Break.HEADING]


def test_anna_and_her_parts() -> None:
    """Eight parts, 239 chapters numbered in Roman letters."""
    sizes = (34, 35, 32, 23, 33, 32, 31, 19)
    names = ["первая", "вторая", "третья", "четвертая", "пятая", "шестая", "седьмая", "восьмая"]
    lines = []
    for name, size in zip(names, sizes, strict=True):
        lines.append(f"Часть {name}")
        for number in range(1, size + 1):
            lines += [_roman(number), "."]
    made = chapters(written(*lines, prose=RU * 2))
    assert len(made) == 239
    assert len({chapter.title for chapter in made}) == 239
    assert made[-1].title == "Часть восьмая — XIX"


def _roman(number: int) -> str:
    tens, ones = divmod(number, 10)
    return "X" * tens + ["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"][ones]


def test_titles_are_made_unique() -> None:
    assert make_titles_unique(["a", "A", "b", "a"]) == ["a", "A (2)", "b", "a (3)"]


WORDLESS = [
    ("# One\n\n.\n\n# ...\n\n.\n\n# * * *\n\n.\n\n# —\n\n.", ["One", "2", "3", "4"]),
    ("# ...\n\n.\n\n# 1\n\n.", ["1", "1 (2)"]),
    ("# — —\n\n## Chapter 1\n\n.\n\n## Chapter 2\n\n.", ["Chapter 1", "Chapter 2"]),
    ("# ...\n\n.", ["1"]),
    ("# Why?\n\n.\n\n# ?\n\n.", ["Why?", "?"]),
]


@pytest.mark.parametrize(("source", "named"), WORDLESS)
def test_a_chapter_without_a_title_is_named_by_its_number(source: str, named: list[str]) -> None:
    text = source.replace("\n\n.", f"\n\n{EN * 4}")
    book = read_bytes(text.encode(), "poems.md", ReadOptions(language="en"))
    assert [chapter.title for chapter in book.chapters] == named
    assert book.ledger.adds_up


LINES = st.sampled_from(
    ["Chapter 1", "Глава 2", "I", "II", "3", "Часть первая", "Содержание", "Примечания", "Эпилог",
     "# x", "***", "", "—", EN, "short", "1 note", "Contents", "VI. Так", "word-", "low and", "12"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=25), st.sampled_from(["\n", "\n\n", "\r\n", " \n \n"]))
def test_nothing_is_lost_or_moved(lines: list[str], end: str) -> None:
    made = chapters(end.join(lines))
    assert [chapter.number for chapter in made] == list(range(1, len(made) + 1))
    assert len({chapter.title.casefold() for chapter in made}) == len(made)
    offsets = [run.source for chapter in made for run in chapter.origin.runs]
    assert offsets == sorted(offsets)
    for chapter in made:
        assert chapter.text == chapter.text.strip()
        assert "\n\n\n" not in chapter.text
        assert all(chapter.text[b.offset : b.offset + 2] in ("\n\n", "") for b in chapter.breaks)


HUGE = {
    "spaced leaders": "Chapter 1" + " ." * 60 + " x\n\n" + "word. . . " * 20_000,
    "headings": "Chapter 1\n\nA word.\n\n" * 1_500,
    "bare headings": "Chapter 1\n\n" * 2_000,
    "contents": "Contents\n\n" * 2_000,
    "epilogues": "Part One\n\n" + "Epilogue\n\n" * 2_000,
    "numerals": "I\n\nII\n\n" * 1_500,
    "notes": "Notes\n\n1\n\n2\n\n" * 1_000,
    "indexes": "Index\n\nRiver, 1\n\n" * 1_500,
    "one line": "word" * 250_000,
}


def calls_of(source: str) -> int:
    """How many functions are called to divide a text: its time, whatever else the machine does."""
    count = 0

    def counts(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counts)
    try:
        assert divided(source)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("name", HUGE)
def test_work_grows_with_the_text_only(name: str) -> None:
    source = HUGE[name]
    half, whole = calls_of(source[: len(source) // 2]), calls_of(source)
    assert whole < 2.5 * half + 1_000
