"""HTML: web pages, and the documents inside an EPUB."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tts_book.errors import UserError
from tts_book.readers.book import LEADS, ParsedBook, ReadOptions, find_language
from tts_book.readers.decoding import Decoded
from tts_book.readers.footnotes import Notes
from tts_book.readers.tree_text import Builder, Element, attribute, events, name_of, words
from tts_book.text.normalize import Kind

_BLOCKS = frozenset(
    (
        "p", "div", "li", "ul", "ol", "dl", "dt", "dd", "blockquote", "section", "article", "body",
        "main", "header", "footer", "figure", "figcaption", "address", "table", "tr", "caption",
        "center", "fieldset", "form", "hgroup", "thead", "tbody", "details", "summary",
    )
)  # fmt: skip
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_SILENT = frozenset(
    (
        "head", "script", "style", "template", "noscript", "iframe", "object", "svg", "math",
        "audio", "video", "canvas", "rp", "rt", "select", "button", "textarea", "input", "img",
    )
)  # fmt: skip
_LEFT_OUT = {"nav": "contents list", "pre": "code", "aside": "aside"}
_NOTE_TYPES = frozenset(("noteref", "doc-noteref", "biblioref", "doc-biblioref"))
_TYPES = {
    "footnote": "notes", "footnotes": "notes", "endnote": "notes", "endnotes": "notes",
    "rearnote": "notes", "rearnotes": "notes", "doc-footnote": "notes", "doc-endnote": "notes",
    "doc-endnotes": "notes", "toc": "contents list", "doc-toc": "contents list",
    "landmarks": "contents list", "loi": "contents list", "lot": "contents list",
    "pagebreak": "page number", "doc-pagebreak": "page number", "page-list": "page number",
    "index": "index", "doc-index": "index", "copyright-page": "copyright",
    "imprint": "copyright", "colophon": "copyright", "doc-colophon": "copyright",
    "titlepage": "title page", "cover": "cover",
    "backlink": "note mark", "doc-backlink": "note mark",
}  # fmt: skip
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w-]{3,20})", re.I)


@dataclass(slots=True)
class Walk:
    """How a document is walked: whether everything is read, what its places are called, and the
    titles that a table of contents gives to its anchors: title and level by anchor. `page` is what
    links start from; notes are read where they stand (`keep_notes`) or where their marks stand
    (`notes`); `reason` leaves the whole page out.
    """

    builder: Builder
    everything: bool = False
    prefix: str = ""
    entries: dict[str, tuple[str, int]] = field(default_factory=dict)
    inner_level: int = 0
    page: str = ""
    keep_notes: bool = False
    notes: Notes | None = None
    reason: str = ""


def read(decoded: Decoded, name: str, options: ReadOptions) -> ParsedBook:
    """A page in blocks. Raises UserError if there is nothing in it."""
    root = parse_page(decoded.text, name)
    builder = Builder(name)
    notes = None
    language = find_language(attribute(root, "lang"))
    if options.notes == "inline":
        notes = Notes(LEADS.get((options.language or language).partition("-")[0], ""))
        notes.collect("", root)
    walk(root, Walk(builder, options.everything, keep_notes=options.notes == "end", notes=notes))
    source, text, found = builder.finish()
    return ParsedBook(
        source=source,
        text=text,
        paragraphs=found,
        title=_title(root),
        language=language,
        encoding=decoded.encoding,
        notices=(decoded.notice,) if decoded.notice else (),
    )


def declared(data: bytes) -> str:
    """The encoding that a page declares, if it names one that exists."""
    found = _CHARSET.search(data[:4096])
    if found is None:
        return ""
    import codecs

    try:
        return codecs.lookup(found[1].decode("ascii")).name
    except LookupError:
        return ""


def parse_page(text: str, name: str) -> Element:
    """The tree of a page: strictly as XHTML if it is that, else as forgiving as browsers are."""
    if "<html" in text[:4096] and "xhtml" in text[:4096]:
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        clean = re.sub(r"\A\s*<\?xml[^>]*\?>", "", text)
        try:
            root = etree.fromstring(clean.encode("utf-8", "replace"), parser)
        except etree.XMLSyntaxError:
            return parse(text, name)
        if not any(node.tag is etree.Entity for node in root.iter()):
            return root
    return parse(text, name)


def parse(text: str, name: str) -> Element:
    """The tree of a page, however broken: no entities from outside, no network."""
    from lxml import etree
    from lxml import html as forgiving

    clean = re.sub(r"^\s*<\?xml[^>]*\?>", "", text).replace("\x00", "")
    data = clean.encode("utf-8", "replace")
    parser = forgiving.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        root = forgiving.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        raise UserError(f"{name} has no words to read aloud") from None
    if any("Excessive depth" in error.message for error in parser.error_log):
        raise UserError(f"{name} is nested too deeply to be a page: save it again, or as .txt")
    return root


def walk(root: Element, how: Walk) -> None:
    """Writes what a page says into the builder."""
    walker = _Walker(how)
    for event, element in events(root):
        if event == "start":
            walker.start(element)
        else:
            walker.end(element)
    how.builder.close()


class _Walker:
    """Keeps where the walk is inside something silent or left out."""

    def __init__(self, how: Walk) -> None:
        self._how = how
        self._builder = how.builder
        self._silent = 0  # depth inside what has no text for a reader
        self._out = 0  # depth inside what is left out
        self._marks: list[tuple[Element, int, str]] = []
        self._waiting = how.entries.get("")
        self._row: Element | None = None  # a row of a table is read as one sentence

    def start(self, element: Element) -> None:
        name = name_of(element)
        notes = self._how.notes
        if self._silent or name in _SILENT or (notes and element in notes.told):
            self._silent += 1
            return
        self._anchor(element)
        reason = self._reason(element, name)
        if self._out or (reason and reason != "note mark"):
            if not self._out:
                self._builder.open(Kind.LEFT_OUT, reason=reason)
            self._out += 1
        elif reason:
            self._marks.append((element, self._builder.length, reason))
        else:
            self._open(element, name)
        self._builder.write(element.text)

    def end(self, element: Element) -> None:
        name = name_of(element)
        if not isinstance(element.tag, str):
            if not self._silent:
                self._builder.write(element.tail)
            return
        if self._silent:
            self._silent -= 1
        elif self._out:
            self._out -= 1
            if not self._out:
                self._builder.close()
        else:
            self._close(element, name)
        if not self._silent:
            self._builder.write(element.tail)

    def _open(self, element: Element, name: str) -> None:
        if name in _HEADINGS:
            level = int(name[1]) + self._how.inner_level
            if self._waiting:
                level = self._waiting[1]
                self._waiting = None
            self._builder.open(Kind.HEADING, level)
        elif name == "p" and self._waiting:
            # A chapter of the table of contents without a heading of its own gets that one.
            title, level = self._waiting
            self._waiting = None
            self._builder.open(Kind.HEADING, level)
            self._builder.write(title)
            self._builder.open()
        elif name == "hr":
            self._builder.scene()
        elif name == "br":
            self._builder.line_end()
        elif name == "tr" and self._row is None and is_row(element):
            self._builder.open()
            self._row = element
        elif name in _BLOCKS and self._row is None:
            self._builder.open()

    def _close(self, element: Element, name: str) -> None:
        if self._marks and self._marks[-1][0] is element:
            _, start, reason = self._marks.pop()
            self._builder.drop(start, reason)
            if self._how.notes and reason == "note mark":
                self._how.notes.tell(element, self._how.page, self._builder)
        elif element is self._row:
            self._row = None
            self._builder.close()
        elif name in ("td", "th"):
            self._builder.cell_end() if self._row is not None else self._builder.close()
        elif (name in _BLOCKS and self._row is None) or name in _HEADINGS:
            self._builder.close()
        elif name in _BLOCKS and element.getnext() is not None:
            self._builder.write(" ")

    def _anchor(self, element: Element) -> None:
        anchor = attribute(element, "id") or (
            attribute(element, "name") if name_of(element) == "a" else ""
        )
        if anchor and not self._out:
            self._builder.label(f"{self._how.prefix}{anchor}")
            self._waiting = self._how.entries.get(anchor) or self._waiting

    def _reason(self, element: Element, name: str) -> str:
        types = f"{attribute(element, 'type')} {attribute(element, 'role')}".split()
        if _NOTE_TYPES.intersection(types) or (name == "sup" and is_note_link(element)):
            return "note mark"
        if name == "a" and is_marked_link(element):
            return "note mark"
        if self._how.everything:
            return _LEFT_OUT["pre"] if name == "pre" else ""
        if self._how.reason:
            return self._how.reason
        told = next((_TYPES[found] for found in types if found in _TYPES), "")
        if not told:
            told = "notes" if is_note(element) else _LEFT_OUT.get(name, "")
        return "" if told == "notes" and self._how.keep_notes else told


def _title(root: Element) -> str:
    for element in root.iter():
        if name_of(element) == "title":
            return words(element)
    return ""


_HOLDS_NOTES = frozenset(("div", "p", "section", "aside", "li", "ol", "ul", "dl", "dd"))
_NOTE_CLASSES = frozenset(("footnote", "footnotes", "endnote", "endnotes", "footnote-text"))
_NOTE_IDS = ("footnote-", "endnote-")
_NO_DATA = frozenset(("h1", "h2", "h3", "h4", "h5", "h6", "table", "br", "hr", "pre", "ul", "ol"))
_LONGEST_ROW = 1_000  # characters


def is_row(element: Element) -> bool:
    """A row of data; tables that lay out a page hold more, and headings."""
    length = 0
    for inner in element.iter():
        length += len(inner.text or "") + len(inner.tail or "")
        if length > _LONGEST_ROW or name_of(inner) in _NO_DATA:
            return False
    return True


def is_note(element: Element) -> bool:
    """What Word and older books call their notes."""
    if name_of(element) not in _HOLDS_NOTES:
        return False
    classes = attribute(element, "class").lower().split()
    return bool(_NOTE_CLASSES.intersection(classes)) or (
        name_of(element) == "li" and attribute(element, "id").startswith(_NOTE_IDS)
    )


def is_note_link(element: Element) -> bool:
    text = words(element)
    return any(name_of(child) == "a" for child in element) and len(text) < 8


def is_marked_link(element: Element) -> bool:
    """A link to a place that is only a number or a star."""
    if not attribute(element, "href").partition("#")[2] or len(element) > 1:
        return False
    text = words(element)
    inner = all(name_of(child) == "sup" for child in element)
    return (
        len(text) < 7
        and bool(re.fullmatch(r"[\[({]?(?:\d{1,4}|\*{1,3}|[†‡])[\])}]?", text))
        and (inner or text[0] in "[({*†‡")
    )
