"""Markdown: its tokens say what each line is; its marks are found again in the source, so that
every spoken character still knows its line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tts_book.model import Source
from tts_book.readers import markdown_notes
from tts_book.readers.book import ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.readers.markdown_notes import MarkdownNote
from tts_book.readers.plain import find_line_starts
from tts_book.text.announcements import Sign
from tts_book.text.inline_rules import Edit
from tts_book.text.normalize import Block, Kind, make_paragraphs, unify_whitespace

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FIELD = re.compile(r"^(title|author|lang|language):(.*)$", re.M | re.I)
_LEFT_OUT = {"fence": "code", "code_block": "code", "html_block": "HTML", "hr": "scene mark"}
_FRONT_LONGEST = 20_000
_SAID_AS_IT_STANDS = ("text", "code_inline", "text_special")


@dataclass(slots=True)
class _Walk:
    """Where the reading of the tokens stands."""

    text: str
    flat: str
    starts: tuple[int, ...]
    blocks: list[Block] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)

    def span(self, lines: Sequence[int]) -> tuple[int, int]:
        """The characters of a range of lines, without the blanks around them."""
        end = self.starts[lines[1]] if lines[1] < len(self.starts) else len(self.text)
        start = self.starts[lines[0]]
        inside = self.flat[start:end]
        start += len(inside) - len(inside.lstrip(" \n"))
        return start, max(start, end - (len(inside) - len(inside.rstrip(" \n"))))


def read_markdown(decoded: Decoded, name: str, options: ReadOptions) -> ParsedBook:
    """A Markdown file in blocks."""
    text = decoded.text
    flat = unify_whitespace(text)
    front = _FRONT.match(flat[:_FRONT_LONGEST])
    walk = _Walk(text, flat, find_line_starts(text))
    if front:
        walk.blocks.append(Block(0, len(front[0].rstrip()), Kind.LEFT_OUT, reason="front matter"))
    begin = front.end() if front else 0
    # Blank front matter and notes keep the line numbers as they are.
    body = re.sub(r"[^\n]", " ", flat[:begin]) + flat[begin:]
    found = list(markdown_notes.find(text, body))
    _blocks(walk, markdown_notes.without(body, found))
    fields = _fields(front[1]) if front else {}
    language = find_language(fields.get("lang", fields.get("language", "")))
    marks = _notes(walk, found, options)
    told = make_paragraphs(text, walk.blocks, walk.edits, between="markup")
    return ParsedBook(
        source=Source(name, walk.starts),
        text=text,
        paragraphs=tuple(markdown_notes.at_their_marks(told, marks)),
        title=fields.get("title", ""),
        author=fields.get("author", ""),
        language=language,
        encoding=decoded.encoding,
        notices=(decoded.notice,) if decoded.notice else (),
    )


def _fields(front: str) -> dict[str, str]:
    return {key.lower(): value.strip(" \"'") for key, value in _FIELD.findall(front)}


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": True}).enable("table").disable("text_join")


def _blocks(walk: _Walk, body: str) -> None:
    tokens = _parser().parse(body)
    heading = 0
    row: list[Block] = []
    cell = 0
    for token in tokens:
        if token.type == "heading_open":
            heading = int(token.tag[1])
        elif token.type == "heading_close":
            heading = 0
        elif token.type == "tr_open" and token.map:
            row, cell = [], walk.span(token.map)[0]
        elif token.type == "tr_close":
            _close_row(walk, row)
            cell = 0
        elif token.type == "inline" and token.map:
            first, last = walk.span(token.map)
            block = _inline(walk, token, max(first, cell), last, heading)
            if block and cell:
                row.append(block)
                cell = block.stop
            elif not cell:
                _with_pictures(walk, block, first, last)
        elif token.type in _LEFT_OUT and token.map:
            kind = Kind.SCENE if token.type == "hr" else Kind.LEFT_OUT
            first, last = walk.span(token.map)
            if first < last:
                walk.blocks.append(Block(first, last, kind, reason=_LEFT_OUT[token.type]))


def _notes(
    walk: _Walk, found: Iterable[MarkdownNote], options: ReadOptions
) -> dict[int, list[MarkdownNote]]:
    """Adds the blocks of the notes; gives those that are read at their marks."""
    found = markdown_notes.outside(found, walk.blocks)
    inline = options.notes == "inline"
    marks = markdown_notes.marked(walk.flat, found, walk.blocks) if inline else {}
    read = {note for told in marks.values() for note in told}
    if options.everything or options.notes == "end":
        read = set(found)
    lead = Sign.NOTE if inline else ""
    parser = _parser()
    for note in found:
        if note in read:
            _note(walk, note, parser, lead)
        else:
            walk.blocks.append(Block(note.start, note.stop, Kind.LEFT_OUT, reason="notes"))
    walk.blocks.sort(key=attrgetter("start"))
    return marks


def _note(walk: _Walk, note: MarkdownNote, parser: MarkdownIt, lead: str) -> None:
    """The blocks of a note that is read."""
    walk.blocks.append(Block(note.start, note.said, Kind.LEFT_OUT, reason="note mark"))
    words = "\n".join(map(str.strip, walk.flat[note.said : note.stop].split("\n")))
    at = note.said
    for token in parser.parse(words):
        block = _inline(walk, token, at, note.stop, 0) if token.type == "inline" else None
        if block:
            if at == note.said and lead:
                walk.edits.append(Edit(block.start, block.start, lead, "lead"))
            walk.blocks.append(block)
            at = block.stop


def _close_row(walk: _Walk, cells: Sequence[Block]) -> None:
    """A row of a table is one paragraph, its cells parted by commas."""
    for cell, after in pairwise(cells):
        walk.edits.append(Edit(cell.stop, after.start, ", ", "markup"))
    if cells:
        walk.blocks.append(Block(cells[0].start, cells[-1].stop))


def _inline(walk: _Walk, token: Token, start: int, stop: int, heading: int) -> Block | None:
    """The block of an inline token; what of it is not said becomes edits."""
    said = list(_said(walk.flat, token.children or [], start, stop))
    if not said:
        return None
    at = said[0][0]
    for first, last in said:
        if walk.flat[at:first].strip():
            reason = "picture" if "![" in walk.flat[at:first] else "markup"
            walk.edits.append(Edit(at, first, _blank_of(walk.flat[at:first]), reason))
        at = last
    kind = Kind.HEADING if heading else Kind.PROSE
    return Block(said[0][0], at, kind, level=heading)


def _with_pictures(walk: _Walk, block: Block | None, start: int, stop: int) -> None:
    """`block` and the pictures before and after its words."""
    edges = (start, block.start if block else stop, block.stop if block else stop, stop)
    for first, last in ((edges[0], edges[1]), (edges[2], edges[3])):
        if block and first == block.stop:
            walk.blocks.append(block)
        gap = walk.flat[first:last]
        if "![" in gap:
            first += len(gap) - len(gap.lstrip())
            last = first + len(gap.strip())
            walk.blocks.append(Block(first, last, Kind.LEFT_OUT, reason="picture"))


def _blank_of(gap: str) -> str:
    """Markup that holds a line end or a blank parts words."""
    return " " if re.search(r"\s", re.sub(r"\([^()]*\)", "", gap)) else ""


def _said(text: str, tokens: Sequence[Token], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where the words of an inline token stand in the source."""
    at = start
    for token in tokens:
        if token.type == "image" or (token.type == "link_close" and token.markup != "autolink"):
            at = _after_link(text, at, stop)
        elif token.type in _SAID_AS_IT_STANDS and token.content.strip():
            wanted = token.markup if token.type == "text_special" else token.content
            found = text.find(wanted, at, stop)
            if found < 0:
                wanted = wanted.strip()
                found = text.find(wanted, at, stop)
            if found >= 0:
                skip = 1 if token.type == "text_special" and wanted.startswith("\\") else 0
                yield found + skip, found + len(wanted)
                at = found + len(wanted)


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
