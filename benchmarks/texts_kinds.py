"""Kinds of made-up texts: each is a list of parts, which any format can be made of."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from texts_words import (
    ABBREVIATIONS,
    ADDRESSES,
    HEADINGS,
    NUMBERS,
    TONGUES,
    Tongue,
    heading,
    paragraph,
    sentence,
)


class Form(StrEnum):
    """What a part is."""

    HEADING = "heading"
    PROSE = "prose"
    SCENE = "scene"
    LIST = "list"
    VERSE = "verse"
    TABLE = "table"
    QUOTE = "quote"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a text: its lines. `level` is that of a heading, from 1."""

    form: Form
    lines: tuple[str, ...]
    level: int = 0


_INVISIBLE = (
    "\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u2066\u2069"
    "\u00a0\u2028\u2029\u3000"
)
_CONTROLS = "".join(
    map(chr, (*range(1, 9), 11, 12, *range(14, 32), 127, 0x85, 0x9F, 0xFFFE, 0xFFFD))
)
_MARKS = "\u0300\u0301\u0308\u0327\u0345\u05b0\u064b\u093c\u0e31\u20dd\u3099\ufe0f\U000e0101"
_JOINED = (
    "e\u0301",
    "и\u0306",
    "👩\u200d🚀",
    "👍🏽",
    "❤\ufe0f",
    "🇺🇦",
    "कि",
    "각",
    "\u1100\u1161",
    "ﬁ",
    "Å",
)
_MARKUP = "*_`#[]()<>&|~^\\{}!-=+\"'/:;,.…—–"
_SURROGATES = "\ud800\udbff\udc00\udfff"


def _prose(chance: random.Random, tongue: Tongue) -> list[Part]:
    parts = []
    for number in range(1, chance.randint(2, 6)):
        if chance.random() < 0.7:
            parts.append(
                Part(Form.HEADING, (heading(chance, tongue, number),), chance.randint(1, 3))
            )
        for _ in range(chance.randint(1, 8)):
            parts.append(Part(Form.PROSE, (paragraph(chance, tongue),)))
            if chance.random() < 0.06:
                parts.append(Part(Form.SCENE, (chance.choice(("* * *", "***", "⁂", "---", "~")),)))
    return parts


def _dialogue(chance: random.Random, tongue: Tongue) -> list[Part]:
    ways: tuple[Callable[[str], str], ...] = (
        lambda said: f"— {said}",
        lambda said: f"– {said} — {sentence(chance, tongue, 4).lower()}",
        lambda said: f"{tongue.opens}{said}{tongue.closes}",
        lambda said: f'"{said}" {sentence(chance, tongue, 5)}',
        lambda said: f"'{said}'",
        lambda said: f"{tongue.opens}{said} {tongue.opens}{said}{tongue.closes}",
    )
    lines = (chance.choice(ways)(sentence(chance, tongue, 9)) for _ in range(chance.randint(3, 60)))
    return [Part(Form.PROSE, (line,)) for line in lines]


def _headings(chance: random.Random, tongue: Tongue) -> list[Part]:
    parts = []
    for number in range(1, chance.randint(3, 40)):
        text = chance.choice((chance.choice(HEADINGS), heading(chance, tongue, number)))
        parts.append(Part(Form.HEADING, (text,), chance.randint(1, 6)))
        if chance.random() < 0.5:
            parts.append(Part(Form.PROSE, (paragraph(chance, tongue, chance.choice((1, 12))),)))
    return parts


def _lines(form: Form) -> Callable[[random.Random, Tongue], list[Part]]:
    def make(chance: random.Random, tongue: Tongue) -> list[Part]:
        parts = _prose(chance, tongue)
        for _ in range(chance.randint(1, 4)):
            lines = tuple(sentence(chance, tongue, 7) for _ in range(chance.randint(1, 30)))
            parts.insert(chance.randint(0, len(parts)), Part(form, lines))
        return parts

    return make


def _strewn(things: tuple[str, ...], share: float) -> Callable[[random.Random, Tongue], list[Part]]:
    """Prose with these between its words."""

    def make(chance: random.Random, tongue: Tongue) -> list[Part]:
        return [
            Part(
                part.form,
                tuple(_among(chance, line, things, share) for line in part.lines),
                part.level,
            )
            for part in _prose(chance, tongue)
        ]

    return make


def _among(chance: random.Random, line: str, things: tuple[str, ...], share: float) -> str:
    words = line.split(" ")
    return " ".join(
        f"{word} {chance.choice(things)}" if chance.random() < share else word for word in words
    )


def _inside(characters: str, share: float) -> Callable[[random.Random, Tongue], list[Part]]:
    """Prose with these characters anywhere, also within words and headings."""

    def make(chance: random.Random, tongue: Tongue) -> list[Part]:
        def strewn(line: str) -> str:
            return "".join(
                letter + chance.choice(characters) * chance.choice((1, 1, 1, 3))
                if chance.random() < share
                else letter
                for letter in line
            )

        return [Part(p.form, tuple(map(strewn, p.lines)), p.level) for p in _prose(chance, tongue)]

    return make


def _unbroken(chance: random.Random, tongue: Tongue) -> list[Part]:
    """Prose without a blank, or one character without end."""
    if chance.random() < 0.3:
        line = chance.choice(
            (*_JOINED, "x", "字", "&", "<", "я", ".", "🙂", "ab", "1")
        ) * chance.randint(500, 9_000)
        return [Part(Form.PROSE, (sentence(chance, tongue),)), Part(Form.PROSE, (line,))]
    text = "".join(p.lines[0] for p in _prose(chance, tongue))
    return [Part(Form.PROSE, ("".join(text.split()),))]


def _mixed(chance: random.Random, tongue: Tongue) -> list[Part]:
    """Parts of other kinds and tongues in one text."""
    parts: list[Part] = []
    for _ in range(chance.randint(2, 4)):
        other = KINDS[chance.choice([kind for kind in KINDS if kind not in ("mixed", "megabyte")])]
        parts += other(chance, chance.choice((tongue, chance.choice(TONGUES))))
    return parts


def _any(chance: random.Random, tongue: Tongue) -> list[Part]:
    """Characters of all planes, as they come."""
    ends = (0x7F, 0x250, 0x600, 0x3000, 0xD7FF, 0xFFFF, 0x1FFFF, 0x10FFFF)
    lines = [sentence(chance, tongue)]
    for _ in range(chance.randint(1, 8)):
        codes = (chance.randint(1, chance.choice(ends)) for _ in range(chance.randint(1, 300)))
        lines.append("".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000))
    return [Part(Form.PROSE, (line,)) for line in lines]


def _megabyte(chance: random.Random, tongue: Tongue) -> list[Part]:
    """One line of a million characters: prose, words, or a short text over and over."""
    joint = chance.choice((" ", " ", "", ", "))
    unit = chance.choice(
        (
            *(paragraph(chance, tongue, 60), sentence(chance, tongue), chance.choice(tongue.words)),
            *(chance.choice(_MARKUP) * 2, chance.choice(_JOINED)),
            *("a. ", "( ", "« ", "т. е. ", "- "),
        )
    )
    line = (unit + joint) * (1_000_000 // len(unit + joint))
    return [Part(Form.PROSE, (sentence(chance, tongue),)), Part(Form.PROSE, (line,))]


KINDS: dict[str, Callable[[random.Random, Tongue], list[Part]]] = {
    "prose": _prose,
    "dialogue": _dialogue,
    "headings": _headings,
    "lists": _lines(Form.LIST),
    "verse": _lines(Form.VERSE),
    "tables": _lines(Form.TABLE),
    "quotes": _lines(Form.QUOTE),
    "abbreviations": _strewn(ABBREVIATIONS, 0.2),
    "numbers": _strewn(NUMBERS, 0.3),
    "addresses": _strewn(ADDRESSES, 0.1),
    "joined characters": _strewn(_JOINED, 0.3),
    "markup": _inside(_MARKUP, 0.1),
    "invisible": _inside(_INVISIBLE, 0.05),
    "marks": _inside(_MARKS, 0.1),
    "controls": _inside(_CONTROLS, 0.01),
    "surrogates": _inside(_SURROGATES, 0.01),
    "no blanks": _unbroken,
    "any characters": _any,
    "mixed": _mixed,
    "megabyte": _megabyte,
}
# How often each comes, in thousandths; the rest share what is left.
RARE = {"megabyte": 3}
