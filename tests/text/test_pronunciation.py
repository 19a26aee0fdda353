"""Pronunciation lists, numbers in words, and the words that a list may need."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book import readers
from tts_book.cli import words
from tts_book.config.pronunciations import load_pronunciations
from tts_book.errors import UserError
from tts_book.model import Break, Chunk, Plan, Voice
from tts_book.readers import ReadOptions
from tts_book.text import chunker, russian_readings
from tts_book.text.chunker import MAX_ESCAPED_BYTES, escaped_bytes
from tts_book.text.pronunciation import Pronunciations, Spellings
from tts_book.text.spoken_text import Readings, apply_readings, find_differences

EDGE, PIPER = Voice("dmitry", "edge", "x"), Voice("ruslan", "piper", "y")
SILENT = Voice("silent", "silent", "z")

ROWS = (
    ({"GitHub": "Гитхаб"}, "Наш GitHub, github и GitHub.", "Наш Гитхаб, github и Гитхаб."),
    ({"замок": "замак"}, "Замок и замок, замочек", "Замак и замак, замочек"),
    ({"IT": "ай-ти", "IT-отдел": "ай-ти отдел"}, "IT-отдел, IT, it", "ай-ти отдел, ай-ти, it"),
    ({"C++": "си плюс плюс"}, "Пиши на C++!", "Пиши на си плюс плюс!"),
    ({"%": " процентов"}, "5% и 100 %", "5 процентов и 100  процентов"),
    ({"a": "b", "b": "a"}, "a b a", "b a b"),
    ({"TCP/IP": "ти-си-пи ай-пи", "IP": "ай-пи"}, "TCP/IP и IP", "ти-си-пи ай-пи и ай-пи"),
    ({"кот": "код"}, "скот, коты, кот-кот", "скот, коты, код-код"),
)


PATTERNS: tuple[tuple[dict[str, str], dict[str, str], str, str], ...] = (
    ({}, {r"№ ?(\d+)": r"номер \1"}, "Дом №5 и № 12", "Дом номер 5 и номер 12"),
    ({"IT": "ай-ти"}, {r"\bIT-(\w+)": r"айти \1"}, "IT-отдел и IT", "айти отдел и ай-ти"),
    ({"XX": "x"}, {r"\bXX(?= век)": "двадцатый"}, "XX век, XX", "двадцатый век, x"),
    ({}, {"aa": "1", "ab": "2"}, "aab", "1b"),
    ({}, {"(?i)кот": "пёс"}, "Кот", "пёс"),
    ({"com": "ком", "GitHub": "гитхаб"}, {"e": "3"}, "https://GitHub.com/e?com, com",
     "https://GitHub.com/e?com, ком"),
    ({"ru": "ру", "me": "x"}, {}, "пишите на me@site.ru или www.site.ru/me. ru",
     "пишите на me@site.ru или www.site.ru/me. ру"),
    ({"github.com": "гитхаб точка ком", "com": "x"}, {}, "на github.com есть",
     "на гитхаб точка ком есть"),
    ({"слово": "х"}, {}, "Конец.слово стоит", "Конец.х стоит"),
)  # fmt: skip


@pytest.mark.parametrize(("spellings", "patterns", "text", "wanted"), PATTERNS)
def test_expressions_go_first_and_addresses_stay(
    spellings: dict[str, str], patterns: dict[str, str], text: str, wanted: str
) -> None:
    assert applied(spellings, text, patterns=patterns) == wanted


def test_an_expression_that_never_ends_is_reported() -> None:
    with pytest.raises(UserError, match=r"\(a\+\)\+b.*takes too long"):
        applied({}, "a" * 1_000, patterns={"(a+)+b": "c"})


def applied(
    spellings: dict[str, str],
    text: str,
    *,
    stress: bool = True,
    patterns: dict[str, str] | None = None,
) -> str:
    for edit in reversed(list(Spellings(spellings, patterns).edits(text, stress=stress))):
        text = text[: edit.start] + edit.new + text[edit.stop :]
    return text


@pytest.mark.parametrize(("spellings", "text", "wanted"), ROWS, ids=[row[1] for row in ROWS])
def test_words_are_said_as_the_list_says(spellings: dict[str, str], text: str, wanted: str) -> None:
    assert applied(spellings, text) == wanted


def test_stress_is_for_voices_that_take_it() -> None:
    assert applied({"замок": "замо\u0301к"}, "замок") == "замо\u0301к"
    assert applied({"замок": "замо\u0301к"}, "замок", stress=False) == "замок"


# Applied to a plan

TEXT = "Глава 1\n\nВ 1998 году GitHub ещё не было. Смотритель жил на ул. Лесной, д. 5."


def plan_of(text: str = TEXT) -> Plan:
    return chunker.plan_book(readers.read_bytes(text.encode(), "a.txt", ReadOptions(language="ru")))


def manner(spellings: dict[str, str], *, in_words: bool = False) -> Readings:
    known = Pronunciations(None, {"": spellings})
    return Readings(known, russian_readings.load_russian_rules if in_words else lambda: None)


def in_text(chunk: Chunk, offset: int) -> int:
    pairs = [(0, 0), *chunk.alignment]
    start, text = [pair for pair in pairs if pair[0] <= offset][-1]
    return text + offset - start


def test_what_is_said_leads_back_to_the_text() -> None:
    plan = plan_of()
    made = apply_readings(plan, EDGE, manner({"GitHub": "Гитхаб", "Смотритель": "Сторож"}))
    chunk = made.chunks[-1]
    assert "Гитхаб ещё не было. Сторож жил" in chunk.spoken
    assert chunk.text == plan.chunks[-1].text
    for word in ("ещё", "жил", "Лесной"):
        place = in_text(chunk, chunk.spoken.index(word))
        assert chunk.text[place:].startswith(word)
    assert find_differences(made) == 1


@pytest.mark.parametrize(("voice", "word"), [(PIPER, "за\u0301мок"), (EDGE, "замок")])
def test_stress_reaches_the_engine_that_follows_it(voice: Voice, word: str) -> None:
    made = apply_readings(plan_of("Старый замок стоял."), voice, manner({"замок": "за\u0301мок"}))
    assert word in made.chunks[-1].spoken


def test_without_need_the_plan_stays_itself() -> None:
    plan = plan_of()
    assert apply_readings(plan, EDGE, Readings()) is plan
    assert apply_readings(plan, EDGE, manner({"нет": "да"})).chunks == plan.chunks


def test_another_voice_begins_from_the_text() -> None:
    plan = plan_of()
    once = apply_readings(plan, PIPER, manner({"GitHub": "Гитхаб"}, in_words=True))
    assert once.chunks != plan.chunks
    assert apply_readings(once, EDGE, manner({})).chunks == plan.chunks


def test_numbers_are_words_for_voices_on_this_machine() -> None:
    spoken = (
        apply_readings(plan_of(), PIPER, manner({"1998": "далёком"}, in_words=True))
        .chunks[-1]
        .spoken
    )
    assert spoken == (
        "В далёком году GitHub ещё не было. Смотритель жил на улице Лесной, дом пять."
    )
    assert apply_readings(plan_of(), EDGE, manner({}, in_words=True)).chunks == plan_of().chunks


def test_what_needs_no_words_stays_as_it_is_written() -> None:
    text = "«За\u0301мок» — “да”… нет — 5.\n\nИ — «всё»."
    in_words = russian_readings.load_russian_rules()
    assert in_words is not None
    edits = list(russian_readings.find_russian_readings(text, in_words))
    assert [(text[e.start : e.stop], e.new) for e in edits] == [("5", "пять")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Latin that is no Roman numeral
        ("Есть GitHub CLI, CI/CD и DI, MIX и DIV.", "Есть GitHub CLI, CI/CD и DI, MIX и DIV."),
        ("Окно CMD, ключ C, ось X и MI6.", "Окно CMD, ключ C, ось X и MI6."),
        ("Mac OS X и раздел C", "Mac OS X и раздел C"),
        # Roman numerals that are
        ("Пётр I, Александр I", "Пётр первый, Александр первый"),
        ("Пётр I и II мировая", "Пётр первый и вторая мировая"),
        ("для Людовика XIV", "для Людовика четырнадцатого"),
        ("в XIX веке, том II", "в девятнадцатом веке, том второй"),
        ("I и II части", "первая и вторая части"),
        ("после II мировой войны, XX съезд", "после второй мировой войны, двадцатый съезд"),
        ("на I этаже, VI режим, Сцена V", "на первом этаже, шестой режим, Сцена пять"),
        ("Игра Mega Orr VII вышла", "Игра Mega Orr семь вышла"),
        ("XII", "двенадцать"),
        # identifiers
        ("правка 3f2a9bc1d и a1b2c3d4", "правка 3f2a9bc1d и a1b2c3d4"),
        ("550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
        ("H2SO4 и IPv6", "H2SO4 и IPv шесть"),
        # grams and years
        ("200 г сахара, 1500 г муки", "двести грамм сахара, одна тысяча пятьсот граммов муки"),
        ("Он весит 1500 г.", "Он весит одну тысячу пятьсот граммов."),
        ("в 1995 г. он", "в тысяча девятьсот девяносто пятом году он"),
        # versions and decimals
        ("версия 2.0 и Python 3.11", "версия два точка ноль и Python три точка одиннадцать"),
        ("файл v1.2.3", "файл v один точка два точка три"),
        ("в 2.5 раза", "в две целых пять десятых раза"),
        ("12.05.2024", "двенадцатого мая две тысячи двадцать четвёртого года"),
        # often
        ("открыто 24/7", "открыто двадцать четыре на семь"),
        ("к 300-летию, 25-летний", "к трёхсотлетию, двадцатипятилетний"),
        ("+7 °C и −5° C", "плюс семь градусов Цельсия и минус пять градусов Цельсия"),
        ("г-на Иванова, г-жой Петровой", "господина Иванова, госпожой Петровой"),
        ("1/2 стакана", "одна вторая стакана"),
    ],
)  # fmt: skip
def test_russian_is_read_as_a_reader_would(text: str, said: str) -> None:
    in_words = russian_readings.load_russian_rules()
    assert in_words is not None
    spoken = text
    for edit in reversed(list(russian_readings.find_russian_readings(text, in_words))):
        spoken = spoken[: edit.start] + edit.new + spoken[edit.stop :]
    assert spoken == said


@pytest.mark.parametrize("said", ["", "Жщжъ", "Он жил в городе."])
def test_what_the_rules_lose_is_spoken_as_it_is_written(said: str) -> None:
    text = "Он жил в 1998 году, CLI и DI."
    assert not [
        e for e in russian_readings.find_russian_readings(text, lambda _: said) if not e.new.strip()
    ]


def test_a_chunk_that_grows_too_long_is_cut() -> None:
    text = "Глава 1\n\n" + "Вот и ы. " * 120
    plan = plan_of(text)
    made = apply_readings(plan, EDGE, manner({"ы": "очень длинное слово " * 3}))
    assert len(made.chunks) > len(plan.chunks)
    assert all(escaped_bytes(chunk.spoken) <= MAX_ESCAPED_BYTES for chunk in made.chunks)
    assert [chunk.number for chunk in made.chunks] == list(range(1, len(made.chunks) + 1))
    assert made.chunks[-1].after is Break.CHAPTER
    chapter = plan.book.chapters[0].text
    assert "".join(c.text for c in made.chunks).split() == chapter.split() or all(
        chapter[c.start : c.stop] == c.text for c in made.chunks
    )
    inked = {at for c in made.chunks for at in range(c.start, c.stop)}
    assert all(at in inked for at, character in enumerate(chapter) if not character.isspace())


@pytest.mark.parametrize("unit", ["他在河边走。", "река,", "е\u0301,"])
def test_a_chunk_without_a_blank_is_cut_between_characters(unit: str) -> None:
    plan = plan_of("Слово " + unit * 200)
    made = apply_readings(plan, EDGE, manner(dict.fromkeys("。,", "очень длинное слово " * 3)))
    assert len(made.chunks) > len(plan.chunks)
    assert all(escaped_bytes(chunk.spoken) <= MAX_ESCAPED_BYTES for chunk in made.chunks)
    assert "".join(c.text for c in made.chunks).replace(" ", "") == "Слово" + unit * 200


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.text("аб в-.", min_size=1, max_size=4), st.text("xy", min_size=1), max_size=4
    ),
    st.text("аб в-.\n", max_size=60),
)
def test_edits_are_apart_and_in_order(spellings: dict[str, str], text: str) -> None:
    edits = list(Spellings(spellings).edits(text, stress=True))
    places = [place for edit in edits for place in (edit.start, edit.stop)]
    assert places == sorted(places)
    assert all(edit.start < edit.stop for edit in edits)


# pronounce.toml

MISTAKES = (
    ('"a" = "b"\n\n[words]\n"c" = "d"\n', r"pronounce.toml:3: .words. is not a language"),
    ("GitHub = 5", 'pronounce.toml:1: "GitHub" must have its spelling in quotes'),
    ('a = "b"\n"" = "x"', "pronounce.toml:2: .*is not a word"),
    ('a = " "', "pronounce.toml:1: .*has no spelling"),
    ('a = "b', "pronounce.toml:1:"),
    ('[ru]\na = ["b"]', "pronounce.toml:2:"),
    (f'a = "{"b" * 600}"', "longer than 500"),
    ("[patterns]\n'a(' = 'b'", "pronounce.toml:2: .*a.*is not a regular expression"),
    ("[patterns]\n'a' = '\\2'", "pronounce.toml:2: .*is not a regular expression with a spelling"),
    ("[ru.patterns]\n'a*' = 'b'", "pronounce.toml:2: .*matches the empty string"),
    ("[patterns]\na = 1\n\n[ru]\n'b' = 2", "pronounce.toml:2: .*\n.*pronounce.toml:5: "),
)


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[row[0][:20] for row in MISTAKES])
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "pronounce.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        load_pronunciations(None, [tmp_path])


def test_the_list_lies_beside_the_book_or_where_it_is_named(tmp_path: Path) -> None:
    beside, config = tmp_path / "book", tmp_path / "config"
    beside.mkdir()
    config.mkdir()
    assert not load_pronunciations(None, [beside, config]).of("ru")
    (config / "pronounce.toml").write_text('a = "b"', encoding="utf-8")
    assert load_pronunciations(None, [beside, config]).path == config / "pronounce.toml"
    (beside / "pronounce.toml").write_text('[en]\na = "c"', encoding="utf-8")
    found = load_pronunciations(None, [beside, config])
    assert found.of("en-GB")
    assert not found.of("ru")
    with pytest.raises(UserError, match="There is no pronunciation list"):
        load_pronunciations(tmp_path / "other.toml", [beside])


# plan --words

BOOK = (
    "Сервер GitHub и GitHub Pages работает по TCP/IP. "
    "В XIX веке США и СССР не было №5 на 12,5 %.\n\n"
    "ГЛАВА ПЕРВАЯ\n\nВ 1998 году GitHub не было. C++ и HTTP."
)


def test_words_that_may_be_said_wrong_are_listed() -> None:
    book = readers.read_bytes(BOOK.encode(), "a.txt", ReadOptions(language="ru"))
    found = list(words.list_words(book))
    text = "\n".join(found)
    assert tomllib.loads(text) == {
        "GitHub": "GitHub", "Pages": "Pages", "TCP/IP": "ти-си-пи ай-пи", "США": "США",
        "СССР": "СССР", "XIX": "XIX", "№": "№", "%": "%", "C++": "C++",
        "HTTP": "эйч-ти-ти-пи",
    }  # fmt: skip
    assert found[3].startswith('"GitHub" = "GitHub"  # 3: Сервер GitHub и')
    assert found.index("# words and acronyms") < found.index("# Roman numerals")


WORDS: tuple[tuple[str, set[str]], ...] = (
    ("Пишите на me@site.ru, читайте https://example.com/a/b?c=HTTP и github.com/x.", set()),
    ("Он купил 2 дома, 3,5 га и 1 000 гвоздей в 12:30 за 5.10.", set()),
    ("Версия 3.11.2, доля 1/3, адрес 10.0.0.1.", {"3.11.2", "1/3", "10.0.0.1"}),
    ("Компания AT&T, язык Node.js, формат UTF-8, флаг x86-64 и R&D.",
     {"AT&T", "Node.js", "UTF-8", "x86-64", "R&D"}),
    ("IT-отдел и отдел IT.", {"IT"}),
    ("Он сказал: «Eh bien, mon prince. Gênes et Lucques», и вышел в jabot.", {"jabot"}),
    ("Глава II\n\nIII. Потом. В XX веке.", {"XX"}),
    ("4K и 3D, USB 3.0.", {"4K", "3D", "USB"}),
)  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), WORDS)
def test_only_what_will_be_heard_wrong_is_listed(text: str, wanted: set[str]) -> None:
    book = readers.read_bytes(text.encode(), "a.txt", ReadOptions(language="ru"))
    assert set(tomllib.loads("\n".join(words.list_words(book)))) == wanted


@pytest.mark.parametrize("language", ["ru", "en", "de"])
@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=80))
def test_the_list_is_always_toml(language: str, text: str) -> None:
    try:
        book = readers.read_bytes(f"word {text}".encode(), "a.txt", ReadOptions(language=language))
    except (UserError, UnicodeEncodeError):
        return
    tomllib.loads("\n".join(words.list_words(book)))
