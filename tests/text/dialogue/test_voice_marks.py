"""Marks that say who speaks: they are taken out, and nothing else is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tts_book
from tts_book.errors import UserError
from tts_book.model import Book
from tts_book.text.dialogue.roles import take_voice_marks


def read(text: str) -> Book:
    return tts_book.read(text.encode(), language="en", title="Fog", split="none")


@pytest.mark.parametrize(
    ("text", "plain", "marked"),
    [
        ("One two three.", "One two three.", []),
        ("One [voice:Anna]two[/voice] three.", "One two three.", [("Anna", "two")]),
        ("One [voice:Anna] two [/voice] three.", "One two three.", [("Anna", "two")]),
        ("One[VOICE: Anna B. ]two[/Voice]three.", "Onetwothree.", [("Anna B.", "two")]),
        ("[voice:Anna]One two.[/voice]", "One two.", [("Anna", "One two.")]),
        (
            "One.\n\n[voice:Anna]\n\nTwo.\n\nThree.\n\n[/voice]\n\nFour.",
            "One.\n\nTwo.\n\nThree.\n\nFour.",
            [("Anna", "Two.\n\nThree.")],
        ),
        (
            "[voice:Anna]One.[/voice] [voice:Brom]Two.[/voice]\n\nThree.",
            "One. Two.\n\nThree.",
            [("Anna", "One."), ("Brom", "Two.")],
        ),
        ("One [voice:Anna][/voice] two.", "One two.", []),
        ("The [voice of the sea] and [a voice].", "The [voice of the sea] and [a voice].", []),
    ],
)
def test_marks_are_taken_out(text: str, plain: str, marked: list[tuple[str, str]]) -> None:
    book, spans = take_voice_marks(read(text))
    (chapter,) = book.chapters
    assert chapter.text == plain
    found = [(span.name, chapter.text[span.start : span.stop]) for span in spans.get(1, ())]
    assert found == marked


def test_a_mark_around_a_heading_hides_no_heading() -> None:
    text = "Chapter 1\n\nOne.\n\n[voice:Anna]Chapter 2[/voice]\n\nTwo.\n"
    book, spans = take_voice_marks(tts_book.read(text.encode(), language="en", title="Fog"))
    assert [chapter.title for chapter in book.chapters] == ["Chapter 1", "Chapter 2"]
    second = book.chapters[1]
    assert [second.text[at.start : at.stop] for at in spans[2]] == ["Chapter 2"]
    assert [second.text[: at.offset] for at in second.breaks] == ["Chapter 2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("One [voice:Anna]two.", r":1:5: \[voice:Anna\] is not closed"),
        ("One.\nTwo [/voice] three.", r":2:5: \[/voice\] closes nothing"),
        ("A [voice:B]c [voice:D]e[/voice].", r":1:14: \[voice:D\] inside \[voice:B\]"),
        ("One [voice] two.", r':1:5: "\[voice\]" is not understood'),
        ("One [voice: ] two.", r':1:5: "\[voice: \]" is not understood'),
        ("One [voice:Anna two.", r":1:5: .*is not understood"),
    ],
)
def test_mistakes_have_line_and_column(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        take_voice_marks(read(text))


_WORDS = st.lists(st.sampled_from(["fog", "late,", "boat.", "Ring!", "\n\n", "\n"]), max_size=6)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["", " ", "\n\n"]), _WORDS), min_size=1))
def test_no_word_is_lost_or_moved(pieces: list[tuple[bool, str, list[str]]]) -> None:
    texts = [blank.join(("Lamp", " ".join(words), "out")) for _, blank, words in pieces]
    source = "".join(
        f"[voice:Anna]{blank}{text}{blank}[/voice]" if marked else f" {text} "
        for (marked, blank, _), text in zip(pieces, texts, strict=True)
    )
    book, spans = take_voice_marks(read(source))
    (chapter,) = book.chapters
    assert book.ledger.adds_up
    assert "".join(chapter.text.split()) == "".join("".join(texts).split())
    assert all(part == part.strip() and part for part in chapter.text.split("\n\n"))
    assert ["".join(chapter.text[s.start : s.stop].split()) for s in spans.get(1, ())] == [
        "".join(text.split()) for (marked, *_), text in zip(pieces, texts, strict=True) if marked
    ]
    lines = source.split("\n")
    for at, character in enumerate(chapter.text):
        if not character.isspace():
            place = chapter.origin.place(at)
            assert lines[place.line - 1][place.column - 1] == character
