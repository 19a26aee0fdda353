"""Words of the service find their place in the text."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_book.backends.edge.alignment import fold, folded, marks_of, place, unwrapped
from tts_book.backends.edge.protocol import Boundary

TICKS = 10_000


def words(*said: str) -> list[Boundary]:
    """Boundaries of 100 ms each, one after another."""
    return [
        Boundary("word", at * 1_000_000, (at + 1) * 1_000_000, text) for at, text in enumerate(said)
    ]


# The text, what the service says, and what of the text each word found ("" for none).
CASES = [
    ("One, two — three!", ["One", "two", "three"], ["One", "two", "three"]),
    ("В лесу и в поле.", ["В", "лесу", "и", "в", "поле"], ["В", "лесу", "и", "в", "поле"]),
    ("за\u0301мок", ["замок"], ["за\u0301мок"]),
    ("Ёлка и йод", ["Ёлка", "и", "йод"], ["Ёлка", "и", "йод"]),
    (
        "В 1812 году был мир.",
        ["В", "тысяча", "восемьсот", "году", "был", "мир"],
        ["В", "", "", "году", "был", "мир"],
    ),
    ("Книга и игла, и иволга", ["Книга", "иволга"], ["Книга", "иволга"]),
    ("Гости взошли в дом.", ["Гости", "в", "дом"], ["Гости", "в", "дом"]),
    # Of what is marked, the whole words that come next: some marks are lost.
    ("Солдат с шеей, обвязанной бинтом", ["с", "шеей", "бинтом"], ["с", "шеей", "бинтом"]),
    (
        "Не мешайтесь не в своё дело",
        ["Не", "мешайтесь", "не", "дело"],
        ["Не", "мешайтесь", "не", "дело"],
    ),
    ("Он сидел и ждал, и слушал", ["Он", "и", "слушал"], ["Он", "и", "слушал"]),
    ("R&D costs $5", ["R&D", "costs", "$", "5"], ["R&D", "costs", "5"]),
    ("don't stop", ["don't", "stop"], ["don't", "stop"]),
    ("New York City", ["New York", "City"], ["New York", "City"]),
    ("我们走吧。好。", ["我们", "走", "吧", "好"], ["我们", "走", "吧", "好"]),
    ("ﬁne oﬀer", ["fine", "offer"], ["ﬁne", "oﬀer"]),
    ("one two three four", ["one", "nothing", "three", "four"], ["one", "", "three", "four"]),
    ("A B " * 3, ["A", "B"] * 3, ["A", "B"] * 3),
    ("text", ["…", "text", "!"], ["text"]),
]


@pytest.mark.parametrize(("text", "said", "found"), CASES)
def test_places(text: str, said: list[str], found: list[str]) -> None:
    within = folded(text)
    placed = place(within, words(*said))
    shown = [
        text[slice(*within.span(word.start, word.stop))] if word.found else "" for word in placed
    ]
    assert shown == found


def test_a_hole_is_walked_over() -> None:
    text = "The first part is here. " + "It went on for long. " * 20 + "And then it ended there."
    placed = place(folded(text), words("The", "first", "part", "And", "then", "it", "ended"))
    assert all(word.found for word in placed)
    assert fold(text)[placed[3].start :].startswith("andthenitended")


@given(st.text(), st.lists(st.text(max_size=8), max_size=12))
def test_places_are_in_order_and_in_the_text(text: str, said: list[str]) -> None:
    within = folded(text)
    placed = [word for word in place(within, words(*said)) if word.found]
    for one, other in itertools.pairwise(placed):
        assert one.stop <= other.start
    for mark in marks_of(within, placed, ()):
        assert 0 <= mark.start < mark.stop <= len(text)
        assert mark.start_ms <= mark.stop_ms


@given(st.text(min_size=1))
def test_the_words_of_a_text_find_themselves(text: str) -> None:
    within = folded(text)
    said = [word for word in text.split() if fold(word)]
    placed = place(within, words(*said))
    assert len(placed) == len(said)
    assert "".join(within.letters[w.start : w.stop] for w in placed if w.found) == within.letters


def test_offsets_that_start_again_run_on() -> None:
    late, wrapped = 4_000_000_000, 4_300_000_000 - (1 << 32)
    repaired = unwrapped(
        [Boundary("word", late, late + 5, "a"), Boundary("word", wrapped, wrapped + 5, "b")]
    )
    assert [b.start for b in repaired] == [late, 4_300_000_000]


def test_sentences_come_from_words_where_none_are_told() -> None:
    text = "One two. “Three!” Four?\n\nFive six"
    within = folded(text)
    placed = place(within, words("One", "two", "Three", "Four", "Five", "six"))
    marks = [mark for mark in marks_of(within, placed, ()) if mark.kind == "sentence"]
    assert [text[m.start : m.stop] for m in marks] == ["One two.", "“Three!”", "Four?", "Five six"]
    assert [(m.start_ms, m.stop_ms) for m in marks] == [
        (0, 200),
        (200, 300),
        (300, 400),
        (400, 600),
    ]


def test_overlapping_words_are_parted() -> None:
    within = folded("one two")
    said = [Boundary("word", 0, 9 * TICKS, "one"), Boundary("word", 5 * TICKS, 9 * TICKS, "two")]
    marks = [mark for mark in marks_of(within, place(within, said), ()) if mark.kind == "word"]
    assert [(mark.start_ms, mark.stop_ms) for mark in marks] == [(0, 5), (5, 9)]


def test_time_is_linear() -> None:
    text = "ab " * 1_100
    began_s = time.process_time()
    place(folded(text), words(*["zz"] * 1_100))
    place(folded("a" * 3_400), words(*["aa"] * 1_700))
    assert time.process_time() - began_s < 2
