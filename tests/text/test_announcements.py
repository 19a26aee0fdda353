"""What is said instead of code, addresses and hashes; how raised and lowered numbers are said."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ledger import find_ledger_gaps
from tts_book.text.announcements import Sign, UrlsAs, announce
from tts_book.text.inline_rules import Edit, is_note_mark
from tts_book.text.normalize import Block, make_paragraphs
from tts_book.text.spoken_text import find_script_readings


def announced(text: str, language: str = "en", urls: UrlsAs = "host") -> str:
    (paragraph,) = make_paragraphs(text, [Block(0, len(text))])
    (made,) = announce(text, [paragraph], language, urls)
    assert not find_ledger_gaps(text, made.runs, made.skips)
    return made.text


ADDRESSES = [
    ("See https://example.org/a/b?c=d#e.", "See link to example.org."),
    ("(see http://www.example.org/a_(b))", "(see link to example.org)"),
    ("At www.example.org, too", "At link to example.org, too"),
    ("ftp://files.example.org/x; then", "link to files.example.org; then"),
    ("file:///etc/passwd is one", "is one"),
    ("HTTP://EXAMPLE.ORG!", "link to example.org!"),
    ("Write to me@example.org or look at example.org.",
     "Write to me@example.org or look at example.org."),
    ("He said: www. And so on", "He said: www. And so on"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), ADDRESSES)
def test_an_address_is_said_as_its_host(text: str, said: str) -> None:
    assert announced(text) == said


def test_an_address_is_read_or_skipped_on_request() -> None:
    text = "See https://example.org/a now."
    assert announced(text, urls="read") == text
    assert announced(text, urls="skip") == "See now."
    assert announced(text, "ru") == "See ссылка на example.org now."
    assert announced(text, "ja") == "See example.org now."  # no words of its own


HASHES = [
    ("In 1da177e4c3f41524e886b7f1b8a0c1fc7321cac2 it is.", "In it is."),
    ("commit ca82a6d, then", "commit, then"),
    ("id 123e4567-e89b-12d3-a456-426614174000.", "id."),
    ("key AKIA4x9Zq2LmN8pQ7rS5tU3v it", "key it"),
    ("The facade was effaced in 1853.", "The facade was effaced in 1853."),
    ("ISBN 9785170801152, 1234567 copies", "ISBN 9785170801152, 1234567 copies"),
    ("Tel. 8-800-555-35-35 and 2001a", "Tel. 8-800-555-35-35 and 2001a"),
    ("a-very-long-name-of-an-option-2-be-sure", "a-very-long-name-of-an-option-2-be-sure"),
]


@pytest.mark.parametrize(("text", "said"), HASHES)
def test_hashes_and_long_ids_are_left_out(text: str, said: str) -> None:
    assert announced(text) == said


def signed(*signs: Sign, language: str) -> list[str]:
    """What is said of paragraphs that are nothing but a sign."""
    text = "x\n" * len(signs)
    blocks = [Block(2 * at, 2 * at + 1) for at in range(len(signs))]
    edits = [Edit(2 * at, 2 * at + 1, sign, "code") for at, sign in enumerate(signs)]
    made = announce(text, make_paragraphs(text, blocks, edits), language)
    return [paragraph.text for paragraph in made]


def test_signs_are_said_in_the_language_of_the_text() -> None:
    signs = (Sign.CODE, Sign.FORMULA, Sign.FIGURE)
    assert signed(*signs, language="ru") == ["Пример кода.", "Формула.", "Рисунок."]
    assert signed(*signs, language="en-GB") == ["Code example.", "Formula.", "Figure."]
    assert signed(*signs, language="ja") == ["", "", ""]


def test_listings_in_a_row_are_one_example() -> None:
    assert signed(Sign.CODE, Sign.CODE, Sign.FIGURE, language="en") == [
        "", "Code example.", "Figure.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("caption", "said"),
    [
        ("Figure 3. Mills", ""),
        ("Fig. 3: Mills", ""),
        ("Figures of mills", "Figure."),
        ("", "Figure."),
    ],
)
def test_a_figure_is_announced_by_its_caption(caption: str, said: str) -> None:
    text = f"x\n{caption}"
    blocks = [Block(0, 1), Block(2, len(text))]
    made = list(announce(text, make_paragraphs(text, blocks, [Edit(0, 1, Sign.FIGURE)]), "en"))
    assert [paragraph.text for paragraph in made] == [said, caption]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["word ", "https://", "a.b/c", "www.", "&amp;", "1da177e4c3f4", " ", "—", "é",
             "e\u0301", "(", ")", "²", "\u00ad", "я", ". "]
        ),
        max_size=20,
    ).map("".join),
    st.sampled_from(["host", "read", "skip"]),
)  # fmt: skip
def test_no_address_or_hash_loses_a_character(text: str, urls: UrlsAs) -> None:
    text = f"Word {text} word."
    announced(text, urls=urls)


# Raised and lowered numbers

READINGS = [
    ("About 10²³ stars", "en", "About 10 to the power of 23 stars"),
    ("Около 10²³ звёзд", "ru", "Около 10 в степени 23 звёзд"),
    ("2⁸⁰ und 10⁻³", "de", "2 hoch 80 und 10 hoch minus 3"),
    ("log₂8 = 3", "en", "log base 2 8 = 3"),
    ("101₂ — двоичное", "ru", "101 по основанию 2 — двоичное"),
    ("H₂O and x₁", "en", "H2O and x1"),
    ("5 km² and 3 м³, x²", "en", "5 km² and 3 м³, x²"),
    ("(a+b)⁴", "en", "(a+b) to the power of 4"),
    ("10⁵x", "en", "10 to the power of 5 x"),
    ("10²³", "ja", "10²³"),
    ("² alone", "en", "² alone"),
]


@pytest.mark.parametrize(("text", "language", "said"), READINGS)
def test_raised_and_lowered_numbers_are_said_as_such(text: str, language: str, said: str) -> None:
    made, at = "", 0
    for edit in find_script_readings(text, language):
        made += text[at : edit.start] + edit.new
        at = edit.stop
    assert made + text[at:] == said


@pytest.mark.parametrize(
    ("before", "is_mark"),
    [
        ("a word", True),
        ("the end.", True),
        ("(so they say)", True),
        ("10", False),
        ("x", False),
        ("km", False),
        ("sin", False),
        ("(a+b)", False),
        ("", False),
    ],
)
def test_a_raised_number_marks_a_note_or_is_a_power(before: str, is_mark: bool) -> None:
    assert is_note_mark(before) is is_mark
