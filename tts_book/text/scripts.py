"""Raised and lowered numbers: as characters of their own, and when one marks a note.

`10²³` is a power and is said as one; the ² of `word²` leads to a note and is not said.
"""

from __future__ import annotations

import re

_PLAIN = "0123456789+-−()"
_RAISED = dict(zip(map(ord, _PLAIN), "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾", strict=True))
_LOWERED = dict(zip(map(ord, _PLAIN), "₀₁₂₃₄₅₆₇₈₉₊₋₋₍₎", strict=True))
_STOPS = frozenset('.,;:!?…»”"’)]')
_AS_PLAIN = {ord(up): chr(code) for code, up in (*_RAISED.items(), *_LOWERED.items())}
LOOK_BACK = 24
_FUNCTIONS = frozenset(("sin", "cos", "tan", "cot", "ctg", "log", "exp", "det"))
_IN_BRACKETS = re.compile(r"[(\[](?:\w|[^\s()\[\]]{0,20}[-+−*/=^·×][^\s()\[\]]{0,20})[)\]]\Z")
_WORD = 3  # letters before a raised number that are a word rather than a unit or a variable


def to_superscript(number: str) -> str:
    """`number` in superscript characters; empty if it is none."""
    return _shifted(number, _RAISED)


def to_subscript(number: str) -> str:
    """`number` in subscript characters; empty if it is none."""
    return _shifted(number, _LOWERED)


def is_note_mark(before: str) -> bool:
    """Whether a raised number behind `before` leads to a note: `before` is the text ahead of it,
    of which the last `LOOK_BACK` characters count."""
    word = before[-_WORD:]
    if len(word) == _WORD and word.isalpha():
        return word.lower() not in _FUNCTIONS or before[-_WORD - 1 : -_WORD].isalpha()
    return before[-1:] in _STOPS and not _IN_BRACKETS.search(before[-LOOK_BACK:])


def to_plain(number: str) -> str:
    """A number in superscript or subscript characters as it is usually written."""
    return number.translate(_AS_PLAIN)


def _shifted(number: str, table: dict[int, str]) -> str:
    bare = number.strip()
    is_number = any(map(str.isdecimal, bare)) and all(ord(c) in table for c in bare)
    return bare.translate(table) if is_number else ""
