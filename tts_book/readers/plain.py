"""Plain text: lines into paragraphs; what Project Gutenberg prints around them left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from tts_book.model import Source
from tts_book.readers.book import ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.text.headings import is_heading
from tts_book.text.inline_rules import Edit
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


# The lines of a plain text: which of them make a paragraph, and which are not text at all.


@dataclass(frozen=True, slots=True)
class PlainLine:
    """A line that is not blank: its characters in the source without the white space around
    them, how far it is indented, and the blank lines before it."""

    start: int
    stop: int
    indent: int
    gap: int
    text: str


@dataclass(frozen=True, slots=True)
class PlainLayout:
    """A plain text in blocks. `edits` undo hyphenation and drop what interrupts a paragraph."""

    blocks: tuple[Block, ...]
    edits: tuple[Edit, ...]
    is_wrapped: bool


_ENDS = frozenset(".!?…:;»”\"'’)]*")
_ORNAMENTS = frozenset("*＊⁂✱✶✷❖☆★•●·∙~–—―_=-#+§◊❦☙✦○◦■□♦-.…")
_LONE_ORNAMENTS = frozenset("*＊⁂✱#§◊❦☙✦❖•~")
_PAGE = re.compile(r"[-–—\[(]{0,2} ?(?:(?:[Сс]тр|[Pp](?:age|g))\.? ?)?(\d{1,4}) ?[-–—\])]{0,2}")
_DIALOGUE = re.compile("[-–—«„“\"'‘]")
_MOST_HYPHENS = re.compile(r"\w[-\u00ad\u2010]\Z")
_WIDEST_WRAP = 100  # characters; unwrapped texts have lines of 700 to 4,000
_LEAST_WRAP = 40
_OPEN_ENDS = 0.6  # of the lines of a wrapped text break off inside a sentence
_LEAST_PAGES = 5


def lay_out_lines(source: str, is_heading: Callable[[str], bool]) -> PlainLayout:
    """The blocks of a plain text. `is_heading` tells a line that is a heading by itself."""
    lines = _lines(source)
    pages = _page_numbers(lines)
    wrapped = is_wrapped(lines)
    indents = wrapped and _marks_paragraphs_by_indent(lines)
    left, glued = _page_edits(lines, pages)
    kept = [line for at, line in enumerate(lines) if at not in pages]
    edits = list(glued.values())
    blocks = left
    for group in _groups(kept, glued, wrapped, indents, is_heading):
        blocks.append(_block(group, wrapped, glued))
        if wrapped:
            edits.extend(_hyphens(group))
    blocks.sort(key=lambda block: block.start)
    return PlainLayout(tuple(blocks), tuple(edits), wrapped)


def is_wrapped(lines: Sequence[PlainLine]) -> bool:
    """Whether the lines were broken to a width: none is long, and most end inside a sentence.

    Verse is like that too, so lines that run on must be about equally long and go on with a
    small letter.
    """
    if len(lines) < 2:
        return False
    lengths = sorted(len(line.text) for line in lines)
    if lengths[(len(lengths) - 1) * 99 // 100] > _WIDEST_WRAP:
        return False
    inner = [(a, b) for a, b in pairwise(lines) if not b.gap]
    running = [a for a, b in inner if not _is_ended(a.text)]
    if not inner or len(running) <= _OPEN_ENDS * len(inner):
        return False
    widths = sorted(len(line.text) for line in running)
    if widths[len(widths) // 2] < _LEAST_WRAP:
        return False
    goes_on = sum(not _opens_big(b.text) for a, b in inner if not _is_ended(a.text))
    return goes_on > 0.4 * len(running)


def is_scene_mark(text: str) -> bool:
    """Whether a line consists of ornaments: `* * *`, `⁂`, `—————`, `#`."""
    marks = text.replace(" ", "")
    if not marks or len(marks) > 200 or not _ORNAMENTS.issuperset(marks):
        return False
    if _LONE_ORNAMENTS.issuperset(marks):
        return True
    return len(marks) >= (4 if set(marks) <= set(".…") else 3)


def _lines(source: str) -> list[PlainLine]:
    lines: list[PlainLine] = []
    start = gap = 0
    for raw in unify_whitespace(source).split("\n"):
        text = raw.strip(" ")
        if text:
            indent = len(raw) - len(raw.lstrip(" "))
            lines.append(PlainLine(start + indent, start + indent + len(text), indent, gap, text))
            gap = 0
        else:
            gap += 1
        start += len(raw) + 1
    return lines


def _is_ended(text: str) -> bool:
    return text[-1] in _ENDS


def _opens_big(text: str) -> bool:
    letter = next((c for c in text[:8] if c.isalpha()), "")
    return letter.isupper()


def _marks_paragraphs_by_indent(lines: Sequence[PlainLine]) -> bool:
    """Whether a line begins a paragraph by standing further in than the usual one."""
    usual = _usual_indent(lines)
    steps = sum(
        a.indent <= usual + 1 and b.indent >= usual + 2 and not b.gap for a, b in pairwise(lines)
    )
    return steps > 0.03 * len(lines)


def _usual_indent(lines: Sequence[PlainLine]) -> int:
    return Counter(line.indent for line in lines).most_common(1)[0][0]


def _groups(
    lines: Sequence[PlainLine],
    glued: dict[int, Edit],
    wrapped: bool,
    by_indent: bool,
    is_heading: Callable[[str], bool],
) -> Iterator[list[PlainLine]]:
    """Lines that belong together, as paragraphs or verses."""
    spaced = _is_spaced(lines)
    inside = _usual_indent(lines) + 2 if by_indent else 1 << 30
    group: list[PlainLine] = []
    for line in lines:
        joins = group and (line.start in glued or not line.gap)
        if wrapped:
            joins = joins and line.indent < inside
        elif line.start not in glued:
            joins = joins and spaced and not _DIALOGUE.match(line.text)
        if joins and (_stands_alone(line.text) or _stands_alone(group[-1].text)):
            joins = False
        if joins and len(group) == 1 and is_heading(group[0].text):
            joins = False
        if not joins and group:
            yield from _settled(group, wrapped, glued)
            group = []
        group.append(line)
    if group:
        yield from _settled(group, wrapped, glued)


def _stands_alone(text: str) -> bool:
    return is_scene_mark(text) or (text[0] == "#" and text.lstrip("#")[:1] == " ")


def _settled(
    group: list[PlainLine], wrapped: bool, glued: dict[int, Edit]
) -> Iterator[list[PlainLine]]:
    """In a text that is not wrapped, neighbouring lines are verse or paragraphs of their own."""
    is_glued = any(line.start in glued for line in group)
    if wrapped or is_glued or len(group) == 1 or _is_verse(group):
        yield group
    else:
        yield from ([line] for line in group)


def _is_spaced(lines: Sequence[PlainLine]) -> bool:
    """Whether blank lines part the paragraphs."""
    return sum(line.gap > 0 for line in lines) > 0.3 * len(lines)


def _is_verse(group: Sequence[PlainLine]) -> bool:
    if max(len(line.text) for line in group) > _WIDEST_WRAP:
        return False
    full_stops = sum(line.text[-1] in ".!?…" for line in group)
    return full_stops <= 0.5 * len(group)


def _block(group: Sequence[PlainLine], wrapped: bool, glued: dict[int, Edit]) -> Block:
    first, last = group[0], group[-1]
    if any(line.start in glued for line in group):
        return Block(first.start, last.stop, gap=first.gap)
    kind = Kind.PROSE
    if len(group) == 1 and is_scene_mark(first.text):
        kind = Kind.SCENE
    elif len(group) > 1 and (_is_wrapped_verse(group) if wrapped else _is_verse(group)):
        kind = Kind.VERSE
    return Block(first.start, last.stop, kind, gap=first.gap)


def _is_wrapped_verse(group: Sequence[PlainLine]) -> bool:
    """Among wrapped lines verse is what is clearly shorter and opens every line with a capital."""
    if len(group) < 2 or max(len(line.text) for line in group) > 50:
        return False
    return all(_opens_big(line.text) for line in group)


def _hyphens(group: Sequence[PlainLine]) -> Iterator[Edit]:
    """A word parted at the end of a line is one word again."""
    for line, after in pairwise(group):
        if _MOST_HYPHENS.search(line.text[-2:]) and after.text[0].islower():
            yield Edit(line.stop - 1, after.start, reason="line-end hyphen")


def _page_numbers(lines: Sequence[PlainLine]) -> frozenset[int]:
    """Lines that number pages: they count up, and some of them cut a sentence in two."""
    found = [(at, int(m[1])) for at, line in enumerate(lines) if (m := _page(line))]
    pages: set[int] = set()
    run: list[int] = []
    value = 0
    for at, number in [*found, (-1, -1)]:
        if run and number != value + 1:
            if len(run) >= _LEAST_PAGES and _cut_sentences(lines, run):
                pages.update(run)
            run = []
        run.append(at)
        value = number
    return frozenset(pages)


def _page(line: PlainLine) -> re.Match[str] | None:
    return _PAGE.fullmatch(line.text) if len(line.text) < 16 else None


def _cut_sentences(lines: Sequence[PlainLine], run: Sequence[int]) -> bool:
    return sum(_cuts(lines, at) for at in run) >= len(run) / 4


def _cuts(lines: Sequence[PlainLine], at: int) -> bool:
    """Whether the sentence before line `at` goes on after it."""
    if not 0 < at < len(lines) - 1:
        return False
    before, after = lines[at - 1].text, lines[at + 1].text
    return (before[-1].isalpha() or before[-1] in ",-") and after[0].islower()


def _page_edits(
    lines: Sequence[PlainLine], pages: frozenset[int]
) -> tuple[list[Block], dict[int, Edit]]:
    """Page numbers as blocks left out; those inside a sentence as edits, by the start of the line
    that goes on with the sentence."""
    blocks, glued = [], {}
    for at in sorted(pages):
        line = lines[at]
        if _cuts(lines, at):
            glued[lines[at + 1].start] = Edit(line.start, line.stop, reason="page number")
        else:
            blocks.append(Block(line.start, line.stop, Kind.LEFT_OUT, reason="page number"))
    return blocks, glued
