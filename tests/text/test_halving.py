"""Halves of a text: at the best place near the middle, and never inside a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_book.text.sentences import split_in_half

CASES = [
    "One paragraph here.\n\n|And another one there.",
    "The first sentence. |The second sentence.",
    "Он ушёл. «Куда?» |Она молчала и ждала.",
    "no end of a sentence, |only a comma here",
    "nothing but words |and words again",
    "一二三四五。|六七八九十。",
]


@pytest.mark.parametrize("drawn", CASES)
def test_the_cut_is_where_it_is_drawn(drawn: str) -> None:
    left, right = drawn.split("|")
    assert split_in_half(left + right) == (left.rstrip(), len(left), right)


@pytest.mark.parametrize("text", ["", "word", "…", "— word —", "Donaudampfschifffahrt"])
def test_what_has_no_halves(text: str) -> None:
    assert split_in_half(text) is None


@given(st.text(max_size=300))
def test_nothing_is_lost_and_both_halves_can_be_spoken(text: str) -> None:
    parts = split_in_half(text)
    if parts is not None:
        left, at, right = parts
        assert text[at:] == right
        assert text[:at].rstrip() == left
        assert any(map(str.isalnum, left))
        assert any(map(str.isalnum, right))
