"""A text under change leads every character back to where it came from."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tts_book.text.inline_rules import Edit
from tts_book.text.source_map import Rewriting


def test_a_rule_that_changes_nothing_keeps_every_place() -> None:
    rewriting = Rewriting("abc").apply([(re.compile("b"), lambda found: "b")])
    assert [rewriting.source(at, at + 1) for at in range(3)] == [(0, 1), (1, 2), (2, 3)]


def test_rules_are_applied_one_after_the_other() -> None:
    rules = [
        (re.compile("b+"), lambda found: "<>"),
        (re.compile("<"), lambda found: ""),
        (re.compile("$"), lambda found: "!"),
    ]
    rewriting = Rewriting("abbbc").apply(rules)
    assert rewriting.text == "a>c!"
    assert [rewriting.source(at, at + 1) for at in range(4)] == [(0, 1), (1, 4), (4, 5), (5, 5)]


@pytest.mark.parametrize(
    ("text", "edits", "expected", "alignment"),
    [
        ("on 5 May", [], "on 5 May", ()),
        ("on 5 May", [Edit(3, 4, "five")], "on five May", ((3, 3), (7, 4))),
        ("on May 5", [Edit(7, 8, "five")], "on May five", ((7, 7), (11, 8))),
        ("a [b] c", [Edit(2, 3), Edit(4, 5)], "a b c", ((2, 2), (2, 3), (3, 4), (3, 5))),
        ("a b", [Edit(1, 3)], "a", ((1, 1), (1, 3))),
        ("ab", [Edit(1, 1, "--")], "a--b", ((1, 1), (3, 1))),
        ("5 5", [Edit(0, 1, "five"), Edit(2, 3, "5")], "five 5", ((0, 0), (4, 1))),
    ],
)
def test_edits_say_where_both_texts_run_in_step(
    text: str, edits: list[Edit], expected: str, alignment: tuple[tuple[int, int], ...]
) -> None:
    rewriting = Rewriting(text).edit(edits)
    assert rewriting.text == expected
    assert rewriting.alignment == alignment


@given(st.text("abc ", max_size=20), st.lists(st.tuples(*[st.integers(0, 20)] * 2), max_size=5))
def test_kept_characters_are_found_again(text: str, spans: list[tuple[int, int]]) -> None:
    edits: list[Edit] = []
    for start, stop in sorted((min(pair), max(pair)) for pair in spans):
        if stop <= len(text) and (not edits or start >= edits[-1].stop):
            edits.append(Edit(start, stop, "X" * ((stop * 7 + start) % 4)))
    rewriting = Rewriting(text).edit(edits)
    pairs = [(0, 0), *rewriting.alignment]
    for at, character in enumerate(rewriting.text):
        if character != "X":
            here, there = [pair for pair in pairs if pair[0] <= at][-1]
            assert text[there + at - here] == character
            assert rewriting.source(at, at + 1) == (there + at - here, there + at - here + 1)
