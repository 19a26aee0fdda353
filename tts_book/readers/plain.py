"""Plain text: lines into paragraphs, Project Gutenberg's frame around them left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tts_book.model import Source
from tts_book.readers.book import ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.readers.plain_lines import lay_out_lines
from tts_book.text.headings import is_heading
from tts_book.text.normalize import Block, Kind, make_paragraphs, unify_whitespace

_START = re.compile(r"^ *\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK.*$", re.M)
_STOP = re.compile(
    r"^ *(?:\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK|End of (?:the )?Project Gutenberg)",
    re.M,
)
_FIELD = re.compile(r"^(Title|Author|Language): +(\S.{0,200})$", re.M)
_MARKED = re.compile(r"(#{1,6}) +\S")
_FRAME = 40_000  # characters at either end where Project Gutenberg's frame is looked for


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the book itself begins and stops, and what its frame says of it."""

    start: int
    stop: int
    title: str = ""
    author: str = ""
    language: str = ""


def read(decoded: Decoded, name: str, options: ReadOptions) -> ParsedBook:
    """A text file in blocks."""
    text = decoded.text
    layout = lay_out_lines(text, is_heading)
    frame = _frame(text)
    blocks = list(_with_marks(text, layout.blocks))
    if not options.everything:
        blocks = _unframed(text, blocks, frame)
    return ParsedBook(
        source=Source(name, find_line_starts(text)),
        text=text,
        paragraphs=tuple(make_paragraphs(text, blocks, layout.edits)),
        title=frame.title,
        author=frame.author,
        language=frame.language,
        encoding=decoded.encoding,
        notices=tuple(filter(None, (decoded.notice, _no_marks(options)))),
    )


def _no_marks(options: ReadOptions) -> str:
    if options.notes != "inline":
        return ""
    return "notes: plain text does not tell which mark is whose; they are read with --notes end"


def find_line_starts(text: str) -> tuple[int, ...]:
    """Where the lines of `text` begin, as `Source` wants them."""
    lengths = (len(line) + 1 for line in unify_whitespace(text).split("\n"))
    return (0, *list(accumulate(lengths))[:-1])


def _frame(text: str) -> _Frame:
    start = _START.search(unify_whitespace(text[:_FRAME]))
    if start is None:
        return _Frame(0, len(text))
    tail = max(start.end(), len(text) - _FRAME)
    stop = _STOP.search(unify_whitespace(text[tail:]))
    fields = dict(_FIELD.findall(unify_whitespace(text[: start.start()])))
    return _Frame(
        start.end(),
        tail + stop.start() if stop else len(text),
        fields.get("Title", "").strip(),
        fields.get("Author", "").strip(),
        find_language(fields.get("Language", "")),
    )


def _unframed(text: str, blocks: Sequence[Block], frame: _Frame) -> list[Block]:
    kept = [b for b in blocks if b.start >= frame.start and b.stop <= frame.stop]
    ends = ((0, frame.start, "header"), (frame.stop, len(text), "licence"))
    for start, stop, what in ends:
        rest = text[start:stop]
        first = start + len(rest) - len(rest.lstrip())
        last = stop - len(rest) + len(rest.rstrip())
        if first < last:
            reason = f"Project Gutenberg {what}"
            kept.append(Block(first, last, Kind.LEFT_OUT, reason=reason))
    return sorted(kept, key=lambda block: block.start)


def _with_marks(text: str, blocks: Sequence[Block]) -> Iterator[Block]:
    """`## Heading` as in Markdown, which people write in plain texts too."""
    for block in blocks:
        found = _MARKED.match(text, block.start, block.stop)
        if found is None or block.kind is not Kind.PROSE:
            yield block
            continue
        stop = found.end(1)
        end = block.start + len(text[block.start : block.stop].rstrip("# \t"))
        yield Block(block.start, stop, Kind.LEFT_OUT, reason="markup", gap=block.gap)
        yield Block(found.end() - 1, end, Kind.HEADING, level=stop - block.start)
        if end < block.stop:
            rest = block.stop - len(text[end : block.stop].lstrip())
            yield Block(rest, block.stop, Kind.LEFT_OUT, reason="markup")
