"""The words of a Markdown line, found again in the source without what marks them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from tts_book.readers.book import CodeAs
from tts_book.readers.formulas import is_simple_tex, is_tex, write_tex
from tts_book.text.announcements import Sign
from tts_book.text.inline_rules import LOOK_BACK, is_note_mark, to_subscript, to_superscript

_SAID_AS_IT_STANDS = ("text", "code_inline", "text_special")
_MATH = ("math_inline", "math_inline_double")
# What dialects add inside a line: attributes, templates, emoji by name, marks of highlighting, of
# wiki links and of call-outs, numbers raised or lowered, formulas without brackets.
_DIALECTS = re.compile(
    r"\{:? ?[#.][\w-][^{}\n]{0,200}\}|\{:[^{}\n]{1,200}\}|\{[\w-]{1,40}=[^{}\n]{1,200}\}"
    r"|\{\{[^{}\n]{1,200}\}\}|\{%[^{}\n]{1,200}%\}|(?<![\w:]):[a-z][a-z0-9_+-]{1,30}:(?![\w:])"
    r"|(?<!=)==(?!=)|\[\[(?:[^\[\]|\n]{1,100}\|)?|\]\]|\[!(?:note|tip|important|warning|caution)\]"
    r"|\\(?:newpage|pagebreak|clearpage)\b"
    r"|(?P<raised>(?<=\w)\^[\d+-]{1,5}\^)|(?P<lowered>(?<=\w)~\d{1,5}~)"
    r"|(?P<tex>\\[a-zA-Z]{2,20}(?:\{[^{}\n]{0,80}\}){1,4})",
    re.I,
)


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """Characters `start` to `stop` of the source are said, as `new` unless that is None; with a
    `reason` they count as skipped. `is_code` if nothing in them is typography."""

    start: int
    stop: int
    new: str | None = None
    reason: str = ""
    is_code: bool = False

    @property
    def is_words(self) -> bool:
        """Whether it is said as it stands, as words are."""
        return self.new is None and not self.is_code


def find_spoken_pieces(
    text: str, tokens: Sequence[Token], start: int, stop: int, code: CodeAs
) -> Iterator[SpokenPiece]:
    """Of the characters `start` to `stop` of `text`, whose tokens these are, what is said, in
    order."""
    return _in_plain_markdown(text, _joined(_with_scripts(text, tokens, start, stop, code)), code)


def _joined(said: Iterable[SpokenPiece]) -> Iterator[SpokenPiece]:
    """The same, words that touch as one."""
    last: SpokenPiece | None = None
    for piece in said:
        touches = last is not None and last.stop == piece.start
        if last is not None and touches and last.is_words and piece.is_words:
            last = SpokenPiece(last.start, piece.stop)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _in_plain_markdown(
    text: str, said: Iterable[SpokenPiece], code: CodeAs
) -> Iterator[SpokenPiece]:
    """The same without `{#id .class}` and what else dialects have for programs."""
    for piece in said:
        at = piece.start
        if piece.is_words:
            for found in _DIALECTS.finditer(text, piece.start, piece.stop):
                if text[at : found.start()].strip():
                    yield SpokenPiece(at, found.start())
                yield from _undialected(found, code)
                at = found.end()
        if at == piece.start or text[at : piece.stop].strip():
            yield piece if at == piece.start else SpokenPiece(at, piece.stop)


def _undialected(found: re.Match[str], code: CodeAs) -> Iterator[SpokenPiece]:
    """What is said instead, if anything is."""
    start, stop = found.span()
    match found.lastgroup:
        case "raised":
            yield SpokenPiece(start, stop, to_superscript(found[0][1:-1]))
        case "lowered":
            yield SpokenPiece(start, stop, to_subscript(found[0][1:-1]))
        case "tex":
            yield _said_formula(found[0], start, stop, code)


def _with_scripts(
    text: str, tokens: Sequence[Token], start: int, stop: int, code: CodeAs
) -> Iterator[SpokenPiece]:
    """What is said, raised and lowered numbers as such."""
    tag = ""
    for piece, before in _said(text, tokens, start, stop, code):
        if isinstance(piece, str):
            tag = piece
            continue
        raised = text[piece.start : piece.stop]
        number = {"sup": to_superscript, "sub": to_subscript}.get(tag, lambda _: "")(raised)
        if number and piece.new is None:
            is_mark = tag == "sup" and is_note_mark(before)
            reason = "note mark" if is_mark else ""
            yield SpokenPiece(piece.start, piece.stop, "" if is_mark else number, reason)
        else:
            yield piece


def _said(
    text: str, tokens: Sequence[Token], start: int, stop: int, code: CodeAs
) -> Iterator[tuple[SpokenPiece | str, str]]:
    """Where the words of an inline token stand in the source, each with what was said before it;
    and the names of the tags between them."""
    at = start
    before = ""
    for token in tokens:
        piece: SpokenPiece | None = None
        if token.type == "image" or (token.type == "link_close" and token.markup != "autolink"):
            at = _after_link(text, at, stop)
        elif token.type == "html_inline":
            yield token.content.strip("<>").lower(), before
        elif token.type in _MATH:
            piece = _formula(text, token, at, stop, code)
        elif token.type in _SAID_AS_IT_STANDS and token.content.strip():
            piece = _words(text, token, at, stop)
        if piece is not None:
            yield piece, before
            before = (before + text[piece.start : piece.stop])[-LOOK_BACK:]
            at = piece.stop


def _words(text: str, token: Token, at: int, stop: int) -> SpokenPiece | None:
    wanted = token.markup if token.type == "text_special" else token.content
    found = text.find(wanted, at, stop)
    if found < 0:
        wanted = wanted.strip()
        found = text.find(wanted, at, stop)
    if found < 0:
        return None
    # A backslash that escapes nothing is one of the text.
    skip = 1 if wanted.startswith("\\") and token.content != wanted else 0
    return SpokenPiece(found + skip, found + len(wanted), is_code=token.type == "code_inline")


def _formula(text: str, token: Token, at: int, stop: int, code: CodeAs) -> SpokenPiece | None:
    marks = "$$" if token.type == "math_inline_double" else "$"
    found = text.find(f"{marks}{token.content}{marks}", at, stop)
    if found < 0:
        return None
    end = found + len(token.content) + 2 * len(marks)
    if not is_tex(token.content):
        return SpokenPiece(found, end)
    return _said_formula(token.content, found, end, code)


def _said_formula(tex: str, start: int, stop: int, code: CodeAs) -> SpokenPiece:
    if code == "read" or is_simple_tex(tex):
        said = write_tex(tex)
        return SpokenPiece(start, stop, said, "" if said else "formula")
    return SpokenPiece(start, stop, Sign.FORMULA if code == "announce" else "", "formula")


def _after_link(text: str, at: int, stop: int) -> int:
    """Behind the `](address)` or `][label]` that closes a link."""
    close = text.find("]", at, stop)
    if close < 0:
        return at
    opener = text[close + 1 : close + 2]
    if opener not in "([" or not opener:
        return close + 1
    end, depth = close + 1, 0
    for end in range(close + 1, stop):
        if text[end] == opener:
            depth += 1
        elif text[end] == (")" if opener == "(" else "]"):
            depth -= 1
            if depth == 0:
                break
    return end + 1
