"""Markdown: its tokens say what each line is; its marks are found again in the source, so that
every spoken character still knows its line and column."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from operator import attrgetter

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tts_book.model import Source
from tts_book.readers.book import CodeAs, ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.readers.formulas import is_tex, write_tex
from tts_book.readers.markdown_line import SpokenPiece, find_spoken_pieces
from tts_book.readers.plain import find_line_starts
from tts_book.readers.tree_text import find_head
from tts_book.text.announcements import Sign
from tts_book.text.inline_rules import (
    Edit,
    keep_as_written,
)
from tts_book.text.normalize import Block, Kind, Paragraph, make_paragraphs, unify_whitespace

_FRONT = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FIELD = re.compile(r"^(title|author|lang|language):(.*)$", re.M | re.I)
_CODE = {"fence": "code", "code_block": "code", "math_block": "formula", "amsmath": "formula"}
_FRONT_LONGEST = 20_000
_TASK_MARK = 3  # characters
# Lines and marks that Markdown's dialects add for programs.
_MARKERS = re.compile(
    r"^ {0,3}:{3,}[^\n]*$|^ {0,3}\\(?:newpage|pagebreak|clearpage|tableofcontents)\b[^\n]*$", re.M
)
_TASK = re.compile(r"\[[ xX]\](?= )")
_CONTENTS = re.compile(
    r"\[\[?_?toc_?\]?\]|\{:? ?toc ?\}|\{\{ ?toc ?\}\}|\[\[?contents\]?\]|\$\{toc\}", re.I
)
_BRACKETED_MATH = re.compile(r"\\\((?=[^\s`])([^\n`]{1,300}?)\\\)")
_DISPLAYED_MATH = re.compile(r"\\\[([^\[\]`]{1,600}?)\\\]")
_PICTURE = re.compile(r"!\[([^\]\n]{0,300})\]")


@dataclass(slots=True)
class _MarkdownWalk:
    """Where the reading of the tokens stands. `body` is what is parsed: as long as the text, but
    without front matter, notes and marks for programs."""

    text: str
    flat: str
    starts: tuple[int, ...]
    code: CodeAs = "announce"
    body: str = ""
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
    walk = _MarkdownWalk(text, flat, find_line_starts(text), options.code)
    if front:
        walk.blocks.append(Block(0, len(front[0].rstrip()), Kind.LEFT_OUT, reason="front matter"))
    begin = front.end() if front else 0
    # Blank front matter and notes keep the line numbers as they are.
    body = re.sub(r"[^\n]", " ", flat[:begin]) + flat[begin:]
    found = list(find_notes(text, body))
    walk.body = _without_markers(blank_out_notes(body, found))
    _BlockMaker(walk).add(_parser().parse(walk.body))
    fields = _fields(front[1]) if front else {}
    marks = _notes(walk, found, options)
    told = make_paragraphs(text, walk.blocks, walk.edits, between="markup")
    return ParsedBook(
        source=Source(name, walk.starts),
        text=text,
        paragraphs=tuple(move_to_marks(told, marks)),
        title=fields.get("title", ""),
        author=fields.get("author", ""),
        language=find_language(fields.get("lang", fields.get("language", ""))),
        encoding=decoded.encoding,
        notices=(decoded.notice,) if decoded.notice else (),
    )


def _fields(front: str) -> dict[str, str]:
    return {key.lower(): value.strip(" \"'") for key, value in _FIELD.findall(front)}


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parser = parser.use(
        dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True
    )
    return parser.use(amsmath_plugin).disable("text_join")


def _without_markers(body: str) -> str:
    """`body`, as long as before, without what is there for programs only; formulas in brackets
    have dollar signs instead."""
    body = _MARKERS.sub(lambda found: " " * len(found[0]), body)
    if "\\(" in body:
        body = _BRACKETED_MATH.sub(r" $\1$ ", body)
    if "\\[" in body:
        body = _DISPLAYED_MATH.sub(_with_dollars, body)
    return body


def _with_dollars(found: re.Match[str]) -> str:
    """A formula between `\\[` and `\\]`; other words in such brackets are only words."""
    return f"$${found[1]}$$" if is_tex(found[1]) else found[0]


class _BlockMaker:
    """Makes blocks of the tokens."""

    def __init__(self, walk: _MarkdownWalk) -> None:
        self._walk = walk
        self._heading = 0
        self._row: list[Block] = []
        self._cell = 0  # where the next cell may begin; 0 outside a row
        self._column = 0
        self._heads: list[str] = []
        self._in_head = False
        self._begins_item = False

    def add(self, tokens: Iterable[Token]) -> None:
        for token in tokens:
            if token.type == "inline" and token.map:
                self._add_inline(token)
            elif token.map and token.type in ("hr", "html_block", *_CODE):
                self._add_block(token, *self._walk.span(token.map))
            elif token.type == "list_item_open":
                self._begins_item = True
            elif token.type.startswith(("heading_", "table_", "thead_", "tr_", "th_", "td_")):
                self._step(token)

    def _step(self, token: Token) -> None:
        if token.type == "heading_open":
            self._heading = int(token.tag[1])
        elif token.type == "heading_close":
            self._heading = 0
        elif token.type == "table_open":
            self._heads = []
        elif token.type in ("thead_open", "thead_close"):
            self._in_head = token.type == "thead_open"
        elif token.type == "tr_open" and token.map:
            self._row, self._cell = [], self._walk.span(token.map)[0]
            self._column = -1
        elif token.type in ("th_open", "td_open"):
            self._column += 1
        elif token.type == "tr_close":
            _close_row(self._walk, self._row)
            self._cell = 0

    def _add_inline(self, token: Token) -> None:
        walk = self._walk
        first, last = walk.span(token.map or (0, 0))
        if _CONTENTS.fullmatch(token.content.strip()):
            walk.blocks.append(Block(first, last, Kind.LEFT_OUT, reason="contents list"))
            return
        start = max(first, self._cell)
        if self._begins_item and token.children and _TASK.match(token.content):
            token.children[0].content = token.children[0].content[_TASK_MARK:]
            start += _TASK_MARK
        self._begins_item = False
        block = _inline(walk, token, start, last, self._heading)
        if not self._cell:
            _with_pictures(walk, block, first, last)
        elif block:
            self._add_cell(block)

    def _add_cell(self, block: Block) -> None:
        self._row.append(block)
        self._cell = block.stop
        if self._in_head:
            self._heads += [""] * (self._column - len(self._heads))
            self._heads.append(find_head(self._walk.flat[block.start : block.stop].strip("*_` ")))
        elif self._column < len(self._heads) and self._heads[self._column]:
            lead = f"{self._heads[self._column].rstrip(':')}: "
            self._walk.edits.append(Edit(block.start, block.start, lead, "lead"))

    def _add_block(self, token: Token, first: int, last: int) -> None:
        walk = self._walk
        if first >= last:
            return
        if token.type == "hr":
            walk.blocks.append(Block(first, last, Kind.SCENE, reason="scene mark"))
        elif token.type == "html_block":
            blocks, edits = find_html_blocks(walk.flat, first, last, walk.code)
            walk.blocks += blocks
            walk.edits += edits
        elif walk.code == "announce":
            sign = Sign.CODE if _CODE[token.type] == "code" else Sign.FORMULA
            walk.blocks.append(Block(first, last))
            walk.edits.append(Edit(first, last, sign, _CODE[token.type]))
        elif walk.code == "skip":
            walk.blocks.append(Block(first, last, Kind.LEFT_OUT, reason=_CODE[token.type]))
        elif _CODE[token.type] == "formula":
            walk.blocks.append(Block(first, last))
            content = walk.flat[first:last].strip("$ \n")
            said = write_tex(content)
            walk.edits.append(Edit(first, last, said, "" if said else "formula"))
        else:
            self._read_code(token, first, last)

    def _read_code(self, token: Token, first: int, last: int) -> None:
        """The lines of code themselves, without the fences around them."""
        walk = self._walk
        if token.type == "fence":
            first = walk.flat.find("\n", first, last) + 1 or last
            tail = walk.flat.rfind("\n", first, last)
            if token.markup in walk.flat[tail:last] and tail >= 0:
                last = tail
        first += len(walk.flat[first:last]) - len(walk.flat[first:last].lstrip())
        if first < last:
            walk.blocks.append(Block(first, last, Kind.VERSE))
            walk.edits += keep_as_written(walk.flat[first:last], first)


def _notes(
    walk: _MarkdownWalk, found: Iterable[MarkdownNote], options: ReadOptions
) -> dict[int, list[MarkdownNote]]:
    """Adds the blocks of the notes; gives those that are read at their marks."""
    walk.blocks.sort(key=attrgetter("start"))
    found = drop_hidden_notes(found, walk.blocks)
    inline = options.notes == "inline"
    marks = find_marked_notes(walk.flat, found, walk.blocks) if inline else {}
    read = {note for told in marks.values() for note in told}
    if options.everything or options.notes == "end":
        read = set(found)
    parser = _parser()
    for note in found:
        if note in read:
            _note(walk, note, parser, Sign.NOTE if inline else "")
        else:
            walk.blocks.append(Block(note.start, note.stop, Kind.LEFT_OUT, reason="notes"))
    walk.blocks.sort(key=attrgetter("start"))
    return marks


def _note(walk: _MarkdownWalk, note: MarkdownNote, parser: MarkdownIt, lead: str) -> None:
    """The blocks of a note that is read."""
    walk.blocks.append(Block(note.start, note.said, Kind.LEFT_OUT, reason="note mark"))
    words = "\n".join(map(str.strip, walk.flat[note.said : note.stop].split("\n")))
    at = note.said
    for token in parser.parse(words):
        block = (
            _inline(walk, token, at, note.stop, 0, walk.flat) if token.type == "inline" else None
        )
        if block:
            if at == note.said and lead:
                walk.edits.append(Edit(block.start, block.start, lead, "lead"))
            walk.blocks.append(block)
            at = block.stop


def _close_row(walk: _MarkdownWalk, cells: Sequence[Block]) -> None:
    """A row of a table is one paragraph, its cells parted by commas."""
    for cell, after in pairwise(cells):
        walk.edits.append(Edit(cell.stop, after.start, ", ", "markup"))
    if cells:
        walk.blocks.append(Block(cells[0].start, cells[-1].stop))


def _inline(
    walk: _MarkdownWalk, token: Token, start: int, stop: int, heading: int, text: str = ""
) -> Block | None:
    """The block of an inline token; what of it is not said becomes edits."""
    text = text or walk.body
    pieces = find_spoken_pieces(text, token.children or [], start, stop, walk.code)
    said = [_in_brackets(walk, piece) for piece in pieces]
    if not said:
        return None
    at = said[0].start
    for piece in said:
        gap = walk.flat[at : piece.start]
        if gap.strip():
            reason = "picture" if "![" in gap else "markup"
            walk.edits.append(Edit(at, piece.start, _blank_of(gap), reason))
        if piece.new is not None:
            walk.edits.append(Edit(piece.start, piece.stop, piece.new, piece.reason))
        elif piece.is_code:
            walk.edits += keep_as_written(walk.flat[piece.start : piece.stop], piece.start)
        at = piece.stop
    kind = Kind.HEADING if heading else Kind.PROSE
    return Block(said[0].start, at, kind, level=heading)


def _in_brackets(walk: _MarkdownWalk, piece: SpokenPiece) -> SpokenPiece:
    """A formula with the brackets that the text has instead of dollar signs."""
    if piece.new is None or not walk.flat.startswith("\\(", max(0, piece.start - 1)):
        return piece
    return replace(piece, start=piece.start - 1, stop=piece.stop + 1)


def _with_pictures(walk: _MarkdownWalk, block: Block | None, start: int, stop: int) -> None:
    """`block` and the pictures before and after its words; one that stands alone is announced."""
    edges = (start, block.start if block else stop, block.stop if block else stop, stop)
    for first, last in ((edges[0], edges[1]), (edges[2], edges[3])):
        if block and first == block.stop:
            walk.blocks.append(block)
        gap = walk.flat[first:last]
        if "![" in gap:
            first += len(gap) - len(gap.lstrip())
            last = first + len(gap.strip())
            _add_picture(walk, first, last, is_alone=block is None)


def _add_picture(walk: _MarkdownWalk, first: int, last: int, *, is_alone: bool) -> None:
    found = _PICTURE.search(walk.flat, first, last)
    is_described = found is not None and any(map(str.isalpha, found[1]))
    if not (is_alone and is_described and found) or walk.code == "skip":
        walk.blocks.append(Block(first, last, Kind.LEFT_OUT, reason="picture"))
    elif walk.code == "announce":
        walk.blocks.append(Block(first, last))
        walk.edits.append(Edit(first, last, Sign.FIGURE, "picture"))
    else:
        walk.blocks.append(Block(*found.span(1)))


def _blank_of(gap: str) -> str:
    """Markup that holds a line end or a blank parts words."""
    return " " if re.search(r"\s", re.sub(r"\([^()]*\)", "", gap)) else ""


# HTML blocks of Markdown: their tags are markup, what stands between them is text.


_TAG = re.compile(
    r"<!--(?:[^-]|-(?!->))*(?:-->)?|<[!?][^<>]*>"
    r"|<(/?)([A-Za-z][\w:-]{0,40})(?:[^<>\"']|\"[^\"<>]*\"|'[^'<>]*')*>"
)
_INLINE = frozenset(
    (
        "a", "abbr", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i",
        "ins", "kbd", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup",
        "time", "tt", "u", "var", "wbr", "img",
    )
)  # fmt: skip
_LEFT_OUT = {
    "script": "script", "style": "style", "pre": "code", "svg": "figure", "math": "formula",
    "button": "form field", "textarea": "form field", "select": "form field",
    "noscript": "noscript", "template": "hidden", "iframe": "media", "object": "media",
    "audio": "media", "video": "media", "nav": "contents list",
}  # fmt: skip
_SIGNS = {"code": Sign.CODE, "formula": Sign.FORMULA}
_HEADING = re.compile(r"h[1-6]\Z")
_CODE_TAGS = ("code", "kbd", "samp", "tt", "var")


def find_html_blocks(
    text: str, start: int, stop: int, code: CodeAs
) -> tuple[list[Block], list[Edit]]:
    """The blocks of the HTML in `text` from `start` to `stop`, and what of them is not said."""
    reader = _HtmlBlockReader(text, code)
    at = start
    for tag in _TAG.finditer(text, start, stop):
        reader.write(at, tag.start())
        reader.pass_tag((tag[2] or "").lower(), is_end=bool(tag[1]))
        at = tag.end()
    reader.write(at, stop)
    reader.close()
    return reader.blocks, reader.edits


class _HtmlBlockReader:
    def __init__(self, text: str, code: CodeAs) -> None:
        self._code_as = code
        self.blocks: list[Block] = []
        self.edits: list[Edit] = []
        self._text = text
        self._pieces: list[tuple[int, int]] = []  # of the block: where its words stand
        self._level = 0
        self._silent = ""  # the element that is left out
        self._depth = 0
        self._code = 0
        self._cells = 0  # of the row

    def write(self, start: int, stop: int) -> None:
        if self._text[start:stop].strip():
            self._pieces.append((start, stop))
            if self._code:
                self.edits += keep_as_written(self._text[start:stop], start)

    def pass_tag(self, name: str, *, is_end: bool) -> None:
        if self._silent:
            self._depth += (-1 if is_end else 1) if name == self._silent else 0
            if not self._depth:
                self.close(_LEFT_OUT[self._silent])
                self._silent = ""
        elif name in _LEFT_OUT and not is_end:
            self.close()
            self._silent, self._depth = name, 1
        elif name in _CODE_TAGS:
            self._code = max(0, self._code + (-1 if is_end else 1))
        elif name and name not in _INLINE and name not in ("td", "th"):
            self.close()
            self._level = int(name[1]) if _HEADING.match(name) and not is_end else 0

    def close(self, reason: str = "") -> None:
        pieces, self._pieces = self._pieces, []
        reason = reason or _LEFT_OUT.get(self._silent, "")
        if not pieces:
            return
        for (_, stop), (start, _) in pairwise(pieces):
            gap = self._text[stop:start]
            is_cell = "<td" in gap.lower() or "<th" in gap.lower()
            self.edits.append(Edit(stop, start, ", " if is_cell else "", "markup"))
        start, stop = pieces[0][0], pieces[-1][1]
        start += len(self._text[start:stop]) - len(self._text[start:stop].lstrip())
        stop -= len(self._text[start:stop]) - len(self._text[start:stop].rstrip())
        if reason in _SIGNS and self._code_as == "announce":
            self.blocks.append(Block(start, stop))
            self.edits.append(Edit(start, stop, _SIGNS[reason], reason))
        elif reason == "code" and self._code_as == "read":
            self.blocks.append(Block(start, stop, Kind.VERSE))
            self.edits += keep_as_written(self._text[start:stop], start)
        elif reason:
            self.blocks.append(Block(start, stop, Kind.LEFT_OUT, reason=reason))
        else:
            kind = Kind.HEADING if self._level else Kind.PROSE
            self.blocks.append(Block(start, stop, kind, self._level))


# Notes of Markdown: where each `[^1]: …` stands, and after which paragraph it is read.


_LABEL = re.compile(r" {0,3}\[\^([^\]\n]{1,30})\]:[ \t]*")
_MARK = re.compile(r"\[\^([^\]\n]{1,30})\]")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_COMMENT = re.compile(r" {0,3}<!--(?!.*-->)")
_COMMENT_ENDS = re.compile("-->")
_BEGINS_A_BLOCK = re.compile(r" {0,3}(?:#{1,6} |>|[-*+] |\d{1,9}[.)] |(?:[-*_] ?){3})")
_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class MarkdownNote:
    """Characters `start` to `stop` of a source: the label of a note, and from `said` its words."""

    name: str
    start: int
    said: int
    stop: int


def find_notes(source: str, flat: str) -> Iterator[MarkdownNote]:
    """The notes of a text, in order; `flat` is `level(source)`. A note goes on over the lines
    right below it, and over indented ones after a blank."""
    opened: tuple[str, int, int] | None = None
    at = stop = 0
    closed_by: re.Pattern[str] | None = None  # inside code or a comment
    blank = False
    for line in flat.splitlines(keepends=True):
        label = None if closed_by else _LABEL.match(line)
        goes_on = source.startswith(("    ", "\t"), at) or not (
            blank or _FENCE.match(line) or _BEGINS_A_BLOCK.match(line)
        )
        if opened and (label or not (goes_on or line.isspace())):
            yield MarkdownNote(*opened, stop)
            opened = None
        if label:
            opened = label[1], at + line.index("["), at + label.end()
        elif closed_by:
            closed_by = None if closed_by.search(line) else closed_by
        elif not opened:
            closed_by = _hides(line)
        blank = line.isspace()
        at += len(line)
        stop = stop if blank else at - len(line) + len(line.rstrip())
    if opened:
        yield MarkdownNote(*opened, stop)


def _hides(line: str) -> re.Pattern[str] | None:
    """What ends the code or the comment that a line begins."""
    if _FENCE.match(line):
        return _FENCE
    return _COMMENT_ENDS if _COMMENT.match(line) else None


def blank_out_notes(flat: str, notes: Iterable[MarkdownNote]) -> str:
    """`flat` with its notes blank, as long as before."""
    pieces: list[str] = []
    at = 0
    for note in notes:
        pieces += (flat[at : note.start], re.sub(r"[^\n]", " ", flat[note.start : note.stop]))
        at = note.stop
    return "".join((*pieces, flat[at:]))


def drop_hidden_notes(notes: Iterable[MarkdownNote], blocks: Sequence[Block]) -> list[MarkdownNote]:
    """The notes that stand in none of the blocks, which are in order: a script may hold one."""
    stops = [0, *(block.stop for block in blocks)]
    return [n for n in notes if stops[bisect_right(blocks, n.start, key=_start)] <= n.start]


def find_marked_notes(
    flat: str, notes: Iterable[MarkdownNote], blocks: Iterable[Block]
) -> dict[int, list[MarkdownNote]]:
    """The notes by the start of the block that bears their first mark."""
    left = {note.name: note for note in reversed(list(notes))}
    found: dict[int, list[MarkdownNote]] = defaultdict(list)
    for block in blocks:
        if block.kind not in (Kind.LEFT_OUT, Kind.SCENE):
            for mark in _MARK.finditer(flat, block.start, block.stop):
                if note := left.pop(mark[1], None):
                    found[block.start].append(note)
    return dict(found)


def move_to_marks(
    paragraphs: Iterable[Paragraph], marks: dict[int, list[MarkdownNote]]
) -> Iterator[Paragraph]:
    """The paragraphs, those of each note after the one that bears its mark."""
    notes = sorted((note for found in marks.values() for note in found), key=_start)
    starts = [note.start for note in notes]
    moved: dict[int, list[Paragraph]] = defaultdict(list)
    body: list[Paragraph] = []
    for paragraph in paragraphs:
        at = bisect_right(starts, paragraph.block.start) - 1
        inside = at >= 0 and paragraph.block.start < notes[at].stop
        (moved[starts[at]] if inside else body).append(paragraph)
    for paragraph in body:
        yield paragraph
        for note in marks.get(paragraph.block.start, ()):
            yield from moved[note.start]
