"""What stands inside a line and must not be said as it is written.

Each rule looks for one thing in the whole text and yields `Edit`s; a rule that drops something
gives its reason. All of them are linear in the text.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `stop` become `new`. With a `reason` they count as not spoken."""

    start: int
    stop: int
    new: str = ""
    reason: str = ""


INVISIBLE = "invisible character"
"""The reason for leaving out what nobody sees; unlike others it may be left out in part."""
Rule = Callable[[str], Iterator[Edit]]

_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\uffff\U0001fffe\U0001ffff\U000e0000-\U0010ffff"
)
_EMOJI = "\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_INVISIBLES = re.compile(f"[{_INVISIBLE}]+|(?<![\u0600-\u109f\u200c\u200d])[\u200c\u200d]+")
_EMOJIS = re.compile(f"[{_EMOJI}][{_EMOJI}\u200d\ufe0f\u20e3]*")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_NOTE_MARK = re.compile(r"\[(?:\d{1,4}|\*{1,3}|[†‡])\]|\{\d{1,4}\}|\[\^[\w-]{1,30}\]")
_BRACKET_MARK = re.compile(r"\(\d{1,3}\)")
_BRACKET_NOTES = re.compile(
    r"^ *(?:примечания|сноски|notes|footnotes|anmerkungen)[.:]? *\n\s*\(1\)", re.I | re.M
)
_STAR_MARK = re.compile(r"[*†‡]{1,3}(?![\w*†‡])")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴-⁹]+")
_PAGE_MARK = re.compile(r"\[(?:Pg|[Pp]age|[Сс]тр\.?|p\.) ?\d{1,4}\]|\{(?:[Pp]age )?\d{1,4}\}")
_PICTURE = re.compile(r"\[(?:Illustration|Иллюстрация|Илл)[^\[\]\n]{0,200}\]")
_UNDERSCORE = re.compile(r"_+")
_STARRED = re.compile(r"(\*{1,3})([^*\n]{1,300})(\*{1,3})")
_DASHES = re.compile(r"--+")
_LATIN = "ABCEHKMOPTXYaceopxyk"
_CYRILLIC = "АВСЕНКМОРТХУасеорхук"
_LOOK_ALIKE = dict(zip(map(ord, _LATIN), _CYRILLIC, strict=True))
_BESIDE_CYRILLIC = re.compile(f"[{_LATIN}](?=[Ѐ-ӿ])|(?<=[Ѐ-ӿ])[{_LATIN}]")
_LATIN_WORD = re.compile(r"[A-Za-z]+")
_NO_STEP_BACK = 40  # look-alikes: a word is looked at this far to the left
_PIECE = 1 << 20  # characters looked at in one go, which Ctrl-C has to wait for
_STACK = 8  # more combining marks than any language puts on one letter


def inline_edits(text: str) -> Iterator[Edit]:
    """What to change inside the lines of `text`; edits of different rules may overlap, and the
    earlier rule is the better one."""
    for rule in RULES:
        yield from rule(text)


def _invisibles(text: str) -> Iterator[Edit]:
    for match in _INVISIBLES.finditer(text):
        yield Edit(*match.span(), reason=INVISIBLE)


def _stacks(text: str) -> Iterator[Edit]:
    """Heaps of marks on one letter; composing them would take time that grows with the square."""
    pieces = (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))
    marks = frozenset[str]().union(*map(_marks().intersection, pieces))
    if not marks:
        return
    mark = f"[{re.escape(''.join(sorted(marks)))}]"
    for match in re.finditer(f"{mark}{mark}{{{_STACK},}}", text):
        yield Edit(match.start() + _STACK, match.end(), reason="stacked marks")


@cache
def _marks() -> frozenset[str]:
    codes = range(0x300, 0x1F000)
    return frozenset(mark for mark in map(chr, codes) if unicodedata.combining(mark))


def _entities(text: str) -> Iterator[Edit]:
    if "&" not in text:
        return
    for match in _ENTITY.finditer(text):
        new = html.unescape(match[0])
        if new == match[0]:
            continue
        if new.isspace():
            yield Edit(*match.span(), new=" ", reason="space written as an entity")
        elif _INVISIBLES.search(new):
            yield Edit(*match.span(), reason=INVISIBLE)
        else:
            yield Edit(*match.span(), new=new)


def _emojis(text: str) -> Iterator[Edit]:
    for match in _EMOJIS.finditer(text):
        yield Edit(*match.span(), reason="emoji or ornament")


def _page_marks(text: str) -> Iterator[Edit]:
    for match in _PAGE_MARK.finditer(text):
        if match[0][0] == "[" or "age" in match[0]:
            yield Edit(*match.span(), reason="page number")


def _pictures(text: str) -> Iterator[Edit]:
    for match in _PICTURE.finditer(text):
        yield Edit(*match.span(), reason="picture")


def _note_marks(text: str) -> Iterator[Edit]:
    """`word[12]` and `word [12]`, not the `[12]` that begins a line: that one labels a note."""
    for match in _NOTE_MARK.finditer(text):
        start = match.start()
        before = text[max(0, start - 2) : start]
        is_year = len(match[0]) == 6 and match[0][1] != "^" and before[-1:].isspace()
        if before.strip(" ") and not before.endswith("\n") and not is_year:
            yield Edit(*match.span(), reason="note mark")


def _bracket_marks(text: str) -> Iterator[Edit]:
    """`word (12)`, only where notes labelled like that stand under a heading of their own."""
    if not _BRACKET_NOTES.search(text):
        return
    for match in _BRACKET_MARK.finditer(text):
        line = text[max(0, match.start() - 3) : match.start()]
        if line.strip() and "\n" not in line:
            yield Edit(*match.span(), reason="note mark")


def _superscripts(text: str) -> Iterator[Edit]:
    """A small raised number after a word or a stop; `km²`, `x²` and `10³` are powers."""
    for match in _SUPERSCRIPT.finditer(text):
        if is_note_mark(text[max(0, match.start() - LOOK_BACK) : match.start()]):
            yield Edit(*match.span(), reason="note mark")


def _underscores(text: str) -> Iterator[Edit]:
    """`_stressed_`, not `snake_case`."""
    if "_" not in text:
        return
    for match in _UNDERSCORE.finditer(text):
        start, stop = match.span()
        if not (text[start - 1 : start].isalnum() and text[stop : stop + 1].isalnum()):
            yield Edit(start, stop, reason="emphasis mark")


def _stars(text: str) -> Iterator[Edit]:
    """`*stressed*`, and the star behind a word that leads to a note."""
    if "*" not in text and "†" not in text and "‡" not in text:
        return
    for match in _STARRED.finditer(text):
        inner = match[2]
        around = text[max(0, match.start() - 1) : match.start()]
        around += text[match.end() : match.end() + 1]
        if match[1] == match[3] and inner == inner.strip() and not _has_letters(around):
            yield Edit(*match.span(1), reason="emphasis mark")
            yield Edit(*match.span(3), reason="emphasis mark")
    for match in _STAR_MARK.finditer(text):
        before = text[max(0, match.start() - 1) : match.start()]
        if before.isalpha() or (before and before in ".,;:!?…»”)"):
            yield Edit(*match.span(), reason="note mark")


def _has_letters(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _dashes(text: str) -> Iterator[Edit]:
    """Two hyphens typed for a dash; an option such as `--help` stays."""
    if "--" not in text:
        return
    for match in _DASHES.finditer(text):
        start, stop = match.span()
        before, after = text[max(0, start - 1) : start], text[stop : stop + 1]
        opens = not before or before == "\n" or text[max(0, start - 40) : start].isspace()
        if stop - start <= 3 and (not after.isalnum() or opens or not before.isspace()):
            yield Edit(start, stop, new="—")


def _look_alikes(text: str) -> Iterator[Edit]:
    """Latin letters that stand for Cyrillic ones inside a Cyrillic word."""
    reached = 0
    for match in _BESIDE_CYRILLIC.finditer(text):
        if match.start() < reached:
            continue
        start = match.start()
        least = max(reached, start - _NO_STEP_BACK)
        while start > least and text[start - 1].isascii() and text[start - 1].isalpha():
            start -= 1
        word = _LATIN_WORD.match(text, start)
        if word is None:
            continue
        reached = word.end()
        letters = word[0]
        is_roman = len(letters) > 1 and not set(letters) - set("XMC")
        if not is_roman and not set(letters) - set(_LATIN):
            yield Edit(start, reached, new=letters.translate(_LOOK_ALIKE))


RULES: tuple[Rule, ...] = (
    _invisibles,
    _stacks,
    _entities,
    _emojis,
    _page_marks,
    _pictures,
    _note_marks,
    _bracket_marks,
    _superscripts,
    _stars,
    _underscores,
    _dashes,
    _look_alikes,
)


_AT_RISK = re.compile(
    r"--+|_+|\*+|[†‡]+|\[[\w^*†‡-]{1,30}\]|\{\d{1,4}\}|\(\d{1,3}\)|[⁰¹²³⁴-⁹]+|&#?\w{1,30};"
)


def keep_as_written(code: str, start: int) -> Iterator[Edit]:
    """For code at `start` of a text: edits that change nothing, and so keep the rules above from
    taking `--stat` for a dash and `argv[1]` for the mark of a note."""
    for match in _AT_RISK.finditer(code):
        yield Edit(start + match.start(), start + match.end(), match[0])


# Raised and lowered numbers: as characters of their own, and when one marks a note.
#
# `10²³` is a power and is said as one; the ² of `word²` leads to a note and is not said.


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
