"""FB2: sections are chapters, the notes' body is left out, the cover is inside."""

from __future__ import annotations

import base64
import binascii

from tts_book.errors import UserError
from tts_book.model import Cover
from tts_book.readers import xml
from tts_book.readers.book import ParsedBook, ReadOptions, find_cover, find_language
from tts_book.readers.tree_text import (
    Builder,
    Element,
    attribute,
    children_of,
    find_head,
    make_note,
    name_of,
    text_of,
    walk_tree,
)
from tts_book.text.normalize import Kind

_PARAGRAPHS = frozenset(("p", "text-author", "date", "tr", "stanza", "cite", "epigraph", "poem"))
_CELLS = ("td", "th")
_DEEPEST = 40
_TAIL = 1_000  # bytes in which a whole book ends
_NOTES = ("notes", "comments", "footnotes")


def read_fb2(data: bytes, name: str, options: ReadOptions) -> ParsedBook:
    """An FB2 file in blocks. Raises UserError for what is none."""
    root, remark = xml.parse_xml(data, name, encoding=options.encoding)
    if name_of(root) != "fictionbook":
        raise UserError(f"{name} is not an FB2 book: save it again, or as .txt")
    builder = Builder(name, options.code)
    about = _about(root)
    bodies = [(body, attribute(body, "name") in _NOTES) for body in children_of(root, "body")]
    notes = _BodyNotes() if options.notes == "inline" else None
    if notes is not None:
        for body, is_notes in bodies:
            notes.collect(body) if is_notes else None
    for body, is_notes in bodies:
        if not is_notes:
            _BodyWalker(builder, notes).walk(body)
        elif options.everything or options.notes == "end":
            _BodyWalker(builder, None, reads_notes=True).walk(body)
        else:
            _leave_notes(body, builder, notes)
    source, text, found = builder.finish()
    series = _below(about, "sequence")
    is_cut = b"fictionbook>" not in data[-_TAIL:].replace(b"\0", b"").lower()
    return ParsedBook(
        source=source,
        text=text,
        paragraphs=found,
        title=text_of(_below(about, "book-title")),
        author=_author(about),
        language=find_language(text_of(_below(about, "lang"))),
        cover=_cover(root, about),
        encoding=xml.find_declared_encoding(data) or "utf-8",
        notices=(remark,) if remark else (),
        series=attribute(series, "name") if series is not None else "",
        series_part=attribute(series, "number") if series is not None else "",
        missing=(f"{name} breaks off: its end is missing",) if is_cut else (),
    )


class _BodyNotes:
    """The notes by their ids, and which of them were read."""

    def __init__(self) -> None:
        self._by_id: dict[str, Element] = {}
        self._read: set[str] = set()

    def collect(self, body: Element) -> None:
        for section in body.iter():
            if name_of(section) == "section" and (id_ := attribute(section, "id")):
                self._by_id.setdefault(id_, section)

    def queue(self, mark: Element, builder: Builder) -> None:
        """Has the note read after the paragraph, once."""
        id_ = attribute(mark, "href").lstrip("#")
        section = self._by_id.get(id_)
        if section is None or id_ in self._read:
            return
        self._read.add(id_)
        title = next(children_of(section, "title"), None)
        pieces = [section.text or ""]
        for part in section:
            pieces += ("" if part is title else text_of(part), part.tail or "")
        builder.queued.append(make_note(id_, " ".join(" ".join(pieces).split())))

    def is_read(self, section: Element) -> bool:
        return attribute(section, "id") in self._read


def _leave_notes(body: Element, builder: Builder, notes: _BodyNotes | None) -> None:
    """Notes that are not read; those that were read where their marks stand are no more here."""
    builder.open(Kind.LEFT_OUT, reason="notes")
    read = 0
    for event, element in walk_tree(body):
        is_read = notes is not None and name_of(element) == "section" and notes.is_read(element)
        if event == "start":
            read += is_read
            builder.write("" if read else element.text)
            if is_read and (title := next(children_of(element, "title"), None)) is not None:
                builder.write(text_of(title))
        else:
            read -= is_read
            builder.write("" if read or element is body else element.tail)
    builder.close()


class _BodyWalker:
    """Writes a body into the builder. Where it `reads_notes`, their numbers are no headings."""

    def __init__(
        self, builder: Builder, notes: _BodyNotes | None, *, reads_notes: bool = False
    ) -> None:
        self._builder, self._notes, self._reads_notes = builder, notes, reads_notes
        self._depth = self._titles = self._verses = self._sections = 0
        self._dropping: tuple[Element, int] | None = None  # the mark of a note, or its number
        self._heads: list[str] = []
        self._column = 0
        self._code: Element | None = None  # a paragraph of code
        self._scripts: list[tuple[Element, int]] = []

    def walk(self, body: Element) -> None:
        for event, element in walk_tree(body):
            name = name_of(element)
            if event == "start":
                self._start(element, name)
                self._builder.write(element.text)
            elif event == "end":
                self._end(element, name)
                if element is not body:
                    self._builder.write(element.tail)
            elif element is not body:
                self._builder.write(element.tail)
        self._builder.close()

    def _start(self, element: Element, name: str) -> None:
        builder = self._builder
        if name in ("section", "body"):
            self._depth += 1
            builder.close()
            self._sections += 1
            builder.label(attribute(element, "id") or f"section-{self._sections}")
        elif name == "title":
            self._titles += 1
            self._open_title(element)
        elif name == "subtitle" and not self._reads_notes:
            builder.open(Kind.HEADING, min(self._depth, _DEEPEST) + 1)
        elif name == "stanza":
            self._verses += 1
            builder.open(Kind.VERSE)
        elif name == "p" and self._titles:
            if self._dropping is None:
                builder.open(Kind.HEADING, max(1, min(self._depth, _DEEPEST)))
        elif name == "p" and is_code(element):
            self._open_code(element)
        elif name in (*_PARAGRAPHS, "subtitle") and not self._verses:
            builder.open()
        if name == "a" and attribute(element, "type") == "note" and self._dropping is None:
            self._dropping = (element, builder.length)
        elif name == "tr":
            self._open_row(element)
        elif name in _CELLS:
            builder.cell_begin(self._heads[self._column] if self._column < len(self._heads) else "")
            self._column += 1
        elif name == "table":
            self._heads = []
        elif name == "image":
            alt = attribute(element, "alt") or attribute(element, "title")
            if any(map(str.isalpha, alt)):
                builder.figure(" ".join(alt.split()))
        elif name == "code":
            builder.verbatim += 1
        elif name in ("sup", "sub"):
            self._scripts.append((element, builder.length))

    def _end(self, element: Element, name: str) -> None:
        builder = self._builder
        if self._dropping and element is self._dropping[0]:
            self._end_dropping(*self._dropping, name)
        if name == "code":
            builder.verbatim = max(0, builder.verbatim - 1)
        elif self._scripts and self._scripts[-1][0] is element:
            builder.script_end(name, self._scripts.pop()[1])
        if name in ("section", "body"):
            self._depth -= 1
            builder.close()
        elif name == "title":
            self._titles -= 1
            builder.heading_end()
        elif name == "stanza":
            self._verses -= 1
            builder.close()
        elif name == "v":
            builder.line_end()
        elif element is self._code:
            self._end_code(element)
        elif name in (*_PARAGRAPHS, "subtitle") and not self._verses:
            if not (self._titles and self._dropping):
                builder.close()
        elif name in _CELLS:
            builder.cell_end()

    def _open_title(self, element: Element) -> None:
        self._builder.close()
        self._builder.heading_begin()
        if self._reads_notes and name_of(element.getparent()) == "section":
            self._dropping = (element, self._builder.length)

    def _end_dropping(self, element: Element, start: int, name: str) -> None:
        self._builder.drop(start, "note mark")
        self._dropping = None
        if name == "a" and self._notes is not None:
            self._notes.queue(element, self._builder)

    def _open_row(self, row: Element) -> None:
        cells = [cell for cell in row if name_of(cell) in _CELLS]
        self._column = 0
        if not self._heads and len(cells) > 1 and all(name_of(cell) == "th" for cell in cells):
            self._heads = [find_head(text_of(cell)) for cell in cells]
            self._column = len(cells)  # no heads over heads

    def _open_code(self, element: Element) -> None:
        """Lines of code that follow each other are one example."""
        before = element.getprevious()
        if self._code is None or before is None or not is_code(before):
            self._builder.open_code()
        self._code = element

    def _end_code(self, element: Element) -> None:
        after = element.getnext()
        if after is not None and name_of(after) == "p" and is_code(after):
            self._builder.line_end()
        else:
            self._builder.close()
            self._code = None


def is_code(paragraph: Element) -> bool:
    """Whether a paragraph is nothing but code."""
    inner = list(paragraph)
    if not inner or any(name_of(child) != "code" for child in inner):
        return False
    around = [paragraph.text, *(child.tail for child in inner)]
    return not any(text and text.strip() for text in around) and bool(text_of(paragraph))


def _below(element: Element | None, name: str) -> Element | None:
    if element is None:
        return None
    return next((child for child in element.iter() if name_of(child) == name), None)


def _about(root: Element) -> Element | None:
    return _below(_below(root, "description"), "title-info")


def _author(about: Element | None) -> str:
    author = _below(about, "author")
    names = ("first-name", "middle-name", "last-name")
    return " ".join(filter(None, (text_of(_below(author, name)) for name in names)))


def _cover(root: Element, about: Element | None) -> Cover | None:
    image = _below(_below(about, "coverpage"), "image")
    wanted = attribute(image, "href").lstrip("#") if image is not None else ""
    for binary in children_of(root, "binary"):
        if wanted and attribute(binary, "id") == wanted:
            try:
                return find_cover(base64.b64decode("".join(binary.itertext())))
            except (binascii.Error, ValueError):
                return None
    return None
