"""Chunks: nothing lost, no limit passed, no heading crossed, and edits that stay local."""

from __future__ import annotations

import random
from collections import Counter
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_book.model import Book, Break, BreakAt, Chapter, Chunk, Origin, Source
from tts_book.text.chunker import (
    MAX_CHARACTERS,
    MAX_ESCAPED_BYTES,
    MAX_ESTIMATED_MS,
    choose_boundaries,
    chunk_chapter,
    escaped_bytes,
    plan_book,
)
from tts_book.text.sentences import Splitter
from tts_book.text.speech_rate import estimate_ms

ENGLISH = Splitter("en")


def chapter(text: str, breaks: tuple[BreakAt, ...] = (), number: int = 1) -> Chapter:
    return Chapter(number, "A title", text, Origin(Source("a.txt"), ()), (), breaks)


def cut(text: str, breaks: tuple[BreakAt, ...] = (), language: str = "en") -> tuple[Chunk, ...]:
    splitter = ENGLISH if language == "en" else Splitter(language)
    return chunk_chapter(chapter(text, breaks), splitter, language)


# --- prose of several shapes, from a seed ---------------------------------------------------

SYLLABLES = ("ba", "do", "ki", "lu", "men", "nor", "pa", "ri", "so", "tal", "ven", "zu")


def sentence(chance: random.Random, longest: int = 30) -> str:
    words = [
        "".join(chance.choices(SYLLABLES, k=chance.randint(1, 4)))
        for _ in range(chance.randint(2, longest))
    ]
    return " ".join(words).capitalize() + chance.choice(".....!?")


def prose(chance: random.Random, shape: str, size: int) -> list[list[str]]:
    """Paragraphs of sentences, about `size` characters."""
    most, longest = {
        "novel": (9, 30),
        "dialogue": (2, 9),
        "one paragraph": (10**9, 25),
        "long sentences": (5, 120),
        "endless sentences": (3, 600),
    }[shape]
    paragraphs: list[list[str]] = [[]]
    written, room = 0, chance.randint(1, most)
    while written < size:
        if len(paragraphs[-1]) >= room:
            paragraphs.append([])
            room = chance.randint(1, most)
        paragraphs[-1].append(sentence(chance, longest))
        written += len(paragraphs[-1][-1]) + 1
    return paragraphs


SHAPES = ("novel", "dialogue", "one paragraph", "long sentences", "endless sentences")


def joined(paragraphs: list[list[str]]) -> str:
    return "\n\n".join(" ".join(paragraph) for paragraph in paragraphs if paragraph)


def edited(chance: random.Random, paragraphs: list[list[str]], longest: int) -> list[list[str]]:
    """The same with one sentence more, less or other."""
    copy = [list(paragraph) for paragraph in paragraphs]
    paragraph = chance.choice(copy)
    at = chance.randrange(len(paragraph))
    kind = chance.choice(("change", "insert", "delete"))
    if kind == "insert":
        paragraph.insert(at, sentence(chance, longest))
    elif kind == "change":
        paragraph[at] = sentence(chance, longest)
    else:
        del paragraph[at]
    return copy


# --- properties -----------------------------------------------------------------------------

ANY_TEXT = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            ["***", "—", "слово " * 400, "x" * 4000, "字" * 2500, "&" * 3000, "🙂" * 900]
        ),
        st.sampled_from(["Mr. Fox came. He sat. ", "a, b; c: d — e ", "\n\n", "\n", ". " * 900]),
    ),
    max_size=12,
).map("".join)


@given(ANY_TEXT, st.sampled_from(["en", "ru", "zh", "xx"]))
@settings(max_examples=120, deadline=None)
def test_nothing_is_lost_and_no_limit_is_passed(text: str, language: str) -> None:
    found = cut(text, language=language)
    end = 0
    for number, chunk in enumerate(found, 1):
        assert not text[end : chunk.start].strip()
        assert chunk.number == number
        assert chunk.text == chunk.spoken == text[chunk.start : chunk.stop]
        assert chunk.text == chunk.text.strip() != ""
        assert len(chunk.spoken) <= MAX_CHARACTERS
        assert escaped_bytes(chunk.spoken) <= MAX_ESCAPED_BYTES
        assert estimate_ms(chunk.spoken, language) <= MAX_ESTIMATED_MS
        end = chunk.stop
    assert not text[end:].strip()
    assert [chunk.after for chunk in found[-1:]] == [Break.CHAPTER] * bool(found)


@given(st.integers(0, 10**6), st.sampled_from(SHAPES))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_an_edit_of_one_sentence_makes_at_most_three_chunks_new(seed: int, shape: str) -> None:
    chance = random.Random(seed)
    longest = {"dialogue": 9, "one paragraph": 25}.get(shape, 30)
    paragraphs = prose(chance, shape, 12_000)
    before = Counter(chunk.spoken for chunk in cut(joined(paragraphs)))
    for _ in range(4):
        after = Counter(chunk.spoken for chunk in cut(joined(edited(chance, paragraphs, longest))))
        assert (after - before).total() <= 3


def test_an_edit_before_the_first_sentence_of_a_long_chapter_stays_there() -> None:
    paragraphs = prose(random.Random(7), "novel", 60_000)
    before = cut(joined(paragraphs))
    paragraphs[0].insert(0, "Once there was a house on a hill.")
    after = cut(joined(paragraphs))
    assert [c.spoken for c in before[4:]] == [
        c.spoken for c in after[len(after) - len(before) + 4 :]
    ]


@pytest.mark.parametrize("text", ["The same again. ", "One. Two is longer. Three! ", "Na, na, na "])
def test_text_that_repeats_itself_keeps_most_chunks_when_edited(text: str) -> None:
    whole = (text * (40_000 // len(text))).strip()
    before = Counter(chunk.spoken for chunk in cut(whole))
    middle = whole.index(text, 20_000)
    after = Counter(chunk.spoken for chunk in cut(whole[:middle] + "Stop! " + whole[middle:]))
    assert (after - before).total() <= 3


@pytest.mark.parametrize("shape", ["novel", "dialogue", "one paragraph"])
def test_chunks_are_of_a_pleasant_size(shape: str) -> None:
    sizes = [len(c.text) for c in cut(joined(prose(random.Random(3), shape, 200_000)))]
    assert 900 <= median(sizes) <= 1_300
    assert sum(size < 400 for size in sizes) < 0.06 * len(sizes)


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 20)), min_size=1, max_size=60),
    st.integers(100, 1500),
)
@settings(max_examples=150, deadline=None)
def test_no_stretch_between_chosen_ends_is_longer_than_the_limit(
    steps: list[tuple[int, int]], limit: int
) -> None:
    places, total = [], 0
    for width, _ in steps:
        total += width
        places.append(total)
    chosen = choose_boundaries(places, [float(key) for _, key in steps], limit)
    assert chosen == sorted(set(chosen)) and chosen[-1] == len(places) - 1
    for before, after in zip([-1, *chosen], chosen, strict=False):
        width = places[after] - (places[before] if before >= 0 else 0)
        assert width <= limit or after - before == 1


# --- breaks ---------------------------------------------------------------------------------


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_no_chunk_crosses_a_heading_or_a_scene(seed: int) -> None:
    chance = random.Random(seed)
    paragraphs = prose(chance, "dialogue", 5_000)
    text, ends, offset = joined(paragraphs), [], 0
    for paragraph in text.split("\n\n"):
        offset += len(paragraph)
        ends.append(offset)
        offset += 2
    breaks = tuple(
        BreakAt(end, chance.choice((Break.HEADING, Break.SCENE)))
        for end in ends[:-1]
        if chance.random() < 0.1
    )
    found = cut(text, breaks)
    stops = {chunk.stop: chunk.after for chunk in found}
    assert [stops.get(at.offset) for at in breaks] == [at.kind for at in breaks]


# `#` begins a heading, `|` stands where a chunk must end.
HEADINGS_INSIDE = (
    "# Один || Чтобы начать, введите команду: | # Имя пользователя || Его спросят один раз.",
    "# One || Open the window. Then type this: | # Your name || It is asked for once.",
    "# One || It rained all day. || # Two || It rained all night.",
    "Open the window. Type this command: | # Your name || It is asked for once.",
    "# One || It rained. || There were reasons for it, some of them old and some, | # Two || new.",
    "The Old House || A Novel || # One || It rained.",
)


@pytest.mark.parametrize("drawn", HEADINGS_INSIDE)
def test_a_heading_is_never_the_end_of_the_sentence_before_it(drawn: str) -> None:
    parts = [part.strip() for part in drawn.replace("||", "|").split("|")]
    lines = [part.removeprefix("# ") for part in parts]
    text, breaks, must_end, at = "\n\n".join(lines), [], [], 0
    for part, line in zip(parts, lines, strict=True):
        at += len(line)
        if part.startswith("# "):
            breaks.append(BreakAt(at, Break.HEADING))
        at += 2
    offset = 0
    for drawn_part in drawn.split("||"):
        for piece in drawn_part.split(" | ")[:-1]:
            must_end.append(text.index(piece.strip(), offset) + len(piece.strip()))
            offset = must_end[-1]
    found = {chunk.stop: chunk.after for chunk in cut(text, tuple(breaks), "ru")}
    assert [found.get(offset) for offset in must_end] == [Break.PARAGRAPH] * len(must_end)
    assert all(found[at.offset] in (Break.HEADING, Break.CHAPTER) for at in breaks)
    assert len(found) == len(breaks) + len(must_end) + 1


def test_what_follows_each_chunk() -> None:
    first, second = "A short heading", "Word and word. " * 150
    text = f"{first}\n\n{second.strip()}\n\nThe end."
    found = cut(text, (BreakAt(len(first), Break.HEADING),))
    assert found[0].text == first
    assert found[0].after is Break.HEADING
    assert {chunk.after for chunk in found[1:-1]} <= {Break.SENTENCE, Break.PARAGRAPH}
    assert found[-1].after is Break.CHAPTER


def test_a_chapter_of_nothing_has_no_chunks() -> None:
    assert cut("") == cut(" \n\n \n") == ()


def test_chapters_are_numbered_and_the_plan_is_the_same_twice() -> None:
    chance = random.Random(1)
    texts = [joined(prose(chance, "novel", 4_000)) for _ in range(3)]
    book = Book("T", "en-GB", tuple(chapter(t, number=n) for n, t in enumerate(texts, 1)))
    first, second = plan_book(book), plan_book(book)
    assert first == second
    assert {chunk.chapter for chunk in first.chunks} == {1, 2, 3}
    assert [chunk.number for chunk in first.of_chapter(2)][:2] == [1, 2]
    assert first.estimated_ms == sum(estimate_ms(c.spoken, "en-GB") for c in first.chunks)


# --- where a sentence that is too long is cut -----------------------------------------------


@pytest.mark.parametrize(
    ("mark", "ends"),
    [("; ", ";"), (": ", ":"), (", ", ","), (" — ", "d—"), (" ", "d")],
)
def test_a_sentence_that_is_too_long_is_cut_at_its_marks(mark: str, ends: str) -> None:
    clause = "word " * 29 + "word"
    found = cut(mark.join([clause] * 20) + ".")
    assert len(found) > 1
    assert all(chunk.text[-1] in ends for chunk in found[:-1])


@pytest.mark.parametrize(
    "unit",
    [
        pytest.param("e\u0301", id="combining mark"),
        pytest.param("👩\u200d🚀", id="joined emoji"),
        pytest.param("👍🏽", id="skin tone"),
        pytest.param("❤\ufe0f", id="variation selector"),
        pytest.param("कि", id="vowel sign"),
    ],
)
def test_no_cut_falls_inside_a_grapheme(unit: str) -> None:
    for chunk in cut(unit * 2_000):
        assert chunk.text == unit * (len(chunk.text) // len(unit))


def test_a_word_of_a_million_characters_is_cut() -> None:
    assert 667 <= len(cut("ab" * 500_000)) <= 1_400


# --- pieces with nothing to speak -----------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["* * *\n\nThen he came.", "He went.\n\n—\n\nShe stayed.", "He went. … — Then?\n\n***"],
)
def test_marks_alone_go_with_a_neighbour(text: str) -> None:
    assert [chunk.text for chunk in cut(text)] == [text]


def test_marks_alone_go_with_a_neighbour_in_a_long_chapter() -> None:
    paragraphs = prose(random.Random(5), "dialogue", 20_000)
    found = cut("\n\n***\n\n".join(joined([p]) for p in paragraphs))
    assert all(any(char.isalnum() for char in chunk.text) for chunk in found)


# --- measure --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("ab", 2), ("жж", 4), ("a&b<c>", 16), ("字", 3), ("🙂", 4), ("", 0)]
)
def test_bytes_are_counted_as_they_are_sent(text: str, size: int) -> None:
    assert escaped_bytes(text) == size


@pytest.mark.parametrize(
    ("language", "rate_pct", "least", "most"),
    [
        ("ru", 0, 65_000, 84_000),
        ("en-US", 0, 60_000, 72_500),
        ("zh-CN", 0, 178_000, 250_000),
        ("en", 100, 30_000, 36_300),
        ("en", -50, 120_000, 145_000),
        ("xx", 0, 50_000, 100_000),
    ],
)
def test_a_thousand_characters_take_a_minute_or_so(
    language: str, rate_pct: int, least: int, most: int
) -> None:
    assert least <= estimate_ms("x" * 1_000, language, rate_pct) <= most
