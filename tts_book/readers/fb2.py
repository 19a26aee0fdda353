"""FB2: sections are chapters, the notes' body is left out, the cover is inside."""

from __future__ import annotations

import base64
import binascii

from tts_book.errors import UserError
from tts_book.model import Cover
from tts_book.readers import xml
from tts_book.readers.book import LEADS, ParsedBook, ReadOptions, find_cover, find_language
from tts_book.readers.footnotes import queue
from tts_book.readers.tree_text import Builder, Element, attribute, children, events, name_of, words
from tts_book.text.normalize import Kind

_PARAGRAPHS = frozenset(("p", "text-author", "date", "tr", "stanza", "cite", "epigraph", "poem"))
_CELLS = ("td", "th")
_DEEPEST = 40
_NOTES = ("notes", "comments", "footnotes")


def read(data: bytes, name: str, options: ReadOptions) -> ParsedBook:
    """An FB2 file in blocks. Raises UserError for what is none."""
    root, remark = xml.tree(data, name, encoding=options.encoding)
    if name_of(root) != "fictionbook":
        raise UserError(f"{name} is not an FB2 book: save it again, or as .txt")
    builder = Builder(name)
    about = _about(root)
    language = find_language(words(_below(about, "lang")))
    bodies = [(body, attribute(body, "name") in _NOTES) for body in children(root, "body")]
    notes = None
    if options.notes == "inline":
        notes = _Notes(LEADS.get((options.language or language).partition("-")[0], ""))
        for body, is_notes in bodies:
            notes.collect(body) if is_notes else None
    for body, is_notes in bodies:
        if not is_notes:
            _walk(body, builder, notes)
        elif options.everything or options.notes == "end":
            _read_notes(body, builder)
        else:
            _leave_notes(body, builder, notes)
    source, text, found = builder.finish()
    series = _below(about, "sequence")
    return ParsedBook(
        source=source,
        text=text,
        paragraphs=found,
        title=words(_below(about, "book-title")),
        author=_author(about),
        language=language,
        cover=_cover(root, about),
        encoding=xml.declared(data) or "utf-8",
        notices=(remark,) if remark else (),
        series=attribute(series, "name") if series is not None else "",
        series_part=attribute(series, "number") if series is not None else "",
    )


class _Notes:
    """The notes by their ids, and which of them were read."""

    def __init__(self, lead: str) -> None:
        self._lead = lead
        self._by_id: dict[str, Element] = {}
        self._told: set[str] = set()

    def collect(self, body: Element) -> None:
        for section in body.iter():
            if name_of(section) == "section" and (id_ := attribute(section, "id")):
                self._by_id.setdefault(id_, section)

    def tell(self, mark: Element, builder: Builder) -> None:
        """Has the note read after the paragraph, once."""
        id_ = attribute(mark, "href").lstrip("#")
        section = self._by_id.get(id_)
        if section is None or id_ in self._told:
            return
        self._told.add(id_)
        title = next(children(section, "title"), None)
        text = " ".join(filter(None, (words(part) for part in section if part is not title)))
        queue(builder, id_, self._lead, text)

    def is_told(self, section: Element) -> bool:
        return attribute(section, "id") in self._told


def _leave_notes(body: Element, builder: Builder, notes: _Notes | None) -> None:
    """Notes that are not read; those that were read where their marks stand are no more here."""
    builder.open(Kind.LEFT_OUT, reason="notes")
    told = 0
    for event, element in events(body):
        is_told = notes is not None and name_of(element) == "section" and notes.is_told(element)
        if event == "start":
            told += is_told
            builder.write("" if told else element.text)
        else:
            told -= is_told
            builder.write("" if told or element is body else element.tail)
    builder.close()


def _read_notes(body: Element, builder: Builder) -> None:
    """Notes read where they stand: their numbers are no headings."""
    builder.label(attribute(body, "name"))
    for part in body:
        if name_of(part) == "title":
            builder.open(Kind.HEADING, 1)
            builder.write(words(part))
            builder.close()
            continue
        for inner in part.iter():
            if name_of(inner) == "title":
                builder.open(Kind.LEFT_OUT, reason="note mark")
                builder.write(words(inner))
            elif name_of(inner) in ("p", "v", "subtitle", "text-author") and not _in_title(inner):
                builder.open()
                builder.write(words(inner))
        builder.close()


def _in_title(element: Element) -> bool:
    up = element.getparent()
    return up is not None and name_of(up) == "title"


def _walk(body: Element, builder: Builder, notes: _Notes | None) -> None:
    depth, title, verse, count = 0, 0, 0, 0
    mark: tuple[Element, int] | None = None
    for event, element in events(body):
        name = name_of(element)
        is_start = event == "start"
        if name in ("section", "body"):
            depth += 1 if is_start else -1
            builder.close()
            if is_start:
                count += 1
                builder.label(attribute(element, "id") or f"section-{count}")
        elif name == "title":
            title += 1 if is_start else -1
            builder.close()
        elif name == "subtitle" and is_start:
            builder.open(Kind.HEADING, min(depth, _DEEPEST) + 1)
        elif name == "stanza":
            verse += 1 if is_start else -1
            builder.open(Kind.VERSE) if is_start else builder.close()
        elif name == "v" and not is_start:
            builder.line_end()
        elif name == "p" and title and is_start:
            builder.open(Kind.HEADING, max(1, min(depth, _DEEPEST)))
        elif name in _PARAGRAPHS and is_start and not verse:
            builder.open()
        elif name in (*_PARAGRAPHS, "subtitle") and not is_start and not verse:
            builder.close()
        elif name == "a" and attribute(element, "type") == "note" and is_start:
            mark = (element, builder.length)
        elif mark and element is mark[0] and not is_start:
            builder.drop(mark[1], "note mark")
            if notes is not None:
                notes.tell(element, builder)
            mark = None
        elif name in _CELLS and not is_start:
            builder.cell_end()
        if is_start:
            builder.write(element.text)
        elif element is not body:
            builder.write(element.tail)


def _below(element: Element | None, name: str) -> Element | None:
    if element is None:
        return None
    return next((child for child in element.iter() if name_of(child) == name), None)


def _about(root: Element) -> Element | None:
    return _below(_below(root, "description"), "title-info")


def _author(about: Element | None) -> str:
    author = _below(about, "author")
    names = ("first-name", "middle-name", "last-name")
    return " ".join(filter(None, (words(_below(author, name)) for name in names)))


def _cover(root: Element, about: Element | None) -> Cover | None:
    image = _below(_below(about, "coverpage"), "image")
    wanted = attribute(image, "href").lstrip("#") if image is not None else ""
    for binary in children(root, "binary"):
        if wanted and attribute(binary, "id") == wanted:
            try:
                return find_cover(base64.b64decode("".join(binary.itertext())))
            except (binascii.Error, ValueError):
                return None
    return None
