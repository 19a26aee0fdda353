"""Text made speakable: what is said, what is left out and why, and that nothing gets lost."""

from __future__ import annotations

from unicodedata import is_normalized

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger import find_ledger_gaps
from tts_book.model import Origin, Skip, Source
from tts_book.text.normalize import (
    Block,
    Kind,
    Paragraph,
    make_paragraphs,
    trim_paragraph,
    unify_whitespace,
)


def one(source: str, kind: Kind = Kind.PROSE) -> Paragraph:
    (made,) = make_paragraphs(source, [Block(0, len(source), kind)])
    return made


SAID = (
    ("two  spaces\tand\u00a0more", "two spaces and more", ()),
    ("a line\r\nand another", "a line and another", ()),
    ("co\u00adoper\u200bate\u2060\ufeff", "cooperate", ("invisible character",) * 3),
    ("bell\x07 and null\x00", "bell and null", ("invisible character",) * 2),
    ("и\u0306 в е\u0308лке", "й в ёлке", ()),
    ("G&#234;nes &amp; Lucques", "Gênes & Lucques", ()),
    ("a&nbsp;b", "a b", ("space written as an entity",)),
    ("&nosuch; stays", "&nosuch; stays", ()),
    ("сказал он[12], уходя", "сказал он, уходя", ("note mark",)),
    ("so he said {7}.", "so he said .", ("note mark",)),
    ("в [1812] году", "в [1812] году", ()),
    ("[3] a note", "[3] a note", ()),
    ("the end.² Then", "the end. Then", ("note mark",)),
    ("слово³ и", "слово и", ("note mark",)),
    ("20 м² и x²", "20 м² и x²", ()),
    ("a _stressed_ word", "a stressed word", ("emphasis mark",) * 2),
    ("snake_case stays", "snake_case stays", ()),
    ("a *stressed* word", "a stressed word", ("emphasis mark",) * 2),
    ("2 * 3 * 4", "2 * 3 * 4", ()),
    ("граф* вышел", "граф вышел", ("note mark",)),
    ("well--no", "well—no", ()),
    ("run it with --help now", "run it with --help now", ()),
    ("привет 😀🎉 всем", "привет всем", ("emoji or ornament",)),
    ("\u0421\u043bo\u0432o", "Слово", ()),
    ("T\u043e\u043c и XX\u0432", "Том и XXв", ()),
    ("web\u0441\u0430\u0439\u0442", "web\u0441\u0430\u0439\u0442", ()),
    ("[Illustration: a cat] Then", "Then", ("picture",)),
    ("half [Pg 12] and half", "half and half", ("page number",)),
    ("e\x08\u0301", "é", ()),
    ("k\x08\u0344", "k\u0308\u0301", ()),
    ("\U000e0001\ufffe\ud800x", "x", ("invisible character",)),
    ("e" + "\u0301" * 40 + "!", None, ("stacked marks",)),
)


@pytest.mark.parametrize(("source", "said", "reasons"), SAID, ids=[repr(row[0]) for row in SAID])
def test_what_is_said_and_what_is_not(
    source: str, said: str | None, reasons: tuple[str, ...]
) -> None:
    made = one(source)
    assert said is None or made.text == said
    assert tuple(skip.reason for skip in made.skips) == reasons
    assert not find_ledger_gaps(source, made.runs, made.skips)


def test_verse_keeps_its_lines() -> None:
    assert one("one line \n  another", Kind.VERSE).text == "one line\nanother"


def test_a_character_knows_its_place() -> None:
    source = "first\n  se\u00adcond &#234; third"
    made = one(source)
    origin = Origin(Source("a.txt", (0, 6)), made.runs)
    assert made.text == "first second ê third"
    assert str(origin.place(made.text.index("second"))) == "a.txt:2:3"
    assert str(origin.place(made.text.index("cond"))) == "a.txt:2:6"
    assert str(origin.place(made.text.index("ê"))) == "a.txt:2:11"
    assert str(origin.place(made.text.index("third"))) == "a.txt:2:18"


def test_what_lies_between_blocks_is_skipped() -> None:
    source = "<b>word</b>"
    made = make_paragraphs(source, [Block(3, 7)], between="markup")
    skips = [skip for paragraph in made for skip in paragraph.skips]
    assert skips == [Skip(0, 3, "markup", "<b>"), Skip(7, 11, "markup", "</b>")]
    assert "".join(paragraph.text for paragraph in made) == "word"


def test_scene_marks_and_blocks_left_out_are_not_spoken() -> None:
    made = make_paragraphs("* * *", [Block(0, 5, Kind.SCENE)])
    assert [(p.text, p.skips[0].reason) for p in made] == [("", "scene mark")]


def test_ornaments_of_a_heading_are_trimmed() -> None:
    source = "* Part One *"
    made = trim_paragraph(source, one(source), " *")
    assert made.text == "Part One"
    assert not find_ledger_gaps(source, made.runs, made.skips)


def test_a_gap_in_the_ledger_is_found() -> None:
    made = one("three little words")
    assert find_ledger_gaps("three little words", made.runs[:0], ()) == ((0, 5), (6, 12), (13, 18))
    doubled = (Skip(0, 5, "twice", "three"),)
    assert find_ledger_gaps("three little words", made.runs, doubled) == ((0, 5),)


ODD = st.sampled_from(
    ["\u00ad", "\u200d", "e\u0301", "\u1100\u1161", "&#x41;", "&lt;", "[1]", "*a*", "--", "😀", "С"]
)
PIECES = st.lists(st.one_of(st.text(max_size=8), ODD), max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(PIECES, st.sampled_from([Kind.PROSE, Kind.VERSE]))
def test_every_character_is_spoken_or_skipped(source: str, kind: Kind) -> None:
    made = one(source, kind) if source else None
    if made is None:
        return
    assert not find_ledger_gaps(source, made.runs, made.skips)
    assert is_normalized("NFC", made.text)
    assert made.text == made.text.strip(" \n")
    assert not [c for c in made.text if ord(c) < 32 and c != "\n"]
    assert len(unify_whitespace(source)) == len(source)


HUGE = (
    "a" * 1_000_000,
    " " * 1_000_000 + "a",
    "e" + "\u0301" * 60_000,
    "*" * 60_000,
    "*a" * 40_000,
    "&" * 60_000,
    "[1" * 40_000,
    "Сc" * 40_000,
    "c" * 60_000 + "С",
    "_ " * 40_000,
    "\u1161" * 40_000,
    "- " * 40_000,
)


@pytest.mark.parametrize("source", HUGE, ids=[repr(source[:6]) for source in HUGE])
def test_hostile_texts_come_to_an_end(source: str) -> None:
    """With a rule that looks back further the longer the text is, this would take hours."""
    one(source)
